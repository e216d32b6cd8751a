// SUM, AVG, MIN and MAX of decimals. A sum is kept whole, in 192 bits, so it does not depend on the order
// of rows and rows can be taken out again; what has more than 38 digits in the end is NULL. (Flink keeps
// 38 digits all the way, and a sum that leaves them on its way begins anew from NULL.)

import WeirCore
import WeirSQL

/// SUM and AVG of DECIMAL.
final class DecimalSum: Accumulator {
    /// The sum is high × 2^128 + low.
    private let lows = Buffer<UInt128>()
    private let highs = Buffer<Int64>()
    private let counts = Buffer<Int64>()
    private let isAverage: Bool
    private let isCompact: Bool
    private let precision: Int
    /// Places that the result has more than the argument.
    private let shift: Int

    init(isAverage: Bool, argument: DataType, result: DataType) {
        guard let from = argument.decimalShape, let to = result.decimalShape else {
            preconditionFailure("decimals")
        }
        self.isAverage = isAverage
        isCompact = argument.physical == .int64
        precision = to.precision
        shift = to.scale - from.scale
    }

    var bytesPerGroup: Int { 32 }

    func reserve(_ count: Int) {
        lows.reserve(count)
        highs.reserve(count)
        counts.reserve(count)
    }

    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots {
            lows.base[Int(slot)] = 0
            highs.base[Int(slot)] = 0
            counts.base[Int(slot)] = 0
        }
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) { add(1, rows, input.argument) }

    var canRetract: Bool { true }

    func retract(_ rows: RowSlots, _ input: AggregateInput) { add(-1, rows, input.argument) }

    private func add(_ sign: Int64, _ rows: RowSlots, _ column: Column) {
        let counts = counts.base
        for i in 0..<rows.count {
            let (row, slot) = (Int(rows.rows[i]), Int(rows.slots[i]))
            if column.isNull(row) { continue }
            let value = isCompact ? Int128(column.ints[row]) : column.wides[row]
            add(sign < 0 ? -value : value, to: slot)
            counts[slot] &+= sign
        }
    }

    @inline(__always)
    private func add(_ value: Int128, to slot: Int) {
        let (sum, carry) = lows.base[slot].addingReportingOverflow(UInt128(bitPattern: value))
        lows.base[slot] = sum
        highs.base[slot] &+= (carry ? 1 : 0) + (value < 0 ? -1 : 0)
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        for i in 0..<count {
            let (to, source) = (Int(into[i]), Int(from[i]))
            let (sum, carry) = lows.base[to].addingReportingOverflow(lows.base[source])
            lows.base[to] = sum
            highs.base[to] &+= highs.base[source] &+ (carry ? 1 : 0)
            counts.base[to] &+= counts.base[source]
        }
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let (lows, highs, counts) = (lows.base, highs.base, counts.base)
        writer.writePacked(count: slots.count) {
            Int64(truncatingIfNeeded: lows[Int(slots[$0])])
        }
        writer.writePacked(count: slots.count) {
            Int64(truncatingIfNeeded: lows[Int(slots[$0])] >> 64)
        }
        writer.writePacked(count: slots.count) { highs[Int(slots[$0])] }
        writer.writePacked(count: slots.count) { counts[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let (lows, highs, counts) = (lows.base, highs.base, counts.base)
        try reader.readPacked(count: slots.count) {
            lows[Int(slots[$0])] = UInt128(UInt64(bitPattern: $1))
        }
        try reader.readPacked(count: slots.count) {
            lows[Int(slots[$0])] |= UInt128(UInt64(bitPattern: $1)) << 64
        }
        try reader.readPacked(count: slots.count) { highs[Int(slots[$0])] = $1 }
        try reader.readPacked(count: slots.count) { counts[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        for slot in slots {
            if let value = result(Int(slot)) {
                column.appendDecimal(value)
            } else {
                column.appendNull()
            }
        }
    }

    private func result(_ slot: Int) -> Int128? {
        let count = counts.base[slot]
        let sum = Int128(bitPattern: lows.base[slot])
        guard count != 0, highs.base[slot] == (sum < 0 ? -1 : 0) else { return nil }
        var value = sum
        if isAverage {
            let moved = WideInteger(product: sum, Decimals.power(shift))
            guard let quotient = moved.divided(roundingBy: Int128(count)) else { return nil }
            value = quotient
        }
        return Decimals.fits(value, precision) ? value : nil
    }
}

/// MIN and MAX of decimals of more than 18 digits; shorter ones are integers to the accumulators.
final class WideExtreme: Accumulator {
    private let values = Buffer<Int128>()
    private let isSet = Buffer<UInt8>()
    private let isMaximum: Bool

    init(isMaximum: Bool) { self.isMaximum = isMaximum }

    var bytesPerGroup: Int { 17 }

    func reserve(_ count: Int) {
        values.reserve(count)
        isSet.reserve(count)
    }

    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots {
            values.base[Int(slot)] = 0
            isSet.base[Int(slot)] = 0
        }
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        let column = input.argument
        for i in 0..<rows.count where !column.isNull(Int(rows.rows[i])) {
            take(column.wides[Int(rows.rows[i])], into: Int(rows.slots[i]))
        }
    }

    @inline(__always)
    private func take(_ value: Int128, into slot: Int) {
        let old = values.base[slot]
        if isSet.base[slot] == 0 || (isMaximum ? value > old : value < old) {
            values.base[slot] = value
            isSet.base[slot] = 1
        }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        for i in 0..<count where isSet.base[Int(from[i])] != 0 {
            take(values.base[Int(from[i])], into: Int(into[i]))
        }
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let (values, isSet) = (values.base, isSet.base)
        writer.writePacked(count: slots.count) { Int64(isSet[Int(slots[$0])]) }
        writer.writePacked(count: slots.count) {
            Int64(truncatingIfNeeded: values[Int(slots[$0])])
        }
        writer.writePacked(count: slots.count) {
            Int64(truncatingIfNeeded: values[Int(slots[$0])] >> 64)
        }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let (values, isSet) = (values.base, isSet.base)
        try reader.readPacked(count: slots.count) { isSet[Int(slots[$0])] = $1 == 0 ? 0 : 1 }
        try reader.readPacked(count: slots.count) {
            values[Int(slots[$0])] = Int128(UInt64(bitPattern: $1))
        }
        try reader.readPacked(count: slots.count) { values[Int(slots[$0])] |= Int128($1) << 64 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        for slot in slots {
            if isSet.base[Int(slot)] == 0 {
                column.appendNull()
            } else {
                column.append(values.base[Int(slot)])
            }
        }
    }
}

extension Column {
    /// Appends a decimal's units in the column's layout.
    fileprivate func appendDecimal(_ value: Int128) {
        if physical == .int64 { append(Int64(truncatingIfNeeded: value)) } else { append(value) }
    }
}
