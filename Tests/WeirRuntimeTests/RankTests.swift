// ROW_NUMBER() over the rows of windows, ORDER BY, OFFSET and LIMIT: results are those of sorting a whole
// window at once, whatever is dropped while rows wait, however little memory there is, and wherever
// commits and crashes come.

import Testing
import WeirCore
import WeirSQL

@testable import WeirRuntime

@Suite struct RankTests {
    private static let delay: Int64 = 3_000

    private func run(
        _ sql: String, _ readings: [Reading], _ schedule: Schedule, emittedRowsMax: Int = .max,
        memoryBudgetBytes: Int = 64 << 20
    ) throws -> QueryHarness {
        let plan = try PatternTests.plan(sql)
        let harness = try QueryHarness(
            plan,
            options: QueryOptions(
                memoryBudgetBytes: memoryBudgetBytes, emittedRowsMax: emittedRowsMax),
            clock: WatermarkOptions(delay: Self.delay))
        try harness.run(readings, schedule)
        return harness
    }

    private static func window(_ seconds: Int) -> String {
        "TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '\(seconds)' SECOND))"
    }

    private static func top(_ seconds: Int, _ condition: String, order: String, by key: String = "") -> String {
        """
        SELECT window_end, device, line, ts, value, rn FROM (SELECT *, ROW_NUMBER() OVER (
        PARTITION BY window_start, window_end\(key) ORDER BY \(order)) AS rn
        FROM \(window(seconds))) WHERE \(condition)
        """
    }

    /// The rows of windows of `seconds` that are in time, in the order of (window, device, value falling,
    /// arrival), with their numbers.
    private func oracle(_ readings: [Reading], seconds: Int64, first: Int, last: Int) -> [String] {
        func key(_ device: String?) -> [UInt8] { device.map { [1] + Array($0.utf8) } ?? [0] }
        var mark = Watermark.none
        var rows: [(end: Int64, key: [UInt8], reading: Reading, place: Int)] = []
        for (place, reading) in readings.enumerated() {
            let size = seconds * 1000
            let end = (reading.time / size + 1) * size
            if end - 1 > mark { rows.append((end, key(reading.device), reading, place)) }
            mark = max(mark, reading.time - Self.delay)
        }
        rows.sort { a, b in
            if a.end != b.end { return a.end < b.end }
            if a.key != b.key { return a.key.lexicographicallyPrecedes(b.key) }
            // NULL is the least value, so the last one here.
            let (x, y) = (a.reading.value ?? -.infinity, b.reading.value ?? -.infinity)
            return x != y ? x > y : a.place < b.place
        }
        var result: [String] = []
        var number = 0
        for (index, row) in rows.enumerated() {
            let before = index > 0 ? rows[index - 1] : nil
            let goesOn = before?.end == row.end && before?.reading.device == row.reading.device
            number = goesOn ? number + 1 : 1
            guard first...last ~= number else { continue }
            let reading = row.reading
            result.append(
                [
                    "\(row.end)", reading.device.map { "'\($0)'" } ?? "NULL",
                    reading.line.map(String.init) ?? "NULL", "\(reading.time)",
                    reading.value.map { rendered($0) } ?? "NULL", "\(number)",
                ].joined(separator: "|"))
        }
        return result
    }

    @Test func rowsAreNumberedWindowByWindow() throws {
        for (condition, first, last) in [
            ("rn <= 2", 1, 2), ("rn = 1", 1, 1), ("rn BETWEEN 3 AND 5", 3, 5), ("rn < 1000", 1, 999),
        ] {
            let sql = Self.top(20, condition, order: "value DESC", by: ", device")
            let readings = Reading.random(seed: 11, count: 900)
            let expected = oracle(readings, seconds: 20, first: first, last: last)
            #expect(expected.count > 20)
            for rows in [1, 7, 100, 5000] {
                let harness = try run(sql, readings, .every(rows, commits: rows == 7))
                #expect(harness.committed.results == expected, "\(condition), \(rows) rows")
            }
            for seed in 1...4 as ClosedRange<UInt64> {
                let harness = try run(
                    sql, readings, .chaotic(seed: seed, batchMax: 40), emittedRowsMax: 10,
                    memoryBudgetBytes: seed % 2 == 0 ? 500 : 64 << 20)
                #expect(harness.committed.results == expected, "\(condition), seed \(seed)")
            }
        }
    }

    /// One window with more rows than a slice has.
    private func longWindow(seed: UInt64) -> [Reading] {
        Reading.random(seed: seed, count: 20_000, devices: 50).map { reading in
            var reading = reading
            reading.time = 1_700_000_000_000 + (reading.time % 1000)
            return reading
        }
    }

