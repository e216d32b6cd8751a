// GROUP BY over windows that are laid out in time: TUMBLE, HOP, CUMULATE, and the windows that rows are
// in already. (Sessions: SessionOperator.)
//
// A row is added to its group in one pane. A window is due when the watermark reaches its end less
// 1 ms; it then is the sum of its panes, and its groups are emitted in the order of their keys. A
// row is late for a window that was due before it; late for all its windows, it goes to the late
// output. A row that is late for some only is added to its pane: the windows it is late for have
// been emitted already.
//
// "Before it" is meant row by row. The watermark of each row is looked at, and a window that is due
// is emitted between the rows where it became due, in the middle of a batch if need be. Nothing
// that the operator does depends on where batches end.
//
// The files: WindowRows adds rows, WindowKeyedRows does so when each key has its own clock,
// WindowRevisions when late rows correct what was emitted, WindowFiring emits, WindowMerge puts a
// window's panes together, WindowCheckpoint makes it durable, WindowSpilling writes out what memory
// has no room for.

import WeirCore
import WeirSQL
import WeirStore

/// Grouping by window and keys.
final class WindowAggregateOperator: Operator {
    let next: any Operator
    let geometry: WindowGeometry
    /// The time that windows go by; all times and marks here are its.
    let times: WindowTimes
    let store: GroupStore
    let rows: WindowRows
    /// The clocks of the groups' keys; nil when the combined watermark rules.
    let keyed: KeyedWindows?
    /// What late rows have changed; nil without `allowed_lateness`.
    let revisions: WindowRevisions?
    let results: WindowResults
    let scratch = MergeScratch()
    /// Gets late rows; nil for a window over another window's results, where none is late.
    let lateOutput: LateRows?
    /// The columns that late rows have.
    let lateColumns: [Int]
    /// Each row comes so often in a row, once a grouping set; a late one is sent once.
    let copiesOfRows: Int
    let memoryBudgetBytes: Int
    /// Results after which a commit is asked for.
    let emittedRowsMax: Int
    let keyspace: WindowKeyspace

    /// All windows that were due at this watermark have been emitted (combined clock).
    var firedWatermark = Watermark.none
    /// The watermark at which the next window is due; Int64.max when there is none.
    var nextDue = Int64.max
    /// With `allowed_lateness`, where more than windows can be due: when the next window is.
    var windowDue = Int64.max
    /// A window that is being emitted, when a commit came in between.
    var unfinished: UnfinishedFiring?
    var emittedSinceCommit = 0
    /// Of each result that has not been handed on, the place of its clock.
    var resultPlaces: [Int32] = []
    /// Rows that came so far; sizes that can change are looked at when it is a multiple of a
    /// constant.
    var rowOrdinal: UInt64 = 0
    var reader: (any StateReader)?
    var savedProgress: [UInt8] = []

    init(_ definition: WindowDefinition, next: any Operator) throws(Failure) {
        self.next = next
        geometry = WindowGeometry(definition.window)
        times = try WindowTimes(definition.window)
        var accumulators: [any Accumulator] = []
        for call in definition.aggregates { accumulators.append(try makeAccumulator(call)) }
        let order = definition.storedKeyOrder
        store = GroupStore(
            geometry: geometry, keyTypes: order.map { definition.keys[$0].type },
            accumulators: accumulators, seed: definition.hashSeed)
        rows = try WindowRows(definition, keyOrder: order)
        results = WindowResults(
            schema: definition.schema, keyOrder: order, encoder: store.encoder,
            accumulators: accumulators, hasRevision: definition.window.allowedLateness != nil)
        let keyspace = WindowKeyspace(tag: definition.stateTag)
        let budget = definition.memoryBudgetBytes
        revisions = definition.window.allowedLateness.map {
            WindowRevisions(allowance: $0, keyspace: keyspace, memoryBytesMax: budget / 4)
        }
        keyed = definition.clockKey == nil ? nil : KeyedWindows()
        lateOutput = definition.lateOutput
        lateColumns = definition.lateColumns
        copiesOfRows = definition.copiesOfRows
        memoryBudgetBytes = revisions == nil ? budget : budget / 4 * 3
        emittedRowsMax = definition.emittedRowsMax
        self.keyspace = keyspace
    }

