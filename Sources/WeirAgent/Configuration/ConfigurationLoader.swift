// The way from a configuration file to a checked configuration or to everything that is wrong with
// it.
//
// Nothing stops at the first error: sections are read one by one, what is right in them is kept so
// that references to it and queries over it can be checked, and all complaints come out together,
// sorted by their place in the file.

import WeirCore
import WeirSQL

/// Reads configuration files.
public enum ConfigurationLoader {
    /// Reads and checks a file.
    ///
    /// - Parameters:
    ///   - path: the file; problems name it as it is given here.
    ///   - environment: where `${VAR}` comes from.
    ///   - resolvesSecrets: false when the secrets are not needed, as for a replay that uploads nothing:
    ///     passwords and keys are then not looked up, and are empty in the result.
    ///   - mustBePortable: whether what Flink lacks is an error.
    public static func load(
        path: String, environment: [String: String], resolvesSecrets: Bool = true,
        mustBePortable: Bool = false
    ) -> Result<AgentConfiguration, ConfigurationErrors> {
        switch readFile(path, bytesMax: TOMLDocument.sizeMax) {
        case .success(let text):
            return load(
                text: text, path: path, environment: environment, resolvesSecrets: resolvesSecrets,
                mustBePortable: mustBePortable)
        case .failure(let problem):
            let log = ProblemLog(file: path)
            log.error(TextPosition(line: 1, column: 1), "cannot read the file: \(problem.reason)")
            return .failure(ConfigurationErrors(problems: log.sorted))
        }
    }

    /// What `weir check` has to say of a file.
    ///
    /// - Parameter mustBePortable: whether what Flink lacks is an error.
    public static func check(
        path: String, environment: [String: String], mustBePortable: Bool = false
    ) -> ConfigurationReport {
        switch load(path: path, environment: environment, mustBePortable: mustBePortable) {
        case .success(let configuration): ConfigurationReport(problems: configuration.warnings)
        case .failure(let errors): ConfigurationReport(problems: errors.problems)
        }
    }

    /// As `load(path:)`, of a text already read.
    static func load(
        text: [UInt8], path: String, environment: [String: String], resolvesSecrets: Bool = true,
        mustBePortable: Bool = false
    ) -> Result<AgentConfiguration, ConfigurationErrors> {
        let log = ProblemLog(file: path)
        switch TOMLDocument.parse(text) {
        case .failure(let diagnostic):
            log.add(diagnostic)
            return .failure(ConfigurationErrors(problems: log.sorted))
        case .success(let document):
            let reader = SectionReader(
                document: document, resolver: ReferenceResolver(environment: environment),
                resolvesSecrets: resolvesSecrets, log: log)
            let assembly = Assembly(
                path: path, reader: reader, log: log, mustBePortable: mustBePortable)
            return assembly.assemble()
        }
    }
}

/// The sections of one file on their way to a configuration.
private struct Assembly {
    let path: String
    let reader: SectionReader
    let log: ProblemLog
    let mustBePortable: Bool

    private static let sections = [
        AgentFields.section, SourceFields.section, TableFields.section, ViewFields.section, MacroFields.section,
        QueryFields.section, SinkFields.section, UplinkFields.section,
    ]

