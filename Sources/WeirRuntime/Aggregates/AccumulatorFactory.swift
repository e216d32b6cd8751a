// From an aggregate call to what computes it. The binder has seen to it that arguments have the types
// that the functions take; what is left to choose is the layout.

import WeirCore
import WeirSQL

/// The accumulator of an aggregate call.
func makeAccumulator(_ call: AggregateCall) throws(Failure) -> any Accumulator {
    if call.isDistinct, let distinct = try makeDistinct(call) { return distinct }
    let type = call.argument?.type ?? .bigint
    switch call.function {
    case .countStar, .count: return CountAccumulator()
    case .sum, .avg: return try makeSum(call, type)
    case .min, .max: return try makeExtreme(call, type)
    case .firstValue, .lastValue:
        return EdgeAccumulator(isLast: call.function == .lastValue, physical: type.physical)
    case .stddevPop, .stddevSamp, .varPop, .varSamp:
        return MomentAccumulator(
            isSample: call.function == .stddevSamp || call.function == .varSamp,
            isDeviation: call.function == .stddevPop || call.function == .stddevSamp,
            type: call.type)
    case .listAgg: return ObjectAccumulator(TextJoin(separator: call.separator))
    case .arrayAgg:
        return ObjectAccumulator(ArrayOfValues(ignoresNulls: call.parameters == [.boolean(true)]))
    case .collect: return ObjectAccumulator(CollectedValues(isDistinct: call.isDistinct))
    case .jsonArrayAgg: return ObjectAccumulator(JSONArrayOfValues())
    case .jsonObjectAgg: return ObjectAccumulator(JSONObjectOfMembers())
    case .percentile: return ObjectAccumulator(ExactPercentile(fractions: .init(call)))
    case .approxPercentile: return ObjectAccumulator(ApproximatePercentile(fractions: .init(call)))
    case .approxCountDistinct: return ObjectAccumulator(ApproximateDistinct())
    case .approxTopK: return ObjectAccumulator(ApproximateTopK(count: call.resultCount))
    }
}

/// The accumulator of a call with DISTINCT; nil where it changes nothing.
private func makeDistinct(_ call: AggregateCall) throws(Failure) -> (any Accumulator)? {
    switch call.function {
    case .count: return ObjectAccumulator(DistinctCount())
    case .sum, .avg, .stddevPop, .stddevSamp, .varPop, .varSamp, .listAgg, .arrayAgg, .percentile,
        .approxPercentile, .approxTopK:
        guard call.arguments.count == 1, let argument = call.argument else {
            throw unsupported(call, "DISTINCT over several arguments")
        }
        let all = AggregateCall(
            function: call.function, arguments: call.arguments, parameters: call.parameters,
            filter: call.filter, type: call.type)
        let takesNulls = call.function == .arrayAgg && call.parameters != [.boolean(true)]
        return ObjectAccumulator(
            DistinctValues(try makeAccumulator(all), argument.type, takesNulls: takesNulls))
    // Of equal values one is as good as many.
    case .countStar, .min, .max, .firstValue, .lastValue, .approxCountDistinct: return nil
    // Counts each value once.
    case .collect: return nil
    // The grammar has no DISTINCT for them.
    case .jsonArrayAgg, .jsonObjectAgg: return nil
    }
}

private func makeSum(
    _ call: AggregateCall, _ type: DataType
) throws(Failure) -> any Accumulator {
    if type.isDecimal {
        return DecimalSum(
            isAverage: call.function == .avg, argument: type, result: call.type)
    }
    switch type.physical {
    case .int64:
        return IntegerSum(isAverage: call.function == .avg, bits: call.type.integerBits)
    case .double: return DoubleSum(isAverage: call.function == .avg, isFloat: type == .float)
    default: throw unsupported(call, "\(type)")
    }
}

private func makeExtreme(
    _ call: AggregateCall, _ type: DataType
) throws(Failure) -> any Accumulator {
    switch type.physical {
    case .int64, .bool: return IntegerExtreme(isMaximum: call.function == .max)
    case .double: return DoubleExtreme(isMaximum: call.function == .max)
    case .int128: return WideExtreme(isMaximum: call.function == .max)
    case .string: return TextExtreme(isMaximum: call.function == .max)
    default: throw unsupported(call, "\(type)")
    }
}

private func unsupported(_ call: AggregateCall, _ what: String) -> Failure {
    Failure(
        .configuration, "planning", "\(call.function.name) with \(what)",
        "there is no such aggregate")
}

extension AggregateCall {
    /// What LISTAGG puts between two texts.
    fileprivate var separator: [UInt8] {
        if case .string(let text) = parameters.first { Array(text.utf8) } else { [0x2C] }
    }

    /// How many values APPROX_TOP_K gives.
    fileprivate var resultCount: Int {
        if case .integer(let count) = parameters.first { Int(count) } else { 1 }
    }
}
