// The upkeep of a sink's tables, on the sink's own thread while no segment waits: compaction of small files
// and clean-up, each on its schedule. Work is done in slices, one bin of files or one page of a listing, so
// that a segment never waits long behind it; what fails is told in the log and tried at the next tick.

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
    private var work: [Work] = []

    /// What is left to do; the last comes first.
    private enum Work {
        case optimize(stream: String)
        case compact(stream: String, OwnFiles, [CompactionBin])
        case vacuum(stream: String)
        case clean(stream: String, Vacuum)
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

    /// Does a slice of what is due, and returns in how many ms to come again; nil: never. `onCommit` is
    /// told of the streams whose tables have a newer version.
    func step(streams: [String], onCommit: (String) -> Void) -> Int64? {
        let now = environment.clock.nowMilliseconds()
        if now >= nextVacuum, let schedule = upkeep.vacuum {
            nextVacuum = schedule.nextAfter(now)
            work = streams.map { .vacuum(stream: $0) } + work
        }
        if now >= nextOptimize, let schedule = upkeep.optimize {
            nextOptimize = schedule.nextAfter(now)
            work = streams.map { .optimize(stream: $0) } + work
        }
        guard let task = work.popLast() else {
            let next = min(nextOptimize, nextVacuum)
            return next == .max ? nil : max(1, next - now)
        }
        do throws(Failure) {
            try run(task, now, onCommit)
        } catch {
            environment.logger.warning(
                "looking after tables: \(error)", metadata: ["sink": "\(settings.sinkName)"])
        }
        return 1
    }

    private func run(_ task: Work, _ now: Int64, _ onCommit: (String) -> Void) throws(Failure) {
        switch task {
        case .optimize(let stream):
            guard let own = try ownFiles(stream) else { return }
            let bins = CompactionBin.plan(own, targetBytes: upkeep.targetBytes)
            if !bins.isEmpty { work.append(.compact(stream: stream, own, bins.reversed())) }
        case .compact(let stream, var own, var bins):
            guard var bin = bins.popLast() else { return }
            let log = DeltaLog(store: store, stream: stream)
            let compaction = Compaction(
                log: log, store: store, settings: settings, environment: environment)
            switch try compaction.run(&bin, &own) {
            case .committed(let version, let count, let bytes):
                onCommit(stream)
                environment.logger.info(
                    "compacted files of \(log.location)",
                    metadata: ["files": "\(count)", "bytes": "\(bytes)", "version": "\(version)"])
            case .abandoned(let reason):
                environment.logger.info("left files of \(log.location) as they are: \(reason)")
            }
            if bin.files.count > 1 { bins.append(bin) }
            if !bins.isEmpty { work.append(.compact(stream: stream, own, bins)) }
        case .vacuum(let stream):
            guard let own = try ownFiles(stream) else { return }
            let log = DeltaLog(store: store, stream: stream)
            work.append(
                .clean(
                    stream: stream,
                    Vacuum(
                        log, store, own, cutoff: now - upkeep.vacuumAfterMilliseconds,
                        crashPoint: environment.crashPoint)))
        case .clean(let stream, var vacuum):
            if try vacuum.step() {
                work.append(.clean(stream: stream, vacuum))
            } else if vacuum.deletedCount > 0 {
                environment.logger.info(
                    "deleted files that \(vacuum.log.location) no longer names",
                    metadata: ["files": "\(vacuum.deletedCount)", "bytes": "\(vacuum.deletedBytes)"])
            }
        }
    }

    /// The agent's files in a stream's table; nil when there is no table, or none that may be touched.
    private func ownFiles(_ stream: String) throws(Failure) -> OwnFiles? {
        var own = OwnFiles(prefix: prefix)
        guard try own.load(DeltaLog(store: store, stream: stream)), own.canBeKept else { return nil }
        return own
    }
}