    func assemble() -> Result<AgentConfiguration, ConfigurationErrors> {
        let sections = readSections()
        let agentValues = sections["agent"]?.first
        let agent = agentValues.flatMap(agentSettings)
        let sourceBuilder = SourceBuilder(
            reader: reader, log: log, agentID: agentValues?[AgentFields.id] ?? "")
        let sources = sections["source", default: []].map(sourceBuilder.build)
        let sinkBuilder = SinkBuilder(
            log: log, timeZone: agent?.timeZone ?? .utc, agentID: agentValues?[AgentFields.id] ?? "")
        let sinks = sections["sink", default: []].map(sinkBuilder.build)
        let uplinkBuilder = UplinkBuilder(log: log, timeZone: agent?.timeZone ?? .utc)
        let uplink = sections["uplink"]?.first.flatMap(uplinkBuilder.build)
        uplinkBuilder.warn(of: sinks, hasUplink: sections["uplink"] != nil)
        let tables = sections["table", default: []].map(TableBuilder(reader: reader, log: log).build)
        let views = sections["view", default: []]
        let queries = sections["query", default: []]
        checkNames(sources: sources, tables: tables, views: views, queries: queries, sinks: sinks)
        checkSessions(
            sources.map { ("source", $0.name, $0.session, $0.values.position(of: SourceFields.clientID)) }
                + sinks.map {
                    ("sink", $0.name, sinkBuilder.session($0.values), $0.values.position(of: SinkFields.clientID))
                })
        var binding = QueryBinding(
            document: reader.document, log: log, sources: sources, tables: tables, views: views,
            macros: sections["macro", default: []],
            sentimentWords: agentValues.flatMap(sentimentWords))
        let boundViews = binding.bindViews(for: queries)
        let boundQueries = queries.map { binding.bindQuery($0) }
        let links = SinkLinks(log: log, sinks: sinks, sources: sources)
        links.check(queries: boundQueries)
        let rowLinks = RowSinkLinks(log: log, sinks: sinks)
        rowLinks.check(boundQueries)
        MarkerCheck(log: log, sinks: sinks, sources: sources).check(queries: boundQueries)
        if mustBePortable { binding.complainOfUnportable(queries: boundQueries) }
        guard log.errorCount == 0 else {
            return .failure(ConfigurationErrors(problems: log.sorted))
        }
        // With errors about, what seems unused may only be misspelt.
        links.warnOfUnused(queries: boundQueries)
        rowLinks.warnOfLateRows(boundQueries)
        binding.warnOfUnused(queries: boundQueries)
        guard let agent, let sourceConfigurations = all(sources.map(\.configuration)),
            let tableConfigurations = all(tables.map(\.configuration)),
            let sinkConfigurations = all(sinks.map(\.configuration)),
            let queryConfigurations = all(boundQueries.map(\.configuration))
        else { preconditionFailure("a section that could not be built has been complained of") }
        let order = ["agent", "source", "table", "view", "macro", "query", "sink", "uplink"]
        return .success(
            AgentConfiguration(
                path: path, agent: agent, sources: sourceConfigurations, tables: tableConfigurations,
                views: boundViews,
                queries: queryConfigurations, sinks: sinkConfigurations, uplink: uplink,
                macroNames: binding.macroNames, warnings: log.sorted,
                redactedDescription: RedactedText.of(order.flatMap { sections[$0, default: []] })))
    }

    private func all<Element>(_ elements: [Element?]) -> [Element]? {
        let present = elements.compactMap { $0 }
        return present.count == elements.count ? present : nil
    }

    // MARK: Sections

    private func readSections() -> [String: [SectionValues]] {
        guard case .table(let entries) = reader.document.root.value else { return [:] }
        var sections: [String: [SectionValues]] = [:]
        for entry in entries {
            guard let declaration = Self.sections.first(where: { $0.name == entry.key }) else {
                complainOfUnknown(entry)
                continue
            }
            sections[entry.key] = read(entry, as: declaration)
        }
        for name in ["agent", "source", "query"] where sections[name, default: []].isEmpty {
            let header = Self.sections.first { $0.name == name }?.header ?? name
            log.error(TextPosition(line: 1, column: 1), "there is no \(header) section")
        }
        return sections
    }

    private func read(_ entry: TOMLNode.Entry, as declaration: SectionDeclaration)
        -> [SectionValues]
    {
        let place = reader.position(entry.node.offset)
        switch (entry.node.value, declaration.isList) {
        case (.table, false): return [reader.read(declaration, entry.node)]
        case (.array(let elements), true):
            return elements.compactMap { element in
                if case .table = element.value { return reader.read(declaration, element) }
                log.error(
                    reader.position(element.offset),
                    "\(declaration.name) must be a table, written \(declaration.header)")
                return nil
            }
        case (.table, true):
            log.error(place, "write \(declaration.header): there can be more than one")
            return [reader.read(declaration, entry.node)]
        case (.array(let elements), false) where !elements.isEmpty:
            log.error(place, "write \(declaration.header): there can be only one")
            return elements.prefix(1).map { reader.read(declaration, $0) }
        default:
            log.error(place, "\(declaration.name) must be a table, written \(declaration.header)")
            return []
        }
    }

    private func complainOfUnknown(_ entry: TOMLNode.Entry) {
        let names = Self.sections.map(\.name)
        let near = nearestSpelling(of: entry.key, among: names)
        let headers = Self.sections.map(\.header)
        let hint =
            near.flatMap { name in Self.sections.first { $0.name == name } }.map {
                "; did you mean \($0.header)?"
            }
            ?? "; there are \(alternatives(headers, "and"))"
        let isSection: Bool =
            switch entry.node.value {
            case .table, .array: true
            default: false
            }
        let what = isSection ? "section" : "key outside of all sections"
        log.error(reader.position(entry.keyOffset), "unknown \(what) \(quoted(entry.key))\(hint)")
    }

