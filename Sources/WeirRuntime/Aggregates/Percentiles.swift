// PERCENTILE over all values of a group, and the rule that it shares with APPROX_PERCENTILE: of n
// values in order the one at place f × (n - 1) + 1, or between its two neighbours in proportion, as in
// Flink, to the last bit. All NaN come last.

import WeirCore
import WeirSQL

/// Fractions of a percentile call, and whether the result is an array.
struct PercentileFractions {
    let fractions: [Double]
    let isArray: Bool

    /// The fractions among a call's parameters.
    init(_ call: AggregateCall) {
        fractions = call.parameters.compactMap { parameter in
            if case .double(let value) = parameter { value } else { nil }
        }
        isArray = call.type.elementType != nil
    }

    /// Appends the percentiles of `total` values; `value` gives the one at a place from 0.
    func append(_ total: Int64, to column: Column, _ value: (Int64) -> Double) {
        guard total > 0 else {
            column.appendNull()
            return
        }
        if isArray, let child = column.child {
            for fraction in fractions { child.append(Self.between(total, fraction, value)) }
            column.appendArray()
        } else {
            column.append(Self.between(total, fractions[0], value))
        }
    }

    private static func between(
        _ total: Int64, _ fraction: Double, _ value: (Int64) -> Double
    ) -> Double {
        let place = fraction * Double(total - 1) + 1
        let (lower, upper) = (place.rounded(.down), place.rounded(.up))
        let low = value(min(Int64(lower), total) - 1)
        if lower == upper { return low }
        let high = value(min(Int64(upper), total) - 1)
        if low == high { return low }
        return (upper - place) * low + (place - lower) * high
    }
}

/// PERCENTILE: keeps all values.
struct ExactPercentile: ObjectAggregate {
    typealias State = ValueList
    let fractions: PercentileFractions

    /// A value counts as often as the second argument says; not at all where that is not above 0.
    func takes(_ row: Int, of input: AggregateInput) -> Bool {
        if input.arguments[0].isNull(row) { return false }
        guard input.arguments.count > 1 else { return true }
        return !input.arguments[1].isNull(row) && input.arguments[1].ints[row] > 0
    }

    func add(_ row: Int, of input: AggregateInput, to state: ValueList) -> Bool {
        let value = input.arguments[0].doubles[row]
        guard input.arguments.count > 1 else {
            return withUnsafeBytes(of: value) { state.append($0) }
        }
        let weighted = (value, input.arguments[1].ints[row])
        return withUnsafeBytes(of: weighted) { state.append($0) }
    }

    func emit(_ state: ValueList?, into column: Column) {
        var values: [(value: Double, weight: Int64)] = []
        values.reserveCapacity(state?.count ?? 0)
        for index in 0..<(state?.count ?? 0) {
            guard let bytes = state?[index] else { continue }
            let weight =
                bytes.count > 8 ? bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self) : 1
            values.append((bytes.loadUnaligned(as: Double.self), weight))
        }
        values.sort { $0.value < $1.value || (!$0.value.isNaN && $1.value.isNaN) }
        if values.allSatisfy({ $0.weight == 1 }) {
            fractions.append(Int64(values.count), to: column) { values[Int($0)].value }
            return
        }
        var ends: [Int64] = []
        for value in values { ends.append((ends.last ?? 0) &+ value.weight) }
        fractions.append(ends.last ?? 0, to: column) { place in
            var (low, high) = (0, ends.count - 1)
            while low < high {
                let middle = (low + high) / 2
                if ends[middle] <= place { low = middle + 1 } else { high = middle }
            }
            return values[low].value
        }
    }
}

/// APPROX_PERCENTILE: keeps a histogram.
struct ApproximatePercentile: ObjectAggregate {
    typealias State = ValueHistogram
    let fractions: PercentileFractions

    func add(_ row: Int, of input: AggregateInput, to state: ValueHistogram) -> Bool {
        state.add(input.arguments[0].doubles[row])
        return true
    }

    func emit(_ state: ValueHistogram?, into column: Column) {
        fractions.append(state?.total ?? 0, to: column) { state?.value(at: $0) ?? 0 }
    }
}
