// One sink's forwarder: seals rows of the outbox into segments by the sink's schedule, and turns each
// segment into objects, in order, for as long as it takes. It runs beside the loop on a thread of its
// own, so one sink's outage holds up neither intake nor other sinks.
//
// What makes it exactly-once: a segment's boundary is durable before its first byte leaves; names and
// bytes are functions of the segment alone; a delivery may be repeated; and only when a segment is
// delivered whole are its rows trimmed, in one synced write. A crash anywhere between leads to the same
// delivery again. A stream that is refused waits alone (StreamHolds).

import Logging
import WeirCore
import WeirStore

/// Forwards the rows of one sink.
final class Forwarder {
    private let sink: SinkID
    private let settings: ForwarderSettings
    private let outbox: Outbox
    private let delivery: any SegmentDelivery
    /// Puts segments into files, where files are what is sent.
    private let stager: SegmentStager?
    private let gate: UploadGate
    private let markers: MarkerWriter?
    private let bounds: OutboxBounds
    private let faults: FaultLog
    private let control: ForwarderControl
    private let board: StatusBoard
    private let clock: any MachineClock
    private let logger: Logger
    private var backoff: Backoff
    /// Streams that have been refused and wait alone.
    private var holds: StreamHolds
    private var random: any RandomNumberGenerator & Sendable
    private var status: StatusSnapshot.SinkStatus
    /// When to ask again whether what is due may be sealed, ms since the epoch; nil when nothing is held.
    private var heldUntil: Int64?
    private static let idleWaitMillisecondsMax: Int64 = 60_000

    init(
        sink: SinkID, settings: ForwarderSettings, outbox: Outbox, environment: ForwarderEnvironment
    ) throws(Failure) {
        self.sink = sink
        self.settings = settings
        self.outbox = outbox
        let (clock, logger) = (environment.clock, environment.logger)
        bounds = OutboxBounds(
            sink: sink, settings: settings, outbox: outbox, clock: clock, logger: logger)
        let faults = FaultLog(sinkName: settings.sinkName, clock: clock, logger: logger)
        self.faults = faults
        control = environment.control
        board = environment.board
        self.clock = clock
        self.logger = logger
        random = environment.random
        let control = environment.control
        gate = UploadGate(
            sinkName: settings.sinkName, rules: settings.uploads, line: environment.line,
            outbox: outbox, clock: environment.clock, isCancelled: { control.mode == .stopping })
        delivery = try settings.makeDelivery(outbox: outbox, environment.with(gate))
        stager = delivery.fileWriter.map { writer in
            SegmentStager(
                sink: sink, settings: settings, outbox: outbox, writer: writer, environment: environment)
        }
        markers = settings.marker.map { marker in
            MarkerWriter(
                marker, sink: sink, settings, outbox: outbox, faults: faults, environment)
        }
        let gate = gate
        stager?.onStaged = { (stream, encodedBytes, fileBytes) throws(Failure) in
            try gate.learn(stream: stream, encodedBytes: encodedBytes, sent: fileBytes)
        }
        holds = StreamHolds(retryMilliseconds: settings.retryMilliseconds)
        backoff = Backoff(
            minimumMilliseconds: settings.retryMilliseconds.lowerBound,
            maximumMilliseconds: settings.retryMilliseconds.upperBound)
        status = StatusSnapshot.SinkStatus()
        status.name = settings.sinkName
    }

    /// Runs until asked to stop, or drained; returns a failure that must end the process, if any.
    func run() -> Failure? {
        publish("idle")
        while control.mode != .stopping {
            // Asked once: a request to drain that came after the look for what is due would otherwise end
            // the thread with rows unsealed.
            let isDraining = control.mode == .draining
            do throws(Failure) {
                try enforceBounds()
                try writeMarkers()
                let segments = outbox.segments(of: sink)
                let now = clock.monotonicNanoseconds()
                if let segment = segments.first(where: { !holds.isHeld($0.stream, at: now) }) {
                    try isDraining ? forward(segment) : forwardWhenAllowed(segment)
                } else if try !sealWhatIsDue(isDraining) {
                    if isDraining, segments.isEmpty { break }
                    try idle(blocked(segments))
                }
            } catch {
                if isFatal(error) { return error }
                pause(after: error)
            }
        }
        return nil
    }