    private func agentSettings(_ values: SectionValues) -> AgentSettings? {
        if let cache = values[AgentFields.stateCache], let limit = values[AgentFields.memoryLimit],
            cache > limit
        {
            let isCacheGiven = values.isGiven(AgentFields.stateCache)
            log.error(
                values.position(
                    of: isCacheGiven ? AgentFields.stateCache : AgentFields.memoryLimit),
                "state_cache (\(Quantity.text(bytes: cache))) must not exceed "
                    + "memory_limit (\(Quantity.text(bytes: limit)))")
        }
        guard let id = values[AgentFields.id],
            let stateDirectory = values[AgentFields.stateDirectory],
            let commitInterval = values[AgentFields.commitInterval],
            let memoryLimit = values[AgentFields.memoryLimit],
            let stateCache = values[AgentFields.stateCache],
            let reserve = values[AgentFields.freeSpaceReserve], let http = values[AgentFields.http],
            case .success(let address) = ListenAddress.parse(http),
            let logLevel = values[AgentFields.logLevel],
            let zoneName = values[AgentFields.timeZone],
            let zone = try? TimeZoneRules(identifier: zoneName)
        else { return nil }
        if let address, !address.isLoopback {
            log.warning(
                values.position(of: AgentFields.http),
                "http = \(quoted(http)) answers other machines too, without a password")
        }
        return AgentSettings(
            id: id, stateDirectory: stateDirectory, commitIntervalMilliseconds: commitInterval,
            memoryLimitBytes: memoryLimit, stateCacheBytes: stateCache,
            freeSpaceReserveBytes: reserve,
            http: address, logLevel: logLevel, timeZone: zone)
    }

    /// The word list of SENTIMENT; nil for the one that is built in.
    private func sentimentWords(_ values: SectionValues) -> String? {
        guard let path = values[AgentFields.sentimentWords] else { return nil }
        let place = values.position(of: AgentFields.sentimentWords)
        switch readFile(path, bytesMax: 1 << 20) {
        case .failure(let problem):
            log.error(place, "sentiment_words: cannot read \(path): \(problem.reason)")
            return nil
        case .success(let bytes):
            let words = String(decoding: bytes, as: UTF8.self)
            guard let problem = SentimentList.problem(in: words) else { return words }
            log.error(place, "sentiment_words: \(path):\(problem.line): \(problem.message)")
            return nil
        }
    }

    // MARK: Agreement between sections

    private func checkNames(
        sources: [BuiltSource], tables: [BuiltTable], views: [SectionValues], queries: [SectionValues],
        sinks: [BuiltSink]
    ) {
        let named =
            sources.map { ($0.name, $0.values.position(of: SourceFields.name), "source") }
            + views.map { ($0[ViewFields.name], $0.position(of: ViewFields.name), "view") }
        checkUnique(
            named + tables.map { ($0.name, $0.values.position(of: TableFields.name), "table") })
        checkUnique(
            queries.map { ($0[QueryFields.name], $0.position(of: QueryFields.name), "query") })
        checkUnique(sinks.map { ($0.name, $0.values.position(of: SinkFields.name), "sink") })
    }

    private func checkUnique(_ named: [(name: String?, place: TextPosition, kind: String)]) {
        var first: [String: (place: TextPosition, kind: String)] = [:]
        for entry in named.sorted(by: { $0.place < $1.place }) {
            guard let name = entry.name else { continue }
            if let earlier = first[name] {
                log.error(
                    entry.place,
                    "the name \(quoted(name)) is taken by the \(earlier.kind) of line \(earlier.place.line)"
                )
            } else {
                first[name] = (entry.place, entry.kind)
            }
        }
    }

    /// Two clients of one name at one broker throw each other out for ever.
    private func checkSessions(
        _ clients: [(
            kind: String, name: String?, session: (broker: BrokerAddress, clientID: String)?,
            place: TextPosition
        )]
    ) {
        for (index, client) in clients.enumerated() {
            guard let session = client.session else { continue }
            let earlier = clients[..<index].first {
                guard let other = $0.session, $0.kind != client.kind || $0.name != client.name else {
                    return false
                }
                return other.broker.address == session.broker.address
                    && other.clientID == session.clientID
            }
            guard let earlier else { continue }
            log.error(
                client.place,
                "client_id \(quoted(session.clientID)) at \(session.broker.address) is used by \(earlier.kind) "
                    + "\(quoted(earlier.name ?? "")) as well; the broker allows one connection a client id"
            )
        }
    }
}
