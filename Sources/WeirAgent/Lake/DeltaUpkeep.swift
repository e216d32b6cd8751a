// The upkeep of a sink's tables, on the sink's own thread while no segment waits: compaction of small files
// and clean-up, each on its schedule. Work is done in slices, one bin of files or one page of a listing, so
// that a segment never waits long behind it; what fails is told in the log and tried at the next tick.
//
// Whoever asks for a slice asks the sink's gate first (UploadGate), and says of what is due and may not be done
// since when it waits and for what.

import Logging
import WeirConnectors
import WeirCore
import WeirFormats

/// When a sink's tables are looked after, and how.
struct UpkeepSettings: Sendable {
    /// Nil: never.
    let optimize: Schedule?
    let vacuum: Schedule?
    /// The length of a compacted file that is aimed at, in bytes.
    let targetBytes: Int64
    /// How long files stay that are no longer part of a table, ms.
    let vacuumAfterMilliseconds: Int64
}

/// Something of the upkeep that is due.
struct UpkeepTask {
    /// compaction, clean-up or checkpoint.
    let what: String
    /// Since when, ms since the epoch.
    let since: Int64
    /// About the bytes of the link that its next slice takes.
    let bytes: Int64
}

/// Looks after the tables of one sink.
final class DeltaUpkeep {
    private let settings: ForwarderSettings
    private let upkeep: UpkeepSettings
    private let store: any ObjectStore
    private let environment: ForwarderEnvironment
    /// What the names of this agent's files begin with, as paths of a log have it.
    private let prefix: String
    private var nextOptimize: Int64
    private var nextVacuum: Int64
    /// What is left to do; the last comes first.
    private var jobs: [Job] = []

    /// Of a look through a log, a few requests.
    private static let lookBytes: Int64 = 16 << 10
    /// What a compaction sends beside the file, for each file that it replaces, and in any case.
    private static let removeBytes: Int64 = 512

    private struct Job {
        let since: Int64
        let stream: String
        let work: Work

        var isOptimize: Bool {
            switch work {
            case .optimize, .compact: true
            case .vacuum, .clean: false
            }
        }
    }

    private enum Work {
        case optimize
        case compact(Round)
        case vacuum
        case clean(Vacuum)
    }

    /// Bins of one table that are left.
    private final class Round {
        var own: OwnFiles
        var bins: [CompactionBin]

        init(_ own: OwnFiles, _ bins: [CompactionBin]) {
            self.own = own
            self.bins = bins
        }
    }

    init(
        _ settings: ForwarderSettings, _ upkeep: UpkeepSettings, store: any ObjectStore,
        _ environment: ForwarderEnvironment
    ) {
        self.settings = settings
        self.upkeep = upkeep
        self.store = store
        self.environment = environment
        let key = ObjectKey(path: "\(settings.naming.agentID)-x").text.dropLast()
        prefix = key.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%25")
        let now = environment.clock.nowMilliseconds()
        nextOptimize = upkeep.optimize?.nextAfter(now) ?? .max
        nextVacuum = upkeep.vacuum?.nextAfter(now) ?? .max
    }

    // MARK: What is due

    /// What has been due for longest; nil when nothing is.
    func overdue(at now: Int64) -> UpkeepTask? {
        if let job = jobs.last { return task(job) }
        let next = min(nextOptimize, nextVacuum)
        guard next <= now else { return nil }
        return UpkeepTask(
            what: next == nextOptimize ? "compaction" : "clean-up", since: next, bytes: Self.lookBytes)
    }

    /// In how many ms something is due; nil: never.
    func millisecondsToNext(at now: Int64) -> Int64? {
        let next = min(nextOptimize, nextVacuum)
        return next == .max ? nil : max(1, next - now)
    }

    /// The next slice of what is due for `streams`; nil when nothing is. A round that is not through when its
    /// next tick comes goes on, and that tick is passed over.
    func nextTask(streams: [String], at now: Int64) -> UpkeepTask? {
        if now >= nextVacuum, let schedule = upkeep.vacuum {
            let since = nextVacuum
            nextVacuum = schedule.nextAfter(now)
            if jobs.allSatisfy(\.isOptimize) {
                jobs = streams.map { Job(since: since, stream: $0, work: .vacuum) } + jobs
            }
        }
        if now >= nextOptimize, let schedule = upkeep.optimize {
            let since = nextOptimize
            nextOptimize = schedule.nextAfter(now)
            if !jobs.contains(where: \.isOptimize) {
                jobs = streams.map { Job(since: since, stream: $0, work: .optimize) } + jobs
            }
        }
        return jobs.last.map(task)
    }

