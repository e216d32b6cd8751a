// The SQL of views and queries, bound to the sources of the file; what the binder complains of is
// moved to the place in the file where that piece of SQL is written.
//
// What is built on something that is already known to be wrong, a column's type or another view, is
// not complained of: it could only repeat the complaint in other words.

import WeirCore
import WeirSQL

/// A query as far as it could be understood.
struct BoundQuery {
    let name: String?
    let sinks: [String]
    let plan: QueryPlan?
    /// Never nil when nothing is wrong.
    let configuration: QueryConfiguration?
    let values: SectionValues
}

/// Binds the views and queries of one file.
struct QueryBinding {
    private let document: TOMLDocument
    private let log: ProblemLog
    private let sources: [BuiltSource]
    private let tables: [BuiltTable]
    private let views: [SectionValues]
    private let catalog: Catalog
    /// What each view reads, directly and through other views.
    private let reach: [String: Set<String>]
    /// Sources and views that are wrong.
    private var broken: Set<String>

    init(
        document: TOMLDocument, log: ProblemLog, sources: [BuiltSource], tables: [BuiltTable],
        views: [SectionValues],
        macros: [SectionValues], sentimentWords: String?
    ) {
        self.document = document
        self.log = log
        self.sources = sources
        self.tables = tables
        self.views = views
        var catalog = Catalog(tables: [])
        // Of a name that is taken, which has been complained of, the first one counts.
        for table in sources.compactMap(\.table)
        where !catalog.tables.contains(where: { $0.name == table.name }) {
            catalog.tables.append(table)
        }
        catalog.lookupTables = tables.compactMap(\.table)
        for values in views {
            guard let name = values[ViewFields.name], let sql = values[ViewFields.sql] else {
                continue
            }
            let isTaken =
                catalog.tables.contains { $0.name == name }
                || catalog.views.contains { $0.name == name }
            if !isTaken { catalog.views.append(Catalog.View(name: name, sql: sql)) }
        }
        catalog.macros = macros.compactMap { values in
            guard let name = values[MacroFields.name], let sql = values[MacroFields.sql] else { return nil }
            let parameters = (values[MacroFields.parameters] ?? []).compactMap {
                try? Catalog.Macro.Parameter.parse($0).get()
            }
            return Catalog.Macro(name: name, parameters: parameters, sql: sql)
        }
        catalog.sentimentWords = sentimentWords
        self.catalog = catalog
        reach = Self.reach(of: catalog.views)
        broken = Set(sources.filter { !$0.isTableSound }.compactMap(\.name))
        broken.formUnion(tables.filter { !$0.isSound }.compactMap(\.name))
        let unreadable = views.filter { $0[ViewFields.sql] == nil }.compactMap {
            $0[ViewFields.name]
        }
        broken.formUnion(unreadable)
    }

    /// Complains of what is wrong with the views.
    mutating func bindViews(for queries: [SectionValues]) -> [Catalog.View] {
        let hasStateTTL = queries.contains { stateTTL($0) != nil }
        let errors = QueryBinder(catalog: catalog).viewErrors(hasStateTTL: hasStateTTL)
        broken.formUnion(errors.map(\.view))
        for error in errors {
            let below = reach[error.view, default: []].intersection(broken).subtracting([error.view]
            )
            // Views in a circle are below each other, and each is told.
            let isConsequence = below.contains { !(reach[$0, default: []].contains(error.view)) }
            let values = views.first { $0[ViewFields.name] == error.view }
            if let values, !isConsequence { report(error.diagnostics, values, ViewFields.sql) }
        }
        return catalog.views
    }

