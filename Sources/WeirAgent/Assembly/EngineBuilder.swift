// Building an engine from a configuration: sources, their queries, and where results go. What differs
// between a running agent and a replay (the sources and the targets) is handed in.

import Logging
import WeirCore
import WeirFormats
import WeirRuntime
import WeirSQL
import WeirStore

/// Makes sources and targets for an engine.
protocol EngineParts {
    /// The connector of a configured source, or nil to leave the source out.
    func makeSource(_ source: SourceConfiguration) throws(Failure) -> (any Source)?
    /// The plan of a query, perhaps with more columns behind its own, for targets that want them.
    func runningPlan(of query: QueryConfiguration) -> QueryPlan
    /// Where results of a query go, and its late rows.
    func resultTargets(of query: QueryConfiguration) -> [any RowTarget]
    func lateTargets(of query: QueryConfiguration) -> [any RowTarget]
    /// Where rejected rows of a source go, given the sinks of the queries that read it.
    func rejectTargets(of source: SourceConfiguration, sinks: [String]) -> [any RowTarget]
    /// Where the version in force of a table is kept; nil for nowhere.
    func keptTable(_ name: String) -> KeptTable?
    /// Whether event time runs by itself (a recording) rather than beside the machine's clock.
    var isRecording: Bool { get }
}

/// What an engine drives.
struct EngineTasks {
    let sources: [SourceTask]
    /// Each once.
    let queries: [QueryTask]
    let tables: [TableTask]
}

/// Builds the source tasks of an engine.
struct EngineBuilder {
    let configuration: AgentConfiguration
    let storage: EngineStorage
    let parts: any EngineParts
    let logger: Logger

    /// The sources with the queries that read them, the queries, and the tables. Sources and tables that
    /// no query reads are left out.
    func makeTasks(
        queries: [QueryConfiguration]
    ) throws(Failure) -> EngineTasks {
        let tables = makeTables(queries: queries)
        let rows = Dictionary(uniqueKeysWithValues: tables.map { ($0.name, $0.table) })
        var tasks: [QueryTask] = []
        for query in queries { tasks.append(try makeQuery(query, rows)) }
        var sources: [SourceTask] = []
        for source in configuration.sources {
            let readers = queries.filter { $0.plan.sources.contains(source.name) }
            guard !readers.isEmpty, let connector = try parts.makeSource(source) else { continue }
            let reading = tasks.filter { $0.sources.contains(source.name) }
            sources.append(makeTask(source, connector, readers, reading))
        }
        if !parts.isRecording { dropRemovedState() }
        return EngineTasks(sources: sources, queries: tasks, tables: tables)
    }

    /// The tables that any query looks up in.
    private func makeTables(queries: [QueryConfiguration]) -> [TableTask] {
        let read = Set(queries.flatMap { $0.plan.root.lookupTables })
        return configuration.tables.filter { read.contains($0.name) }.map { table in
            TableTask(
                table, kept: parts.keptTable(table.name), engine: storage, logger: logger)
        }
    }

    private func makeTask(
        _ source: SourceConfiguration, _ connector: any Source, _ readers: [QueryConfiguration],
        _ queries: [QueryTask]
    ) -> SourceTask {
        let needed = neededColumns(source, readers)
        let columns = source.columns.filter { needed.contains($0.name) }
        let schema = Schema(columns.map { Field($0.name, $0.type) })
        var sinks: [String] = []
        for sink in readers.flatMap(\.sinks) where !sinks.contains(sink) { sinks.append(sink) }
        return SourceTask(
            source: connector,
            deserializer: JSONDeserializer(
                columns: columns.map(\.declaration), needed: columns.map(\.name),
                limits: source.decodeLimits,
                form: source.isFile || parts.isRecording ? .lines : .recognized),
            tracker: tracker(of: source, schema), queries: queries,
            rejects: parts.rejectTargets(of: source, sinks: sinks),
            messages: MessageBatch(bytesMax: 1 << 20),
            scopes: SourceTask.Scopes(
                position: storage.database.metaScope("positions", source.name, source.positionIdentity),
                clock: storage.database.metaScope("clocks", source.name, source.time?.watermarkBy ?? "")),
            engine: storage)
    }

