// State larger than memory: a window of many keys under a small budget, written out and merged, and
// emitted in pieces with commits in between.

import Testing
import WeirCore
import WeirSQL

@testable import WeirRuntime

@Suite struct SpillTests {
    private static let schema = Schema([
        Field("id", .bigint), Field("ts", .timestampLTZ), Field("value", .double),
    ])

    private func plan() -> QueryPlan {
        let value = BoundExpression.column(index: 2, type: .double)
        return QueryPlan(
            root: .windowAggregate(
                .scan(source: "s", schema: Self.schema, timeColumn: 1),
                window: WindowSpec(timeColumn: 1, size: 1000, slide: 1000),
                keys: [.column(index: 0, type: .bigint)],
                aggregates: [
                    AggregateCall(function: .countStar, argument: nil, type: .bigint),
                    AggregateCall(function: .sum, argument: value, type: .double),
                ],
                schema: Schema([
                    Field("id", .bigint), Field("window_start", .timestamp),
                    Field("window_end", .timestamp), Field("window_time", .timestampLTZ),
                    Field("n", .bigint), Field("total", .double),
                ])))
    }

    /// Checks rows as they come instead of keeping them.
    private final class CheckingOutput: QueryOutput {
        var next: Int64 = 0
        var areInOrder = true
        var areRight = true
        func emit(_ batch: Batch) {
            for row in 0..<batch.rowCount {
                let id = batch.columns[0].ints[row]
                areInOrder = areInOrder && id == next
                areRight =
                    areRight && batch.columns[4].ints[row] == 2
                    && batch.columns[5].doubles[row] == Double(id) + 0.5
                next += 1
            }
        }
        func late(_ rows: Batch) { areRight = false }
    }

    @Test func aWindowFarLargerThanTheBudgetNeedsLittleMemory() throws {
        let keyCount = 60_000
        let output = CheckingOutput()
        let options = QueryOptions(memoryBudgetBytes: 256 << 10, emittedRowsMax: 6_000)
        var pipeline = try QueryPipeline(plan: plan(), options: options, output: output)
        let tracker = WatermarkTracker(
            schema: Self.schema, timeColumn: 1, options: WatermarkOptions(delay: 0))
        let store = MemoryStateStore()
        try pipeline.restore(from: store, clocks: ["s": tracker])
        var peak = 0
        func commit() {
            let batch = MemoryStateStore.Batch()
            pipeline.checkpoint(into: batch)
            store.commit(batch)
            peak = max(peak, pipeline.memoryBytes)
        }
        // Each key twice, far apart, in no order: multiplication by an odd number permutes.
        let batchRows = 6_000
        for pass in 0..<2 {
            for first in stride(from: 0, to: keyCount, by: batchRows) {
                let columns = Self.schema.fields.map { Column($0.type, capacity: batchRows) }
                for index in first..<first + batchRows {
                    let id = Int64(index * (pass == 0 ? 7919 : 104_723) % keyCount)
                    columns[0].append(id)
                    columns[1].append(Int64(1))
                    columns[2].append(pass == 0 ? Double(id) : 0.5)
                }
                let batch = Batch(schema: Self.schema, columns: columns, rowCount: batchRows)
                #expect(try pipeline.process(tracker.assign(batch, now: 0), from: "s") == .done)
                commit()
            }
        }
        #expect(store.writeAheadCount > 10)
        var progress = try pipeline.advance(tracker.end(), of: "s")
        var commits = 0
        while progress == .mustCommit {
            commit()
            commits += 1
            if commits == 4 {
                // A restart half-way goes on behind the last key that was committed.
                pipeline = try QueryPipeline(plan: plan(), options: options, output: output)
                try pipeline.restore(from: store, clocks: ["s": tracker])
            }
            progress = try pipeline.resume()
        }
        commit()
        #expect(output.next == Int64(keyCount))
        #expect(output.areInOrder)
        #expect(output.areRight)
        #expect(commits >= 9)
        #expect(peak < 6 << 20)
        #expect(store.pairs.count == 1)
    }

    @Test func chunksOfARunThatNoCommitNamesAreSweptOut() throws {
        let query = TestQuery(size: 1_000_000, slide: 1_000_000)
        let readings = Reading.random(seed: 3, count: 300)
        let harness = try QueryHarness(
            query.plan, options: query.options(budget: 600), clock: query.clock)
        try harness.process(Array(readings[..<100]))
        harness.commit()
        let durable = harness.store.pairs.map(\.key)
        try harness.process(Array(readings[100...]))
        #expect(harness.store.pairs.count > durable.count)
        try harness.crash()
        #expect(harness.store.pairs.map(\.key) == durable)
    }

    @Test func damagedBlocksAreAFailureAndNotACrash() throws {
        let query = TestQuery(size: 20_000, slide: 5_000)
        let harness = try QueryHarness(query.plan, options: query.options(), clock: query.clock)
        try harness.process(Reading.random(seed: 4, count: 60))
        harness.commit()
        let block = try #require(harness.store.pairs.last { $0.key.contains(0x62) })
        for count in [0, 1, 7, block.value.count / 2, block.value.count - 1] {
            let damage = MemoryStateStore.Batch()
            block.value.prefix(count).withUnsafeBytes { damage.put(block.key, $0) }
            harness.store.commit(damage)
            #expect(throws: Failure.self) { try harness.crash() }
        }
    }
}
