// The operators that make several rows of one: UNNEST and a window table function without GROUP BY.
// They hand on at most `rowsMax` rows at a time where the rows allow it, so that a batch of long
// arrays or of much overlapping windows does not have to be in memory at once; each part stands for
// a whole number of source rows.

import WeirCore
import WeirSQL

private let rowsMax = 65_536

/// Cuts a run after whole source rows so that each part makes about `rowsMax` rows, and processes
/// the parts in order. `fanOut` says how many rows are made of a row.
func processInParts(
    _ run: RowRun, fanOut: (Int) -> Int, _ body: (Range<Int>, Range<Int>) throws(Failure) -> Step
) throws(Failure) -> Step {
    let rowCount = run.batch.rowCount
    var start = 0
    var sourceStart = run.sourceRows.lowerBound
    while true {
        var end = start
        var made = 0
        while end < rowCount, made < rowsMax || run.origin(end) == run.origin(end - 1) {
            made += fanOut(end)
            end += 1
        }
        let sourceEnd = end < rowCount ? run.origin(end) : run.sourceRows.upperBound
        let step = try body(start..<end, sourceStart..<sourceEnd)
        if case .suspended = step { return step }
        if end == rowCount { return .done }
        (start, sourceStart) = (end, sourceEnd)
    }
}

extension Column {
    /// A column of NULLs, in place of one that nobody reads.
    static func nulls(_ type: DataType, rowCount: Int) -> Column {
        let column = Column(type, capacity: rowCount)
        for _ in 0..<rowCount { column.appendNull() }
        return column
    }
}

/// A join with UNNEST: one row an element of an array column.
final class UnnestOperator: Operator {
    let next: any Operator
    private let spec: UnnestSpec
    private let schema: Schema
    private let reads: Set<Int>

    /// Only the columns in `reads` of the input's need to have their values.
    init(_ spec: UnnestSpec, schema: Schema, reads: Set<Int>, next: any Operator) {
        self.spec = spec
        self.schema = schema
        self.reads = reads
        self.next = next
    }

    func process(_ run: RowRun) throws(Failure) -> Step {
        let arrays = run.batch.columns[spec.column]
        let offsets = arrays.offsets
        let least = spec.keepsEmpty ? 1 : 0
        return try processInParts(
            run, fanOut: { max(least, Int(offsets[$0 + 1] - offsets[$0])) }
        ) { (rows, sourceRows) throws(Failure) in
            var repeated: [Int32] = []
            var elements: [Int32] = []
            let places = spec.hasOrdinality ? Column(.int) : nil
            var hasEmpty = false
            for row in rows {
                let range = arrays.isNull(row) ? 0..<0 : offsets[row]..<offsets[row + 1]
                for element in range {
                    repeated.append(Int32(row))
                    elements.append(element)
                    places?.append(Int64(element - range.lowerBound + 1))
                }
                guard range.isEmpty, spec.keepsEmpty else { continue }
                hasEmpty = true
                repeated.append(Int32(row))
                elements.append(Self.noElement)
                places?.appendNull()
            }
            guard let child = arrays.child else { preconditionFailure("UNNEST of an array") }
            var columns = repeated.withUnsafeBufferPointer { indices in
                run.batch.columns.enumerated().map { index, values in
                    reads.contains(index)
                        ? values.gather(indices) : .nulls(values.type, rowCount: indices.count)
                }
            }
            columns.append(
                hasEmpty
                    ? Self.gather(child, elements)
                    : elements.withUnsafeBufferPointer { child.gather($0) })
            if let places { columns.append(places) }
            return try next.process(
                RowRun(
                    batch: Batch(schema: schema, columns: columns, rowCount: repeated.count),
                    origins: repeated.map { Int32(run.origin(Int($0))) }, sourceRows: sourceRows,
                    trace: run.trace, outcomes: run.outcomes))
        }
    }

    /// Stands for the element of an array without elements.
    private static let noElement: Int32 = -1

    /// The elements at `rows`, NULL where there is none.
    private static func gather(_ child: Column, _ rows: [Int32]) -> Column {
        let result = Column(child.type, capacity: rows.count)
        var start = 0
        while start < rows.count {
            if rows[start] == noElement {
                result.appendNull()
                start += 1
                continue
            }
            var end = start + 1
            while end < rows.count, rows[end] == rows[end - 1] + 1 { end += 1 }
            result.append(from: child, range: Int(rows[start])..<Int(rows[end - 1]) + 1)
            start = end
        }
        return result
    }
}

/// A window table function without aggregation: each row once a window that it falls in, in the
/// order of the windows. Nothing waits here, so no row is late.
final class WindowAssignOperator: Operator {
    let next: any Operator
    private let timeColumn: Int
    private let geometry: WindowGeometry
    private let clock: WindowTimes
    private let schema: Schema

    init(_ window: WindowSpec, schema: Schema, next: any Operator) throws(Failure) {
        timeColumn = window.timeColumn
        geometry = WindowGeometry(window)
        clock = try WindowTimes(window)
        self.schema = schema
        self.next = next
    }

    func process(_ run: RowRun) throws(Failure) -> Step {
        let run = run.withoutNulls(in: timeColumn)
        let times = clock.times(of: run.batch.columns[timeColumn], rowCount: run.batch.rowCount)
        let windowsEach = geometry.windowsEach
        return try processInParts(run, fanOut: { _ in windowsEach }) {
            (rows, sourceRows) throws(Failure) in
            var repeated: [Int32] = []
            let bounds = (0..<3).map { Column(schema[run.batch.columns.count + $0].type) }
            for row in rows {
                let pane = geometry.paneStart(of: times[row])
                let last = geometry.lastWindowEnd(covering: pane)
                var end = geometry.firstWindowEnd(covering: pane)
                while end <= last {
                    repeated.append(Int32(row))
                    bounds[0].append(geometry.windowStart(endingAt: end))
                    bounds[1].append(end)
                    bounds[2].append(clock.windowTime(endingAt: end))
                    end = geometry.nextWindowEnd(after: end)
                }
            }
            let columns = repeated.withUnsafeBufferPointer { indices in
                run.batch.columns.map { $0.gather(indices) }
            }
            return try next.process(
                RowRun(
                    batch: Batch(
                        schema: schema, columns: columns + bounds, rowCount: repeated.count),
                    origins: repeated.map { Int32(run.origin(Int($0))) }, sourceRows: sourceRows,
                    trace: run.trace, outcomes: run.outcomes))
        }
    }
}