    /// The columns that any query reads, and those that time needs.
    private func neededColumns(
        _ source: SourceConfiguration, _ readers: [QueryConfiguration]
    ) -> Set<String> {
        var needed = Set(readers.flatMap { $0.plan.root.columns(scannedOf: source.name) })
        if let time = source.time {
            needed.insert(time.column)
            if let key = time.watermarkBy { needed.insert(key) }
        }
        return needed
    }

    private func tracker(of source: SourceConfiguration, _ schema: Schema) -> WatermarkTracker {
        let time = source.time
        let options = WatermarkOptions(
            delay: time?.watermarkDelayMilliseconds ?? 0,
            maxAhead: parts.isRecording ? nil : time?.maxAheadMilliseconds,
            idleTimeout: parts.isRecording ? nil : time?.idleTimeoutMilliseconds,
            hashSeed: UInt64.random(in: 0 ... .max))
        return WatermarkTracker(
            schema: schema, timeColumn: time.flatMap { schema.index(of: $0.column) },
            watermarkBy: time?.watermarkBy.flatMap { schema.index(of: $0) }, options: options)
    }

    /// A query's share of the state cache. It follows from the configuration alone, as spilling must.
    private var stateBudgetBytes: Int {
        let windowed = configuration.queries.count { $0.plan.root.hasWindows }
        return Int(configuration.agent.stateCacheBytes) / max(1, windowed)
    }

    private func makeQuery(
        _ query: QueryConfiguration, _ tables: [String: LookupTable]
    ) throws(Failure) -> QueryTask {
        let clockKeys = query.plan.sources.compactMap { name in
            configuration.sources.first { $0.name == name }?.time?.watermarkBy
        }
        let rule = query.plan.root.clockRule(watermarkBy: clockKeys.first)
        // With operators for each key apart durable state looks otherwise.
        let clock = clockKeys.map { "watermark by \($0)\n" }.joined() + (rule == .chains ? "apart\n" : "")
        let fingerprint = Array((clock + query.plan.fingerprint).utf8)
        let id: UInt32
        switch storage.registry.resolve(name: query.name, fingerprint: fingerprint) {
        case .unchanged(let known): id = known
        case .new(let fresh): id = fresh
        case .changed(let fresh, _, let previous):
            id = fresh
            storage.commit.deleteAll(of: storage.database.stateScope(previous))
            logger.warning(
                """
                query \(query.name) has changed since the last run: windows that were open start empty; \
                rows that it has emitted are forwarded as they are
                """)
        }
        let options = QueryOptions(
            memoryBudgetBytes: stateBudgetBytes,
            watermarkBy: clockKeys.first, hashSeed: UInt64.random(in: 0 ... .max))
        return try QueryTask(
            name: query.name, plan: parts.runningPlan(of: query), options: options, scopeID: id,
            engine: storage,
            tables: tables,
            results: parts.resultTargets(of: query), lates: parts.lateTargets(of: query))
    }

    /// Queries that are no longer configured lose their windows; what they emitted is still forwarded.
    private func dropRemovedState() {
        for entry in storage.registry.removed {
            storage.commit.deleteAll(of: storage.database.stateScope(entry.id))
            storage.registry.forget(name: entry.name)
            logger.warning("query \(entry.name) is no longer configured: its open windows are dropped")
        }
    }
}

extension LogicalPlan {
    /// Whether it keeps rows or groups until time has passed: rows can then be late for it.
    var hasWindows: Bool {
        contains { node in
            switch node {
            case .windowAggregate, .ordered: true
            case .scan, .filter, .project, .unnest, .expand, .windowAssign, .lookup, .union: false
            }
        }
    }

    /// The columns that the plan reads of a source.
    func columns(scannedOf name: String) -> Set<String> {
        if case .scan(name, let schema, _) = self { return Set(schema.fields.map(\.name)) }
        return inputs.reduce(into: []) { $0.formUnion($1.columns(scannedOf: name)) }
    }
}

extension SourceConfiguration {
    var isFile: Bool {
        if case .file = input { return true }
        return false
    }

    /// What a position belongs to: another broker, session or file starts anew.
    var positionIdentity: String {
        switch input {
        case .mqtt(let mqtt): "\(mqtt.broker) \(mqtt.clientID)"
        case .file(let path): path
        }
    }
}
