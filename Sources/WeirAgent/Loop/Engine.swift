// The engine: sources, queries and their durable storage on one thread. `run` drives it from live
// sources for ever (AgentLoop), `replay` from files to their end (ReplayRun); both do the same turns
// and the same group commits, so what is tested with one holds for the other.
//
// The order is the promise: poll → decode → process → advance → commit → acknowledge. Before the commit
// everything may be redone; after it everything is durable; only after it is anything acknowledged.

import WeirCore
import WeirStore

/// When a group is committed.
struct CommitPolicy {
    /// After this long since its first message, ns.
    var intervalNanoseconds: Int64
    /// When rows waiting for the commit take this many bytes.
    var bytesMax = 8 << 20
    /// After so many batches, instead of by time; nil for by time.
    var batches: Int?
}

/// Sources and queries over one storage.
final class Engine {
    let sources: [SourceTask]
    /// The queries of all sources, each once.
    let queries: [QueryTask]
    /// The tables that queries look up in.
    let tables: [TableTask]
    let storage: EngineStorage
    private let clock: any MachineClock
    private let policy: CommitPolicy
    private let crashPoint: CrashPoint
    /// A test's way to show that its harness catches what must never happen.
    private let acknowledgesBeforeCommit: Bool
    /// Called inside each commit, before the write, and after it.
    private let extraState: (any CommitParticipant)?
    /// When the first message of the open group came, ns; nil when nothing waits.
    private(set) var groupOpenedAt: Int64?
    private var batchesInGroup = 0
    private(set) var commitTimes = CommitTimes()

    init(
        sources: [SourceTask], queries: [QueryTask], tables: [TableTask], storage: EngineStorage,
        clock: any MachineClock, policy: CommitPolicy,
        crashPoint: CrashPoint, acknowledgesBeforeCommit: Bool = false,
        extraState: (any CommitParticipant)? = nil
    ) {
        self.sources = sources
        self.queries = queries
        self.tables = tables
        self.storage = storage
        self.clock = clock
        self.policy = policy
        self.crashPoint = crashPoint
        self.acknowledgesBeforeCommit = acknowledgesBeforeCommit
        self.extraState = extraState
    }

    /// Takes back the committed state and finishes what was under way; then starts the sources.
    func recover() throws(Failure) {
        storage.appender.bindAccounts(to: storage.ledger)
        for table in tables { try table.start(now: clock.nowMilliseconds()) }
        for source in sources { try source.restore() }
        try extraState?.restore()
        crashPoint.pass("recovery.after-restore")
        // Queries that are new or changed get their numbers before any of them spills under its own.
        try storage.write(appendedAt: clock.nowMilliseconds(), isSettled: isSettled)
        try finishSuspended()
        for source in sources { try source.source.start() }
        crashPoint.pass("recovery.after-start")
    }

    /// One turn of one source.
    ///
    /// - Returns: whether there may be more at once.
    func turn(_ source: SourceTask) throws(Failure) -> Bool {
        let (result, hasInput) = try source.turn(now: clock.nowMilliseconds())
        if hasInput {
            openGroup()
            batchesInGroup += 1
            if acknowledgesBeforeCommit { try acknowledge() }
            try finishSuspended()
            if isCommitDue(source) { try commit() }
        }
        if case .more = result { return true }
        return false
    }

    /// Lets time pass for all sources; `isReading` is false while intake is paused.
    func tick(isReading: Bool) throws(Failure) {
        let milliseconds = clock.monotonicNanoseconds() / 1_000_000
        for source in sources {
            try source.tick(monotonicMilliseconds: milliseconds, isReading: isReading)
        }
        try finishSuspended()
        // Time alone is committed with what it made, or with the next message.
        closePassedTime()
        if storage.appender.byteCount > 0 || storage.appender.isClosing { openGroup() }
        if let opened = groupOpenedAt, isOld(opened) { try commit() }
        try reloadTables()
    }

    /// Takes the files of tables that have changed: what came before is committed with the rows before.
    private func reloadTables() throws(Failure) {
        for table in tables {
            guard let version = table.look(monotonic: clock.monotonicNanoseconds()) else { continue }
            try commit()
            crashPoint.pass("table.before-reload")
            table.replace(by: version, now: clock.nowMilliseconds())
            openGroup()
            crashPoint.pass("table.after-reload")
        }
    }

    /// Closes all windows of all sources, after the end of bounded inputs.
    func end() throws(Failure) {
        for source in sources {
            try source.end()
            try finishSuspended()
        }
        try commit()
    }

    /// Makes everything so far durable, then acknowledges it.
    func commit() throws(Failure) {
        let started = clock.monotonicNanoseconds()
        for source in sources { source.checkpoint() }
        closePassedTime()
        for query in queries { query.checkpoint() }
        for table in tables { table.checkpoint() }
        try extraState?.prepare()
        try storage.write(appendedAt: clock.nowMilliseconds(), isSettled: isSettled)
        commitTimes.add(nanoseconds: clock.monotonicNanoseconds() - started)
        groupOpenedAt = nil
        batchesInGroup = 0
        for table in tables { table.didCommit() }
        try acknowledge()
    }

    /// Whether no query has taken rows in and not accounted for them.
    private var isSettled: Bool { !queries.contains(where: \.isSuspended) }

    /// How long the loop may wait before it has to commit, ms; nil when nothing waits.
    func millisecondsToCommit() -> Int? {
        groupOpenedAt.map { opened in
            let left = opened + policy.intervalNanoseconds - clock.monotonicNanoseconds()
            return max(0, Int(left / 1_000_000) + 1)
        }
    }

    /// Says of each query's results up to which time they are complete, as part of the next commit.
    private func closePassedTime() {
        guard isSettled else { return }
        for query in queries { query.closePassedTime() }
    }

    private func acknowledge() throws(Failure) {
        crashPoint.pass("acknowledge.before")
        for source in sources { try source.source.acknowledge() }
        crashPoint.pass("acknowledge.after")
    }

    /// Commits until no query waits for one: results larger than memory leave in pieces.
    private func finishSuspended() throws(Failure) {
        var suspended = queries.filter(\.isSuspended)
        while !suspended.isEmpty {
            try commit()
            for query in suspended { try query.resume() }
            suspended = suspended.filter(\.isSuspended)
            // What the last piece made is committed with the next group.
            openGroup()
        }
    }

    private func openGroup() {
        if groupOpenedAt == nil { groupOpenedAt = clock.monotonicNanoseconds() }
    }

    private func isCommitDue(_ source: SourceTask) -> Bool {
        if let batches = policy.batches { return batchesInGroup >= batches }
        if storage.appender.byteCount >= policy.bytesMax { return true }
        let bound = source.source.unacknowledgedMax
        if bound != .max, source.source.report.unacknowledged >= max(1, bound / 2) { return true }
        guard let opened = groupOpenedAt else { return false }
        return isOld(opened)
    }

    private func isOld(_ opened: Int64) -> Bool {
        policy.batches == nil
            && clock.monotonicNanoseconds() - opened >= policy.intervalNanoseconds
    }
}

/// Something besides sources and queries that is part of each commit: a replay's output files.
protocol CommitParticipant: AnyObject {
    /// Takes back what is committed.
    func restore() throws(Failure)
    /// Makes its data durable and puts what finds it again into the commit.
    func prepare() throws(Failure)
}
