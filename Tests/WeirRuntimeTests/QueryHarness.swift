// A loop as the agent's, small enough to be cut anywhere: batches of any size, commits when the
// test says so, and crashes that lose everything since the last commit.

import Testing
import WeirCore
import WeirSQL
import WeirStore

@testable import WeirRuntime

/// When a harness cuts, commits and dies.
struct Schedule {
    /// Rows of the next batch.
    var batchRows: () -> Int
    /// Whether to commit now (asked after every batch).
    var commits: () -> Bool = { false }
    /// Whether to die now (asked after every batch and around every commit).
    var dies: () -> Bool = { false }

    static func whole() -> Schedule { Schedule(batchRows: { .max }) }
    static func every(_ rows: Int, commits: Bool = false) -> Schedule {
        Schedule(batchRows: { rows }, commits: { commits })
    }
    /// Batches, commits and crashes at random.
    static func chaotic(seed: UInt64, batchMax: Int) -> Schedule {
        let random = Shared(SeededGenerator(seed: seed))
        return Schedule(
            batchRows: { Int.random(in: 1...batchMax, using: &random.value) },
            commits: { Int.random(in: 0..<3, using: &random.value) == 0 },
            dies: { Int.random(in: 0..<6, using: &random.value) == 0 })
    }
}

final class Shared<Value> {
    var value: Value
    init(_ value: Value) { self.value = value }
}

/// Everything that a run of a query left behind.
struct Outcome: Equatable {
    var results: [String] = []
    var late: [String] = []
    var statistics = QueryStatistics()
}

/// One source and one query.
final class QueryHarness {
    let store = MemoryStateStore()
    private(set) var committed = Outcome()
    private(set) var crashCount = 0
    private(set) var midBatchCommits = 0

    private let plan: QueryPlan
    private let options: QueryOptions
    private let clockOptions: WatermarkOptions
    private(set) var tracker: WatermarkTracker
    private(set) var pipeline: QueryPipeline
    private var output = CollectingOutput()
    private var committedPosition = 0
    private var position = 0

    init(_ plan: QueryPlan, options: QueryOptions = QueryOptions(), clock: WatermarkOptions) throws
    {
        (self.plan, self.options, clockOptions) = (plan, options, clock)
        (tracker, pipeline) = try Self.build(plan, options, clock, output)
        try start()
    }

    private static func build(
        _ plan: QueryPlan, _ options: QueryOptions, _ clock: WatermarkOptions,
        _ output: CollectingOutput
    ) throws -> (WatermarkTracker, QueryPipeline) {
        let by = options.watermarkBy.flatMap { Reading.schema.index(of: $0) }
        let tracker = WatermarkTracker(
            schema: Reading.schema, timeColumn: 2, watermarkBy: by, options: clock)
        return (tracker, try QueryPipeline(plan: plan, options: options, output: output))
    }

    /// Streams the readings, ends the input and commits.
    func run(_ readings: [Reading], _ schedule: Schedule) throws {
        while true {
            while position < readings.count {
                let end = min(readings.count, position + min(schedule.batchRows(), readings.count))
                let timed = tracker.assign(Reading.batch(readings[position..<end]), now: 0)
                position = end
                var progress = try pipeline.process(timed, from: "readings")
                if try !finish(&progress, schedule) { continue }
                if schedule.dies() {
                    try crash()
                    continue
                }
                if schedule.commits() {
                    commit()
                    if schedule.dies() { try crash() }
                }
            }
            var progress = try pipeline.advance(tracker.end(), of: "readings")
            guard try finish(&progress, schedule) else { continue }
            guard schedule.dies() else { break }
            try crash()
        }
        commit()
    }

    /// Commits and resumes until the query is through. False when the process died meanwhile.
    private func finish(_ progress: inout Progress, _ schedule: Schedule) throws -> Bool {
        while progress == .mustCommit {
            commit()
            midBatchCommits += 1
            if schedule.dies() {
                try crash()
                return false
            }
            progress = try pipeline.resume()
        }
        return true
    }

    /// Commits what was done so far.
    func commit() {
        let batch = MemoryStateStore.Batch()
        let clockBatch = ScopedWriter(batch, 1)
        tracker.checkpoint(into: clockBatch)
        pipeline.checkpoint(into: ScopedWriter(batch, 2))
        store.commit(batch)
        committed.results += output.results
        committed.late += output.late
        committed.statistics += pipeline.takeStatistics()
        (output.results, output.late) = ([], [])
        committedPosition = position
    }

    /// Loses what was not committed and starts again from what was.
    func crash() throws {
        crashCount += 1
        output = CollectingOutput()
        (tracker, pipeline) = try Self.build(plan, options, clockOptions, output)
        position = committedPosition
        try start()
    }

    private func start() throws {
        try tracker.restore(from: ScopedReader(store, 1))
        try pipeline.restore(from: ScopedReader(store, 2), clocks: ["readings": tracker])
        while pipeline.isPending {
            if try pipeline.resume() == .mustCommit { commit() }
        }
    }