    /// Waits for rows, for the next tick, or until a stream that was refused is to be tried again.
    private func idle(_ blocked: Set<StreamID>) throws(Failure) {
        for stream in holds.keep(blocked) {
            faults.mended(.rows(ofStream: stream))
            status.isFailing = isAnyHeld
        }
        let wait = try tend()
        gate.withdraw()
        publish(heldUntil == nil ? holds.sentence ?? markers?.complaint ?? "idle" : status.state)
        if heldUntil != nil || !blocked.isEmpty { try keepAtRest() }
        let now = clock.monotonicNanoseconds()
        let untilTry = [holds.millisecondsToNext(at: now), markers?.millisecondsToNext(at: now)]
            .compactMap(\.self).min() ?? .max
        self.wait(milliseconds: min(wait, millisecondsToNextSeal(except: blocked), untilTry))
        if isAnyHeld, control.takeRetry() { releaseHolds() }
    }

    /// Whether rows or markers of a stream wait alone.
    private var isAnyHeld: Bool { !holds.isEmpty || markers?.isAnyHeld ?? false }

    private func releaseHolds() {
        holds.release()
        markers?.release()
    }

    /// The streams whose oldest segment was refused: what comes behind it can wait for it unsealed.
    private func blocked(_ segments: [Segment]) -> Set<StreamID> {
        holds.isEmpty ? [] : Set(segments.map(\.stream).filter(holds.contains))
    }

    /// Lets the delivery look after its connection; returns how long it may be left alone, ms.
    private func tend() throws(Failure) -> Int64 {
        let asked = try delivery.tend()
        try gate.settle()
        guard let wait = asked else { return Self.idleWaitMillisecondsMax }
        if status.isFailing { backoff.reset() }
        status.isFailing = isAnyHeld
        faults.mended(.sink)
        return wait
    }

    // MARK: Sealing

    /// Seals every stream that is due; false when none was.
    private func sealWhatIsDue(_ isDraining: Bool) throws(Failure) -> Bool {
        let now = clock.nowMilliseconds()
        var hasSealed = false
        heldUntil = nil
        let blocked = blocked(holds.isEmpty ? [] : outbox.segments(of: sink))
        for stream in outbox.streams(of: sink) where !blocked.contains(stream.id) {
            guard let waiting = waiting(in: stream.id) else { continue }
            let bytes = try pieceBytes(of: stream.name)
            let isDue = settings.seal.isDue(waiting, now: now)
            if !isDraining {
                guard isDue || settings.seal.isFull(waiting, bytesMax: bytes.wanted) else { continue }
                if hold(waiting) { continue }
            }
            // Everything that waits at the tick goes out with it, in pieces within the bounds; what
            // arrives meanwhile waits for the next.
            var rowsLeft = UInt64(waiting.rows)
            while rowsLeft > 0,
                let range = outbox.sealableRange(
                    of: stream.id, rowsMax: min(rowsLeft, UInt64(settings.seal.rowsMax)), bytes: bytes)
            {
                // What does not fill a file of the target size waits for more, until its time comes.
                if settings.uploads.targetBytes != nil, !isDraining, !isDue,
                    range.bytes < bytes.wanted, range.rowCount == rowsLeft
                {
                    break
                }
                // A seal that a power cut undid would let rows that have left be merged with others.
                let isSynced = settings.outbox.coarsening != nil || settings.rows?.sealsAreSynced ?? true
                guard let segment = try outbox.seal(range, sealedAt: now, isSynced: isSynced) else { break }
                rowsLeft -= min(rowsLeft, segment.rowCount)
                hasSealed = true
            }
        }
        return hasSealed
    }

