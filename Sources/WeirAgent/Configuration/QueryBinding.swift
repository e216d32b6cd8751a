// The SQL of views and queries, bound to the sources of the file; what the binder complains of is moved
// to the place in the file where that piece of SQL is written.
//
// Views are bound in the order of need, each once and by itself, so that an error in a view is reported
// in the view and not again in every query that reads it. A query over something that is already known
// to be wrong is not bound: it could only complain of the same thing again.

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
    private var catalog: Catalog
    /// Tables and views that are wrong, or are built on what is.
    private var broken: Set<String> = []
    /// Names that views and queries read.
    private var read: Set<String> = []
    private var viewPlaces: [(name: String, place: TextPosition)] = []

    init(document: TOMLDocument, log: ProblemLog, sources: [BuiltSource]) {
        self.document = document
        self.log = log
        self.sources = sources
        var tables: [Catalog.Table] = []
        for source in sources {
            guard let table = source.table else { continue }
            if tables.contains(where: { $0.name == table.name }) { continue }
            tables.append(table)
            if !source.isTableSound { broken.insert(table.name) }
        }
        catalog = Catalog(tables: tables)
    }

    /// Binds all views; the right ones come back in an order in which each reads only earlier ones.
    mutating func bindViews(_ sections: [SectionValues]) -> [Catalog.View] {
        var waiting: [(view: Catalog.View, values: SectionValues)] = []
        for values in sections {
            guard let name = values[ViewFields.name] else { continue }
            viewPlaces.append((name, values.position(of: ViewFields.name)))
            if let sql = values[ViewFields.sql], !waiting.contains(where: { $0.view.name == name }) {
                waiting.append((Catalog.View(name: name, sql: sql), values))
            } else {
                broken.insert(name)
            }
        }
        while !waiting.isEmpty {
            let names = Set(waiting.map(\.view.name))
            let next = waiting.firstIndex { names.isDisjoint(with: Self.tables(of: $0.view.sql)) }
            guard let next else {
                complainOfCycle(waiting.map(\.values), names)
                return catalog.views
            }
            let (view, values) = waiting.remove(at: next)
            if bind(view.sql, values, ViewFields.sql) == nil {
                broken.insert(view.name)
            } else {
                catalog.views.append(view)
            }
        }
        return catalog.views
    }

    /// Binds one query.
    mutating func bindQuery(_ values: SectionValues) -> BoundQuery {
        let name = values[QueryFields.name]
        let sql = values[QueryFields.sql]
        let sinks = values[QueryFields.sinks] ?? []
        let plan = sql.flatMap { bind($0, values, QueryFields.sql) }
        var configuration: QueryConfiguration?
        if let name, let sql, let plan {
            configuration = QueryConfiguration(name: name, sql: sql, sinks: sinks, plan: plan)
        }
        return BoundQuery(name: name, sinks: sinks, plan: plan, configuration: configuration, values: values)
    }

    /// Warns of sources and views that nothing reads.
    func warnOfUnusedTables() {
        for source in sources {
            guard let name = source.name, !read.contains(name) else { continue }
            log.warning(source.values.position(of: SourceFields.name), "no query reads source \(quoted(name))")
        }
        for (name, place) in viewPlaces where !read.contains(name) {
            log.warning(place, "no query reads view \(quoted(name))")
        }
    }

    private mutating func bind(_ sql: String, _ values: SectionValues, _ field: Setting<String>) -> QueryPlan? {
        let tables = Self.tables(of: sql)
        read.formUnion(tables)
        guard broken.isDisjoint(with: tables), let offset = values.offset(of: field) else { return nil }
        let origin = TOMLStringOrigin(of: sql, at: offset, in: document)
        switch QueryBinder(catalog: catalog).bind(sql) {
        case .success(let plan): return plan
        case .failure(let list):
            for diagnostic in list.diagnostics {
                log.add(
                    Diagnostic(
                        origin.filePosition(of: diagnostic.position), diagnostic.message,
                        severity: diagnostic.severity))
            }
            return nil
        }
    }

    private mutating func complainOfCycle(_ views: [SectionValues], _ names: Set<String>) {
        for values in views {
            guard let name = values[ViewFields.name], let sql = values[ViewFields.sql] else { continue }
            broken.insert(name)
            let tables = Self.tables(of: sql)
            read.formUnion(tables)
            let needed = alternatives(names.intersection(tables).sorted().map { quoted($0) }, "and")
            log.error(
                values.position(of: ViewFields.sql),
                "view \(quoted(name)) reads \(needed), and by that way itself; views cannot go in a circle")
        }
    }

    /// The names that stand in a SQL text where tables stand: behind FROM, JOIN or TABLE. Some of them
    /// can be columns, as in EXTRACT(YEAR FROM ts); that only makes the order of views stricter.
    private static func tables(of sql: String) -> Set<String> {
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
                let word = String(decoding: bytes[(isQuoted ? start + 1 : start)..<index], as: UTF8.self)
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
