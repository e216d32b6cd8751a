// Rows of narrow windows that are merged are what the query gives with wide windows, for all aggregates,
// level by level, wherever blocks end; windows that are not known to be whole stay.

import Testing
import WeirCore
import WeirSQL
import WeirStore

@testable import WeirRuntime

@Suite struct CoarseningTests {
    private static let columns = """
        COUNT(*) AS n, COUNT(line) AS lines, SUM(small) AS total, AVG(`value`) AS mean, SUM(`value`) * 2 + 1 AS twice,
        MIN(`value`) AS low, MAX(note) AS high, COUNT(DISTINCT line) AS kinds, FIRST_VALUE(note) AS opening,
        LAST_VALUE(`value`) AS closing, APPROX_COUNT_DISTINCT(small) AS about,
        SUM(small) FILTER (WHERE flag) AS flagged, PERCENTILE(`value`, 0.5) AS middle
        """

    private func sql(_ seconds: Int, _ columns: String = columns, rest: String = "") -> String {
        """
        SELECT window_start, device, line + 0 AS place, window_time, \(columns)
        FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '\(seconds)' SECOND))
        GROUP BY device, line, window_start, window_end, window_time \(rest)
        """
    }

    private func plan(_ sql: String) throws -> QueryPlan { try PatternTests.plan(sql) }

    private func merging(_ sql: String) throws -> CoarsenablePlan { try plan(sql).coarsening().get() }

    private func refusal(_ sql: String) throws -> String {
        if case .failure(let refusal) = try plan(sql).coarsening() { refusal.reason } else { "" }
    }

