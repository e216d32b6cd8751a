// One source at its place in the loop: poll, decode, assign time, and hand the same batch to every
// query that reads it. Rows that cannot be used leave here, with their reason, for the rejected output.

import WeirCore
import WeirFormats
import WeirRuntime
import WeirStore

/// A source with its clock and its queries.
final class SourceTask {
    let source: any Source
    let tracker: WatermarkTracker
    /// The queries that read it; a query may also read others.
    let queries: [QueryTask]
    private let messages: MessageBatch
    /// Has room for nothing: polled while intake is paused, so that connections stay alive.
    private let closedBatch = MessageBatch(messagesMax: 0, bytesMax: 0)
    private let deserializer: JSONDeserializer
    private let rejects: [any RowTarget]
    private let positionScope: StateScope
    private let positionWriter: any StateWriter
    private let clockScope: StateScope
    private let clockWriter: any StateWriter
    private let ledger: Ledger
    private let received: Ledger.CounterID
    private let decoded: Ledger.CounterID
    private let rejected: Ledger.CounterID
    /// Why the last rejected row of this run was; nil when there was none.
    private(set) var lastRejection: String?
    /// Whether the source has handed over its last message.
    private(set) var hasEnded = false

    var name: String { source.name }

    init(
        source: any Source, deserializer: JSONDeserializer, tracker: WatermarkTracker,
        queries: [QueryTask], rejects: [any RowTarget], messages: MessageBatch, scopes: Scopes,
        engine: EngineStorage
    ) {
        self.source = source
        self.deserializer = deserializer
        self.tracker = tracker
        self.queries = queries
        self.rejects = rejects
        self.messages = messages
        positionScope = scopes.position
        positionWriter = engine.commit.writer(for: scopes.position)
        clockScope = scopes.clock
        clockWriter = engine.commit.writer(for: scopes.clock)
        ledger = engine.ledger
        received = ledger.counter(ofSource: source.name, "received")
        decoded = ledger.counter(ofSource: source.name, "decoded")
        rejected = ledger.counter(ofSource: source.name, "rejected")
    }

    /// Where a source keeps its position and its clock.
    struct Scopes {
        let position: StateScope
        let clock: StateScope
    }

    /// Takes back what is committed; queries may then be suspended.
    func restore() throws(Failure) {
        try source.restore(position: try positionScope.pairs())
        try tracker.restore(from: clockScope)
        for query in queries { try query.restore(name, clock: tracker) }
    }

    /// Polls once and processes what came. `now` is the machine's clock, ms since the epoch.
    ///
    /// - Returns: whether there may be more at once, and whether anything came.
    func turn(now: Int64) throws(Failure) -> (result: PollResult, hasInput: Bool) {
        messages.removeAll()
        let result = try source.poll(into: messages)
        if case .ended = result { hasEnded = true }
        guard !messages.isEmpty else { return (result, false) }
        // All rows of a poll are one batch, so that the position behind the poll is the position behind
        // what the queries have seen; the bound on memory is the bound on a payload.
        let rows = deserializer.decode(messages)
        let timed = tracker.assign(rows.batch, now: now)
        if !timed.rejected.isEmpty {
            reject(
                deserializer.rejectedRows(
                    with: timed.rejected.map { ($0.row, $0.reason.rawValue) }, in: messages))
        } else if let refused = rows.rejected {
            reject(refused)
        }
        ledger.add(received, UInt64(rows.receivedRows))
        ledger.add(decoded, UInt64(timed.batch.rowCount))
        if timed.batch.rowCount > 0 {
            for query in queries { try query.process(timed, from: name) }
        }
        return (result, true)
    }

    /// Keeps the connection alive and reads nothing, while intake is paused.
    func idle() throws(Failure) { _ = try source.poll(into: closedBatch) }

    /// Lets silent time pass.
    func tick(monotonicMilliseconds: Int64, isReading: Bool) throws(Failure) {
        let trace = tracker.tick(
            monotonic: monotonicMilliseconds, isConnected: isReading && source.report.isConnected)
        if let trace { try advance(trace) }
    }

    /// Closes all windows, after the last message of a bounded input.
    func end() throws(Failure) { try advance(tracker.end()) }

    private func advance(_ trace: ClockTrace) throws(Failure) {
        for query in queries { try query.advance(trace, of: name) }
    }

    /// Puts position and clock into the commit.
    func checkpoint() {
        let writer = positionWriter
        source.savePosition { key, value in value.withUnsafeBytes { writer.put(key, $0) } }
        tracker.checkpoint(into: clockWriter)
    }

    private func reject(_ rows: Batch) {
        ledger.add(rejected, UInt64(rows.rowCount))
        if rows.rowCount > 0 { lastRejection = rows.columns[0].string(rows.rowCount - 1) }
        for target in rejects { target.append(rows) }
    }

    var status: StatusSnapshot.SourceStatus {
        let report = source.report
        var status = StatusSnapshot.SourceStatus()
        status.name = name
        status.isConnected = report.isConnected
        status.state = report.progress.isEmpty ? report.state : "\(report.state), \(report.progress)"
        status.rows.received = ledger.settledValue(received)
        status.rows.decoded = ledger.settledValue(decoded)
        status.rows.rejected = ledger.settledValue(rejected)
        status.lastRejection = lastRejection
        status.messages = report.messages
        status.bytes = report.bytes
        status.duplicates = report.duplicates
        status.reconnects = report.reconnects
        status.unacknowledged = report.unacknowledged
        let mark = tracker.watermark
        status.watermark = mark == Watermark.none || mark == Watermark.end ? nil : mark
        return status
    }
}