    func process(_ run: RowRun) throws(Failure) -> Step {
        precondition(unfinished == nil, "a window is still being emitted")
        store.forgetUnusedKeys()
        let run = run.withoutNulls(in: rows.timeColumn)
        rows.begin(run, store.encoder, store.keys, times)
        if keyed != nil, run.trace.watermarks == nil {
            try addKeyedResults(run)
            try sendResults()
            return .done
        }
        let stop =
            if let revisions { try addRevisingRows(run, revisions) } else {
                try keyed == nil ? addRows(run) : addKeyedRows(run)
            }
        sendLateRows(run)
        try sendResults()
        if let stop { return .suspended(beforeRow: stop) }
        return .done
    }

    func advance(_ trace: ClockTrace) throws(Failure) -> Step {
        let isThrough =
            if let moves = trace.keys, keyed != nil {
                try advanceKeyed(moves, isEnd: trace.watermarkAfter == Watermark.end)
            } else {
                try fire(through: times.mark(trace.watermarkAfter), clock: nil)
            }
        try sendResults()
        guard isThrough else { return .suspended(beforeRow: 0) }
        return try next.advance(trace)
    }

    func resume() throws(Failure) -> Step {
        guard let unfinished else { return try next.resume() }
        let isThrough = try fire(through: unfinished.target, clock: unfinished.clock)
        try sendResults()
        return isThrough ? .done : .suspended(beforeRow: 0)
    }

    var firstDue: Int64 {
        unfinished == nil && store.panes.isEmpty ? next.firstDue : .min
    }
    var lastDue: Int64 {
        var last = next.lastDue
        if let pane = store.panes.last {
            let end = geometry.lastWindowEnd(covering: pane.start)
            if end > pane.start, end - 1 > firedWatermark { last = max(last, times.windowTime(endingAt: end)) }
        }
        // A correction comes when time next goes on.
        if let revisions, revisions.due < .max { last = max(last, times.windowTime(endingAt: revisions.due + 1)) }
        return last
    }

    var memoryBytes: Int {
        store.memoryBytes + (revisions?.memoryBytes ?? 0) + next.memoryBytes
    }
    var spilledCount: Int {
        store.spilledCount + (revisions?.spilledCount ?? 0) + next.spilledCount
    }
    var evaluationErrors: UInt64 {
        rows.evaluationErrors + store.droppedValues + next.evaluationErrors
    }

    private func sendLateRows(_ run: RowRun) {
        var late = rows.takeLate()
        guard !late.isEmpty else { return }
        if copiesOfRows > 1 { late.removeAll { Int($0) % copiesOfRows != 0 } }
        guard let lateOutput else { preconditionFailure("a window's result came late") }
        run.outcomes?.markLate(run, late)
        lateOutput.add(run.late(late, columns: lateColumns), of: run, late)
    }

    /// Hands on what the windows emitted. Rows of a window that is due lie above every watermark
    /// that was handed on before, so a window over these results cannot find them late.
    func sendResults() throws(Failure) {
        guard let batch = results.take() else { return }
        var moves = keyed?.clocks.map { KeyMoves(clocks: $0) }
        moves?.places = resultPlaces
        resultPlaces.removeAll(keepingCapacity: true)
        let trace = ClockTrace(watermarks: nil, watermarkAfter: Watermark.none, keys: moves)
        _ = try next.process(
            RowRun(
                batch: batch, origins: nil, sourceRows: 0..<0, trace: trace, outcomes: nil))
    }
}

/// What a windowed grouping is made from.
struct WindowDefinition {
    let window: WindowSpec
    let keys: [BoundExpression]
    let aggregates: [AggregateCall]
    let schema: Schema
    /// The key that is the source's `watermark_by` column, unchanged.
    let clockKey: Int?
    let lateOutput: LateRows?
    let lateColumns: [Int]
    /// How often each row comes, one copy behind the other.
    let copiesOfRows: Int
    let memoryBudgetBytes: Int
    let emittedRowsMax: Int
    let hashSeed: UInt64
    /// Tells this operator's state from that of others in the query.
    let stateTag: UInt8

    /// The places of the keys in the order in which stored keys have them. The clock's column leads: one
    /// clock's groups lie together, and after a restart a group's clock is found by its key.
    var storedKeyOrder: [Int] {
        let leading = clockKey ?? 0
        return [leading].filter(keys.indices.contains) + keys.indices.filter { $0 != leading }
    }
}

/// Where the emission of due windows stopped for a commit.
struct UnfinishedFiring {
    /// Everything due at this watermark is to be emitted.
    let target: Int64
    /// Whose clock; nil for the combined one.
    let clock: Int32?
    /// The window under way, and what is left of it; nil after a restart, when it is put together
    /// anew.
    let windowEnd: Int64
    var merge: (any WindowMerge)?
    /// The key emitted last, nil when there is none yet.
    var lastKey: [UInt8]?
}
