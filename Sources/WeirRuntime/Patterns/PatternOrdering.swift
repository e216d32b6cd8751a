// ORDER BY ts, a, b DESC: rows of one event time in the order of further columns, rows that are equal in
// these as they came. All rows of an event time are in one slice, so sorting slices is enough.

import WeirCore
import WeirSQL

/// Puts rows of one event time in order.
enum PatternOrdering {
    /// The values of one column in a form whose bytes compare as the values do.
    private struct Part {
        let column: Column
        let bytes: [UInt8]
        let starts: [Int32]
        let order: PatternOrder

        /// Below 0 if row `a` comes before row `b`, above 0 if behind it.
        func compare(_ a: Int, _ b: Int) -> Int {
            switch (column.isNull(a), column.isNull(b)) {
            case (true, true): return 0
            case (true, false): return order.areNullsFirst ? -1 : 1
            case (false, true): return order.areNullsFirst ? 1 : -1
            case (false, false):
                let result = bytes.withUnsafeBufferPointer { bytes in
                    KeyBytes.compare(key(a, bytes), key(b, bytes))
                }
                return order.isDescending ? -result : result
            }
        }

        private func key(_ row: Int, _ bytes: UnsafeBufferPointer<UInt8>)
            -> UnsafeBufferPointer<UInt8>
        {
            UnsafeBufferPointer(rebasing: bytes[Int(starts[row])..<Int(starts[row + 1])])
        }
    }

    /// The rows of `batch`, which are in the order of event time, in the order of the pattern.
    static func ordered(_ batch: Batch, by pattern: PatternSpec) -> Batch {
        let times = batch.columns[pattern.timeColumn]
        guard !pattern.order.isEmpty, hasTies(times, batch.rowCount) else { return batch }
        let parts = pattern.order.map { part($0, batch) }
        var rows = (0..<Int32(batch.rowCount)).map { $0 }
        rows.sort { a, b in
            let (left, right) = (Int(a), Int(b))
            if times.ints[left] != times.ints[right] { return times.ints[left] < times.ints[right] }
            for part in parts {
                let order = part.compare(left, right)
                if order != 0 { return order < 0 }
            }
            return a < b
        }
        return rows.withUnsafeBufferPointer { batch.gather($0) }
    }

    private static func hasTies(_ times: Column, _ count: Int) -> Bool {
        for row in 1..<max(1, count) where times.ints[row] == times.ints[row - 1] { return true }
        return false
    }

    private static func part(_ order: PatternOrder, _ batch: Batch) -> Part {
        let column = batch.columns[order.column]
        return KeyEncoder(types: [column.type]).withKeys(of: [column], rowCount: batch.rowCount) {
            keys in
            let starts = Array(UnsafeBufferPointer(start: keys.starts, count: keys.count + 1))
            let end = Int(starts.last ?? 0)
            return Part(
                column: column, bytes: Array(UnsafeBufferPointer(start: keys.bytes, count: end)),
                starts: starts, order: order)
        }
    }
}
