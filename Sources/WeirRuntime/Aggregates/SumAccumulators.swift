// SUM and AVG. Both ignore NULLs and are NULL for a group without a value.
//
// Integers wrap (SUM(INT) at 32 bits, as Flink's, and so on); a sum kept at 64 bits and cut at the end is the
// same. AVG of integers rounds toward zero. Doubles are added in the order of arrival within a pane
// and then pane by pane, so the last bits follow from the input alone; Windows/Spilling.swift says
// why that holds when memory runs short, too.

import WeirCore

/// SUM and AVG of integers and intervals.
final class IntegerSum: Accumulator {
    private let sums = Buffer<Int64>()
    private let counts = Buffer<Int64>()
    private let isAverage: Bool
    /// Bits that the result's type does not have.
    private let spareBits: Int

    init(isAverage: Bool, bits: Int) {
        self.isAverage = isAverage
        spareBits = 64 - bits
    }

    var bytesPerGroup: Int { 16 }

    func reserve(_ count: Int) {
        sums.reserve(count)
        counts.reserve(count)
    }

    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        let (sums, counts) = (sums.base, counts.base)
        for slot in slots {
            sums[Int(slot)] = 0
            counts[Int(slot)] = 0
        }
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) { add(1, rows, input.argument) }

    var canRetract: Bool { true }

    func retract(_ rows: RowSlots, _ input: AggregateInput) { add(-1, rows, input.argument) }

    @inline(__always)
    private func add(_ sign: Int64, _ rows: RowSlots, _ column: Column) {
        let (sums, counts, values) = (sums.base, counts.base, column.ints)
        if let validity = column.validity {
            for i in 0..<rows.count where validity[Int(rows.rows[i])] != 0 {
                let slot = Int(rows.slots[i])
                sums[slot] &+= sign &* values[Int(rows.rows[i])]
                counts[slot] &+= sign
            }
        } else {
            for i in 0..<rows.count {
                let slot = Int(rows.slots[i])
                sums[slot] &+= sign &* values[Int(rows.rows[i])]
                counts[slot] &+= sign
            }
        }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        let (sums, counts) = (sums.base, counts.base)
        for i in 0..<count {
            sums[Int(into[i])] &+= sums[Int(from[i])]
            counts[Int(into[i])] &+= counts[Int(from[i])]
        }
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let (sums, counts) = (sums.base, counts.base)
        writer.writePacked(count: slots.count) { sums[Int(slots[$0])] }
        writer.writePacked(count: slots.count) { counts[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let (sums, counts) = (sums.base, counts.base)
        try reader.readPacked(count: slots.count) { sums[Int(slots[$0])] = $1 }
        try reader.readPacked(count: slots.count) { counts[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        let (sums, counts) = (sums.base, counts.base)
        column.appendWords(count: slots.count, isNull: { counts[Int(slots[$0])] == 0 }) {
            i -> Int64 in
            let slot = Int(slots[i])
            let result = isAverage ? sums[slot] / counts[slot] : sums[slot]
            return (result << spareBits) >> spareBits
        }
    }
}

/// SUM and AVG of DOUBLE and FLOAT. A SUM of FLOAT has the precision of a FLOAT in each step, as
/// Flink's; its AVG is rounded at the end.
final class DoubleSum: Accumulator {
    private let sums = Buffer<Double>()
    private let counts = Buffer<Int64>()
    private let isAverage: Bool
    /// Where a sum starts. Adding to -0 leaves every value as it is, so SUM of -0 alone is -0. AVG starts
    /// at +0, as Flink's does, and so does SUM over the rows before a row.
    private let zero: Double
    private let isFloat: Bool

    init(isAverage: Bool, isFloat: Bool = false, startsAtZero: Bool = false) {
        self.isAverage = isAverage
        self.isFloat = isFloat
        zero = isAverage || startsAtZero ? 0.0 : -0.0
    }

    var bytesPerGroup: Int { 16 }

    func reserve(_ count: Int) {
        sums.reserve(count)
        counts.reserve(count)
    }

    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        let (sums, counts) = (sums.base, counts.base)
        for slot in slots {
            sums[Int(slot)] = zero
            counts[Int(slot)] = 0
        }
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        let column = input.argument
        let (sums, counts, values) = (sums.base, counts.base, column.doubles)
        if isFloat, !isAverage { return addFloats(rows, column) }
        if let validity = column.validity {
            for i in 0..<rows.count where validity[Int(rows.rows[i])] != 0 {
                let slot = Int(rows.slots[i])
                sums[slot] += values[Int(rows.rows[i])]
                counts[slot] &+= 1
            }
        } else {
            for i in 0..<rows.count {
                let slot = Int(rows.slots[i])
                sums[slot] += values[Int(rows.rows[i])]
                counts[slot] &+= 1
            }
        }
    }

    private func addFloats(_ rows: RowSlots, _ column: Column) {
        for i in 0..<rows.count where !column.isNull(Int(rows.rows[i])) {
            let slot = Int(rows.slots[i])
            let sum = sums.base[slot] + column.doubles[Int(rows.rows[i])]
            sums.base[slot] = Double(Float(sum))
            counts.base[slot] &+= 1
        }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        let (sums, counts) = (sums.base, counts.base)
        for i in 0..<count {
            let sum = sums[Int(into[i])] + sums[Int(from[i])]
            sums[Int(into[i])] = isFloat && !isAverage ? Double(Float(sum)) : sum
            counts[Int(into[i])] &+= counts[Int(from[i])]
        }
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let (sums, counts) = (sums.base, counts.base)
        writer.writeWords(count: slots.count) { sums[Int(slots[$0])] }
        writer.writePacked(count: slots.count) { counts[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let (sums, counts) = (sums.base, counts.base)
        try reader.readWords(Double.self, count: slots.count) { sums[Int(slots[$0])] = $1 }
        try reader.readPacked(count: slots.count) { counts[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        let (sums, counts) = (sums.base, counts.base)
        column.appendWords(count: slots.count, isNull: { counts[Int(slots[$0])] == 0 }) {
            i -> Double in
            let slot = Int(slots[i])
            if !isAverage { return sums[slot] }
            let average = sums[slot] / Double(counts[slot])
            return isFloat ? Double(Float(average)) : average
        }
    }
}
