// Segments become commits of Delta tables, one table a stream: first the Parquet files are put, under
// names that are functions of the segment, then one entry of the log makes them part of the table.
//
// Exactly once: the entry also says how far this agent's rows have come (`txn`), in the same atomic step.
// A commit whose reply was lost, or after which the agent died, is found in the log when the segment is
// delivered again, by whatever entries or checkpoints others have added since. Until the entry is there,
// no reader sees the files; files whose entry never comes are left to VACUUM.
//
// Appends do not read the table, so those of many agents never conflict: whoever finds its number taken
// looks at what is new and takes the next one.

import Logging
import WeirConnectors
import WeirCore
import WeirFormats
import WeirStore

/// What a sink's tables are kept by.
struct TableSettings: Sendable {
    /// Commits from one checkpoint to the next.
    let checkpointInterval: Int64
    /// Compaction and clean-up.
    let upkeep: UpkeepSettings
}

/// Commits segments to tables. Belongs to the sink's thread.
final class DeltaDelivery: SegmentDelivery {
    private let settings: ForwarderSettings
    private let store: any ObjectStore
    private let writer: SegmentWriter
    var fileWriter: SegmentWriter? { writer }
    private let control: ForwarderControl
    private let clock: any MachineClock
    private let crashPoint: CrashPoint
    private let logger: Logger
    private var random: any RandomNumberGenerator & Sendable
    private let identity: String
    private let outbox: Outbox
    private let upkeep: DeltaUpkeep
    private let checkpoints: TableCheckpoints
    private let gate: UploadGate?
    /// What the upkeep waits for, as the gate has said last; nil when it has said that it may go on.
    private var upkeepWaitsFor: String?
    private var tables: [String: DeltaTable] = [:]
    /// The files of a segment that are stored and wait for their commit.
    private var stored: (segment: Segment, append: TableAppend)?

    /// Numbers that were taken by others before one try is given up for the back-off.
    private static let attemptsMax = 50
    /// Upkeep that is done within this time is not told to have waited, ms.
    private static let untoldWaitMilliseconds: Int64 = 10_000
    /// The longest pause before the next number is tried, ms.
    private static let pauseMillisecondsMax: Int64 = 1000

    init(
        settings: ForwarderSettings, _ table: TableSettings, store: any ObjectStore, outbox: Outbox,
        _ environment: ForwarderEnvironment
    ) throws(Failure) {
        // Numbers begin anew with a new state directory; its identity in names and in the log keeps the
        // rows of the two apart.
        identity = try outbox.identity()
        var settings = settings
        settings.naming = try settings.tableNaming(of: outbox)
        self.settings = settings
        self.store = store
        self.outbox = outbox
        upkeep = DeltaUpkeep(settings, table.upkeep, store: store, environment)
        checkpoints = TableCheckpoints(settings, table, environment)
        writer = SegmentWriter(settings: settings, outbox: outbox)
        control = environment.control
        gate = environment.gate
        clock = environment.clock
        crashPoint = environment.crashPoint
        logger = environment.logger
        random = environment.random
    }

    func deliver(
        _ segment: Segment, onSent: (_ name: String, _ bytes: Int) -> Void
    ) throws(Failure) {
        let table = table(of: segment.streamName)
        do throws(Failure) {
            if table.version == nil { try table.refresh() }
            if try table.holds(segment.first, through: segment.last) {
                stored = nil
                return
            }
            let append = try append(of: segment, to: table, onSent)
            try commit(append, of: segment, to: table, onSent)
            stored = nil
        } catch {
            // Whether the commit is there is not known. A table that was refused may be put right, or
            // another in its place.
            if error.domain == .configuration {
                table.forget()
                stored = nil
            } else {
                table.expectMore()
            }
            throw error
        }
        checkpoints.note(table)
    }

    func finish() throws(Failure) {
        guard control.mode != .stopping else { return }
        _ = allows(try checkpoints.write())
    }

