// MATCH_RECOGNIZE: neither cuts nor commits nor crashes show, state is gone with the last partial match,
// limits drop the oldest matches, and the queue of matches is Java's. What matches there are is compared
// with Flink's results by the cases in Tests/Cases/match_*.case.

import Testing
import WeirCore

@testable import WeirRuntime
@testable import WeirSQL

@Suite struct PatternTests {
    /// The plan of a query over the readings.
    static func plan(_ sql: String) throws -> QueryPlan {
        let table = Catalog.Table(name: "readings", schema: Reading.schema, timeColumn: "ts")
        return try QueryBinder(catalog: Catalog(tables: [table], views: [])).bind(sql).get()
    }

    private static func match(_ clauses: String, by keys: String = "PARTITION BY device") -> String {
        "SELECT * FROM readings MATCH_RECOGNIZE (\(keys) ORDER BY ts \(clauses))"
    }

    static let queries = [
        match(
            """
            MEASURES FIRST(A.value) AS a, LAST(B.value) AS b, COUNT(*) AS n, MAX(note) AS t
            AFTER MATCH SKIP PAST LAST ROW PATTERN (A B+ C)
            DEFINE B AS B.value < LAST(B.value, 1) OR LAST(B.value, 1) IS NULL, C AS C.value > A.value
            """),
        match(
            """
            MEASURES SUM(A.value) AS s, AVG(small) AS m, LAST(ts) AS t, MATCH_ROWTIME(ts) AS at
            AFTER MATCH SKIP TO LAST A PATTERN (A{2,}? B{0,2}? C) WITHIN INTERVAL '20' SECOND
            DEFINE A AS SUM(A.value) < 90, B AS B.flag, C AS C.value > AVG(A.value)
            """),
        match(
            """
            MEASURES A.value AS a, B.note AS b, LAST(B.ts, 1) AS t PATTERN (A+? B{2,3}?)
            WITHIN INTERVAL '4' SECOND DEFINE A AS A.flag, B AS B.note > LAST(B.note, 1) OR B.value > 0
            """, by: "PARTITION BY device, flag"),
        match(
            """
            MEASURES A.device AS a, B.device AS b, FIRST(line) AS l AFTER MATCH SKIP TO FIRST B
            PATTERN (A B C?) DEFINE A AS A.value > 10, B AS B.device <> A.device
            """, by: ""),
    ]

    private func run(_ sql: String, _ readings: [Reading], _ schedule: Schedule, emittedRowsMax: Int = .max)
        throws -> QueryHarness
    {
        let harness = try QueryHarness(
            Self.plan(sql), options: QueryOptions(emittedRowsMax: emittedRowsMax),
            clock: WatermarkOptions(delay: 3_000))
        try harness.run(readings, schedule)
        return harness
    }

