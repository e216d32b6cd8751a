// What has passed takes no memory any more, and what has not is never taken for it: keys and rows come and
// go by the thousand, which shorter tests do not see.

import Testing
import WeirCore

@testable import WeirRuntime
@testable import WeirSQL

@Suite struct BoundedStateTests {
    private static let start: Int64 = 1_700_000_000_000

    /// A row every 100 ms, each of a device of its own or of five in turn.
    private static func readings(_ range: Range<Int>, isEachNew: Bool) -> [Reading] {
        range.map { index in
            Reading(
                device: "d\(isEachNew ? index : index % 5)", line: 1,
                time: start + Int64(index) * 100, value: 1)
        }
    }

    @Test(arguments: [
        (
            """
            SELECT a.device FROM readings AS a JOIN readings AS b
            ON a.device = b.device AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '1' SECOND
            """, true
        ),
        (
            """
            SELECT SUM(value) OVER (PARTITION BY device ORDER BY ts
            RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW) AS s FROM readings
            """, false
        ),
    ])
    func memoryDoesNotGrowWithWhatHasPassed(_ sql: String, _ isEachNew: Bool) throws {
        let harness = try QueryHarness(
            PatternTests.plan(sql), clock: WatermarkOptions(delay: 1_000))
        var bytes: [Int] = []
        for first in stride(from: 0, to: 60_000, by: 500) {
            try harness.process(Self.readings(first..<first + 500, isEachNew: isEachNew))
            harness.commit()
            bytes.append(harness.pipeline.memoryBytes)
        }
        let (early, late) = (bytes[..<30].max() ?? 0, bytes[90...].max() ?? 0)
        #expect(late < early * 2, "\(early) bytes, then \(late)")
    }

    @Test(arguments: [1, 64 << 20])
    func aVersionOutlivesTheMultitudeOfKeysWithoutOne(_ memory: Int) throws {
        let device = BoundExpression.column(index: 0, type: .string)
        let scan = LogicalPlan.scan(source: "readings", schema: Reading.schema, timeColumn: 2)
        let fields = Reading.schema.fields
        let spec = TemporalJoinSpec(
            isOuter: false,
            condition: JoinCondition(
                keys: [.init(left: device, right: device, matchesNull: false)], residual: nil,
                leftWidth: fields.count), leftTime: 2, rightTime: 2)
        let versions = LogicalPlan.filter(scan, predicate: .column(index: 5, type: .boolean))
        let harness = try QueryHarness(
            QueryPlan(
                root: .ordered(
                    .temporalJoin(spec), inputs: [scan, versions], schema: Schema(fields + fields))),
            options: QueryOptions(memoryBudgetBytes: memory), clock: WatermarkOptions(delay: 1_000))
        func reading(_ device: String, _ index: Int, isVersion: Bool = false) -> Reading {
            var reading = Reading(
                device: device, line: 1, time: Self.start + Int64(index) * 100, value: 777)
            reading.flag = isVersion
            return reading
        }
        try harness.process((0..<10).map { reading("v\($0)", $0, isVersion: true) })
        harness.commit()
        for first in stride(from: 100, to: 10_100, by: 500) {
            try harness.process((first..<first + 500).map { reading("d\($0)", $0) })
            harness.commit()
        }
        let before = harness.committed.results.count
        try harness.process((0..<10).map { reading("v\($0)", 20_000 + $0) })
        try harness.process([reading("d", 30_000)])
        harness.commit()
        #expect(harness.committed.results.count == before + 10)
    }

    @Test func aSessionGoesOnWhileManyKeysComeAndGo() throws {
        let harness = try QueryHarness(
            PatternTests.plan(
                """
                SELECT device, COUNT(*) AS n FROM TABLE(SESSION(TABLE readings PARTITION BY device,
                DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, device
                """), clock: WatermarkOptions(delay: 1_000))
        let tail = String(repeating: "x", count: 100)
        for first in stride(from: 0, to: 80_000, by: 2_000) {
            var readings = (first..<first + 2_000).map { index in
                Reading(
                    device: "d\(index)\(tail)", line: 1, time: Self.start + Int64(index) * 3, value: 1)
            }
            readings.insert(
                Reading(device: "kept", line: 1, time: Self.start + Int64(first) * 3, value: 1), at: 0)
            try harness.process(readings)
            harness.commit()
        }
        #expect(harness.committed.results.count > 50_000)
        try harness.advance(harness.tracker.end())
        harness.commit()
        #expect(harness.committed.results.filter { $0.hasPrefix("'kept'") }.count == 1)
    }

    @Test(arguments: ["TUMBLE(TABLE readings", "SESSION(TABLE readings PARTITION BY device"])
    func aWindowFiresWithItsLastMillisecondAndNotBefore(_ window: String) throws {
        let harness = try QueryHarness(
            PatternTests.plan(
                """
                SELECT device, COUNT(*) AS n FROM TABLE(\(window), DESCRIPTOR(ts), INTERVAL '10' SECOND))
                GROUP BY window_start, window_end, device
                """), clock: WatermarkOptions(delay: 0))
        for (device, offset) in [("a", 0), ("b", 9_998)] as [(String, Int64)] {
            try harness.process([Reading(device: device, line: 1, time: Self.start + offset, value: 1)])
            harness.commit()
        }
        #expect(harness.committed.results.isEmpty)
        try harness.process([Reading(device: "b", line: 1, time: Self.start + 9_999, value: 1)])
        harness.commit()
        #expect(harness.committed.results.first?.hasPrefix("'a'") == true)
    }
}
