// Operators by each key's own clock. What must hold is said in one sentence: what comes out of a key's
// rows is what would come out if there were no other keys; and neither cuts nor commits nor crashes nor
// memory show.

import Testing
import WeirCore

@testable import WeirRuntime
@testable import WeirSQL

@Suite struct KeyedChainTests {
    /// Queries whose first column is the device.
    static let queries = [
        """
        SELECT device, ts, value, SUM(line) OVER (PARTITION BY device ORDER BY ts
        RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW) AS s FROM readings WHERE line > -2
        """,
        """
        SELECT device, ts, note FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY device, line ORDER BY ts) AS n
        FROM readings) WHERE n = 1
        """,
        """
        SELECT device, a, n FROM readings MATCH_RECOGNIZE (PARTITION BY device ORDER BY ts
        MEASURES FIRST(A.ts) AS a, COUNT(*) AS n AFTER MATCH SKIP PAST LAST ROW PATTERN (A B* C)
        WITHIN INTERVAL '20' SECOND DEFINE B AS B.flag, C AS C.`value` > 0)
        """,
        """
        SELECT device, note, window_start, window_end FROM TABLE(SESSION(TABLE readings PARTITION BY device,
        DESCRIPTOR(ts), INTERVAL '4' SECOND))
        """,
        """
        SELECT a.device, a.ts, b.note FROM readings AS a LEFT JOIN readings AS b ON a.device = b.device
        AND a.line = b.line AND b.ts BETWEEN a.ts - INTERVAL '3' SECOND AND a.ts + INTERVAL '2' SECOND
        """,
        """
        SELECT device, window_start, n, LAG(n) OVER (PARTITION BY device ORDER BY window_time) AS p FROM (
        SELECT device, window_start, window_time, COUNT(*) AS n FROM TABLE(HOP(TABLE readings,
        DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND))
        GROUP BY device, window_start, window_end, window_time)
        """,
        """
        SELECT device, TUMBLE_START(rt, INTERVAL '30' SECOND) AS t, SUM(c) AS c FROM (SELECT device,
        SESSION_ROWTIME(ts, INTERVAL '3' SECOND) AS rt, COUNT(*) AS c FROM readings
        GROUP BY device, SESSION(ts, INTERVAL '3' SECOND)) GROUP BY device, TUMBLE(rt, INTERVAL '30' SECOND)
        """,
    ]

    private func plan(_ sql: String) throws -> QueryPlan {
        let table = Catalog.Table(name: "readings", schema: Reading.schema, timeColumn: "ts")
        return try QueryBinder(catalog: Catalog(tables: [table], views: [])).bind(sql).get()
    }

    private func harness(
        _ sql: String, isKeyed: Bool = true, emittedRowsMax: Int = .max, budget: Int = 64 << 20,
        idleTimeout: Int64? = nil, keysMax: Int = 100
    ) throws -> QueryHarness {
        try QueryHarness(
            plan(sql),
            options: QueryOptions(
                memoryBudgetBytes: budget, emittedRowsMax: emittedRowsMax,
                watermarkBy: isKeyed ? "device" : nil),
            clock: WatermarkOptions(delay: 2_000, idleTimeout: idleTimeout, keysMax: keysMax))
    }

    /// Readings of devices that are hours apart.
    private func readings(_ seed: UInt64, _ count: Int = 500) -> [Reading] {
        Reading.random(seed: seed, count: count, devices: 5).map { reading in
            var shifted = reading
            shifted.time -= Int64(reading.device?.utf8.last ?? 0) * 40_000_000
            return shifted
        }
    }

    private func name(_ reading: Reading) -> String { reading.device.map { "'\($0)'" } ?? "NULL" }

    @Test(arguments: queries) func eachKeyIsAsIfItWereAlone(_ sql: String) throws {
        #expect(try plan(sql).root.clockRule(watermarkBy: "device") == .chains)
        for seed in 1...2 as ClosedRange<UInt64> {
            let readings = readings(seed)
            let all = try harness(sql)
            try all.run(readings, .whole())
            #expect(!all.committed.results.isEmpty)
            for key in Set(readings.map(name)) {
                let alone = try harness(sql, isKeyed: false)
                try alone.run(readings.filter { name($0) == key }, .whole())
                #expect(all.committed.results.filter { $0.hasPrefix("\(key)|") } == alone.committed.results)
                #expect(all.committed.late.filter { $0.hasPrefix("\(key)|") } == alone.committed.late)
            }
        }
    }