    func advance(_ trace: ClockTrace) throws {
        var progress = try pipeline.advance(trace, of: "readings")
        while progress == .mustCommit {
            commit()
            progress = try pipeline.resume()
        }
    }

    func process(_ readings: [Reading]) throws {
        let timed = tracker.assign(Reading.batch(readings), now: 0)
        position += readings.count
        var progress = try pipeline.process(timed, from: "readings")
        while progress == .mustCommit {
            commit()
            progress = try pipeline.resume()
        }
    }
}

extension QueryHarness {
    /// Runs a query whole, cut, and with commits, crashes and little memory: nothing of it may show. There
    /// must be more than `least` results, so that there is something to compare.
    static func expectThatNothingShows(of plan: QueryPlan, moreThan least: Int) throws {
        func run(
            _ readings: [Reading], _ schedule: Schedule, _ options: QueryOptions = QueryOptions()
        ) throws -> QueryHarness {
            let harness = try QueryHarness(
                plan, options: options, clock: WatermarkOptions(delay: 3_000))
            try harness.run(readings, schedule)
            return harness
        }
        for seed in 1...2 as ClosedRange<UInt64> {
            let readings = Reading.random(seed: seed, count: 500, isExact: false)
            let whole = try run(readings, .whole()).committed
            #expect(whole.results.count > least)
            for rows in [1, 13] {
                #expect(try run(readings, .every(rows)).committed.results == whole.results)
            }
            for memory in [1, 30_000, 64 << 20] {
                let chaotic = try run(
                    readings, .chaotic(seed: seed + UInt64(memory % 7), batchMax: 25),
                    QueryOptions(memoryBudgetBytes: memory, emittedRowsMax: 40))
                #expect(chaotic.crashCount > 0)
                #expect(chaotic.committed.results == whole.results, "\(memory) bytes, seed \(seed)")
                #expect(chaotic.committed.late == whole.late)
            }
        }
    }

    /// Takes 4,000 devices in, each heard of once, 50 a commit; returns how many pairs were stored at most.
    func mostPairsOfPassingDevices() throws -> Int {
        var most = 0
        for start in stride(from: 0, to: 4_000, by: 50) {
            try process(
                (start..<start + 50).map { index in
                    Reading(
                        device: "d\(index)", line: 1, time: 1_700_000_000_000 + Int64(index) * 100,
                        value: 1)
                })
            commit()
            most = max(most, store.pairs.count)
        }
        return most
    }
}

/// Keeps what a query puts out.
final class CollectingOutput: QueryOutput {
    var results: [String] = []
    var late: [String] = []
    func emit(_ batch: Batch) { results += rendered(batch) }
    func late(_ rows: Batch) { late += rendered(rows) }
}

extension QueryStatistics {
    static func += (a: inout QueryStatistics, b: QueryStatistics) {
        a.used += b.used
        a.filtered += b.filtered
        a.late += b.late
        a.emitted += b.emitted
        a.evaluationErrors += b.evaluationErrors
    }
}

/// Keys under a first byte of their own.
final class ScopedWriter: StateWriter {
    private let base: any StateWriter
    private let scope: UInt8
    init(_ base: any StateWriter, _ scope: UInt8) { (self.base, self.scope) = (base, scope) }
    func put(_ key: [UInt8], _ value: UnsafeRawBufferPointer) { base.put([scope] + key, value) }
    func delete(_ key: [UInt8]) { base.delete([scope] + key) }
    func deleteRange(_ start: [UInt8], _ end: [UInt8]) {
        base.deleteRange([scope] + start, [scope] + end)
    }
}

final class ScopedReader: StateReader {
    private let base: MemoryStateStore
    private let scope: UInt8
    init(_ base: MemoryStateStore, _ scope: UInt8) { (self.base, self.scope) = (base, scope) }
    func get(_ key: [UInt8]) -> [UInt8]? { base.get([scope] + key) }
    func scan(
        _ start: [UInt8], _ end: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Failure) ->
            Bool
    ) throws(Failure) {
        try base.scan([scope] + start, [scope] + end) { (key, value) throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: key[1...]), value)
        }
    }
    func cursor(_ start: [UInt8], _ end: [UInt8]) -> any StateCursor {
        ScopedCursor(base.cursor([scope] + start, [scope] + end))
    }
    func writeAhead(_ body: (any StateWriter) -> Void) {
        base.writeAhead { body(ScopedWriter($0, scope)) }
    }

    private final class ScopedCursor: StateCursor {
        private let base: any StateCursor
        init(_ base: any StateCursor) { self.base = base }
        var isValid: Bool { base.isValid }
        var key: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: base.key[1...]) }
        var value: UnsafeRawBufferPointer { base.value }
        func advance() throws(Failure) { try base.advance() }
    }
}
