// Building a replay: the configuration's queries over files, into files or into the configured sinks.

import Glibc
import Logging
import WeirConnectors
import WeirCore
import WeirSQL
import WeirStore

/// A replay's sources and targets.
struct ReplayEngineParts: EngineParts {
    let inputs: [String: [String]]
    /// nil: results go to the outbox of the configured sinks.
    let files: ReplayFiles?
    let live: LiveParts
    let isRecording = true

    func keptTable(_ name: String) -> KeptTable? { nil }

    let batchRowsMax: Int?

    func makeSource(_ source: SourceConfiguration) throws(Failure) -> (any Source)? {
        let paths: [String]
        if let given = inputs[source.name] {
            paths = given
        } else if case .file(let path) = source.input {
            paths = [path]
        } else {
            throw Failure(
                .input, "replaying", source.name, "it has no input",
                advice: "give it one with --input \(source.name)=FILE")
        }
        return FileSource(source.fileOptions(paths: paths, linesMax: batchRowsMax), clock: live.clock)
    }

    func runningPlan(of query: QueryConfiguration) -> QueryPlan { live.runningPlan(of: query) }

    func resultTargets(of query: QueryConfiguration) -> [any RowTarget] {
        files?.target(query.name, isResult: true) ?? live.resultTargets(of: query)
    }

    func lateTargets(of query: QueryConfiguration) -> [any RowTarget] {
        files?.target("_late/\(query.name)", isResult: false) ?? live.lateTargets(of: query)
    }

    func rejectTargets(of source: SourceConfiguration, sinks: [String]) -> [any RowTarget] {
        files?.target("_rejected/\(source.name)", isResult: false)
            ?? live.rejectTargets(of: source, sinks: sinks)
    }
}

/// The output files of a replay, made as queries ask for them.
final class ReplayFiles {
    private let output: ReplayOptions.Output
    private let isSynced: Bool
    private let standardOutput = StandardOutput()
    private var files: [FileOutput] = []

    init(_ output: ReplayOptions.Output, isSynced: Bool) {
        self.output = output
        self.isSynced = isSynced
    }

    /// Where the rows of `stream` go; standard output shows results alone.
    func target(_ stream: String, isResult: Bool) -> [any RowTarget] {
        switch output {
        case .standardOutput:
            return isResult ? [standardOutput] : []
        case .folder(let folder):
            let file = FileOutput(path: "\(folder)/\(stream).ndjson", isSynced: isSynced)
            files.append(file)
            return [file]
        }
    }

    /// What takes part in the replay's commits.
    func participant(_ storage: EngineStorage) -> any CommitParticipant {
        output == .standardOutput ? standardOutput : FileOutputs(files, storage: storage)
    }
}

/// Builds the parts of a replay.
struct ReplayBuilder {
    private let configuration: AgentConfiguration
    private let options: ReplayOptions
    private let environment: [String: String]
    private let clock: any MachineClock = SystemClock()

    init(
        _ configuration: AgentConfiguration, _ options: ReplayOptions, _ environment: [String: String]
    ) {
        self.configuration = configuration
        self.options = options
        self.environment = environment
    }

    func build(statePath: String) throws(Failure) -> ReplayParts {
        let queries = try selectedQueries()
        let inputs = try checkedInputs(queries)
        let isDurable = options.stateDirectory != nil
        let crashPoint = CrashPoint(environment["WEIR_CRASH_POINT"])
        let storage = try EngineStorage(
            path: statePath, isDurable: isDurable, memoryBudgetBytes: 16 << 20, freeBytesMin: 0,
            crashPoint: crashPoint)
        let files = options.output.map { ReplayFiles($0, isSynced: isDurable) }
        let logger = AgentLog.make(level: .warning)
        let parts = ReplayEngineParts(
            inputs: inputs, files: files,
            live: LiveParts(
                outbox: CountedOutbox(appender: storage.appender, ledger: storage.ledger), clock: clock,
                tableFolder: "",
                fileSinks: configuration.fileSinks, sinks: [],
                mergingSinks: files == nil ? configuration.mergingSinks : []),
            batchRowsMax: options.batchRowsMax)
        let builder = EngineBuilder(
            configuration: configuration, storage: storage, parts: parts, logger: logger)
        let tasks = try builder.makeTasks(queries: queries)
        let engine = Engine(
            sources: tasks.sources, queries: tasks.queries, tables: tasks.tables, storage: storage, clock: clock,
            policy: CommitPolicy(
                intervalNanoseconds: configuration.agent.commitIntervalMilliseconds * 1_000_000,
                batches: options.commitBatches),
            crashPoint: crashPoint, extraState: files?.participant(storage))
        return ReplayParts(
            engine: engine,
            forwarding: try files == nil ? forwarding(storage, statePath, crashPoint, logger) : nil,
            inputBytes: Self.size(of: tasks.sources.flatMap { paths(of: $0.name, inputs) }), clock: clock)
    }

    private func forwarding(
        _ storage: EngineStorage, _ statePath: String, _ crashPoint: CrashPoint, _ logger: Logger
    ) throws(Failure) -> Forwarding {
        Forwarding(
            settings: configuration.sinks.map {
                $0.forwarderSettings(
                    configuration.agent, stateDirectory: statePath, queries: configuration.queries,
                    environment: environment)
            },
            outbox: storage.outbox, board: StatusBoard(), loopWakeUp: try WakeUp(), clock: clock,
            crashPoint: crashPoint, logger: logger)
    }

    private func selectedQueries() throws(Failure) -> [QueryConfiguration] {
        guard let name = options.query else {
            if options.output == .standardOutput, configuration.queries.count > 1 {
                throw Failure(
                    .configuration, "replaying", configuration.path,
                    "it has \(configuration.queries.count) queries, and standard output shows one",
                    advice: "choose with --query: \(configuration.queries.map(\.name).joined(separator: ", "))")
            }
            return configuration.queries
        }
        let chosen = configuration.queries.filter { $0.name == name }
        if chosen.isEmpty {
            let near = nearestSpelling(of: name, among: configuration.queries.map(\.name))
            throw Failure(
                .configuration, "replaying", "query \(name)", "there is no such query",
                advice: near.map { "did you mean \($0)?" } ?? "")
        }
        return chosen
    }

    private func checkedInputs(_ queries: [QueryConfiguration]) throws(Failure) -> [String: [String]] {
        for name in options.inputs.keys.sorted()
        where !configuration.sources.contains(where: { $0.name == name }) {
            let near = nearestSpelling(of: name, among: configuration.sources.map(\.name))
            throw Failure(
                .configuration, "replaying", "--input \(name)=…", "there is no source \(name)",
                advice: near.map { "did you mean \($0)?" } ?? "")
        }
        return options.inputs
    }

    private func paths(of source: String, _ inputs: [String: [String]]) -> [String] {
        if let given = inputs[source] { return given }
        guard let found = configuration.sources.first(where: { $0.name == source }),
            case .file(let path) = found.input
        else { return [] }
        return [path]
    }

    private static func size(of paths: [String]) -> UInt64? {
        var total: UInt64 = 0
        for path in paths {
            var information = stat()
            guard path != "-", stat(path, &information) == 0 else { return nil }
            total += UInt64(information.st_size)
        }
        return total
    }
}
