// COUNT(*) and COUNT(x). Both count rows; they differ in whether a NULL argument leaves a row out.
//
// Always true: the count of a group is 0 or more and never NULL, also for a group without a row that
// FILTER let through.

import WeirCore

/// Counts rows, or rows whose argument is not NULL.
final class CountAccumulator: Accumulator {
    private let counts = Buffer<Int64>()

    var bytesPerGroup: Int { 8 }

    func reserve(_ count: Int) { counts.reserve(count) }

    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        let counts = counts.base
        for slot in slots { counts[Int(slot)] = 0 }
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) { add(1, rows, input) }

    var canRetract: Bool { true }

    func retract(_ rows: RowSlots, _ input: AggregateInput) { add(-1, rows, input) }

    @inline(__always)
    private func add(_ sign: Int64, _ rows: RowSlots, _ input: AggregateInput) {
        let (counts, slots) = (counts.base, rows.slots)
        if let validity = input.arguments.first?.validity {
            for i in 0..<rows.count {
                counts[Int(slots[i])] &+= sign &* Int64(validity[Int(rows.rows[i])])
            }
        } else {
            for i in 0..<rows.count { counts[Int(slots[i])] &+= sign }
        }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        let counts = counts.base
        for i in 0..<count { counts[Int(into[i])] &+= counts[Int(from[i])] }
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let counts = counts.base
        writer.writePacked(count: slots.count) { counts[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let counts = counts.base
        try reader.readPacked(count: slots.count) { counts[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        let counts = counts.base
        column.appendWords(count: slots.count, isNull: { _ in false }) { counts[Int(slots[$0])] }
    }
}