    /// Binds one query; after the views.
    func bindQuery(_ values: SectionValues) -> BoundQuery {
        let name = values[QueryFields.name]
        let sinks = values[QueryFields.sinks] ?? []
        var plan: QueryPlan?
        var configuration: QueryConfiguration?
        let settings = QuerySettings(
            timeZone: values[QueryFields.timeZone] ?? "UTC",
            allowedLatenessMilliseconds: values[QueryFields.allowedLateness],
            stateTTLMilliseconds: stateTTL(values))
        if let sql = values[QueryFields.sql], broken.isDisjoint(with: names(readBy: sql)) {
            switch QueryBinder(catalog: catalog).bind(sql, settings) {
            case .success(let bound):
                plan = allowingLateness(bound, values)
                checkStateTTL(bound, values)
                for warning in bound.warnings {
                    log.warning(values.position(of: QueryFields.sql), warning)
                }
            case .failure(let errors): report(errors.diagnostics, values, QueryFields.sql)
            }
            if let name, let plan {
                configuration = QueryConfiguration(
                    name: name, sql: sql, sinks: sinks, settings: settings, plan: plan)
            }
        }
        return BoundQuery(
            name: name, sinks: sinks, plan: plan, configuration: configuration, values: values)
    }

    /// The plan with what `allowed_lateness` says; nil when it does not go together with the query.
    private func allowingLateness(_ plan: QueryPlan, _ values: SectionValues) -> QueryPlan? {
        guard let lateness = values[QueryFields.allowedLateness] else { return plan }
        switch plan.allowingLateness(lateness) {
        case .success(let revising): return revising
        case .failure(let refusal):
            log.error(
                values.position(of: QueryFields.allowedLateness), "allowed_lateness: \(refusal.reason)")
            return nil
        }
    }

    /// A query's `state_ttl`; one that is wrong, and has been complained of, still bounds its joins.
    private func stateTTL(_ values: SectionValues) -> Int64? {
        values[QueryFields.stateTTL] ?? (values.isGiven(QueryFields.stateTTL) ? 1000 : nil)
    }

    /// Complains of a `state_ttl` that bounds nothing.
    private func checkStateTTL(_ plan: QueryPlan, _ values: SectionValues) {
        guard values[QueryFields.stateTTL] != nil, !plan.root.hasStateTTL else { return }
        log.error(
            values.position(of: QueryFields.stateTTL),
            "state_ttl bounds joins without a condition on time and OVER without a bound of time, and this query "
                + "has neither; leave it out")
    }

    /// Warns of sources and views that no query reads.
    func warnOfUnused(queries: [BoundQuery]) {
        let read = queries.compactMap { $0.configuration?.sql }.reduce(into: Set<String>()) {
            $0.formUnion(names(readBy: $1))
        }
        for source in sources {
            guard let name = source.name, !read.contains(name) else { continue }
            log.warning(
                source.values.position(of: SourceFields.name),
                "no query reads source \(quoted(name))")
        }
        for table in tables {
            guard let name = table.name, !read.contains(name) else { continue }
            log.warning(
                table.values.position(of: TableFields.name), "no query reads table \(quoted(name))")
        }
        for values in views {
            guard let name = values[ViewFields.name], !read.contains(name) else { continue }
            log.warning(values.position(of: ViewFields.name), "no query reads view \(quoted(name))")
        }
    }

    /// The names of the macros, which are no part of Flink's dialect.
    var macroNames: [String] { catalog.macros.map(\.name) }

