// Binds one text: a query or a view. Complaints are collected, so that a wrong WHERE does not hide a
// wrong SELECT item; what could not be bound is nil from there on.

import WeirCore

/// The binding of one text.
final class BindingSession {
    let catalog: Catalog
    private let views: ViewBindings
    /// See `QuerySettings.stateTTLMilliseconds`.
    var stateTTL: Int64? { views.stateTTL }
    private(set) var diagnostics: [Diagnostic] = []

    /// The queries that WITH named, those that failed included.
    typealias CommonTables = [String: Relation?]

    init(_ catalog: Catalog, _ views: ViewBindings) {
        self.catalog = catalog
        self.views = views
    }

    func report(_ diagnostic: Diagnostic) { diagnostics.append(diagnostic) }

    /// What `body` returns, or nil after its complaint was noted.
    func attempt<Value>(_ body: () throws(Diagnostic) -> Value?) -> Value? {
        do {
            return try body()
        } catch {
            report(error)
            return nil
        }
    }

    // MARK: Queries

    func bindQuery(_ query: QuerySyntax, _ outer: CommonTables) -> Relation? {
        var tables = outer
        for table in query.with {
            let relation = bindQuery(table.query, tables).flatMap { relation in
                attempt { () throws(Diagnostic) in
                    try relation.renamed(table: table.name, columns: table.columns)
                }
            }
            tables[table.name.name] = .some(relation)
        }
        if let ordering = query.ordering { return bindOrdered(query, ordering, tables) }
        return bindBody(query.body, tables)
    }

    func bindBody(_ body: QueryBodySyntax, _ tables: CommonTables) -> Relation? {
        switch body {
        case .select(let select): return SelectBinder(self, tables).bind(select)
        case .query(let query): return bindQuery(query, tables)
        case .setOperation(let operation, let isAll, _, _):
            return bindSetOperation(operation, isAll: isAll, body, tables)
        }
    }

    // MARK: Tables

    /// `isJoined`: whether it is on the right side of a join.
    func bindTable(
        _ table: TableSyntax, _ tables: CommonTables, isJoined: Bool = false
    ) -> Relation? {
        let relation: Relation?
        switch table.kind {
        case .named(let name):
            relation = attempt { () throws(Diagnostic) in try bindNamed(name, tables) }
        case .subquery(let query):
            relation = bindQuery(query, tables)
        case .windowFunction(let function):
            relation = attempt { () throws(Diagnostic) in
                try function.bound { bindTable($0, tables) }.map { $0.relation.inWindow($0.window) }
            }
        case .unnest:
            report(
                Diagnostic(
                    table.position,
                    "UNNEST needs a table before it: FROM t CROSS JOIN UNNEST(column) AS u (element)"
                ))
            relation = nil
        case .match(let match):
            relation = bindTable(match.input, tables).flatMap { input in
                PatternBinder(self, match, input.assigningWindow()).bind()
            }
        case .join:
            var none: [ExpressionSyntax] = []
            var inside = table
            inside.alias = nil
            relation = JoinBinder(session: self, tables: tables).bind(inside, where: &none)
        }
        guard let relation else { return nil }
        return attempt { () throws(Diagnostic) in
            if let asOf = table.asOf, !isJoined {
                throw Diagnostic(
                    asOf.position,
                    "FOR SYSTEM_TIME AS OF follows the table on the right side of a JOIN")
            }
            if relation.plan.height > SQLLimits.planHeightMax {
                throw Diagnostic(
                    table.position,
                    "the query has more than \(SQLLimits.planHeightMax) steps above each other")
            }
            guard let alias = table.alias else { return relation }
            return try relation.renamed(table: alias, columns: table.columnAliases)
        }
    }

    private func bindNamed(_ name: Identifier, _ tables: CommonTables) throws(Diagnostic)
        -> Relation?
    {
        if let common = tables[name.name] {
            var relation = common
            relation?.rename(name.name)
            return relation
        }
        if let table = catalog.tables.first(where: { $0.name == name.name }) {
            return Relation(table)
        }
        if let table = catalog.lookupTables.first(where: { $0.name == name.name }) {
            return Relation(table)
        }
        if let view = catalog.views.first(where: { $0.name == name.name }) {
            var relation = try views.relation(of: view, at: name)
            relation.rename(name.name)
            return relation
        }
        let names = tables.keys.sorted() + catalog.tables.map(\.name) + catalog.views.map(\.name)
            + catalog.lookupTables.map(\.name)
        let near = nearestSpelling(of: name.name, among: names).map { "; did you mean \($0)?" }
        let listing = names.isEmpty ? "" : "; there are \(names.prefix(12).joined(separator: ", "))"
        throw Diagnostic(
            name.position, "no source, view or table is called \(name.name)\(near ?? listing)")
    }
}

extension Relation {
    /// The relation under an alias, with new column names if there are any.
    fileprivate func renamed(table: Identifier, columns names: [Identifier]) throws(Diagnostic)
        -> Relation
    {
        var result = self
        result.rename(table.name)
        if names.isEmpty { return result }
        guard names.count == columns.count else {
            throw Diagnostic(
                names[0].position,
                "\(table.name) has \(columns.count) column\(columns.count == 1 ? "" : "s"); \(names.count) are named"
            )
        }
        var seen: Set<String> = []
        for (index, name) in names.enumerated() {
            guard seen.insert(name.name).inserted else {
                throw Diagnostic(name.position, "\(name.name) is named twice")
            }
            result.columns[index].name = name.name
        }
        return result
    }
}
