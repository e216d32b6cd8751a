// VAR_POP, VAR_SAMP, STDDEV_POP and STDDEV_SAMP over bounded frames, in constant time a row: the sums of the
// values and of their squares with twice the digits of a double. Values are taken from the first one, which
// keeps large numbers that are close together apart.
//
// That many digits are not always enough: when a very large value has left the frame, or all values have
// become equal, what is left is small against what once was added. Then the sums are made anew from the
// frame's rows. Whether that is so follows from the sums alone, and so from the rows that came.

import WeirCore
import WeirSQL

/// Variance and standard deviation of bounded frames; the argument is DOUBLE.
final class MomentsColumn: OverColumn {
    /// What is kept of a partition.
    private struct State {
        var count: Int64 = 0
        /// Values that are infinite or NaN.
        var unboundedCount: Int64 = 0
        /// What values are taken from; none before the first finite value.
        var origin = Double.nan
        var sum = WideDouble()
        var squares = WideDouble()
        /// The greatest that `squares` has been.
        var peak = 0.0

        /// The sum of the squares of the distances from the mean; nil when its digits are lost.
        var spread: Double? {
            if peak == 0 { return 0 }
            let spread = squares.minusSquare(of: sum, by: Double(max(1, count))).value
            return spread > peak * 1e-15 ? spread : nil
        }

        @inline(__always)
        mutating func add(_ sign: Double, _ value: Double) {
            count &+= sign < 0 ? -1 : 1
            guard value.isFinite else {
                unboundedCount &+= sign < 0 ? -1 : 1
                return
            }
            if origin.isNaN { origin = value }
            let distance = value - origin
            sum.add(sign * distance)
            squares.addSquare(distance, sign: sign)
            // Squares beyond the greatest number are no number either.
            if !(squares.value <= peak) { peak = squares.value }
        }
    }

    private let states = Buffer<State>()
    private let argument: Int
    private let isSample: Bool
    private let isDeviation: Bool
    private let type: DataType

    /// `type` is that of the result.
    init(_ function: AggregateFunction, argument: Int, type: DataType) {
        self.argument = argument
        isSample = function == .stddevSamp || function == .varSamp
        isDeviation = function == .stddevPop || function == .stddevSamp
        self.type = type
    }

    var bytesPerKey: Int { MemoryLayout<State>.stride }
    func reserve(_ count: Int) { states.reserve(count) }
    func open(_ slot: Int32) { states.base[Int(slot)] = State() }

    func take(_ steps: OverSteps, _ input: OverInput, into column: Column) {
        let values = input.columns[argument]
        steps.forEachRun { kind, range in
            switch kind {
            case OverSteps.Kind.add: add(1, steps, range, values)
            case OverSteps.Kind.retract: add(-1, steps, range, values)
            case OverSteps.Kind.clear: for step in range { open(steps.slots[step]) }
            default: for step in range { emit(steps, step, values, input, into: column) }
            }
        }
    }

    private func add(_ sign: Double, _ steps: OverSteps, _ range: Range<Int>, _ values: Column) {
        let (numbers, validity, states) = (values.doubles, values.validity, states.base)
        for step in range {
            let place = Int(steps.places[step])
            if let validity, validity[place] == 0 { continue }
            states[Int(steps.slots[step])].add(sign, numbers[place])
        }
    }

    private func emit(
        _ steps: OverSteps, _ step: Int, _ values: Column, _ input: OverInput, into column: Column
    ) {
        let slot = Int(steps.slots[step])
        let divisor = states.base[slot].count - (isSample ? 1 : 0)
        if divisor <= 0 {
            column.appendNull()
            return
        }
        var spread = states.base[slot].spread
        if spread == nil {
            states.base[slot] = State()
            addFrame(steps, step, values, input, to: slot)
            spread = states.base[slot].spread
        }
        let variance =
            states.base[slot].unboundedCount > 0 ? .nan : (spread ?? .nan) / Double(divisor)
        MomentAccumulator.append(isDeviation ? variance.squareRoot() : variance, type, to: column)
    }

    /// Adds all rows of a frame.
    private func addFrame(
        _ steps: OverSteps, _ step: Int, _ values: Column, _ input: OverInput, to slot: Int
    ) {
        guard let rows = input.rows else { preconditionFailure("a frame without rows") }
        var place = Int(steps.firsts[step])
        for index in 0..<steps.lengths[step] {
            if !values.isNull(place) { states.base[slot].add(1, values.doubles[place]) }
            if index + 1 < steps.lengths[step] { place = Int(rows.next[place]) }
        }
    }

    func save(_ slot: Int32, into writer: inout ByteWriter) {
        writer.writeWords(count: 1) { _ in states.base[Int(slot)] }
    }

    func load(_ slot: Int32, from reader: inout ByteReader) throws(Failure) {
        try reader.readWords(State.self, count: 1) { states.base[Int(slot)] = $1 }
    }
}
