// One SELECT over its FROM: the filter goes below everything, then either a projection, or an
// aggregate with HAVING and the final projection above it.

import WeirCore

/// Binds one SELECT.
struct SelectBinder {
    private let session: BindingSession
    private let tables: BindingSession.CommonTables

    init(_ session: BindingSession, _ tables: BindingSession.CommonTables) {
        self.session = session
        self.tables = tables
    }

    func bind(_ select: SelectSyntax) -> Relation? {
        guard let relation = bindAll(select) else { return nil }
        guard let distinct = select.distinct else { return relation }
        return session.attempt { () throws(Diagnostic) in
            try relation.distinct("SELECT DISTINCT", at: distinct)
        }
    }

    /// The SELECT as if it were SELECT ALL.
    private func bindAll(_ select: SelectSyntax) -> Relation? {
        guard let from = select.from else {
            session.report(
                Diagnostic(
                    select.position, "the query has no FROM; it must read a source or a view"))
            return nil
        }
        guard var relation = bindRows(of: select, from) else { return nil }
        let formerTime = relation.window?.timeColumn
        if let groupBy = select.groupBy {
            // GROUP BY TUMBLE(…) makes windows of its own.
            if groupBy.namesWindow { relation = relation.assigningWindow() }
            return GroupedSelectBinder(session, relation, select, groupBy).bind()
        }
        // OVER takes rows that are in their windows.
        if select.hasOver { relation = relation.assigningWindow() }
        let time = select.hasOver ? relation.exposeOrderTime() : nil
        let scope = Scope(relation, aliases: select.aliases)
        if let having = select.having {
            session.report(Diagnostic(having.start, unboundedAdvice("HAVING")))
        }
        var binder = ExpressionBinder(scope, .select)
        binder.overs = OverCalls(
            select.windows, over: relation, time: time, timeName: relation.timeAttribute?.name,
            formerTime: select.hasOver ? formerTime : nil, stateTTL: session.stateTTL)
        guard let output = bindItems(select, relation, scope, &binder, session) else { return nil }
        let qualify = bindQualify(select, output, &binder, session)
        if select.qualify != nil, qualify == nil { return nil }
        return relation.projecting(output, over: binder.overs, keeping: qualify)
    }

    /// FROM and WHERE: joins take what they can use of the condition, tests by subqueries come last.
    private func bindRows(of select: SelectSyntax, _ from: TableSyntax) -> Relation? {
        let all = select.filter?.conjuncts ?? []
        let tests = all.compactMap(\.subqueryTest)
        var conditions = all.filter { $0.subqueryTest == nil }
        guard var relation = JoinBinder(session: session, tables: tables)
            .bind(from, where: &conditions)
        else { return nil }
        if let table = relation.lookupTable?.name {
            session.report(
                Diagnostic(
                    from.position,
                    "the table \(table) has no events of its own; join a source with it: "
                        + "FROM s JOIN \(table) FOR SYSTEM_TIME AS OF s.ts ON …"))
            return nil
        }
        // As written, where nothing was taken out of it: a complaint then names the operator.
        if let filter = select.filter, conditions.count == all.count { conditions = [filter] }
        let scope = Scope(relation, aliases: select.aliases)
        for condition in conditions {
            var binder = ExpressionBinder(scope, .filter)
            let bound = session.attempt { () throws(Diagnostic) in
                try binder.bindCondition(condition, "WHERE")
            }
            if let bound { relation.filter(bound) }
        }
        let subqueries = SubqueryBinder(session: session, tables: tables)
        for test in tests {
            guard let passed = subqueries.bind(test, over: relation) else { return nil }
            relation = passed
        }
        return relation
    }
}

/// The columns of the SELECT list over the input, or nil if one of them is wrong. Checks their names,
/// and, where there are groups, that nothing ungrouped is read.
func bindItems(
    _ select: SelectSyntax, _ relation: Relation, _ scope: Scope, _ binder: inout ExpressionBinder,
    _ session: BindingSession
) -> [OutputColumn]? {
    var output: [OutputColumn] = []
    var positions: [TextPosition] = []
    var isComplete = true
    for (index, item) in select.items.enumerated() {
        binder.forgetUngrouped()
        do {
            for column in try bindItem(item, index, relation, scope, &binder) {
                output.append(column)
                positions.append(item.position)
            }
        } catch {
            session.report(error)
            isComplete = false
        }
        if !binder.ungrouped.isEmpty { isComplete = false }
        session.report(ungrouped: binder.ungrouped)
    }
    if output.count > SQLLimits.outputColumnsMax {
        session.report(
            Diagnostic(
                select.position,
                "a SELECT list has at most \(SQLLimits.outputColumnsMax) columns; this has \(output.count)"
            ))
        return nil
    }
    var seen: Set<String> = []
    for (column, position) in zip(output, positions) where !seen.insert(column.name).inserted {
        session.report(
            Diagnostic(
                position, "two columns of the result are called \(column.name); name one with AS"))
        isComplete = false
    }
    return isComplete ? output : nil
}

extension BindingSession {
    /// Complains about columns read that the groups do not have, once a place.
    func report(ungrouped columns: [Identifier]) {
        for (position, columns) in Dictionary(grouping: columns, by: \.position) {
            let names = columns.map(\.name).joined(separator: ", ")
            report(
                Diagnostic(
                    position,
                    "\(columns.count == 1 ? "column" : "the columns") \(names) "
                        + "must appear in GROUP BY or inside an aggregate"
                ))
        }
    }
}

private func bindItem(
    _ item: SelectItemSyntax, _ index: Int, _ relation: Relation, _ scope: Scope,
    _ binder: inout ExpressionBinder
) throws(Diagnostic) -> [OutputColumn] {
    switch item {
    case .star(let qualifier, let position):
        let columns = try qualifier.map { (table) throws(Diagnostic) in try scope.columns(of: table)
        }
        return (columns ?? relation.columns).map { column in
            OutputColumn(
                name: column.name, expression: binder.read(column, at: position),
                isTimeAttribute: column.isTimeAttribute, windowColumn: column.windowColumn)
        }
    case .expression(let expression, let alias):
        let bound = try binder.bind(expression)
        if bound.type == .null {
            throw Diagnostic(expression.start, "NULL has no type here; write CAST(NULL AS …)")
        }
        var column: ScopeColumn?
        var field: Identifier?
        if case .name(let parts) = expression.kind {
            // A field of a row gives the result its own name.
            if try scope.columnNameLength(parts) < parts.count {
                field = parts.last
            } else {
                column = try scope.column(parts)
            }
        }
        let plain = bound.plainColumn.flatMap { index in
            relation.columns.first { $0.index == index }
        }
        let isWindowTime = bound.plainColumn == WindowColumn.time.rawValue
        return [
            OutputColumn(
                name: alias?.name ?? column?.name ?? field?.name ?? "EXPR$\(index)", expression: bound,
                isTimeAttribute: plain?.isTimeAttribute == true || isWindowTime,
                windowColumn: bound.plainColumn.flatMap(WindowColumn.init) ?? plain?.windowColumn)
        ]
    }
}

extension SelectItemSyntax {
    fileprivate var position: TextPosition {
        switch self {
        case .star(_, let position): position
        case .expression(let expression, let alias): alias?.position ?? expression.start
        }
    }
}

extension SelectSyntax {
    /// The names that the SELECT list gives with AS.
    var aliases: Set<String> {
        Set(
            items.compactMap { item in
                if case .expression(_, let alias) = item { alias?.name } else { nil }
            })
    }
}