    @Test func aWindowOfAnySizeIsRankedInPartsWithCommitsBetween() throws {
        let readings = longWindow(seed: 5)
        let sql = Self.top(60, "rn <= 100000", order: "value DESC", by: ", device")
        let expected = oracle(readings, seconds: 60, first: 1, last: 100_000)
        #expect(expected.count == 20_000)
        for (budget, emitted) in [(64 << 20, Int.max), (1 << 20, 5_000), (100_000, 1)] {
            let harness = try run(
                sql, readings, .every(3_000, commits: true), emittedRowsMax: emitted,
                memoryBudgetBytes: budget)
            #expect(harness.committed.results == expected, "\(budget) bytes")
            #expect(emitted == .max || harness.midBatchCommits > 1)
        }
        let harness = try run(
            sql, readings, .chaotic(seed: 4, batchMax: 3_000), emittedRowsMax: 1_000,
            memoryBudgetBytes: 300_000)
        #expect(harness.committed.results == expected)
        #expect(harness.crashCount > 0)
    }

    @Test func ofALongWindowTheLatestRowWinsATie() throws {
        let readings = longWindow(seed: 9)
        let sql = """
            SELECT line, ts, device, note FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start,
            window_end, line, note, small ORDER BY ts DESC) AS rn FROM \(Self.window(60))) WHERE rn = 1
            """
        let whole = try run(sql, readings, .whole())
        #expect(whole.committed.results.count > 15_000)
        for seed in 1...2 as ClosedRange<UInt64> {
            let harness = try run(
                sql, readings, .chaotic(seed: seed, batchMax: 6_000), emittedRowsMax: 1_000,
                memoryBudgetBytes: 300_000)
            #expect(harness.committed.results == whole.committed.results)
        }
    }

    @Test func rowsThatCannotBeAmongTheFirstAreDroppedWhileTheyWait() throws {
        let readings = longWindow(seed: 6)
        let expected = oracle(readings, seconds: 60, first: 1, last: 3)
        let sql = Self.top(60, "rn <= 3", order: "value DESC", by: ", device")
        let plan = try PatternTests.plan(sql)
        let harness = try QueryHarness(
            plan, options: QueryOptions(), clock: WatermarkOptions(delay: Self.delay))
        var most = 0
        for start in stride(from: 0, to: readings.count, by: 1_000) {
            try harness.process(Array(readings[start..<start + 1_000]))
            harness.commit()
            most = max(most, harness.store.pairs.reduce(0) { $0 + $1.value.count })
        }
        #expect(most < 60_000)
        #expect(harness.pipeline.memoryBytes < 1_000_000)
        try harness.crash()
        try harness.run(readings, .every(1_000))
        #expect(harness.committed.results == expected)
    }

    @Test func stateIsGoneAfterTheLastWindow() throws {
        let sql = Self.top(20, "rn <= 2", order: "value")
        let harness = try run(
            sql, Reading.random(seed: 8, count: 900), .every(30, commits: true), emittedRowsMax: 3)
        #expect(harness.store.pairs.allSatisfy { $0.key[0] != 2 || $0.key[2] == 0 })
    }

    @Test func limitCountsTheWholeResultAcrossCrashes() throws {
        let readings = Reading.random(seed: 2, count: 600)
        let whole = try run("SELECT * FROM readings ORDER BY ts, value DESC, note", readings, .whole())
        #expect(whole.committed.results.count > 400)
        for (offset, limit) in [(0, 10), (17, 100), (0, 0), (300, 1_000_000)] {
            let expected = Array(whole.committed.results.dropFirst(offset).prefix(limit))
            let sql = "SELECT * FROM readings ORDER BY ts, value DESC, note LIMIT \(limit) OFFSET \(offset)"
            for seed in 1...3 as ClosedRange<UInt64> {
                let harness = try run(
                    sql, readings, .chaotic(seed: seed, batchMax: 30), emittedRowsMax: 5)
                #expect(harness.committed.results == expected, "\(limit) from \(offset), seed \(seed)")
            }
        }
    }

    @Test func rowsOfOneTimeAreSortedInPartsToo() throws {
        let readings = longWindow(seed: 7).map { reading in
            var reading = reading
            reading.time = 1_700_000_000_000
            return reading
        }
        let sql = "SELECT line, note, device FROM readings ORDER BY ts, note, line DESC"
        let whole = try run(sql, readings, .whole())
        #expect(whole.committed.results.count == 20_000)
        for limit in ["", " OFFSET 100", " LIMIT 15000", " LIMIT 20 OFFSET 19990"] {
            let numbers = limit.split(separator: " ").compactMap { Int($0) }
            let offset = limit.contains("OFFSET") ? numbers.last ?? 0 : 0
            let count = limit.contains("LIMIT") ? numbers[0] : Int.max
            let harness = try run(
                sql + limit, readings, .every(4_000, commits: true), emittedRowsMax: 3_000,
                memoryBudgetBytes: 200_000)
            #expect(
                harness.committed.results
                    == Array(whole.committed.results.dropFirst(offset).prefix(count)), "\(limit)")
        }
    }
}
