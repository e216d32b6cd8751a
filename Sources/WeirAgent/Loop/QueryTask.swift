// One query at its place in the loop: its pipeline, its durable scope, its counters, its targets.

import WeirCore
import WeirRuntime
import WeirSQL
import WeirStore

/// Hands a pipeline's output to the query's targets.
private final class QueryOutlet: QueryOutput {
    let results: [any RowTarget]
    let lates: [any RowTarget]

    init(results: [any RowTarget], lates: [any RowTarget]) {
        self.results = results
        self.lates = lates
    }

    func emit(_ rows: Batch) { for target in results { target.append(rows) } }

    func late(_ rows: Batch) { for target in lates { target.append(rows) } }
}

/// A running query.
final class QueryTask {
    let name: String
    /// The sources that it reads; each hands it its batches and its clock's movements.
    let sources: [String]
    /// The restored clocks of the sources so far.
    private var clocks: [String: WatermarkTracker] = [:]
    private let pipeline: QueryPipeline
    private let results: [any RowTarget]
    private let scope: StateScope
    private let writer: any StateWriter
    private let ledger: Ledger
    private let counters: Counters
    /// Whether the pipeline waits for a commit before it goes on.
    private(set) var isSuspended = false

    private struct Counters {
        let rowsIn: Ledger.CounterID
        let used: Ledger.CounterID
        let filtered: Ledger.CounterID
        let late: Ledger.CounterID
        let emitted: Ledger.CounterID
        let evaluationErrors: Ledger.CounterID

        init(_ ledger: Ledger, query: String) {
            rowsIn = ledger.counter(ofQuery: query, "in")
            used = ledger.counter(ofQuery: query, "used")
            filtered = ledger.counter(ofQuery: query, "filtered")
            late = ledger.counter(ofQuery: query, "late")
            emitted = ledger.counter(ofQuery: query, "emitted")
            evaluationErrors = ledger.register("query_evaluation_errors", [.init("query", query)])
        }
    }

    /// - Parameters:
    ///   - scopeID: the number under which the query's state lies.
    ///   - results: where result rows go; `lates` where late rows go.
    init(
        name: String, plan: QueryPlan, options: QueryOptions, scopeID: UInt32, engine: EngineStorage,
        tables: [String: LookupTable],
        results: [any RowTarget], lates: [any RowTarget]
    ) throws(Failure) {
        self.name = name
        sources = plan.sources
        self.results = results
        scope = engine.database.stateScope(scopeID)
        writer = engine.commit.writer(for: scope)
        ledger = engine.ledger
        counters = Counters(engine.ledger, query: name)
        pipeline = try QueryPipeline(
            plan: plan, options: options, tables: tables, output: QueryOutlet(results: results, lates: lates))
    }

    /// Takes note of a source's restored clock. With the last one the query takes back its committed
    /// state; it may then be suspended.
    func restore(_ source: String, clock: WatermarkTracker) throws(Failure) {
        clocks[source] = clock
        guard clocks.count == sources.count else { return }
        try pipeline.restore(from: scope, clocks: clocks)
        try resume()
    }

    func process(_ timed: TimedBatch, from source: String) throws(Failure) {
        ledger.add(counters.rowsIn, UInt64(timed.batch.rowCount))
        note(try pipeline.process(timed, from: source))
    }

    func advance(_ trace: ClockTrace, of source: String) throws(Failure) {
        note(try pipeline.advance(trace, of: source))
    }

    /// Goes on after a commit.
    func resume() throws(Failure) { note(try pipeline.resume()) }

    /// Tells the results' targets up to where the sources' clocks say that no more can come. Called before
    /// a commit, when everything that the clocks allow has been emitted.
    func closePassedTime() {
        let marks = clocks.values.map(\.watermark)
        guard !isSuspended, marks.count == sources.count, let mark = marks.min(),
            mark != Watermark.none, mark != Watermark.end
        else { return }
        for target in results { target.closeTime(upTo: mark) }
    }

    func checkpoint() {
        pipeline.checkpoint(into: writer)
        let counted = pipeline.takeStatistics()
        ledger.add(counters.used, counted.used)
        ledger.add(counters.filtered, counted.filtered)
        ledger.add(counters.late, counted.late)
        ledger.add(counters.emitted, counted.emitted)
        ledger.add(counters.evaluationErrors, counted.evaluationErrors)
    }

    var status: StatusSnapshot.QueryStatus {
        var status = StatusSnapshot.QueryStatus()
        status.name = name
        status.source = sources.joined(separator: ", ")
        status.rows.in = ledger.settledValue(counters.rowsIn)
        status.rows.used = ledger.settledValue(counters.used)
        status.rows.filtered = ledger.settledValue(counters.filtered)
        status.rows.late = ledger.settledValue(counters.late)
        status.rows.emitted = ledger.settledValue(counters.emitted)
        status.evaluationErrors = ledger.settledValue(counters.evaluationErrors)
        status.stateBytes = pipeline.memoryBytes
        status.spilled = pipeline.spilledCount
        status.dropped = pipeline.droppedCount
        return status
    }

    private func note(_ progress: Progress) {
        isSuspended =
            switch progress {
            case .done: false
            case .mustCommit: true
            }
    }
}
