// The common part of all operators in event-time order: rows come out by (event time, input, arrival),
// late ones are told apart by the clock alone, and neither cuts nor commits nor crashes show.

import Testing
import WeirCore
import WeirSQL

@testable import WeirRuntime

@Suite struct OrderedOperatorTests {
    private static let scan = LogicalPlan.scan(
        source: "readings", schema: Reading.schema, timeColumn: 2)
    private static let sorted = LogicalPlan.ordered(
        .sort(time: 2), inputs: [scan], schema: Reading.schema)
    private static let delay: Int64 = 3_000

    private func run(
        _ plan: LogicalPlan, _ readings: [Reading], _ schedule: Schedule, emittedRowsMax: Int = .max,
        memoryBudgetBytes: Int = 64 << 20
    ) throws -> QueryHarness {
        let options = QueryOptions(
            memoryBudgetBytes: memoryBudgetBytes, emittedRowsMax: emittedRowsMax)
        let harness = try QueryHarness(
            QueryPlan(root: plan), options: options,
            clock: WatermarkOptions(delay: Self.delay))
        try harness.run(readings, schedule)
        return harness
    }

    /// The readings that are in time, in order, and those that are late.
    private func oracle(_ readings: [Reading]) -> (sorted: [String], late: [String]) {
        var mark = Watermark.none
        var inTime: [Reading] = []
        var late: [Reading] = []
        for reading in readings {
            if reading.time > mark { inTime.append(reading) } else { late.append(reading) }
            mark = max(mark, reading.time - Self.delay)
        }
        let order = inTime.indices.sorted { (inTime[$0].time, $0) < (inTime[$1].time, $1) }
        return (rendered(Reading.batch(order.map { inTime[$0] })), rendered(Reading.batch(late)))
    }

    @Test func rowsComeOutInTheOrderOfTheirTimeAndArrival() throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let readings = Reading.random(seed: seed, count: 1200)
            let expected = oracle(readings)
            #expect(!expected.late.isEmpty)
            for rows in [1, 2, 7, 100, 5000] {
                let harness = try run(Self.sorted, readings, .every(rows))
                #expect(harness.committed.results == expected.sorted, "seed \(seed), \(rows) rows")
                #expect(harness.committed.late == expected.late, "seed \(seed), \(rows) rows")
                #expect(harness.committed.statistics.used == UInt64(expected.sorted.count))
                #expect(harness.committed.statistics.late == UInt64(expected.late.count))
            }
        }
    }

    @Test func crashesDoNotShow() throws {
        for seed in 1...12 as ClosedRange<UInt64> {
            let readings = Reading.random(seed: seed, count: 500)
            let expected = oracle(readings)
            let harness = try run(
                Self.sorted, readings, .chaotic(seed: seed, batchMax: 40), emittedRowsMax: 20)
            #expect(harness.committed.results == expected.sorted, "seed \(seed)")
            #expect(harness.committed.late == expected.late, "seed \(seed)")
        }
    }

    @Test func runningOutOfMemoryDoesNotShow() throws {
        for seed in 1...4 as ClosedRange<UInt64> {
            let readings = Reading.random(seed: seed, count: 600)
            let harness = try run(
                Self.sorted, readings, .chaotic(seed: seed, batchMax: 20), memoryBudgetBytes: 1000)
            #expect(harness.committed.results == oracle(readings).sorted, "seed \(seed)")
        }
    }

    @Test func stateIsGoneWhenAllRowsHaveBeenTaken() throws {
        let harness = try run(
            Self.sorted, Reading.random(seed: 5, count: 800), .every(50, commits: true))
        #expect(harness.store.pairs.allSatisfy { $0.key[0] != 2 || $0.key[2] == 0 })
        #expect(harness.pipeline.memoryBytes == 0)
    }

    @Test func aWindowFollowsAnOrderedOperator() throws {
        let window = { (input: LogicalPlan) in
            LogicalPlan.windowAggregate(
                input, window: WindowSpec(timeColumn: 2, size: 10_000, slide: 10_000),
                keys: [.column(index: 0, type: .string)],
                aggregates: [AggregateCall(function: .countStar, argument: nil, type: .bigint)],
                schema: Schema([
                    Field("device", .string), Field("window_start", .timestamp),
                    Field("window_end", .timestamp), Field("window_time", .timestampLTZ),
                    Field("n", .bigint),
                ]))
        }
        let readings = Reading.random(seed: 9, count: 600)
        // Without rows that are late for the order but not for their window, both give the same.
        let inTime = oracle(readings)
        let whole = try run(window(Self.sorted), readings, .whole())
        #expect(whole.committed.late == inTime.late)
        for seed in 1...6 as ClosedRange<UInt64> {
            let harness = try run(
                window(Self.sorted), readings, .chaotic(seed: seed, batchMax: 30), emittedRowsMax: 9)
            #expect(harness.committed.results == whole.committed.results, "seed \(seed)")
        }
    }

    @Test func unionMergesBranchesOfOneSourceRowByRow() throws {
        let branch = { (line: Int64) in
            LogicalPlan.filter(
                Self.scan,
                predicate: .call(
                    .greaterOrEqual,
                    arguments: [
                        .column(index: 1, type: .bigint), .literal(.integer(line), type: .bigint),
                    ], type: .boolean))
        }
        let plan = LogicalPlan.union([branch(0), branch(2)], schema: Reading.schema)
        let readings = Reading.random(seed: 3, count: 300)
        let expected = readings.flatMap { reading -> [Reading] in
            guard let line = reading.line else { return [] }
            return (line >= 0 ? [reading] : []) + (line >= 2 ? [reading] : [])
        }
        for rows in [1, 3, 50, 1000] {
            let harness = try run(plan, readings, .every(rows))
            #expect(harness.committed.results == rendered(Reading.batch(expected)), "\(rows) rows")
        }
    }
}
