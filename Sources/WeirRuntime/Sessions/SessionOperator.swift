// GROUP BY over sessions: rows of one key with less than the gap between them.
//
// A row is the session [time, time + gap) for itself; it joins the open sessions of its key that this
// touches, which may make one of two. A session is over when the watermark has reached its last
// millisecond. A row is late when what it would be, alone or with the open sessions it joins, is over
// already: then it joins nothing, since an open session ends later. All this is Flink's rule.
//
// Whether a session is over is asked row by row, when a row looks for its sessions. What is over takes
// part in nothing any more, so it need not be emitted at once: sessions are emitted when the clock is
// followed (`advance`), in the order of (end, key). That is the order in which they ended, wherever
// batches were cut. With a clock for each key it is the order of the rows that moved the clocks.
//
// Sessions are held in memory while there is room: beyond the query's share of state_cache those that have
// been silent longest leave it with the next commit (SessionSpilling), which is asked for then.

import WeirCore
import WeirSQL
import WeirStore

/// Grouping by session and keys.
final class SessionOperator: Operator {
    let next: any Operator
    let store: SessionStore
    let rows: WindowRows
    let times: WindowTimes
    /// The clocks of the sessions' keys; nil when the combined watermark rules.
    let keyed: KeyedWindows?
    let keyspace: WindowKeyspace
    let spill: SessionSpill
    let results: WindowResults
    private let lateOutput: LateRows?
    private let lateColumns: [Int]
    let memoryBudgetBytes: Int
    let emittedRowsMax: Int
    var emittedSinceCommit = 0
    /// All sessions that were over at this watermark have been taken to be emitted (combined clock).
    var closedThrough = Watermark.none
    /// Sessions in memory that are over, in order, and how many of them have been emitted.
    var due: [Int32] = []
    var dueTaken = 0
    /// The end of the session emitted last.
    var lastEnd = Int64.min
    var savedProgress: [UInt8] = []

    init(_ definition: WindowDefinition, gap: Int64, next: any Operator) throws(Failure) {
        self.next = next
        times = try WindowTimes(definition.window)
        var accumulators: [any Accumulator] = []
        for call in definition.aggregates { accumulators.append(try makeAccumulator(call)) }
        let order = definition.storedKeyOrder
        keyed = definition.clockKey == nil ? nil : KeyedWindows()
        store = SessionStore(
            gap: gap, keyTypes: order.map { definition.keys[$0].type }, accumulators: accumulators,
            seed: definition.hashSeed, usesBuckets: keyed == nil)
        rows = try WindowRows(definition, keyOrder: order)
        results = WindowResults(
            schema: definition.schema, keyOrder: order, encoder: store.encoder,
            accumulators: accumulators)
        lateOutput = definition.lateOutput
        lateColumns = definition.lateColumns
        memoryBudgetBytes = definition.memoryBudgetBytes
        emittedRowsMax = definition.emittedRowsMax
        keyspace = WindowKeyspace(tag: definition.stateTag)
        spill = SessionSpill(tag: definition.stateTag)
    }

    func process(_ run: RowRun) throws(Failure) -> Step {
        precondition(due.isEmpty, "sessions are still being emitted")
        store.forgetUnusedKeys()
        let run = run.withoutNulls(in: rows.timeColumn)
        rows.begin(run, store.encoder, store.keys, times)
        store.coverKeys()
        if spill.count > 0 { try takeBack(run) }
        if keyed == nil { addRows(run) } else { addKeyedRows(run) }
        let late = rows.takeLate()
        if !late.isEmpty {
            guard let lateOutput else { preconditionFailure("a window's result came late") }
            run.outcomes?.markLate(run, late)
            lateOutput.add(run.late(late, columns: lateColumns), of: run, late)
        }
        return .done
    }

    func advance(_ trace: ClockTrace) throws(Failure) -> Step {
        let isThrough =
            if let moves = trace.keys, keyed != nil {
                try advanceKeyed(moves)
            } else {
                try fire(through: times.mark(trace.watermarkAfter))
            }
        try sendResults()
        // Sessions leave memory with a commit.
        guard isThrough, !isTooLarge else { return .suspended(beforeRow: 0) }
        return try next.advance(trace)
    }

    func resume() throws(Failure) -> Step {
        if keyed == nil {
            let isThrough = try fire(through: closedThrough)
            try sendResults()
            guard isThrough else { return .suspended(beforeRow: 0) }
        }
        return try next.resume()
    }

    var firstDue: Int64 {
        due.isEmpty && store.liveCount == 0 && spill.count == 0 ? next.firstDue : .min
    }
    var lastDue: Int64 {
        let end = max(store.lastEnd, spill.nextEnd < .max ? spill.nextEnd : .min)
        return end == .min ? next.lastDue : max(next.lastDue, times.windowTime(endingAt: end))
    }

    var memoryBytes: Int { store.memoryBytes + spill.memoryBytes + next.memoryBytes }
    var spilledCount: Int { spill.count + next.spilledCount }
    var evaluationErrors: UInt64 { rows.evaluationErrors + next.evaluationErrors }

    /// Results so far are committed.
    func noteCommit() { emittedSinceCommit = 0 }
}

extension RowRun {
    /// Rows for the late output.
    func late(_ rows: [Int32], columns: [Int]) -> Batch {
        rows.withUnsafeBufferPointer { rows in
            Batch(
                schema: Schema(columns.map { batch.schema[$0] }),
                columns: columns.map { batch.columns[$0].gather(rows) }, rowCount: rows.count)
        }
    }
}
