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
// Sessions are held in memory: those open at a time. When they exceed the query's share of state_cache,
// the agent stops with a sentence that says so, rather than lose some.

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
    private let results: WindowResults
    private let lateOutput: (any QueryOutput)?
    private let lateColumns: [Int]
    private let memoryBudgetBytes: Int
    private let emittedRowsMax: Int
    private var emittedSinceCommit = 0
    /// All sessions that were over at this watermark have been taken to be emitted (combined clock).
    var closedThrough = Watermark.none
    /// Sessions that are over, in order, and how many of them have been emitted.
    private var due: [Int32] = []
    private var dueTaken = 0
    var savedProgress: [UInt8] = []

    /// Result rows handed on at a time.
    private static let resultRowsMax = 4096

    init(_ definition: WindowDefinition, gap: Int64, next: any Operator) throws(Failure) {
        self.next = next
        times = WindowTimes(definition.window)
        var accumulators: [any Accumulator] = []
        for call in definition.aggregates { accumulators.append(try makeAccumulator(call)) }
        // The clock's column leads the stored key, by which its clock is found after a restart.
        let leading = definition.clockKey ?? 0
        let order =
            [leading].filter(definition.keys.indices.contains)
            + definition.keys.indices.filter { $0 != leading }
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
    }

    func process(_ run: RowRun) throws(Failure) -> Step {
        precondition(due.isEmpty, "sessions are still being emitted")
        store.forgetUnusedKeys()
        let run = run.withoutNulls(in: rows.timeColumn)
        rows.begin(run, store.encoder, store.keys, times)
        store.coverKeys()
        if keyed == nil { addRows(run) } else { addKeyedRows(run) }
        let late = rows.takeLate()
        if !late.isEmpty {
            guard let lateOutput else { preconditionFailure("a window's result came late") }
            run.outcomes?.markLate(run, late)
            lateOutput.late(run.late(late, columns: lateColumns))
        }
        let held = store.chargedBytes + store.variableBytes
        guard held > memoryBudgetBytes else { return .done }
        throw Failure(
            .state, "grouping by sessions", "\(store.liveCount) open sessions",
            "they take \(held) bytes, more than the query's \(memoryBudgetBytes)",
            advice: "raise memory_limit, or shorten the gap or watermark_delay")
    }

    func advance(_ trace: ClockTrace) throws(Failure) -> Step {
        let isThrough =
            if let moves = trace.keys, keyed != nil {
                try advanceKeyed(moves)
            } else {
                try fire(through: trace.watermarkAfter)
            }
        try sendResults()
        guard isThrough else { return .suspended(beforeRow: 0) }
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

    var memoryBytes: Int { store.memoryBytes + next.memoryBytes }
    var evaluationErrors: UInt64 { rows.evaluationErrors + next.evaluationErrors }

    /// Results so far are committed.
    func noteCommit() { emittedSinceCommit = 0 }

    // MARK: Emitting

    /// Emits all sessions that are over at `mark` (combined clock). False when a commit must come first.
    private func fire(through mark: Int64) throws(Failure) -> Bool {
        closedThrough = max(closedThrough, mark)
        if due.isEmpty { due = store.takeDue(closedThrough) }
        while dueTaken < due.count {
            let room = emittedRowsMax - emittedSinceCommit
            if room <= 0 { return false }
            let end = min(due.count, dueTaken + min(room, Self.resultRowsMax))
            try emit(due[dueTaken..<end])
            for slot in due[dueTaken..<end] { store.recycle(slot) }
            dueTaken = end
        }
        due.removeAll(keepingCapacity: true)
        dueTaken = 0
        return true
    }

    /// Emits sessions and closes them.
    private func emit(_ slots: ArraySlice<Int32>) throws(Failure) {
        var groups = MergedGroups()
        var windows: [WindowBounds] = []
        for slot in slots {
            let session = store.sessions.base[Int(slot)]
            groups.slots.append(slot)
            groups.keys.append(store.keys.key(session.key))
            windows.append(
                WindowBounds(
                    start: session.start, end: session.end,
                    time: session.end - 1))
        }
        results.append(groups, windows: windows)
        for slot in slots { store.close(slot) }
        emittedSinceCommit += slots.count
        if results.rowCount >= Self.resultRowsMax { try sendResults() }
    }

    private func sendResults() throws(Failure) {
        guard let batch = results.take() else { return }
        let trace = ClockTrace(watermarks: nil, watermarkAfter: Watermark.none, keys: nil)
        _ = try next.process(
            RowRun(batch: batch, origins: nil, sourceRows: 0..<0, trace: trace, outcomes: nil))
    }

    /// Follows the keys' clocks: emits what is over, clock by clock. False when a commit must come
    /// first; the clocks followed so far have then nothing left.
    private func advanceKeyed(_ moves: KeyMoves) throws(Failure) -> Bool {
        guard let keyed else { preconditionFailure("no clocks to follow") }
        keyed.follow(moves.clocks)
        for (place, watermark) in zip(moves.places, moves.after) {
            let mark = watermark
            if mark == Watermark.none {
                keyed.setFired(place, Watermark.none, isAhead: false)
                continue
            }
            if mark != Watermark.end, mark >= keyed.fired[Int(place)], keyed.ahead.contains(place) {
                keyed.setFired(place, mark, isAhead: false)
            }
            guard mark >= keyed.nextDue[Int(place)], keyed.nextDue[Int(place)] < .max else {
                continue
            }
            if emittedSinceCommit >= emittedRowsMax { return false }
            try closeSessions(of: place, through: mark, keyed)
        }
        return true
    }

    private func closeSessions(
        of place: Int32, through mark: Int64, _ keyed: KeyedWindows
    ) throws(Failure) {
        var over: [Int32] = []
        var nextDue = Int64.max
        keyed.filterSlots(of: place) { slot in
            let end = store.sessions.base[Int(slot)].end
            if end - 1 > mark {
                nextDue = min(nextDue, end - 1)
                return true
            }
            over.append(slot)
            return false
        }
        keyed.nextDue[Int(place)] = nextDue
        guard !over.isEmpty else { return }
        store.sort(&over)
        if mark == Watermark.end, let last = over.last {
            // The key is idle, or the input has ended: sessions close although the clock has not come
            // so far.
            keyed.setFired(
                place, max(keyed.fired[Int(place)], store.sessions.base[Int(last)].end - 1),
                isAhead: true)
        }
        try emit(over[...])
        for slot in over { store.recycle(slot) }
    }
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