    /// The rows that a plan gives, in blocks of `rowsEach`.
    private func blocks(
        _ plan: CoarsenablePlan, _ readings: [Reading], rowsEach: Int
    ) throws -> [Batch] {
        let output = BatchOutput()
        let tracker = WatermarkTracker(
            schema: Reading.schema, timeColumn: 2, options: WatermarkOptions(delay: 120_000))
        let pipeline = try QueryPipeline(plan: plan.plan, output: output)
        try pipeline.restore(from: MemoryStateStore(), clocks: ["readings": tracker])
        let timed = tracker.assign(Reading.batch(readings), now: 0)
        #expect(try pipeline.process(timed, from: "readings") == .done)
        #expect(try pipeline.advance(tracker.end(), of: "readings") == .done)
        return try cut(#require(output.all), rowsEach)
    }

    private func cut(_ rows: Batch, _ rowsEach: Int) -> [Batch] {
        stride(from: 0, to: rows.rowCount, by: rowsEach).map {
            rows.slice($0..<min(rows.rowCount, $0 + rowsEach))
        }
    }

    /// All windows of a width that are whole, merged.
    private func merged(
        _ blocks: [Batch], _ plan: CoarsenablePlan, width: Int64, beginsWithFirstRow: Bool = true
    ) throws -> (rows: Batch, windows: [CoarseWindow]) {
        var scan = CoarseScan(plan, width: width, beginsWithFirstRow: beginsWithFirstRow)
        for (index, block) in blocks.enumerated() { try scan.take(block, block: index) }
        let coarsener = try WindowCoarsener(plan)
        let output = BatchOutput()
        for window in scan.found {
            try coarsener.merge(window, read: { blocks[$0] }) { output.emit($0) }
        }
        return (try #require(output.all), scan.found)
    }

    /// The rows without the hidden column.
    private func visible(_ batch: Batch) -> [String] {
        (0..<batch.rowCount).map { row in
            batch.columns.dropLast().map { rendered($0, row) }.joined(separator: "|")
        }
    }

    @Test func mergedRowsAreThoseOfAQueryWithWiderWindows() throws {
        let readings = Reading.random(seed: 3, count: 4000)
        let (narrow, wide) = (try merging(sql(10)), try merging(sql(60)))
        let expected = visible(try blocks(wide, readings, rowsEach: .max)[0])
        for rowsEach in [1, 7, 100, 100_000] {
            let rows = try blocks(narrow, readings, rowsEach: rowsEach)
            let (made, windows) = try merged(rows, narrow, width: 60_000)
            #expect(windows.count > 5 && windows.allSatisfy { $0.end - $0.start == 60_000 })
            #expect(visible(made) == Array(expected.prefix(made.rowCount)))
            // Only the last window may have been going on.
            let last = try #require(expected.last).split(separator: "|")[0]
            #expect(expected.dropFirst(made.rowCount).allSatisfy { $0.hasPrefix(last) })
        }
    }

    @Test func mergedRowsAreMergedAgain() throws {
        let readings = Reading.random(seed: 4, count: 3000)
        let narrow = try merging(sql(10))
        let expected = visible(try blocks(try merging(sql(120)), readings, rowsEach: .max)[0])
        let first = try blocks(narrow, readings, rowsEach: 50)
        let second = cut(try merged(first, narrow, width: 30_000).rows, 33)
        let (made, windows) = try merged(second, narrow, width: 120_000)
        #expect(windows.count > 2)
        #expect(visible(made) == Array(expected.prefix(made.rowCount)))
    }

    @Test func aWindowThatMayHaveBegunBeforeStays() throws {
        let readings = Reading.random(seed: 5, count: 2000)
        let narrow = try merging(sql(10))
        let rows = try blocks(narrow, readings, rowsEach: 40)
        let all = try merged(rows, narrow, width: 60_000).windows
        let later = try merged(rows, narrow, width: 60_000, beginsWithFirstRow: false).windows
        #expect(later.map(\.start) == all.dropFirst().map(\.start))
        // What a window's first rows were sealed with has gone.
        let without = try merged(
            Array(rows.dropFirst()), narrow, width: 60_000, beginsWithFirstRow: false)
        #expect(without.windows.first?.start ?? 0 >= all[1].start)
    }

    @Test func rowsOfAnotherQueryEndTheWindows() throws {
        let readings = Reading.random(seed: 6, count: 2000)
        let narrow = try merging(sql(10))
        var rows = try blocks(narrow, readings, rowsEach: 40)
        let all = try merged(rows, narrow, width: 60_000).windows
        rows[rows.count / 2] = try blocks(
            merging(sql(10, "COUNT(*) AS n")), readings, rowsEach: 40)[0]
        let before = try merged(rows, narrow, width: 60_000).windows
        #expect(before.count < all.count && before.map(\.start) == all.prefix(before.count).map(\.start))
    }

    @Test func rowsAsWideAlreadyStay() throws {
        let readings = Reading.random(seed: 7, count: 2000)
        let narrow = try merging(sql(10))
        let wide = cut(
            try merged(try blocks(narrow, readings, rowsEach: 40), narrow, width: 60_000).rows, 40)
        var scan = CoarseScan(narrow, width: 60_000, beginsWithFirstRow: true)
        for (index, block) in wide.enumerated() { try scan.take(block, block: index) }
        #expect(scan.found.isEmpty)
        scan = CoarseScan(narrow, width: 20_000, beginsWithFirstRow: true)
        for (index, block) in wide.enumerated() { try scan.take(block, block: index) }
        #expect(scan.found.isEmpty)
    }

    @Test func queriesWhoseRowsCannotBeMergedAreRefused() throws {
        #expect(try refusal(sql(10, rest: "HAVING COUNT(*) > 2")).contains("HAVING"))
        #expect(try refusal(sql(10, rest: "HAVING device <> 'dev-1'")).isEmpty)
        #expect(try refusal("SELECT device FROM readings").contains("TUMBLE"))
        #expect(
            try refusal(
                """
                SELECT window_end, COUNT(*) AS n
                FROM TABLE(HOP(TABLE readings, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND))
                GROUP BY window_start, window_end
                """
            ).contains("overlap"))
        #expect(try refusal(sql(10, "COUNT(*) AS window_width")).contains("window_width"))
    }
}

/// Keeps what a query puts out, as one batch.
private final class BatchOutput: QueryOutput {
    private(set) var all: Batch?

    func emit(_ batch: Batch) {
        guard let all else {
            self.all = batch
            return
        }
        let columns = all.columns.map { $0.slice(0..<all.rowCount) }
        for (column, from) in zip(columns, batch.columns) {
            column.append(from: from, range: 0..<batch.rowCount)
        }
        self.all = Batch(
            schema: batch.schema, columns: columns, rowCount: all.rowCount + batch.rowCount)
    }

    func late(_ rows: Batch) { Issue.record("a row came late") }
}