    /// Whether rows that are due may not be sealed yet, because they could not leave; says so.
    private func hold(_ waiting: SealPolicy.Waiting) -> Bool {
        guard case .wait(let hindrance, let reason, let until) = gate.holdsSealing(
            oldest: waiting.oldestAppendedAt)
        else { return false }
        if heldUntil == nil { note(hindrance, reason, until) }
        heldUntil = min(until, heldUntil ?? .max)
        return true
    }

    /// Tells that hours are complete, when uploads may leave.
    private func writeMarkers() throws(Failure) {
        guard let markers, markers.isDue, gate.holdsSealing(oldest: clock.nowMilliseconds()) == .go else {
            return
        }
        if try markers.writeDue(by: delivery, isStopping: { control.mode == .stopping }) {
            backoff.reset()
            faults.mended(.sink)
            status.isFailing = isAnyHeld
        } else if markers.isAnyHeld {
            status.isFailing = true
        }
        try gate.settle()
    }

    private func waiting(in stream: StreamID) -> SealPolicy.Waiting? {
        let pending = outbox.pending(of: stream)
        guard let oldest = pending.oldestUnsealedAt else { return nil }
        return SealPolicy.Waiting(
            rows: Int(pending.unsealedRows), bytes: pending.unsealedBytes, oldestAppendedAt: oldest)
    }

    private func millisecondsToNextSeal(except blocked: Set<StreamID>) -> Int64 {
        let now = clock.nowMilliseconds()
        let due = outbox.streams(of: sink).filter { !blocked.contains($0.id) }
            .compactMap { waiting(in: $0.id) }.map(settings.seal.dueTime)
            .filter { heldUntil == nil || $0 > now }
        guard let next = (due + [heldUntil].compactMap(\.self)).min() else {
            return Self.idleWaitMillisecondsMax
        }
        return min(max(1, next - now), Self.idleWaitMillisecondsMax)
    }

    // MARK: Forwarding

    /// Forwards a segment if it may leave now; else says why not, and waits until it is worth asking again.
    private func forwardWhenAllowed(_ segment: Segment) throws(Failure) {
        let verdict = try gate.verdict(
            stream: segment.streamName, oldest: outbox.pending(of: segment.stream).oldestAppendedAt,
            size: size(of: segment))
        switch verdict {
        case .go: try forward(segment)
        case .wait(let hindrance, let reason, let until):
            note(hindrance, reason, until)
            publish(status.state)
            try keepAtRest()
            // Tables are not looked after while rows wait.
            let next = settings.table == nil ? try tend() : .max
            wait(milliseconds: min(next, max(1, until - clock.nowMilliseconds())))
        }
    }

    private func note(_ hindrance: UploadPlanner.Hindrance, _ reason: String, _ until: Int64) {
        status.waitingFor = hindrance.rawValue
        status.nextLookAt = until
        status.state = "waiting: \(reason)"
    }

    /// Forwards a segment; when it is refused its stream waits, and whoever calls goes on with others.
    private func forward(_ segment: Segment) throws(Failure) {
        do throws(Failure) {
            try bring(segment)
            holds.end(segment.stream)
            faults.mended(.rows(ofStream: segment.streamName))
            status.isFailing = isAnyHeld
        } catch where StreamHolds.concernsOneStream(error) {
            guard control.mode != .stopping else { return }
            let wait = holds.hold(
                segment.stream, named: segment.streamName, after: error, clock: clock, using: &random)
            status.uploadFailures += 1
            status.isFailing = true
            faults.note(.rows(ofStream: segment.streamName), error, retryIn: wait)
        }
    }

    private func bring(_ sealed: Segment) throws(Failure) {
        guard outbox.claim(sealed) else { return }
        defer { outbox.release(sealed) }
        let segment = try stager?.prepared(sealed) ?? sealed
        let action = settings.rows == nil ? "uploading" : "sending"
        publish("\(action) \(segment.streamName) \(segment.first)–\(segment.last)")
        let oldest = outbox.pending(of: segment.stream).oldestAppendedAt
        let bytes = try deliver(segment)
        try outbox.complete(
            segment, refusedRowCount: delivery.refusedRowCount, isSynced: settings.rows == nil)
        try delivery.finish()
        let now = clock.nowMilliseconds()
        backoff.reset()
        faults.mended(.sink)
        status.uploadedBytes += UInt64(bytes)
        status.lastUploadAt = now
        status.lastEndToEndMilliseconds = oldest.map { max(0, now - $0) }
        logger.log(
            level: settings.rows == nil ? .info : .debug, "forwarded",
            metadata: [
                "sink": "\(settings.sinkName)", "stream": "\(segment.streamName)",
                "rows": "\(segment.first)-\(segment.last)", "bytes": "\(bytes)",
            ])
    }

