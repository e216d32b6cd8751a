// The time of each row that a windowed operator goes by: its event time, or, for a row that is in a window
// already, the last millisecond of that window, window_end - 1.

import WeirCore
import WeirSQL

/// Reads the times of rows for one query's windows.
final class WindowTimes {
    private let isAttached: Bool
    private let converted = Column(.bigint)

    init(_ window: WindowSpec) {
        if case .attached = window.shape { isAttached = true } else { isAttached = false }
    }

    /// The times of a column of event times (of window ends, for rows in windows); valid until the next
    /// call.
    func times(of column: Column, rowCount: Int) -> UnsafePointer<Int64> {
        if !isAttached { return UnsafePointer(column.ints) }
        let source = column.ints
        converted.reserve(rows: rowCount)
        let target = converted.ints
        for row in 0..<rowCount { target[row] = source[row] &- 1 }
        return UnsafePointer(target)
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