    /// Complains of what Flink lacks, and warns of what it does otherwise with the same text.
    func complainOfUnportable(queries: [BoundQuery]) {
        for values in views {
            guard let sql = values[ViewFields.sql] else { continue }
            report(unportable(sql), values, ViewFields.sql)
        }
        for query in queries {
            guard let sql = query.values[QueryFields.sql], let plan = query.plan else { continue }
            report(unportable(sql), query.values, QueryFields.sql)
            for sentence in Portability.complaints(about: plan.root) {
                log.error(query.values.position(of: QueryFields.sql), sentence)
            }
        }
        for query in queries {
            guard let root = query.plan?.root else { continue }
            for lookup in root.lookups where !lookup.isVersioned {
                if let complaint = lookup.portabilityComplaint(isBelowWindows: root.hasWindows) {
                    log.error(query.values.position(of: QueryFields.sql), complaint)
                }
            }
        }
        for query in queries where query.values[QueryFields.allowedLateness] != nil {
            log.warning(
                query.values.position(of: QueryFields.allowedLateness),
                "Flink drops late rows: it corrects nothing, and has no column \(LogicalPlan.revisionColumn)")
        }
        for query in queries where query.values[QueryFields.stateTTL] != nil {
            log.warning(
                query.values.position(of: QueryFields.stateTTL), "in Flink \(FlinkNotes.stateTTLDifference)")
        }
        for source in sources {
            if source.values[SourceFields.watermarkBy] != nil {
                log.warning(
                    source.values.position(of: SourceFields.watermarkBy),
                    "Flink has one watermark a source, so that other rows are late there")
            }
            if source.values[SourceFields.maxAhead] != nil {
                log.warning(
                    source.values.position(of: SourceFields.maxAhead),
                    "Flink takes rows of any time, and one far ahead closes all windows there")
            }
        }
    }

    private func unportable(_ sql: String) -> [Diagnostic] {
        let columns = catalog.tables.flatMap { $0.schema.fields.map(\.name) }
        return Portability.complaints(about: sql, macros: macroNames, columns: Set(columns))
    }

    private func report(
        _ diagnostics: [Diagnostic], _ values: SectionValues, _ field: Setting<String>
    ) {
        guard let sql = values[field], let offset = values.offset(of: field) else { return }
        let origin = TOMLStringOrigin(of: sql, at: offset, in: document)
        for diagnostic in diagnostics {
            log.add(
                Diagnostic(
                    origin.filePosition(of: diagnostic.position), diagnostic.message,
                    severity: diagnostic.severity))
        }
    }

    /// The tables and views that a text reads, also through views.
    private func names(readBy sql: String) -> Set<String> {
        let direct = Self.tables(of: sql)
        return direct.reduce(into: direct) { $0.formUnion(reach[$1, default: []]) }
    }

    private static func reach(of views: [Catalog.View]) -> [String: Set<String>] {
        var reach: [String: Set<String>] = [:]
        for view in views { reach[view.name] = tables(of: view.sql) }
        var hasGrown = true
        while hasGrown {
            hasGrown = false
            for view in views {
                let direct = reach[view.name, default: []]
                let all = direct.reduce(into: direct) { $0.formUnion(reach[$1, default: []]) }
                if all.count > direct.count { hasGrown = true }
                reach[view.name] = all
            }
        }
        return reach
    }

    /// The names that stand in a SQL text where tables stand: behind FROM, JOIN or TABLE. Some of
    /// them can be columns, as in EXTRACT(YEAR FROM ts).
    static func tables(of sql: String) -> Set<String> {
        let bytes = Array(sql.utf8)
        var names: Set<String> = []
        var isTableNext = false
        var index = 0
        while index < bytes.count {
            let start = index
            let byte = bytes[index]
            if isIdentifierByte(byte) || byte == UInt8(ascii: "`") {
                index += 1
                while index < bytes.count, isIdentifierByte(bytes[index]) { index += 1 }
                let isQuoted = byte == UInt8(ascii: "`")
                let word = String(
                    decoding: bytes[(isQuoted ? start + 1 : start)..<index], as: UTF8.self)
                if isQuoted { index += 1 }
                if isTableNext { names.insert(word) }
                isTableNext = !isQuoted && ["FROM", "JOIN", "TABLE"].contains(word.uppercased())
                continue
            }
            if byte == UInt8(ascii: "'") {
                index += 1
                while index < bytes.count, bytes[index] != byte { index += 1 }
            } else if bytes[index...].starts(with: [UInt8(ascii: "-"), UInt8(ascii: "-")]) {
                while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
            }
            if byte > UInt8(ascii: " "), byte != UInt8(ascii: "-") { isTableNext = false }
            index += 1
        }
        return names
    }
}