    @Test(arguments: queries) func neitherCutsNorCrashesNorMemoryShow(_ sql: String) throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let readings = readings(seed)
            let whole = try harness(sql)
            try whole.run(readings, .whole())
            for rows in [1, 7, 64] {
                let cut = try harness(sql, emittedRowsMax: 5, budget: rows == 7 ? 1 : 64 << 20)
                try cut.run(readings, .every(rows, commits: true))
                #expect(cut.committed == whole.committed, "seed \(seed), \(rows) rows")
            }
            for budget in [1, 40_000, 64 << 20] {
                let torn = try harness(sql, emittedRowsMax: 20, budget: budget)
                try torn.run(readings, .chaotic(seed: seed, batchMax: 60))
                #expect(torn.crashCount > 0)
                #expect(torn.committed.results == whole.committed.results, "seed \(seed), \(budget) bytes")
                #expect(torn.committed.late == whole.committed.late, "seed \(seed), \(budget) bytes")
            }
        }
    }

    @Test func lateRowsOfTwoBranchesComeInTheOrderOfTheSource() throws {
        let readings = readings(4)
        for isKeyed in [true, false] {
            var outcomes: Set<[String]> = []
            for rows in [1, 7, 500] {
                let harness = try harness(Self.queries[4], isKeyed: isKeyed)
                try harness.run(readings, .every(rows))
                outcomes.insert(harness.committed.late)
            }
            #expect(outcomes.count == 1)
            #expect(outcomes.first?.isEmpty == false)
        }
    }

    @Test(arguments: [false, true]) func anIdleKeysRowsComeOutAndItsBacklogIsInTimeBehindThem(
        _ crashes: Bool
    ) throws {
        let harness = try harness(Self.queries[3], idleTimeout: 1000)
        func settle() throws {
            guard crashes else { return }
            harness.commit()
            try harness.crash()
            _ = harness.tracker.tick(monotonic: 0, isConnected: true)
        }
        func send(_ times: [Int64]) throws {
            try harness.process(times.map { Reading(device: "a", time: $0, note: "\($0)") })
            try settle()
        }
        _ = harness.tracker.tick(monotonic: 0, isConnected: true)
        try send([10_000, 11_000])
        let idle = try #require(harness.tracker.tick(monotonic: 1000, isConnected: true))
        try harness.advance(idle)
        harness.commit()
        #expect(harness.committed.results.count == 2)
        try settle()
        // Time stands at 14,999: what would have ended by then is late, what lies behind is not.
        try send([10_000, 11_000, 11_001, 30_000])
        harness.commit()
        #expect(harness.committed.late.count == 2)
        #expect(harness.committed.results.count == 3)
    }

    @Test func aForgottenKeyLeavesNothingBehind() throws {
        let harness = try harness(Self.queries[1], idleTimeout: 1000, keysMax: 4)
        func send(_ device: String, _ time: Int64) throws {
            try harness.process([Reading(device: device, line: 1, time: time)])
        }
        _ = harness.tracker.tick(monotonic: 0, isConnected: true)
        for device in ["a", "b", "c"] { try send(device, 9_000) }
        harness.commit()
        let withThree = harness.store.pairs.count
        _ = harness.tracker.tick(monotonic: 1, isConnected: true)
        try send("d", 9_000)
        try harness.advance(try #require(harness.tracker.tick(monotonic: 1001, isConnected: true)))
        #expect(harness.tracker.keyCount == 3)
        harness.commit()
        #expect(harness.store.pairs.count <= withThree + 1)
        // "a" begins anew, in the place of none or of another: its first row is a first row again.
        try send("a", 1_000)
        try harness.crash()
        try send("a", 1_000)
        try harness.advance(harness.tracker.end())
        harness.commit()
        #expect(harness.committed.results.filter { $0.hasPrefix("'a'|") }.count == 2)
    }

    @Test func anIdleKeyForWhichNothingWaitsIsNotBroughtBackToMemory() throws {
        let sql = """
            SELECT device, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY device, line ORDER BY ts) AS n
            FROM readings WHERE line > 0) WHERE n = 1
            """
        let harness = try harness(sql, budget: 1, idleTimeout: 1000)
        _ = harness.tracker.tick(monotonic: 0, isConnected: true)
        try harness.process([Reading(device: "a", line: 1, time: 10_000)])
        // The row that lets the first one out is none of the query's, so that nothing waits behind it.
        try harness.process([Reading(device: "a", line: -1, time: 20_000)])
        for _ in 0..<3 { harness.commit() }
        #expect(harness.committed.results.count == 1)
        #expect(harness.pipeline.spilledCount == 1)
        let bytes = harness.pipeline.memoryBytes
        try harness.advance(try #require(harness.tracker.tick(monotonic: 1000, isConnected: true)))
        #expect(harness.pipeline.memoryBytes == bytes)
    }

    @Test func rowsOfSeveralKeysThatMeetGoByTheSlowest() throws {
        let across = [
            "SELECT device, ts, COUNT(*) OVER (ORDER BY ts) AS n FROM readings",
            "SELECT device, ts FROM readings ORDER BY ts",
            """
            SELECT device, LAG(n) OVER (PARTITION BY UPPER(device) ORDER BY t) AS p FROM (SELECT device,
            COUNT(*) AS n, TUMBLE_ROWTIME(ts, INTERVAL '1' MINUTE) AS t FROM readings
            GROUP BY device, TUMBLE(ts, INTERVAL '1' MINUTE))
            """,
        ]
        for sql in across {
            #expect(try plan(sql).root.clockRule(watermarkBy: "device") == .combined)
            #expect(try plan(sql).root.operatorAcrossKeys(of: "device") != nil)
        }
    }
}
