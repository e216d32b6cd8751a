// From the calls over a window to what computes them and to the rows that must be kept for it.
//
// Which way a call is computed depends on its frame: over all rows so far every aggregate can be kept up as
// rows come. Rows that leave a bounded frame can be taken out of counts and sums; extremes have their queue
// (OverExtremes); what is left is computed from the frame's rows each time.

import WeirCore
import WeirSQL

/// What the calls read and how each is computed.
struct OverLayout {
    /// The arguments of all calls, each once.
    let arguments: [CompiledExpression]
    let columns: [(any OverColumn)?]
    let kept: OverProcessor.Kept

    /// - Parameter seed: spreads hashes; no result depends on it.
    init(_ spec: OverSpec, seed: UInt64 = 0) throws(Failure) {
        var distinct: [BoundExpression] = []
        var made: [(any OverColumn)?] = []
        var reach: Int64 = 0
        for call in spec.calls {
            let places = call.expressions.map { expression -> Int in
                if let known = distinct.firstIndex(of: expression) { return known }
                distinct.append(expression)
                return distinct.count - 1
            }
            switch call {
            case .rowNumber: made.append(nil)
            case .lag(_, let offset, let otherwise):
                reach = max(reach, offset + 1)
                let fallback: LagColumn.Otherwise =
                    if places.count > 1 { .argument(places[1]) } else {
                        .constant(
                            try CompiledExpression(otherwise).evaluate(columns: [], rowCount: 1))
                    }
                made.append(LagColumn(places[0], offset: Int(offset), otherwise: fallback))
            case .aggregate(let aggregate):
                made.append(
                    try Self.column(
                        aggregate, places, isBounded: spec.frame.isBounded, seed: seed))
            }
        }
        arguments = try distinct.map { (argument) throws(Failure) in
            try CompiledExpression(argument)
        }
        columns = made
        switch spec.frame {
        case .rows(let preceding?): kept = .last(Int32(preceding) + 1)
        case .range(let preceding?): kept = .within(preceding)
        case .rows(nil), .range(nil): kept = reach > 0 ? .last(Int32(reach)) : .none
        }
    }

    private static func column(
        _ call: AggregateCall, _ places: [Int], isBounded: Bool, seed: UInt64
    ) throws(Failure) -> any OverColumn {
        if let sum = sumOfDoubles(call, isBounded: isBounded) { return RunningColumn(sum, places) }
        guard isBounded else { return RunningColumn(try makeAccumulator(call), places) }
        switch call.function {
        case .min: return ExtremeColumn(.least, argument: places[0])
        case .max: return ExtremeColumn(.greatest, argument: places[0])
        case .firstValue: return ExtremeColumn(.first, argument: places[0])
        case .lastValue: return ExtremeColumn(.last, argument: places[0])
        case .count where call.isDistinct: return DistinctColumn(places, seed: seed)
        case .stddevPop, .stddevSamp, .varPop, .varSamp:
            if call.isDistinct { break }
            return MomentsColumn(call.function, argument: places[0], type: call.type)
        default: break
        }
        let accumulator = try makeAccumulator(call)
        return accumulator.canRetract
            ? RunningColumn(accumulator, places) : RecomputedColumn(accumulator, places)
    }

    /// SUM or AVG of doubles, whose sum starts at 0 here, not at nothing: that of -0 alone is 0.
    private static func sumOfDoubles(_ call: AggregateCall, isBounded: Bool) -> (any Accumulator)? {
        guard call.function == .sum || call.function == .avg, !call.isDistinct,
            let type = call.argument?.type, type.physical == .double
        else { return nil }
        let isAverage = call.function == .avg
        return isBounded || type == .float
            ? SlidingSum(isAverage: isAverage, isFloat: type == .float)
            : DoubleSum(isAverage: isAverage, startsAtZero: true)
    }
}
