// Queries without windows, fan-out, windows over windows, and the accounts: every row of the source
// is used, filtered or late, exactly once.

import Testing
import WeirCore
import WeirSQL

@testable import WeirRuntime

@Suite struct PipelineTests {
    private static let schema = Schema([
        Field("id", .bigint), Field("ts", .timestampLTZ), Field("tags", .array(.string)),
    ])

    private func batch(_ rows: [(Int64, Int64, [String]?)]) -> Batch {
        let columns = Self.schema.fields.map { Column($0.type) }
        for (id, time, tags) in rows {
            columns[0].append(id)
            columns[1].append(time)
            if let tags {
                for tag in tags { columns[2].child?.append(tag) }
                columns[2].appendArray()
            } else {
                columns[2].appendNull()
            }
        }
        return Batch(schema: Self.schema, columns: columns, rowCount: rows.count)
    }

    private let scan = LogicalPlan.scan(source: "posts", schema: schema, timeColumn: 1)
    private var unnest: LogicalPlan {
        .unnest(
            scan, UnnestSpec(column: 2), schema: Schema(Self.schema.fields + [Field("tag", .string)]))
    }

    private func run(
        _ plan: LogicalPlan, _ batches: [Batch], options: QueryOptions = QueryOptions(),
        delay: Int64 = 0
    ) throws -> Outcome {
        let output = CollectingOutput()
        let pipeline = try QueryPipeline(
            plan: QueryPlan(root: plan), options: options, output: output)
        let tracker = WatermarkTracker(
            schema: Self.schema, timeColumn: 1, options: WatermarkOptions(delay: delay))
        let store = MemoryStateStore()
        try pipeline.restore(from: store, clocks: ["posts": tracker])
        func finish(_ progress: Progress) throws {
            var progress = progress
            while progress == .mustCommit {
                pipeline.checkpoint(into: MemoryStateStore.Batch())
                progress = try pipeline.resume()
            }
        }
        for batch in batches { try finish(pipeline.process(tracker.assign(batch, now: 0), from: "posts")) }
        try finish(pipeline.advance(tracker.end(), of: "posts"))
        return Outcome(
            results: output.results, late: output.late, statistics: pipeline.takeStatistics())
    }

    @Test func aQueryWithoutWindowsGivesRowsInTheirOrder() throws {
        let plan = LogicalPlan.project(
            .filter(
                scan,
                predicate: .call(
                    .greater,
                    arguments: [
                        .column(index: 0, type: .bigint), .literal(.integer(1), type: .bigint),
                    ],
                    type: .boolean)),
            expressions: [.column(index: 0, type: .bigint)], schema: Schema([Field("id", .bigint)]))
        let outcome = try run(plan, [batch([(1, 5, nil), (2, 3, nil)]), batch([(3, 1, nil)])])
        #expect(outcome.results == ["2", "3"])
        #expect(outcome.statistics.used == 2)
        #expect(outcome.statistics.filtered == 1)
        #expect(outcome.statistics.late == 0)
        #expect(outcome.statistics.emitted == 2)
    }

    @Test func unnestGivesARowAnElementAndARowWithoutElementsIsFiltered() throws {
        let outcome = try run(
            unnest, [batch([(1, 5, ["a", "b"]), (2, 6, []), (3, 7, nil), (4, 8, ["c"])])])
        #expect(outcome.results == ["1|5|['a','b']|'a'", "1|5|['a','b']|'b'", "4|8|['c']|'c'"])
        #expect(outcome.statistics.used == 2)
        #expect(outcome.statistics.filtered == 2)
    }

    @Test func manyElementsGoOnInParts() throws {
        let tags = (0..<1000).map { "t\($0)" }
        let rows = (0..<70).map { (Int64($0), Int64($0), Optional(tags)) }
        let plan = LogicalPlan.project(
            unnest,
            expressions: [.column(index: 0, type: .bigint), .column(index: 3, type: .string)],
            schema: Schema([Field("id", .bigint), Field("tag", .string)]))
        let outcome = try run(plan, [batch(rows)])
        #expect(outcome.results.count == 70_000)
        #expect(outcome.statistics.used == 70)
        #expect(outcome.results[65_999] == "65|'t999'")
        #expect(outcome.results[66_000] == "66|'t0'")
    }

