// The time by which a windowed operator goes: what it computes with for each row and each watermark,
// and what a window's bounds are for those who read its results.
//
// Three cases: event time as it is; the wall clock of a zone (WallClock); and rows that are in windows
// already, whose time is the last millisecond of their window, window_end - 1 (already on the wall clock).

import WeirCore
import WeirSQL

/// Turns event times and watermarks into the times of one query's windows, and back.
final class WindowTimes {
    private let wallClock: WallClock?
    private let isAttached: Bool
    private let converted = Column(.bigint)
    private let convertedMarks = Column(.bigint)

    init(_ window: WindowSpec) throws(Failure) {
        wallClock = if let zone = window.zone { try WallClock(zone: zone) } else { nil }
        if case .attached = window.shape { isAttached = true } else { isAttached = false }
    }

    /// The times of a column of event times (of window ends, for rows in windows); valid until the next
    /// call.
    func times(of column: Column, rowCount: Int) -> UnsafePointer<Int64> {
        if !isAttached, wallClock == nil { return UnsafePointer(column.ints) }
        let source = column.ints
        converted.reserve(rows: rowCount)
        let target = converted.ints
        if isAttached {
            for row in 0..<rowCount { target[row] = source[row] &- 1 }
        } else if let wallClock {
            for row in 0..<rowCount { target[row] = wallClock.local(source[row]) }
        }
        return UnsafePointer(target)
    }

    /// The greatest time that is over at `watermark`.
    @inline(__always)
    func mark(_ watermark: Int64) -> Int64 {
        if let wallClock { wallClock.localMark(watermark) } else { watermark }
    }

    /// The same for every row of a source; valid until the next call.
    func marks(of column: Column) -> UnsafePointer<Int64> {
        guard let wallClock else { return UnsafePointer(column.ints) }
        convertedMarks.reserve(rows: column.count)
        let (source, target) = (column.ints, convertedMarks.ints)
        for row in 0..<column.count { target[row] = wallClock.localMark(source[row]) }
        return UnsafePointer(target)
    }

    /// window_time of the window that ends at `end`.
    func windowTime(endingAt end: Int64) -> Int64 {
        wallClock?.eventTime(ofLocal: end - 1) ?? end - 1
    }
}

extension RowRun {
    /// The run without the rows that have no value in `column`, such as an outer join makes.
    func withoutNulls(in column: Int) -> RowRun {
        let values = batch.columns[column]
        guard values.validity != nil else { return self }
        let kept = (0..<batch.rowCount).filter { !values.isNull($0) }.map { Int32($0) }
        if kept.count == batch.rowCount { return self }
        return kept.withUnsafeBufferPointer { replacing(batch.gather($0), rows: $0) }
    }
}