    /// While nothing is to be delivered, and no file waits for its commit, tables are looked after.
    func tend() throws(Failure) -> Int64? {
        guard stored == nil, let sink = outbox.sink(named: settings.sinkName) else { return nil }
        if let wait = allows(try checkpoints.write()) { return wait }
        let streams = outbox.streams(of: sink).map(\.name)
        guard let task = upkeep.nextTask(streams: streams, at: clock.nowMilliseconds()) else {
            return upkeep.millisecondsToNext(at: clock.nowMilliseconds())
        }
        let step = { [self] in
            upkeep.step { stream in
                // The next commit looks for what is new anyway; this spares it a number that is taken.
                try? tables[stream]?.refresh()
            }
        }
        guard let gate else {
            step()
            return 1
        }
        return allows(try gate.upkeep(bytes: task.bytes, step)) ?? 1
    }

    /// Keeps what the gate said of upkeep; returns in how many ms to ask again when it has to wait.
    private func allows(_ verdict: UploadPlanner.Verdict) -> Int64? {
        guard case .wait(_, let reason, let until) = verdict else {
            upkeepWaitsFor = nil
            return nil
        }
        upkeepWaitsFor = reason
        return max(1, until - clock.nowMilliseconds())
    }

    var upkeepWait: StatusSnapshot.UpkeepWait? {
        let now = clock.nowMilliseconds()
        guard let task = checkpoints.overdue ?? upkeep.overdue(at: now) else { return nil }
        guard upkeepWaitsFor != nil || now - task.since >= Self.untoldWaitMilliseconds else { return nil }
        var wait = StatusSnapshot.UpkeepWait()
        wait.what = task.what
        wait.since = task.since
        wait.reason = upkeepWaitsFor ?? "rows that wait to be sent go first"
        return wait
    }

    private func table(of stream: String) -> DeltaTable {
        if let table = tables[stream] { return table }
        let table = DeltaTable(
            log: DeltaLog(store: store, stream: stream),
            application: "weir/\(settings.agentID)/\(identity)/\(settings.sinkName)/\(stream)",
            isPartitioned: settings.partitionBy != nil, newID: randomUUID(using: &random))
        tables[stream] = table
        return table
    }

    // MARK: Files

    /// Puts the segment's files, unless that was done by a try before this one.
    private func append(
        of segment: Segment, to table: DeltaTable, _ onSent: (String, Int) -> Void
    ) throws(Failure) -> TableAppend {
        // Not compared as a whole: it may be in files by now.
        if let stored, stored.segment.stream == segment.stream, stored.segment.first == segment.first {
            return stored.append
        }
        var files: [DeltaAdd] = []
        var schemaString = ""
        try writer.forEachFile(of: segment) { (file) throws(Failure) in
            guard let facts = file.tableFacts else {
                throw Failure(
                    .configuration, "committing to the table", segment.streamName,
                    "rows \(segment.first)–\(segment.last) were written to files before the sink's format was delta",
                    advice: "send them with the format that it had, or give them up with `weir outbox discard`",
                    retry: .backoff)
            }
            // Before the first file goes: a table that does not take it costs no upload.
            if files.isEmpty { try table.check(facts.schemaString) }
            schemaString = facts.schemaString
            crashPoint.pass("delta.before-data")
            try store.put(file.key, file.body)
            onSent(file.key.text, file.body.length)
            files.append(add(file, facts, sealedAt: segment.sealedAt, table))
        }
        let append = TableAppend(
            schemaString: schemaString, files: files, last: Int64(segment.last),
            timestamp: clock.nowMilliseconds())
        stored = (segment, append)
        return append
    }

    private func add(
        _ file: SegmentFile, _ facts: TableFileFacts, sealedAt: Int64, _ table: DeltaTable
    ) -> DeltaAdd {
        var partition: [String: String?] = [:]
        if settings.partitionBy != nil {
            let (date, hour) = ObjectNaming.folder(of: file.partition)
            partition = ["date": date, "hour": hour == "00" ? "0" : String(hour.drop { $0 == "0" })]
        }
        // Paths in the log are URIs, and an object's name may have a percent sign of its own.
        let name = file.key.text.dropFirst(table.log.folder.utf8.count)
        let path = name.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%25")
        return DeltaAdd(
            path: path, partitionValues: partition, size: Int64(file.body.length),
            modificationTime: sealedAt, stats: facts.statistics)
    }

    // MARK: The commit