    private func tagCounts(_ input: LogicalPlan) -> LogicalPlan {
        .windowAggregate(
            input, window: WindowSpec(timeColumn: 1, size: 10, slide: 10),
            keys: [.column(index: 3, type: .string)],
            aggregates: [AggregateCall(function: .countStar, argument: nil, type: .bigint)],
            schema: Schema([
                Field("tag", .string), Field("window_start", .timestamp),
                Field("window_end", .timestamp),
                Field("window_time", .timestampLTZ), Field("posts", .bigint),
            ]))
    }

    @Test(arguments: [1, 100])
    func aRowThatUnnestMultipliedCountsOnce(_ emittedRowsMax: Int) throws {
        let outcome = try run(
            tagCounts(unnest),
            [
                batch([
                    (1, 1, ["a", "b"]), (2, 2, ["b", "b"]), (3, 25, []), (4, 26, ["c"]),
                    (5, 3, ["a", "z"]),
                    (6, 27, ["c"]),
                ])
            ], options: QueryOptions(emittedRowsMax: emittedRowsMax))
        #expect(outcome.results == ["'a'|0|10|9|1", "'b'|0|10|9|3", "'c'|20|30|29|2"])
        #expect(outcome.late == ["5|3|'a'", "5|3|'z'"])
        #expect(outcome.statistics.used == 4)
        #expect(outcome.statistics.late == 1)
        #expect(outcome.statistics.filtered == 1)
    }

    @Test func aWindowWithoutGroupingGivesEachRowOnceAWindow() throws {
        let plan = LogicalPlan.windowAssign(
            scan, window: WindowSpec(timeColumn: 1, size: 10, slide: 5),
            schema: Schema(
                Self.schema.fields + [
                    Field("window_start", .timestamp), Field("window_end", .timestamp),
                    Field("window_time", .timestampLTZ),
                ]))
        let outcome = try run(plan, [batch([(1, 7, nil), (2, -1, nil)])])
        #expect(
            outcome.results == [
                "1|7|NULL|0|10|9", "1|7|NULL|5|15|14", "2|-1|NULL|-10|0|-1", "2|-1|NULL|-5|5|4",
            ])
        #expect(outcome.statistics.used == 2)
    }

    @Test(arguments: [1, 3, 100])
    func aWindowOverWindowsGetsEveryResultInTime(_ batchRows: Int) throws {
        let inner = tagCounts(unnest)
        let plan = LogicalPlan.windowAggregate(
            inner, window: WindowSpec(timeColumn: 3, size: 30, slide: 30), keys: [],
            aggregates: [
                AggregateCall(function: .countStar, argument: nil, type: .bigint),
                AggregateCall(
                    function: .max, argument: .column(index: 4, type: .bigint), type: .bigint),
            ],
            schema: Schema([
                Field("window_start", .timestamp), Field("window_end", .timestamp),
                Field("window_time", .timestampLTZ), Field("tags", .bigint), Field("top", .bigint),
            ]))
        let rows: [(Int64, Int64, [String]?)] = [
            (1, 1, ["a", "b"]), (2, 12, ["a", "a"]), (3, 28, ["b"]), (4, 31, ["c"]), (5, 95, ["d"]),
        ]
        let batches = stride(from: 0, to: rows.count, by: batchRows).map {
            batch(Array(rows[$0..<min(rows.count, $0 + batchRows)]))
        }
        let outcome = try run(plan, batches, options: QueryOptions(emittedRowsMax: 1))
        #expect(outcome.results == ["0|30|29|4|2", "30|60|59|1|1", "90|120|119|1|1"])
        #expect(outcome.statistics.used == 5)
        #expect(outcome.statistics.emitted == 3)
    }

    @Test func whatThereIsNoOperatorForIsRefused() {
        let output = CollectingOutput()
        func build(_ plan: LogicalPlan, _ options: QueryOptions = QueryOptions()) throws {
            _ = try QueryPipeline(
                plan: QueryPlan(root: plan), options: options, output: output)
        }
        let sumOfTexts = AggregateCall(
            function: .sum, argument: .column(index: 0, type: .string), type: .string)
        #expect(throws: Failure.self) {
            try build(
                .windowAggregate(
                    scan, window: WindowSpec(timeColumn: 1, size: 10, slide: 10), keys: [],
                    aggregates: [sumOfTexts], schema: Schema([])))
        }
        for window in [
            WindowSpec(timeColumn: 1, size: 1_000_000, slide: 1),
            WindowSpec(timeColumn: 1, size: .max, slide: .max),
            WindowSpec(timeColumn: 1, size: 10, slide: 0),
        ] {
            #expect(throws: Failure.self) {
                try build(.windowAssign(scan, window: window, schema: Schema([])))
            }
        }
    }
}
