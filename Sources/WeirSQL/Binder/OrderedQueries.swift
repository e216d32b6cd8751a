// ORDER BY, LIMIT and OFFSET of a query. A stream can be put in order by event time, since of that is
// known when no more rows come; within one event time, and so within a window, by anything.
//
// LIMIT counts the rows of the whole result, as in Flink; of each window the first rows are taken by
// ROW_NUMBER().

import WeirCore

extension BindingSession {
    /// The query with its ORDER BY, LIMIT and OFFSET.
    func bindOrdered(
        _ query: QuerySyntax, _ ordering: Identifier, _ tables: CommonTables
    ) -> Relation? {
        let (body, places) = bodyWithKeys(query)
        guard let relation = bindBody(body, tables) else { return nil }
        return attempt { () throws(Diagnostic) in
            try order(relation.assigningWindow(), query, places, ordering)
        }
    }

    /// What a key of ORDER BY is in the result.
    private enum KeyPlace {
        /// A column by name.
        case named(Identifier)
        /// A column counted from 1.
        case number(Int)
        /// A column that was added behind the visible ones.
        case added
    }

    /// The body with what ORDER BY computes behind the SELECT list.
    private func bodyWithKeys(_ query: QuerySyntax) -> (QueryBodySyntax, [KeyPlace]) {
        var added: [SelectItemSyntax] = []
        var select: SelectSyntax?
        if case .select(let body) = query.body { select = body }
        let names = select.map(Self.outputNames) ?? []
        let places = query.orderBy.map { item -> KeyPlace in
            if case .name(let parts) = item.expression.kind, parts.count == 1,
                select == nil || names.contains(parts[0].name)
            {
                return .named(parts[0])
            }
            if case .number(let text) = item.expression.kind, let number = Int(text) {
                return .number(number)
            }
            let name = Identifier(name: "$order\(added.count)", position: item.expression.start)
            added.append(.expression(item.expression, alias: name))
            return .added
        }
        guard var select, !added.isEmpty, select.distinct == nil else { return (query.body, places) }
        select.items += added
        return (.select(select), places)
    }

    /// The names that the SELECT list gives, but for those of a star.
    private static func outputNames(_ select: SelectSyntax) -> Set<String> {
        select.aliases.union(
            select.items.compactMap { item in
                guard case .expression(let expression, nil) = item,
                    case .name(let parts) = expression.kind
                else { return nil }
                return parts.last?.name
            })
    }

    private func order(
        _ relation: Relation, _ query: QuerySyntax, _ places: [KeyPlace], _ ordering: Identifier
    ) throws(Diagnostic) -> Relation {
        guard let first = query.orderBy.first else {
            throw Diagnostic(
                ordering.position,
                "\(ordering.name) without ORDER BY would take whichever rows come first; "
                    + "begin with ORDER BY the event-time column")
        }
        let addedCount = places.count { if case .added = $0 { true } else { false } }
        let visible = relation.columns.count - addedCount
        var nextAdded = visible
        var keys: [(column: ScopeColumn, item: OrderItemSyntax)] = []
        for (place, item) in zip(places, query.orderBy) {
            let column = try self.column(
                place, of: relation, visible: visible, &nextAdded, at: item.expression.start)
            guard column.type.isScalar, column.type != .null else {
                throw Diagnostic(item.expression.start, "\(column.type) has no order")
            }
            keys.append((column, item))
        }
        var result = relation
        let time = result.exposeOrderTime()
        let isByTime = time.map { leadsByTime(keys[0].column, $0, relation) } ?? false
        guard let time, isByTime, !first.isDescending else {
            throw refusal(first, relation, isByTime: isByTime)
        }
        let spec = SortSpec(
            time: time,
            order: keys.dropFirst().map { key in
                OrderKey(
                    key.column.expression, isDescending: key.item.isDescending,
                    areNullsFirst: key.item.nullsFirst)
            },
            offset: try count(query.offset, "OFFSET") ?? 0, limit: try count(query.limit, "LIMIT"),
            isLedByTimeAttribute: keys[0].column.isTimeAttribute)
        result.plan = result.plan.sorted(by: spec)
        result.columns.removeLast(addedCount)
        return result
    }

    private func column(
        _ place: KeyPlace, of relation: Relation, visible: Int, _ nextAdded: inout Int,
        at position: TextPosition
    ) throws(Diagnostic) -> ScopeColumn {
        switch place {
        case .named(let name): return try Scope(relation).column([name])
        case .number(let number):
            guard 1...visible ~= number else {
                throw Diagnostic(position, "the result has columns 1 to \(visible)")
            }
            return relation.columns[number - 1]
        case .added:
            defer { nextAdded += 1 }
            guard nextAdded < relation.columns.count else {
                throw Diagnostic(position, "ORDER BY names columns of the result here")
            }
            return relation.columns[nextAdded]
        }
    }

    /// Whether an order by `column` is one by event time.
    private func leadsByTime(_ column: ScopeColumn, _ time: Int, _ relation: Relation) -> Bool {
        if column.isTimeAttribute || column.index == time { return true }
        // The time of rows in windows is the window's end less 1 ms.
        return column.windowColumn == .end || column.windowColumn == .time
    }

    private func refusal(
        _ item: OrderItemSyntax, _ relation: Relation, isByTime: Bool
    ) -> Diagnostic {
        let name = relation.timeAttribute?.name
        if isByTime {
            return Diagnostic(
                item.expression.start,
                "a stream comes in the order of time, which cannot be turned round; drop DESC")
        }
        return Diagnostic(
            item.expression.start,
            "ORDER BY begins with the event-time column\(name.map { " \($0)" } ?? ""), so that rows can "
                + "be handed on as time goes by; the first rows of each window are taken by ROW_NUMBER() "
                + "OVER (PARTITION BY window_start, window_end ORDER BY …)")
    }

    private func count(_ expression: ExpressionSyntax?, _ what: String) throws(Diagnostic) -> Int64? {
        guard let expression else { return nil }
        guard case .number(let text) = expression.kind, let number = Int64(text), number >= 0 else {
            throw Diagnostic(expression.start, "\(what) takes a whole number")
        }
        return number
    }
}

extension LogicalPlan {
    /// The rows in an order; put in order below a projection, so that what only the order is computed
    /// from does not become a column.
    fileprivate func sorted(by spec: SortSpec) -> LogicalPlan {
        if case .project(let input, let expressions, let schema) = self,
            let time = expressions[spec.time].plainColumn
        {
            let keys = spec.order.map { key in
                OrderKey(
                    key.expression.replacingColumns { expressions[$0] },
                    isDescending: key.isDescending, areNullsFirst: key.areNullsFirst)
            }
            let below = SortSpec(
                time: time, order: keys, offset: spec.offset, limit: spec.limit,
                isLedByTimeAttribute: spec.isLedByTimeAttribute)
            return input.sorted(by: below).projected(expressions, schema)
        }
        return .ordered(.orderBy(spec), inputs: [self], schema: schema)
    }
}
