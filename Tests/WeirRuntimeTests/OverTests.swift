// OVER: neither cuts nor commits nor crashes nor a lack of memory show; what a frame bounded by time keeps
// is gone when time has passed; and sums of doubles do not drift. What values there are is worked out in
// Tests/Cases/over_*.case.

import Testing
import WeirCore

@testable import WeirRuntime
@testable import WeirSQL

@Suite struct OverTests {
    private static let all = """
        COUNT(*) OVER w, COUNT(note) OVER w, SUM(value) OVER w, AVG(value) OVER w, SUM(line) OVER w, \
        MIN(value) OVER w, MAX(note) OVER w, MIN(flag) OVER w, FIRST_VALUE(small) OVER w, \
        LAST_VALUE(note) OVER w, COUNT(DISTINCT line) OVER w, LISTAGG(note) OVER w, \
        STDDEV_POP(value) OVER w, ARRAY_AGG(line) OVER w, MAX(ts) OVER w
        """

    private static func query(_ frame: String, by keys: String = "PARTITION BY device") -> String {
        "SELECT device, ts, \(all) FROM readings WINDOW w AS (\(keys) ORDER BY ts \(frame))"
    }

    static let queries = [
        query("ROWS BETWEEN 3 PRECEDING AND CURRENT ROW"),
        query("ROWS BETWEEN 90 PRECEDING AND CURRENT ROW", by: "PARTITION BY flag"),
        query("ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
        query("RANGE BETWEEN INTERVAL '4' SECOND PRECEDING AND CURRENT ROW"),
        query("RANGE BETWEEN INTERVAL '60' SECOND PRECEDING AND CURRENT ROW", by: ""),
        query("", by: "PARTITION BY device, line"),
        """
        SELECT device, ts, LAG(value) OVER w, LAG(note, 3, 'none') OVER w, LAG(line, 70) OVER w,
        SUM(value) OVER w, ROW_NUMBER() OVER (PARTITION BY device ORDER BY ts) FROM readings
        WINDOW w AS (PARTITION BY device ORDER BY ts)
        """,
        """
        SELECT COUNT(*) OVER (PARTITION BY line ORDER BY ts ROWS 5 PRECEDING) AS a, COUNT(*) OVER (ORDER BY
        ts RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW) AS b FROM readings
        """,
    ]

    private func run(
        _ sql: String, _ readings: [Reading], _ schedule: Schedule, memory: Int = 64 << 20
    ) throws -> QueryHarness {
        let harness = try QueryHarness(
            PatternTests.plan(sql), options: QueryOptions(memoryBudgetBytes: memory),
            clock: WatermarkOptions(delay: 3_000))
        try harness.run(readings, schedule)
        return harness
    }

    @Test(arguments: queries) func cutsCommitsCrashesAndLackOfMemoryDoNotShow(_ sql: String) throws {
        try QueryHarness.expectThatNothingShows(of: PatternTests.plan(sql), moreThan: 400)
    }

    @Test(arguments: [1, 64 << 20]) func framesOfTimeLeaveNothingBehind(_ memory: Int) throws {
        let sql = Self.query("RANGE BETWEEN INTERVAL '30' SECOND PRECEDING AND CURRENT ROW")
        let readings = Reading.random(seed: 5, count: 900, devices: 60)
        let harness = try run(sql, readings, .every(20, commits: true), memory: memory)
        #expect(harness.pipeline.spilledCount == 0)
        let empty = try run(sql, [], .whole())
        // What is left are the numbers of how far the operator has come.
        let left = harness.store.pairs.filter { $0.key[0] == 2 && $0.key[1] == 0 }
        #expect(left.allSatisfy { [0, 0x10].contains($0.key[2]) }, "\(left.map(\.key))")
        #expect(harness.pipeline.memoryBytes < empty.pipeline.memoryBytes + 300_000)
    }

    @Test func partitionsThatHaveEndedAreForgottenOnTheWay() throws {
        let sql = Self.query("RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW")
        for memory in [1, 64 << 20] {
            let harness = try QueryHarness(
                PatternTests.plan(sql), options: QueryOptions(memoryBudgetBytes: memory),
                clock: WatermarkOptions(delay: 3_000))
            #expect(try harness.mostPairsOfPassingDevices() < 400, "\(memory) bytes")
        }
    }

    @Test func longFramesAreSavedInPieces() throws {
        let readings = (0..<3_000).map { index in
            Reading(device: "d", line: 1, time: 1_700_000_000_000 + Int64(index) * 100, value: 1)
        }
        let harness = try QueryHarness(
            PatternTests.plan("SELECT SUM(value) OVER (ORDER BY ts ROWS 1000 PRECEDING) AS s FROM readings"),
            clock: WatermarkOptions(delay: 0))
        for reading in readings {
            try harness.process([reading])
            harness.commit()
        }
        // A commit of one row writes the rows behind the last full block, not the whole frame.
        #expect(harness.store.putBytes / readings.count < 1_500)
        #expect(harness.store.pairs.count < 40)
    }

    @Test func growingSetsAreSavedByWhatTheyGain() throws {
        let readings = (0..<1_500).map { index in
            Reading(device: "d", line: Int64(index), time: 1_700_000_000_000 + Int64(index), value: 1)
        }
        let harness = try QueryHarness(
            PatternTests.plan("SELECT COUNT(DISTINCT line) OVER (ORDER BY ts) AS n FROM readings"),
            clock: WatermarkOptions(delay: 0))
        for (index, reading) in readings.enumerated() {
            try harness.process([reading])
            harness.commit()
            if index % 400 == 399 { try harness.crash() }
        }
        #expect(harness.store.putBytes / readings.count < 600)
        #expect(harness.committed.results.count == readings.count)
        #expect(harness.committed.results.last == "\(readings.count)")
    }

    @Test func variancesOfLargeNumbersKeepTheirDigits() throws {
        let sql = "SELECT VAR_POP(value) OVER (ORDER BY ts ROWS 69 PRECEDING) AS v FROM readings"
        let harness = try QueryHarness(PatternTests.plan(sql), clock: WatermarkOptions(delay: 0))
        try harness.process(
            (0..<1_000).map { index in
                Reading(
                    device: "d", line: 1, time: 1_700_000_000_000 + Int64(index),
                    value: index == 300 ? 1e17 : 1e12 + Double(index % 7))
            })
        harness.commit()
        // Frames of ten times the numbers 0 to 6, but for those with the one that is far off.
        for index in 69..<1_000 where !(300..<370).contains(index) {
            #expect(harness.committed.results[index].hasPrefix("4.0/"), "row \(index)")
        }
    }

    @Test func aConstantHasNoVariance() throws {
        let sql = "SELECT STDDEV_SAMP(value) OVER (ORDER BY ts ROWS 2 PRECEDING) AS v FROM readings"
        let harness = try QueryHarness(PatternTests.plan(sql), clock: WatermarkOptions(delay: 0))
        let values = [0.1, 0.1, 1e9, 0.3, 0.3, 0.3, 0.3, 0.7, 0.7, 0.7, 0.7]
        try harness.process(
            values.enumerated().map { index, value in
                Reading(device: "d", line: 1, time: 1_700_000_000_000 + Int64(index), value: value)
            })
        harness.commit()
        let results = harness.committed.results
        #expect(results[0] == "NULL")
        #expect(results[1].hasPrefix("0.0/"))
        #expect(results[5].hasPrefix("0.0/") && results[6].hasPrefix("0.0/"))
        #expect(results[9].hasPrefix("0.0/") && results[10].hasPrefix("0.0/"))
        #expect(results[7].hasPrefix("0.23094"))
    }

    @Test func aValueThatCameAndWentLeavesNoTraceInASum() {
        let sum = SlidingSum(isAverage: false, isFloat: false)
        let values = Column(.double)
        for value in [0.1, 1e17, 0.2, .infinity, -.infinity, .nan, 0.3] { values.append(value) }
        let input = AggregateInput(arguments: [values], times: nil)
        sum.reserve(1)
        let step = { (rows: [Int32], isRetracted: Bool) in
            let slots = [Int32](repeating: 0, count: rows.count)
            rows.withUnsafeBufferPointer { rows in
                slots.withUnsafeBufferPointer { slots in
                    guard let row = rows.baseAddress, let slot = slots.baseAddress else { return }
                    let picked = RowSlots(rows: row, slots: slot, count: rows.count)
                    if isRetracted { sum.retract(picked, input) } else { sum.update(picked, input) }
                }
            }
        }
        let value = { () -> Double in
            let column = Column(.double)
            [Int32(0)].withUnsafeBufferPointer { sum.emit($0, into: column) }
            return column.doubles[0]
        }
        [Int32(0)].withUnsafeBufferPointer { sum.clear($0) }
        step([0, 1, 2], false)
        #expect(value() == 1e17)
        step([1], true)
        #expect(abs(value() - 0.3) < 1e-12)
        step([3], false)
        #expect(value() == .infinity)
        step([4], false)
        #expect(value().isNaN)
        step([3, 4], true)
        step([5], false)
        #expect(value().isNaN)
        step([5, 0], true)
        #expect(abs(value() - 0.2) < 1e-12)
    }
}