    private func commit(
        _ append: TableAppend, of segment: Segment, to table: DeltaTable,
        _ onSent: (String, Int) -> Void
    ) throws(Failure) {
        for attempt in 0..<Self.attemptsMax {
            guard let version = try nextVersion(table) else {
                // What was cleaned up may have been an earlier try of this very commit.
                if try table.holds(segment.first, through: segment.last) { return }
                continue
            }
            let actions = try table.actions(of: append)
            let bytes = entry(append, segment, actions, try outbox.taken(of: segment)).bytes
            crashPoint.pass("delta.before-commit")
            if try table.log.add(bytes, version: version) {
                crashPoint.pass("delta.after-commit")
                table.committed(actions)
                onSent(table.log.entryKey(version).text, bytes.count)
                tell(of: actions, version, table)
                return
            }
            try pause(attempt)
            try table.refresh()
            // The number may have been taken by an earlier try of this very commit.
            if try table.holds(segment.first, through: segment.last) { return }
        }
        throw Failure(
            .external, "committing to", table.log.location,
            "other writers took the next version \(Self.attemptsMax) times in a row", retry: .backoff)
    }

    /// The number to try; nil when the table had to be read again first.
    ///
    /// The entry before it must still be there: on a table that somebody has removed, one more entry would be
    /// the end of a log without a beginning. Nor may it lie behind a checkpoint: numbers of entries that
    /// others have cleaned up are free again, and no reader looks at what is put there.
    private func nextVersion(_ table: DeltaTable) throws(Failure) -> Int64? {
        guard let version = table.version else { preconditionFailure("the table was read") }
        guard version >= 0 else { return 0 }
        guard let newest = try table.log.newestKnown(after: version) else {
            // The files went with it.
            stored = nil
            table.forget()
            throw Failure(
                .external, "committing to", table.log.location,
                "entry \(version) of its log, which was there, is gone",
                advice: "if the table was removed on purpose, nothing: it is made again", retry: .backoff)
        }
        guard newest > version else { return version + 1 }
        table.forget()
        try table.refresh()
        return nil
    }

    private func entry(
        _ append: TableAppend, _ segment: Segment, _ actions: [DeltaAction], _ taken: [TakenCount]
    ) -> DeltaLogEntry {
        DeltaLogEntry(
            timestamp: append.timestamp, operation: "WRITE",
            operationParameters: [
                "mode": "Append",
                "partitionBy": settings.partitionBy == nil ? "[]" : #"["date","hour"]"#,
            ],
            isBlindAppend: true,
            info: [
                ("engineInfo", "weir/\(version)"), ("agent", settings.agentID),
                ("rows", "\(segment.first)-\(segment.last)"),
            ] + taken.metadata.map { ($0.key, $0.value) }, actions: actions)
    }

    /// Waits for a random while, longer the more often the number was taken.
    private func pause(_ attempt: Int) throws(Failure) {
        let most = min(Self.pauseMillisecondsMax, 10 << Int64(min(attempt, 10)))
        let end = clock.monotonicNanoseconds() + Int64.random(in: 0...most, using: &random) * 1_000_000
        while control.mode != .stopping {
            let left = (end - clock.monotonicNanoseconds()) / 1_000_000
            if left <= 0 { return }
            control.wait(milliseconds: left)
        }
        throw Failure(
            .external, "committing to", store.location, "weir is stopping", retry: .backoff)
    }

    private func tell(of actions: [DeltaAction], _ version: Int64, _ table: DeltaTable) {
        guard actions.contains(where: { if case .metadata = $0 { true } else { false } }) else { return }
        logger.info(
            version == 0
                ? "made the table \(table.log.location)"
                : "added columns to the table \(table.log.location) in version \(version)",
            metadata: ["sink": "\(settings.sinkName)"])
    }
}

/// A random UUID (version 4), in its usual form.
private func randomUUID(using random: inout any RandomNumberGenerator & Sendable) -> String {
    let (high, low) = (random.next(), random.next())
    let digits = { (value: UInt64, width: Int) in
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
    let version = high & ~0xF000 | 0x4000
    let variant = low & ~(3 << 62) | 2 << 62
    return "\(digits(version >> 32, 8))-\(digits(version >> 16 & 0xFFFF, 4))-\(digits(version & 0xFFFF, 4))-"
        + "\(digits(variant >> 48, 4))-\(digits(variant & 0xFFFF_FFFF_FFFF, 12))"
}
