// SUM and AVG of doubles over bounded frames: the values that come are added and those that leave are
// subtracted, one by one, as Flink does it, so that results are equal to Flink's to the last bit. (AVG is
// the sum by the count there, so that of FLOAT comes from a sum with the precision of a FLOAT.)
//
// Sums kept up that way drift. After a value of 1e17 has come and gone, nothing is left of the small ones
// beside it, in Flink for good. So a second sum goes along with twice the digits; where
// the first has gone away from it by more than a billionth of what the frame's values amount to, it is
// set right. Infinities and NaN are counted, not added: they, too, leave no trace when they are gone.

import WeirCore

/// SUM and AVG of DOUBLE and FLOAT of which values can be taken out.
final class SlidingSum: Accumulator {
    /// What is kept of a group.
    private struct State {
        var sum = 0.0
        var count: Int64 = 0
        var exact = WideDouble()
        /// The sum of the values' magnitudes.
        var extent = WideDouble()
        /// Values that are NaN, +∞ and -∞.
        var undefined: Int64 = 0
        var positive: Int64 = 0
        var negative: Int64 = 0
    }

    private let states = Buffer<State>()
    private let isAverage: Bool
    private let isFloat: Bool
    private let driftMax: Double

    init(isAverage: Bool, isFloat: Bool) {
        self.isAverage = isAverage
        self.isFloat = isFloat
        driftMax = isFloat ? 1e-3 : 1e-9
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
        let step: Int64 = sign < 0 ? -1 : 1
        state.count &+= step
        guard value.isFinite else {
            if value.isNaN {
                state.undefined &+= step
            } else if value > 0 {
                state.positive &+= step
            } else {
                state.negative &+= step
            }
            return
        }
        let sum = sign < 0 ? state.sum - value : state.sum + value
        state.sum = isFloat ? Double(Float(sum)) : sum
        state.exact.add(sign * value)
        state.extent.add(sign * value.magnitude)
        if sign < 0 { settle(&state) }
    }

    @inline(__always)
    private func settle(_ state: inout State) {
        let exact = state.exact.value
        let drift = (state.sum - exact).magnitude
        if drift > driftMax * state.extent.value.magnitude { state.sum = exact }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        preconditionFailure("sums over frames are not merged")
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        writer.writeWords(count: slots.count) { states.base[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        try reader.readWords(State.self, count: slots.count) { states.base[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        column.appendWords(count: slots.count, isNull: { states.base[Int(slots[$0])].count == 0 }) {
            result(states.base[Int(slots[$0])])
        }
    }

    private func result(_ state: State) -> Double {
        if state.undefined > 0 || (state.positive > 0 && state.negative > 0) { return .nan }
        if state.positive > 0 { return .infinity }
        if state.negative > 0 { return -.infinity }
        if !isAverage { return state.sum }
        let average = state.sum / Double(state.count)
        return isFloat ? Double(Float(average)) : average
    }
}