    /// Brings the segment there; returns the bytes that were sent for it.
    private func deliver(_ segment: Segment) throws(Failure) -> Int {
        let (stream, size) = (segment.streamName, size(of: segment))
        var bytes = 0
        try gate.begin(stream: stream, size: size)
        do throws(Failure) {
            try delivery.deliver(segment) { name, sent in
                bytes += sent
                status.uploads += 1
                status.lastObject = name
            }
        } catch {
            try gate.end(stream: stream, size: size, sent: bytes, isWhole: false)
            throw error
        }
        try gate.end(stream: stream, size: size, sent: bytes, isWhole: true)
        return bytes
    }

    // MARK: Bounds

    private func enforceBounds() throws(Failure) {
        try bounds.enforce()
        guard status.mergingProblem != bounds.mergingProblem else { return }
        status.mergingProblem = bounds.mergingProblem
        board.publish(sink: status)
    }

    /// Waits for a request, a notice, or for so long.
    private func wait(milliseconds: Int64) {
        control.wait(milliseconds: min(milliseconds, bounds.waitMillisecondsMax))
    }

    // MARK: Failing

    /// The state is broken or weir is; an object store's failure never is fatal.
    private func isFatal(_ failure: Failure) -> Bool {
        guard failure.retry == .never else { return false }
        switch failure.domain {
        case .storage, .state, .internalError: return true
        case .configuration, .external, .input: return false
        }
    }

    private func pause(after failure: Failure) {
        guard control.mode != .stopping else { return }
        let milliseconds = backoff.next(after: failure.retry, using: &random)
        status.uploadFailures += 1
        status.isFailing = true
        publish("\(failure); trying again in \(FaultLog.seconds(milliseconds))")
        faults.note(.sink, failure, retryIn: milliseconds)
        let end = clock.monotonicNanoseconds() + milliseconds * 1_000_000
        if (try? holdOut()) == nil { return }
        while control.mode != .stopping {
            let left = (end - clock.monotonicNanoseconds()) / 1_000_000
            if left <= 0 { return }
            wait(milliseconds: left)
            if control.takeRetry() {
                backoff.reset()
                releaseHolds()
                return
            }
            if (try? holdOut()) == nil { return }
        }
    }

    /// What goes on while nothing can be sent. Bounds hold then too: that is when they matter.
    private func holdOut() throws(Failure) {
        try keepAtRest()
        try enforceBounds()
    }

    /// What fills a file, and what is sealed, goes to files while it cannot leave.
    private func keepAtRest() throws(Failure) {
        try stager?.keepAtRest { (stream) throws(Failure) in try pieceBytes(of: stream) }
    }

    /// Bytes of the outbox that a piece of `stream` should have.
    private func pieceBytes(of stream: String) throws(Failure) -> SegmentBytes {
        let bytes = try gate.pieceBytes(of: stream)
        return SegmentBytes(wanted: min(settings.seal.bytesMax, bytes.wanted), limit: bytes.limit)
    }

    private func size(of segment: Segment) -> UploadSize {
        segment.staged == nil
            ? .encoded(outbox.byteCount(of: segment)) : .files(outbox.byteCount(of: segment))
    }

    private func publish(_ state: String) {
        if !state.hasPrefix("waiting") {
            status.waitingFor = nil
            status.nextLookAt = nil
        }
        status.state = state
        status.held = holds.status + (markers?.held ?? [])
        status.upkeep = delivery.upkeepWait
        board.publish(sink: status)
    }
}