    private func task(_ job: Job) -> UpkeepTask {
        let bytes: Int64
        switch job.work {
        case .optimize, .vacuum: bytes = Self.lookBytes
        case .compact(let round):
            // Its files are read and the new one is written.
            bytes = (round.bins.last.map { 2 * $0.bytes + Int64($0.files.count) * Self.removeBytes } ?? 0)
                + Self.lookBytes
        case .clean(let vacuum): bytes = vacuum.nextBytes
        }
        return UpkeepTask(
            what: job.isOptimize ? "compaction" : "clean-up", since: job.since, bytes: bytes)
    }

    // MARK: Doing it

    /// Does the slice that `nextTask` has told of. `onCommit` is told of the stream whose table has a newer
    /// version.
    func step(onCommit: (String) -> Void) {
        guard let job = jobs.popLast() else { return }
        do throws(Failure) {
            if let rest = try run(job, onCommit) {
                jobs.append(Job(since: job.since, stream: job.stream, work: rest))
            }
        } catch {
            environment.logger.warning(
                "looking after tables: \(error)", metadata: ["sink": "\(settings.sinkName)"])
        }
    }

    /// Returns what is left to do of the job.
    private func run(_ job: Job, _ onCommit: (String) -> Void) throws(Failure) -> Work? {
        let log = DeltaLog(store: store, stream: job.stream)
        switch job.work {
        case .optimize:
            let target = targetBytes
            let small = OwnFiles.Purpose.compaction(smallMax: CompactionBin.smallMax(targetBytes: target))
            guard let own = try ownFiles(log, small) else { return nil }
            let bins = CompactionBin.plan(own, targetBytes: target)
            return bins.isEmpty ? nil : .compact(Round(own, bins.reversed()))
        case .compact(let round):
            try compact(round, log) { onCommit(job.stream) }
            return round.bins.isEmpty ? nil : .compact(round)
        case .vacuum:
            guard let own = try ownFiles(log, .cleanup) else { return nil }
            let cutoff = environment.clock.nowMilliseconds() - upkeep.vacuumAfterMilliseconds
            return .clean(Vacuum(log, store, own, cutoff: cutoff, crashPoint: environment.crashPoint))
        case .clean(let vacuum):
            if try vacuum.step() { return .clean(vacuum) }
            if vacuum.deletedCount > 0 {
                environment.logger.info(
                    "deleted files that \(log.location) no longer names",
                    metadata: ["files": "\(vacuum.deletedCount)", "bytes": "\(vacuum.deletedBytes)"])
            }
            return nil
        }
    }

    private func compact(_ round: Round, _ log: DeltaLog, onCommit: () -> Void) throws(Failure) {
        guard var bin = round.bins.popLast() else { return }
        // A round may wait for days between two slices; one that is left behind begins anew at its next tick.
        if try round.own.isLeftBehind(by: log) {
            round.bins = []
            return
        }
        let compaction = Compaction(
            log: log, store: store, settings: settings, environment: environment)
        switch try compaction.run(&bin, &round.own) {
        case .committed(let version, let count, let bytes):
            onCommit()
            environment.logger.info(
                "compacted files of \(log.location)",
                metadata: ["files": "\(count)", "bytes": "\(bytes)", "version": "\(version)"])
        case .abandoned(let reason):
            environment.logger.info("left files of \(log.location) as they are: \(reason)")
        }
        if bin.files.count > 1 { round.bins.append(bin) }
    }

    /// What compacted files should have: no more than a part of the link's budget lets one be made of.
    private var targetBytes: Int64 {
        min(upkeep.targetBytes, environment.gate?.upkeepPieceBytes.map { max(1, $0 / 2) } ?? .max)
    }

    /// The agent's files in a table; nil when there is no table, or none that may be touched.
    private func ownFiles(_ log: DeltaLog, _ purpose: OwnFiles.Purpose) throws(Failure) -> OwnFiles? {
        var own = OwnFiles(prefix: prefix, purpose)
        guard try own.load(log), own.canBeKept else { return nil }
        return own
    }
}
