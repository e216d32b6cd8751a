// Sessions under a budget that hardly any of them fits in give what sessions with all memory give, byte by
// byte and in its order: cut anywhere, killed anywhere, by one clock and by a clock for each key. Values
// are such that every order of adding gives other last bits.

import Testing
import WeirCore
import WeirSQL

@testable import WeirRuntime

@Suite struct SessionSpillTests {
    /// A query over sessions.
    struct SessionQuery {
        var gap: Int64 = 3_000
        var delay: Int64 = 2_000
        var keys = ["device"]
        var isKeyed = false

        var clock: WatermarkOptions { WatermarkOptions(delay: delay) }

        func options(budget: Int, emittedRowsMax: Int = 262_144) -> QueryOptions {
            QueryOptions(
                memoryBudgetBytes: budget, emittedRowsMax: emittedRowsMax,
                watermarkBy: isKeyed ? "device" : nil, hashSeed: 7)
        }

        var plan: QueryPlan {
            let columns = keys.map(TestQuery.column)
            let places = keys.compactMap { Reading.schema.index(of: $0) }
            let aggregates =
                TestQuery.aggregates + [
                    AggregateCall(
                        function: .listAgg, argument: TestQuery.column("note"), type: .string),
                    AggregateCall(
                        function: .lastValue, argument: TestQuery.column("value"), type: .double),
                ]
            let fields =
                zip(keys, columns).map { Field($0, $1.type) } + [
                    Field("window_start", .timestamp), Field("window_end", .timestamp),
                    Field("window_time", .timestampLTZ),
                ] + aggregates.enumerated().map { Field("a\($0)", $1.type) }
            return QueryPlan(
                root: .windowAggregate(
                    .scan(source: "readings", schema: Reading.schema, timeColumn: 2),
                    window: WindowSpec(timeColumn: 2, shape: .session(gap: gap, keys: places)),
                    keys: columns, aggregates: aggregates, schema: Schema(fields)))
        }
    }

    static let queries: [SessionQuery] = [
        SessionQuery(),
        SessionQuery(gap: 1_000, delay: 30_000),
        SessionQuery(gap: 20_000, delay: 0, keys: ["line", "device"]),
        SessionQuery(gap: 2_000, delay: 40_000, keys: ["line", "device"]),
        SessionQuery(keys: []),
        SessionQuery(isKeyed: true),
        SessionQuery(gap: 1_000, delay: 30_000, keys: ["line", "device"], isKeyed: true),
    ]

    private func run(
        _ query: SessionQuery, _ options: QueryOptions, _ readings: [Reading], _ schedule: Schedule
    ) throws -> QueryHarness {
        let harness = try QueryHarness(query.plan, options: options, clock: query.clock)
        try harness.run(readings, schedule)
        return harness
    }

    @Test(arguments: queries.indices)
    func budgetsCutsAndCrashesDoNotShow(_ index: Int) throws {
        let query = Self.queries[index]
        for seed in 1...2 as ClosedRange<UInt64> {
            let readings = Reading.random(seed: seed, count: 250, isExact: false)
            let whole = try run(query, query.options(budget: 64 << 20), readings, .whole())
            #expect(whole.committed.results.count >= 2)
            let pairCount = whole.store.pairs.count
            for budget in [0, 700, 6_000] {
                for (label, schedule) in [
                    ("whole", Schedule.whole()), ("every row", .every(1, commits: true)),
                    ("3 rows", .every(3)), ("7 rows", .every(7, commits: true)),
                    ("chaos", .chaotic(seed: seed, batchMax: 40)),
                    ("more chaos", .chaotic(seed: seed + 100, batchMax: 9)),
                ] {
                    let emittedRowsMax = budget == 700 ? 5 : 262_144
                    let options = query.options(budget: budget, emittedRowsMax: emittedRowsMax)
                    let harness = try run(query, options, readings, schedule)
                    let label = "seed \(seed), budget \(budget), \(label)"
                    #expect(harness.committed == whole.committed, "\(label)")
                    #expect(harness.store.pairs.count == pairCount, "\(label): state is left")
                    #expect(harness.pipeline.spilledCount == 0, "\(label)")
                }
            }
        }
    }

    @Test func sessionsBeyondTheBudgetLeaveMemory() throws {
        let query = SessionQuery(gap: 10_000_000, keys: ["line", "device"])
        let harness = try QueryHarness(
            query.plan, options: query.options(budget: 20_000), clock: query.clock)
        let readings = (0..<2_000).map { index in
            Reading(
                device: "device \(index * 7 % 1_000)", line: 1, time: Int64(index), value: 1, small: 1,
                flag: true, note: nil)
        }
        var most = 0
        for first in stride(from: 0, to: readings.count, by: 100) {
            try harness.process(Array(readings[first..<first + 100]))
            harness.commit()
            most = max(most, harness.pipeline.spilledCount)
        }
        #expect(most > 900)
        try harness.advance(harness.tracker.end())
        harness.commit()
        #expect(harness.committed.results.count == 1_000)
        #expect(harness.pipeline.spilledCount == 0)
    }

    @Test func aFilterKnowsItsKeysAndFewOthers() {
        var filter = KeyFilter(keyCount: 1_000)
        func bytes(_ number: Int) -> [UInt8] { Array("key \(number)".utf8) }
        for number in 0..<1_000 { bytes(number).withUnsafeBufferPointer { filter.add($0) } }
        let known = (0..<1_000).filter { number in
            bytes(number).withUnsafeBufferPointer { filter.mayHold($0) }
        }
        #expect(known.count == 1_000)
        let wrong = (1_000..<11_000).filter { number in
            bytes(number).withUnsafeBufferPointer { filter.mayHold($0) }
        }
        #expect(wrong.count < 1_000)
        #expect(!filter.isCrowded)
    }
}
