// Building a running agent from a configuration, and taking it apart again.

import Logging
import WeirConnectors
import WeirCore
import WeirSQL
import WeirStore

/// Everything that a running agent's loop works with.
struct AgentParts {
    let engine: Engine
    let forwarding: Forwarding
    let outboxControl: OutboxControl
    let reporter: StatusReporter
    let gate: IntakeGate
    let stopSignal: StopSignal
    let wakeUp: WakeUp
    let serviceManager: ServiceManager
    let clock: any MachineClock
    let logger: Logger
}

/// A running agent's sources and targets: brokers and the outbox.
struct LiveParts: EngineParts {
    let outbox: CountedOutbox
    let clock: any MachineClock
    let isRecording = false
    /// The folder for copies of tables.
    let tableFolder: String
    /// Sinks that get late and rejected rows too: those that take files.
    let fileSinks: Set<String>
    /// The sinks that tell which hours are complete.
    let sinks: [SinkConfiguration]

    func keptTable(_ name: String) -> KeptTable? { KeptTable(folder: tableFolder, table: name) }

    func makeSource(_ source: SourceConfiguration) throws(Failure) -> (any Source)? {
        switch source.input {
        case .mqtt(let mqtt):
            MQTTSource(
                mqtt.options(name: source.name, payloadBytesMax: Int(clamping: source.payloadBytesMax)),
                clock: clock)
        case .file(let path): FileSource(source.fileOptions(paths: [path]), clock: clock)
        }
    }

    /// The sinks whose waiting rows may be merged: they get what merging needs.
    let mergingSinks: Set<String>

    func runningPlan(of query: QueryConfiguration) -> QueryPlan {
        guard !mergingSinks.isDisjoint(with: query.sinks),
            case .success(let merging) = query.plan.coarsening()
        else { return query.plan }
        return merging.plan
    }

    func resultTargets(of query: QueryConfiguration) -> [any RowTarget] {
        query.sinks.map { name in
            OutboxTarget(
                outbox, sink: name, stream: query.name,
                counters: fileSinks.contains(name) ? counters(of: query) : [],
                partition: sinks.first { $0.name == name }?.partitionRule(of: query.plan),
                columnCount: mergingSinks.contains(name) ? nil : query.plan.schema.count)
        }
    }

    func lateTargets(of query: QueryConfiguration) -> [any RowTarget] {
        guard query.plan.root.hasWindows else { return [] }
        return query.sinks.filter(fileSinks.contains).map {
            OutboxTarget(
                outbox, sink: $0, stream: "_late/\(query.name)", counters: counters(of: query))
        }
    }

    /// What files say was taken in. Sinks that take rows have no place for it, and seal a few rows at a time.
    private func counters(of query: QueryConfiguration) -> [Ledger.CounterID] {
        outbox.ledger.counters(sources: query.plan.sources, query: query.name)
    }

    func rejectTargets(of source: SourceConfiguration, sinks: [String]) -> [any RowTarget] {
        sinks.filter(fileSinks.contains).map {
            OutboxTarget(
                outbox, sink: $0, stream: "_rejected/\(source.name)",
                counters: outbox.ledger.counters(sources: [source.name], query: nil))
        }
    }
}

/// Builds the parts of a running agent.
struct AgentBuilder {
    let configuration: AgentConfiguration
    let environment: [String: String]
    let logger: Logger
    let clock: any MachineClock = SystemClock()

    func build() throws(Failure) -> AgentParts {
        let settings = configuration.agent
        let stopSignal = try StopSignal()
        let wakeUp = try WakeUp()
        let crashPoint = CrashPoint(environment["WEIR_CRASH_POINT"])
        let storage = try EngineStorage(
            path: settings.stateDirectory, isDurable: true,
            memoryBudgetBytes: storeBudget(settings), freeBytesMin: 0, crashPoint: crashPoint)
        let live = LiveParts(
            outbox: CountedOutbox(appender: storage.appender, ledger: storage.ledger), clock: clock,
            tableFolder: "\(settings.stateDirectory)/tables",
            fileSinks: configuration.fileSinks, sinks: configuration.sinks,
            mergingSinks: configuration.mergingSinks)
        let builder = EngineBuilder(
            configuration: configuration, storage: storage, parts: live, logger: logger)
        let tasks = try builder.makeTasks(queries: configuration.queries)
        let engine = Engine(
            sources: tasks.sources, queries: tasks.queries, tables: tasks.tables, storage: storage, clock: clock,
            policy: CommitPolicy(
                intervalNanoseconds: settings.commitIntervalMilliseconds * 1_000_000),
            crashPoint: crashPoint,
            acknowledgesBeforeCommit: environment["WEIR_TEST_ACK_BEFORE_COMMIT"] == "1")
        let board = StatusBoard()
        let gate = IntakeGate(
            bounds: configuration.sinks.filter { $0.outbox.pausesIntake || $0.outbox.coarsening != nil }.map {
                IntakeGate.Bound(
                    sinkName: $0.name, bytesMax: Int(clamping: $0.outbox.bytesMax),
                    isForMergingOnly: !$0.outbox.pausesIntake)
            },
            outbox: storage.outbox, appender: storage.appender, board: board,
            directory: storage.directory,
            reserveBytes: UInt64(clamping: settings.freeSpaceReserveBytes), clock: clock)
        warnOfOrphans(storage.outbox)
        var uplink: Uplink?
        if let shared = configuration.uplink {
            uplink = try Uplink(shared, storage.database, clock: clock)
        }
        let forwarding = Forwarding(
            settings: configuration.sinks.map {
                $0.forwarderSettings(
                    settings, stateDirectory: settings.stateDirectory, queries: configuration.queries,
                    environment: environment)
            },
            outbox: storage.outbox, uplink: uplink, board: board, loopWakeUp: wakeUp, clock: clock,
            crashPoint: crashPoint, logger: logger)
        return AgentParts(
            engine: engine, forwarding: forwarding,
            outboxControl: OutboxControl(
                outbox: storage.outbox, registry: forwarding.registry, logger: logger),
            reporter: StatusReporter(
                board: board, agentID: settings.id,
                sinkTypes: configuration.sinks.map { ($0.name, $0.type.rawValue) },
                reserveBytes: UInt64(clamping: settings.freeSpaceReserveBytes),
                freeBytes: { gate.freeBytes }, uplink: uplink, clock: clock),
            gate: gate, stopSignal: stopSignal, wakeUp: wakeUp,
            serviceManager: ServiceManager(environment: environment), clock: clock, logger: logger)
    }

    /// RocksDB's share of the memory limit.
    private func storeBudget(_ settings: AgentSettings) -> Int {
        Int(clamping: max(8 << 20, min(32 << 20, settings.memoryLimitBytes / 16)))
    }

    /// Rows that wait for a sink which is configured no more stay where they are, and are named.
    private func warnOfOrphans(_ outbox: Outbox) {
        let known = Set(configuration.sinks.map(\.name))
        for sink in outbox.sinks where !known.contains(sink.name) {
            let rows = outbox.pending(of: sink.id).rows
            guard rows > 0 else { continue }
            logger.warning(
                "\(rows) rows wait for sink \(sink.name), which is not configured any more; they are kept")
        }
    }
}

extension AgentConfiguration {
    /// Names of the sinks that take files.
    var fileSinks: Set<String> { Set(sinks.filter { !$0.type.takesRows }.map(\.name)) }
}
