// MIN and MAX of numbers, timestamps and booleans. NULLs do not count; a group without a value
// gives NULL. Of doubles NaN is the greatest, so that the outcome does not depend on where it came.

import WeirCore

/// MIN and MAX of INT, BIGINT, timestamps, intervals and BOOLEAN.
final class IntegerExtreme: Accumulator {
    private let values = Buffer<Int64>()
    private let hasValue = Buffer<UInt8>()
    private let isMaximum: Bool

    init(isMaximum: Bool) { self.isMaximum = isMaximum }

    var bytesPerGroup: Int { 9 }

    func reserve(_ count: Int) {
        values.reserve(count)
        hasValue.reserve(count)
    }

    /// An empty group holds the value that every other one replaces.
    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        let (values, hasValue) = (values.base, hasValue.base)
        let worst = isMaximum ? Int64.min : Int64.max
        for slot in slots {
            values[Int(slot)] = worst
            hasValue[Int(slot)] = 0
        }
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        let column = input.argument
        if column.physical == .bool {
            let flags = column.bools
            if isMaximum {
                take(rows, column.validity, { Int64(flags[$0]) }, Self.isGreater)
            } else {
                take(rows, column.validity, { Int64(flags[$0]) }, Self.isLess)
            }
            return
        }
        let numbers = column.ints
        if isMaximum {
            take(rows, column.validity, { numbers[$0] }, Self.isGreater)
        } else {
            take(rows, column.validity, { numbers[$0] }, Self.isLess)
        }
    }

    @inline(__always)
    private func take(
        _ rows: RowSlots, _ validity: UnsafePointer<UInt8>?, _ value: (Int) -> Int64,
        _ isBetter: (Int64, Int64) -> Bool
    ) {
        let (values, hasValue) = (values.base, hasValue.base)
        for i in 0..<rows.count {
            let row = Int(rows.rows[i])
            if let validity, validity[row] == 0 { continue }
            let slot = Int(rows.slots[i])
            let candidate = value(row)
            if isBetter(candidate, values[slot]) { values[slot] = candidate }
            hasValue[slot] = 1
        }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        let (values, hasValue) = (values.base, hasValue.base)
        for i in 0..<count {
            let (to, other) = (Int(into[i]), Int(from[i]))
            let isBetter =
                isMaximum
                ? Self.isGreater(values[other], values[to]) : Self.isLess(values[other], values[to])
            if isBetter { values[to] = values[other] }
            hasValue[to] |= hasValue[other]
        }
    }

    @inline(__always)
    private static func isGreater(_ a: Int64, _ b: Int64) -> Bool { a > b }

    @inline(__always)
    private static func isLess(_ a: Int64, _ b: Int64) -> Bool { a < b }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let (values, hasValue) = (values.base, hasValue.base)
        writer.writePacked(count: slots.count) { values[Int(slots[$0])] }
        writer.writeWords(count: slots.count) { hasValue[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let (values, hasValue) = (values.base, hasValue.base)
        try reader.readPacked(count: slots.count) { values[Int(slots[$0])] = $1 }
        try reader.readWords(UInt8.self, count: slots.count) { hasValue[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        let (values, hasValue) = (values.base, hasValue.base)
        if column.physical == .bool {
            for slot in slots {
                if hasValue[Int(slot)] == 0 {
                    column.appendNull()
                } else {
                    column.append(values[Int(slot)] != 0)
                }
            }
            return
        }
        column.appendWords(count: slots.count, isNull: { hasValue[Int(slots[$0])] == 0 }) {
            values[Int(slots[$0])]
        }
    }
}

/// MIN and MAX of DOUBLE.
final class DoubleExtreme: Accumulator {
    private let values = Buffer<Double>()
    private let hasValue = Buffer<UInt8>()
    private let isMaximum: Bool

    init(isMaximum: Bool) { self.isMaximum = isMaximum }

    var bytesPerGroup: Int { 9 }

    func reserve(_ count: Int) {
        values.reserve(count)
        hasValue.reserve(count)
    }

    /// An empty group holds the value that every other one replaces.
    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        let (values, hasValue) = (values.base, hasValue.base)
        let worst = isMaximum ? -Double.infinity : Double.nan
        for slot in slots {
            values[Int(slot)] = worst
            hasValue[Int(slot)] = 0
        }
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        let column = input.argument
        let numbers = column.doubles
        if isMaximum {
            take(rows, column.validity, { numbers[$0] }, Self.isGreater)
        } else {
            take(rows, column.validity, { numbers[$0] }, Self.isLess)
        }
    }

    @inline(__always)
    private func take(
        _ rows: RowSlots, _ validity: UnsafePointer<UInt8>?, _ value: (Int) -> Double,
        _ isBetter: (Double, Double) -> Bool
    ) {
        let (values, hasValue) = (values.base, hasValue.base)
        for i in 0..<rows.count {
            let row = Int(rows.rows[i])
            if let validity, validity[row] == 0 { continue }
            let slot = Int(rows.slots[i])
            let candidate = value(row)
            if isBetter(candidate, values[slot]) { values[slot] = candidate }
            hasValue[slot] = 1
        }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        let (values, hasValue) = (values.base, hasValue.base)
        for i in 0..<count {
            let (to, other) = (Int(into[i]), Int(from[i]))
            let isBetter =
                isMaximum
                ? Self.isGreater(values[other], values[to]) : Self.isLess(values[other], values[to])
            if isBetter { values[to] = values[other] }
            hasValue[to] |= hasValue[other]
        }
    }

    @inline(__always)
    private static func isGreater(_ a: Double, _ b: Double) -> Bool { a > b || a != a }

    @inline(__always)
    private static func isLess(_ a: Double, _ b: Double) -> Bool { a < b || b != b }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let (values, hasValue) = (values.base, hasValue.base)
        writer.writeWords(count: slots.count) { values[Int(slots[$0])] }
        writer.writeWords(count: slots.count) { hasValue[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let (values, hasValue) = (values.base, hasValue.base)
        try reader.readWords(Double.self, count: slots.count) { values[Int(slots[$0])] = $1 }
        try reader.readWords(UInt8.self, count: slots.count) { hasValue[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        let (values, hasValue) = (values.base, hasValue.base)
        column.appendWords(count: slots.count, isNull: { hasValue[Int(slots[$0])] == 0 }) {
            values[Int(slots[$0])]
        }
    }
}
