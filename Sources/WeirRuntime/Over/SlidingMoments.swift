// VAR_POP, VAR_SAMP, STDDEV_POP and STDDEV_SAMP over bounded frames, in constant time a row: the sums of the
// values and of their squares with twice the digits of a double, so that what a difference of two sums
// loses does not show. Values are taken from the first one that a frame had, which keeps large numbers that
// are close together apart.

import WeirCore

/// Variance and standard deviation of which values can be taken out; arguments are DOUBLE.
final class SlidingMoments: Accumulator {
    /// What is kept of a group.
    private struct State {
        var count: Int64 = 0
        /// Values that are infinite or NaN.
        var unboundedCount: Int64 = 0
        /// What values are taken from; none before the first finite value.
        var origin = Double.nan
        var sum = WideDouble()
        var squares = WideDouble()
    }

    private let states = Buffer<State>()
    private let isSample: Bool
    private let isDeviation: Bool
    private let type: DataType

    /// `type` is that of the result.
    init(isSample: Bool, isDeviation: Bool, type: DataType) {
        self.isSample = isSample
        self.isDeviation = isDeviation
        self.type = type
    }

    var bytesPerGroup: Int { MemoryLayout<State>.stride }
    func reserve(_ count: Int) { states.reserve(count) }

    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots { states.base[Int(slot)] = State() }
    }

    var canRetract: Bool { true }

    func update(_ rows: RowSlots, _ input: AggregateInput) { add(1, rows, input.argument) }

    func retract(_ rows: RowSlots, _ input: AggregateInput) { add(-1, rows, input.argument) }

    private func add(_ sign: Double, _ rows: RowSlots, _ column: Column) {
        let (values, validity) = (column.doubles, column.validity)
        for index in 0..<rows.count {
            let row = Int(rows.rows[index])
            if let validity, validity[row] == 0 { continue }
            add(sign, values[row], to: &states.base[Int(rows.slots[index])])
        }
    }

    @inline(__always)
    private func add(_ sign: Double, _ value: Double, to state: inout State) {
        state.count &+= sign < 0 ? -1 : 1
        guard value.isFinite else {
            state.unboundedCount &+= sign < 0 ? -1 : 1
            return
        }
        if state.origin.isNaN { state.origin = value }
        let distance = value - state.origin
        state.sum.add(sign * distance)
        state.squares.addSquare(distance, sign: sign)
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        preconditionFailure("values over frames are not merged")
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        writer.writeWords(count: slots.count) { states.base[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        try reader.readWords(State.self, count: slots.count) { states.base[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        for slot in slots {
            let state = states.base[Int(slot)]
            let divisor = state.count - (isSample ? 1 : 0)
            if divisor <= 0 {
                column.appendNull()
                continue
            }
            let spread = state.squares.minusSquare(of: state.sum, by: Double(state.count)).value
            let variance = state.unboundedCount > 0 ? .nan : max(0, spread) / Double(divisor)
            MomentAccumulator.append(
                isDeviation ? variance.squareRoot() : variance, type, to: column)
        }
    }
}
