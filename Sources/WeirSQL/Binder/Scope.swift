// Resolves names to the columns of a relation, and says what was probably meant when there is none.

import WeirCore

/// The columns that the expressions of one SELECT can name.
struct Scope {
    private let columns: [ScopeColumn]
    private let byName: [String: [Int]]
    private let tableName: String?
    private let hasWindow: Bool
    private let timeAttribute: String?
    /// The aliases of the SELECT list, which its other clauses cannot see.
    private let aliases: Set<String>
    /// The columns of the query around this one, for names that mean nothing here; one at most.
    private let around: [Scope]

    init(_ relation: Relation, aliases: Set<String> = [], around: Scope? = nil) {
        self.around = around.map { [$0] } ?? []
        columns = relation.columns
        byName = Dictionary(grouping: relation.columns.indices) { relation.columns[$0].name }
        tableName = relation.tableName
        hasWindow = relation.window != nil || relation.isWindowed || relation.isAggregated
        timeAttribute = relation.timeAttribute?.name
        self.aliases = aliases
    }

    /// The column that `name` (`x` or `t.x`) means.
    func column(_ name: [Identifier]) throws(Diagnostic) -> ScopeColumn {
        guard let last = name.last, name.count <= 2 else {
            throw Diagnostic(
                name.first?.position ?? TextPosition(line: 1, column: 1),
                "a column is written column or table.column; fields inside columns are read by a `path` in the "
                    + "configuration")
        }
        let table = name.count == 2 ? name[0] : nil
        let isKnown = byName[last.name]?.contains { table == nil || columns[$0].table == table?.name }
        if isKnown != true, let outer = around.first { return try outer.column(name) }
        if let table { try checkTable(table) }
        let matches = (byName[last.name] ?? []).filter {
            table == nil || columns[$0].table == table?.name
        }
        if matches.count > 1 {
            let tables = matches.compactMap { columns[$0].table.map { "\($0).\(last.name)" } }
            throw Diagnostic(
                last.position,
                "\(last.name) is ambiguous"
                    + (tables.isEmpty ? "" : "; write \(tables.joined(separator: " or "))"))
        }
        guard let match = matches.first else { throw missing(last, in: table) }
        return columns[match]
    }

    /// How many of the names `x.y.z` are the column's: two where the first is a table's, else one.
    func columnNameLength(_ names: [Identifier]) throws(Diagnostic) -> Int {
        guard names.count > 1, byName[names[0].name] != nil else { return min(names.count, 2) }
        if columns.contains(where: { $0.table == names[0].name && $0.name == names[1].name }) {
            return 2
        }
        let named = try column([names[0]])
        if case .row = named.type { return 1 }
        return 2
    }

    /// The columns that `table.*` stands for.
    func columns(of table: Identifier) throws(Diagnostic) -> [ScopeColumn] {
        try checkTable(table)
        return columns.filter { $0.table == table.name }
    }

    /// The column that `name` means, which must be the one that windows are formed over. `call` is how the
    /// place that needs it is written: `DESCRIPTOR` or `TUMBLE`.
    func timeColumn(_ name: [Identifier], for call: String) throws(Diagnostic) -> ScopeColumn {
        let column = try column(name)
        let position = name[0].position
        if column.isTimeAttribute { return column }
        let shown = "\(call)(\(column.name))"
        let owner = tableName.map { " of \($0)" } ?? ""
        if let timeAttribute {
            throw Diagnostic(
                position, "\(shown): not the event-time column\(owner); it is \(timeAttribute)")
        }
        throw Diagnostic(
            position,
            "\(shown): no event-time column\(owner) is known; a source names it under [source.time], and views "
                + "and subqueries must pass it on unchanged")
    }

    private func checkTable(_ table: Identifier) throws(Diagnostic) {
        if columns.contains(where: { $0.table == table.name }) { return }
        if byName[table.name] != nil {
            throw Diagnostic(
                table.position,
                "\(table.name) is a column, not a table; "
                    + "fields inside columns are read by a `path` in the configuration"
            )
        }
        let tables = Set(columns.compactMap(\.table)).sorted()
        throw Diagnostic(
            table.position,
            "no table in FROM is called \(table.name)"
                + (suggestion(table.name, tables) ?? listing("; there is ", tables))
        )
    }

    private func missing(_ name: Identifier, in table: Identifier?) -> Diagnostic {
        let owner = table?.name ?? tableName
        let head =
            owner.map { "\($0) has no column \(name.name)" } ?? "no column is called \(name.name)"
        let candidates = columns.filter { table == nil || $0.table == table?.name }.map(\.name)
        if let near = suggestion(name.name, candidates) {
            return Diagnostic(name.position, head + near)
        }
        if aliases.contains(name.name) {
            return Diagnostic(
                name.position,
                "\(name.name) is a name of the SELECT list, which only the result has; repeat its expression here"
            )
        }
        let isWindow = WindowColumn.allCases.contains { $0.name == name.name }
        if isWindow, !hasWindow {
            return Diagnostic(
                name.position,
                "\(name.name) exists behind a window only: "
                    + "FROM TABLE(TUMBLE(TABLE …, DESCRIPTOR(…), INTERVAL …))"
            )
        }
        return Diagnostic(name.position, head + listing("; there are ", candidates))
    }

    private func suggestion(_ name: String, _ candidates: [String]) -> String? {
        nearestSpelling(of: name, among: candidates).map { "; did you mean \($0)?" }
    }

    private func listing(_ head: String, _ names: [String]) -> String {
        if names.isEmpty { return "" }
        let shown = names.prefix(12).joined(separator: ", ")
        return head + shown + (names.count > 12 ? ", …" : "")
    }
}