    @Test(arguments: queries) func cutsCommitsAndCrashesDoNotShow(_ sql: String) throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let readings = Reading.random(seed: seed, count: 400)
            let whole = try run(sql, readings, .whole())
            #expect(whole.committed.results.count > 5)
            for rows in [1, 7, 100] {
                let cut = try run(sql, readings, .every(rows, commits: rows != 7))
                #expect(cut.committed == whole.committed, "seed \(seed), \(rows) rows")
            }
            for chaos in 1...4 as ClosedRange<UInt64> {
                let schedule = Schedule.chaotic(seed: seed * 10 + chaos, batchMax: 30)
                let killed = try run(sql, readings, schedule, emittedRowsMax: 5)
                #expect(killed.committed == whole.committed, "seed \(seed), \(chaos)")
            }
        }
    }

    @Test func aFreedKeyAndItsRowsAreGone() throws {
        let harness = try run(
            Self.match(
                """
                MEASURES A.value AS v PATTERN (A B{3,}? C) WITHIN INTERVAL '5' SECOND
                DEFINE A AS A.value > 0, C AS C.value > 95
                """), Reading.random(seed: 4, count: 600), .every(20, commits: true))
        // What is left is the count of rows and the clocks.
        #expect(harness.store.pairs.allSatisfy { $0.key[0] != 2 || $0.key[2] == 0 || $0.key[2] == 0x12 })
    }

    @Test func eachKeyDropsWhatStartedFirstAtItsLimit() throws {
        let found = try matches(MatchBounds(perKey: 3, all: 100, rows: 1_000), rowCount: 8)
        // Rows 0 to 6 start matches; row 7 ends them.
        #expect(found.starts == [4, 5, 6])
        #expect(found.dropped == 4)
    }

    @Test func allKeysTogetherAndRowsHaveLimits() throws {
        #expect(try matches(MatchBounds(perKey: 100, all: 2, rows: 1_000), rowCount: 8).starts == [5, 6])
        let few = MatchBounds(perKey: 100, all: 100, rows: 1_000, keptRows: 3)
        #expect(try matches(few, rowCount: 8).starts == matches(few, rowCount: 8).starts)
        #expect(try matches(few, rowCount: 8).starts.count < 7)
        let long = try matches(MatchBounds(perKey: 100, all: 100, rows: 5), rowCount: 8)
        #expect(long.starts == [2, 3, 4, 5, 6])
        #expect(long.dropped == 2)
    }

    /// Runs `A+ B` over rows of which only the last is a B.
    private func matches(_ bounds: MatchBounds, rowCount: Int) throws -> (starts: [Int64], dropped: UInt64) {
        let plan = try Self.plan(
            Self.match(
                """
                MEASURES FIRST(A.line) AS first_line PATTERN (A+ B)
                DEFINE A AS A.value < 5, B AS B.value > 5
                """, by: ""))
        guard case .ordered(.match(let pattern), let inputs, let schema) = plan.root else {
            Issue.record("not a pattern: \(plan.explanation)")
            return ([], 0)
        }
        let processor = try PatternProcessor(
            pattern, input: inputs[0].schema, schema: schema, stateTag: 0, seed: 1, bounds: bounds)
        let columns = inputs[0].schema.fields.map { field -> Column in
            let column = Column(field.type)
            for row in 0..<rowCount {
                switch field.name {
                case "ts": column.append(Int64(row))
                case "value": column.append(row == rowCount - 1 ? 9.0 : 1.0)
                default: column.append(Int64(row))
                }
            }
            return column
        }
        let batch = Batch(schema: inputs[0].schema, columns: columns, rowCount: rowCount)
        let output = CollectingOutput()
        let sink = OrderedOutput(next: OutputOperator(output))
        try processor.process(OrderedSlice(batches: [batch], timeColumns: [pattern.timeColumn]), into: sink)
        let starts = output.results.compactMap { line in Int64(line.filter(\.isNumber)) }
        return (starts, processor.droppedCount)
    }

    @Test func theQueueOfMatchesIsAHeapByStart() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<50 {
            var queue = MatchQueue()
            var left: [Int64] = []
            for id in 0..<Int32.random(in: 1...40, using: &random) {
                let start = Int64.random(in: 0...9, using: &random)
                queue.push(QueuedMatch(id: id, start: start))
                left.append(start)
            }
            let limit = Int64.random(in: 0...9, using: &random)
            queue.removeAll(where: { $0.start < limit }) { match in #expect(match.start < limit) }
            left.removeAll { $0 < limit }
            var popped: [Int64] = []
            while let match = queue.pop() { popped.append(match.start) }
            #expect(popped == left.sorted())
        }
    }

    @Test func equalStartsLieAsSiftingLeavesThem() {
        var queue = MatchQueue()
        for (id, start) in [(0, 5), (1, 3), (2, 3), (3, 4), (4, 3)] as [(Int32, Int64)] {
            queue.push(QueuedMatch(id: id, start: start))
        }
        // As java.util.PriorityQueue has them.
        #expect(queue.matches.map(\.id) == [1, 4, 2, 0, 3])
        #expect(queue.pop()?.id == 1)
        #expect(queue.matches.map(\.id) == [4, 3, 2, 0])
    }

    @Test func aGreedyLoopKeepsItsRowsFromWhatFollows() {
        let loop = PatternElement(name: "A", least: 1, most: nil, isGreedy: true, condition: nil)
        let last = PatternElement(name: "B", least: 1, most: 1, isGreedy: false, condition: nil)
        let automaton = PatternAutomaton([loop, last])
        let behind = automaton.states.first { $0.variable == 1 }
        #expect(behind?.take?.excluded == 1)
        #expect(automaton.takers(from: automaton.start) == 1)
    }
}
