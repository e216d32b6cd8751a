// Statements, WITH, SELECT and what combines them.

import WeirCore

extension Parser {
    /// A query, an optional semicolon, and nothing more.
    mutating func parseStatement() throws(Diagnostic) -> QuerySyntax {
        if current.kind == .end { throw Diagnostic(current.position, "the query is empty") }
        let statements = [
            "INSERT", "CREATE", "DROP", "ALTER", "UPDATE", "DELETE", "SET", "USE", "EXPLAIN",
            "EXECUTE",
        ]
        if statements.contains(current.keyword) {
            throw Diagnostic(
                current.position,
                "a query starts with SELECT or WITH, not with \(current.keyword); sources, views and sinks are "
                    + "declared in the configuration")
        }
        let query = try parseQuery()
        _ = takeSymbol(";")
        if current.kind != .end { throw unexpected("expected the end of the query") }
        return query
    }

    mutating func parseQuery() throws(Diagnostic) -> QuerySyntax {
        try nested { (parser) throws(Diagnostic) in try parser.parseQueryInside() }
    }

    private mutating func parseQueryInside() throws(Diagnostic) -> QuerySyntax {
        let position = current.position
        let with = takeKeyword("WITH") ? try parseCommonTables() : []
        let body = try parseUnion()
        var ordering: Identifier?
        var orderBy: [OrderItemSyntax] = []
        var limit: ExpressionSyntax?
        var offset: ExpressionSyntax?
        while ["ORDER", "LIMIT", "OFFSET", "FETCH"].contains(current.keyword) {
            let keyword = take()
            ordering = ordering ?? Identifier(name: keyword.keyword, position: keyword.position)
            switch keyword.keyword {
            case "ORDER":
                try expectKeyword("BY")
                orderBy = try list { (parser) throws(Diagnostic) in try parser.parseOrderItem() }
            case "LIMIT": if !takeKeyword("ALL") { limit = try parseExpression() }
            case "OFFSET":
                offset = try parseExpression()
                _ = takeKeyword("ROWS") || takeKeyword("ROW")
            default:
                if !takeKeyword("NEXT") { try expectKeyword("FIRST") }
                limit = try parseExpression()
                if !takeKeyword("ROWS") { try expectKeyword("ROW") }
                try expectKeyword("ONLY")
            }
        }
        return QuerySyntax(
            position: position, with: with, body: body, orderBy: orderBy, ordering: ordering,
            limit: limit, offset: offset)
    }

    private mutating func parseCommonTables() throws(Diagnostic) -> [CommonTableSyntax] {
        if isKeyword("RECURSIVE"), ahead(1).kind == .word || ahead(1).kind == .quotedName {
            throw unsupported("WITH RECURSIVE")
        }
        return try list { (parser) throws(Diagnostic) in
            let name = try parser.expectName("a name for the query")
            let columns = parser.isSymbol("(") ? try parser.namesInParentheses("a column name") : []
            try parser.expectKeyword("AS")
            try parser.expectSymbol("(")
            let query = try parser.parseQuery()
            try parser.expectSymbol(")")
            return CommonTableSyntax(name: name, columns: columns, query: query)
        }
    }

    private mutating func parseUnion() throws(Diagnostic) -> QueryBodySyntax {
        var body = try parseIntersect()
        var levels = 0
        while isKeyword("UNION") || isKeyword("EXCEPT") {
            levels += 1
            try checkLevels(levels, "combined")
            let (operation, isAll) = takeSetOperation()
            body = .setOperation(operation, isAll: isAll, body, try parseIntersect())
        }
        return body
    }

    private mutating func parseIntersect() throws(Diagnostic) -> QueryBodySyntax {
        var body = try parseBodyPrimary()
        var levels = 0
        while isKeyword("INTERSECT") {
            levels += 1
            try checkLevels(levels, "combined")
            let (operation, isAll) = takeSetOperation()
            body = .setOperation(operation, isAll: isAll, body, try parseBodyPrimary())
        }
        return body
    }

    private mutating func takeSetOperation() -> (Identifier, isAll: Bool) {
        let keyword = take()
        let isAll = takeKeyword("ALL")
        if !isAll { _ = takeKeyword("DISTINCT") }
        return (Identifier(name: keyword.keyword, position: keyword.position), isAll)
    }

    private mutating func parseBodyPrimary() throws(Diagnostic) -> QueryBodySyntax {
        if takeSymbol("(") {
            let query = try parseQuery()
            try expectSymbol(")")
            return .query(query)
        }
        if isKeyword("VALUES") { throw unsupported("VALUES", "rows come from a source") }
        return .select(try parseSelect())
    }

    private mutating func parseSelect() throws(Diagnostic) -> SelectSyntax {
        let position = current.position
        try expectKeyword("SELECT")
        let distinct = isKeyword("DISTINCT") ? take().position : nil
        if distinct == nil { _ = takeKeyword("ALL") }
        let overCountBefore = overCount
        let items = try list { (parser) throws(Diagnostic) in try parser.parseSelectItem() }
        var hasOver = overCount > overCountBefore
        let from = takeKeyword("FROM") ? try parseFrom() : nil
        let filter = takeKeyword("WHERE") ? try parseExpression() : nil
        let groupBy = isKeyword("GROUP") ? try parseGroupBy() : nil
        let having = takeKeyword("HAVING") ? try parseExpression() : nil
        let windows = isKeyword("WINDOW") ? try parseWindows() : []
        let overCountBelow = overCount
        let qualify = takeKeyword("QUALIFY") ? try parseExpression() : nil
        hasOver = hasOver || overCount > overCountBelow
        if qualify != nil, isKeyword("HAVING") || isKeyword("WINDOW") {
            throw Diagnostic(current.position, "\(current.keyword) stands before QUALIFY")
        }
        return SelectSyntax(
            position: position, distinct: distinct, items: items, from: from, filter: filter,
            groupBy: groupBy,
            having: having, windows: windows, qualify: qualify, hasOver: hasOver)
    }

    /// `WINDOW name AS (…), …`.
    private mutating func parseWindows() throws(Diagnostic) -> [NamedOverSyntax] {
        take()
        return try list { (parser) throws(Diagnostic) in
            let name = try parser.expectName("a name for the window")
            try parser.expectKeyword("AS")
            return NamedOverSyntax(
                name: name, over: try parser.parseOverInParentheses(parser.current.position))
        }
    }

    private mutating func parseSelectItem() throws(Diagnostic) -> SelectItemSyntax {
        let position = current.position
        if takeSymbol("*") { return .star(qualifier: nil, position) }
        if isKeyword("FROM") || current.kind == .end {
            throw unexpected("expected a column or an expression")
        }
        if isSymbol(".", at: 1), isSymbol("*", at: 2), let table = takeName() {
            take()
            take()
            return .star(qualifier: table, position)
        }
        let expression = try parseExpression()
        if takeKeyword("AS") {
            return .expression(expression, alias: try expectName("a name for the column"))
        }
        return .expression(expression, alias: takeName())
    }

    /// `expression [ASC | DESC] [NULLS FIRST | LAST]`.
    mutating func parseOrderItem() throws(Diagnostic) -> OrderItemSyntax {
        let expression = try parseExpression()
        let isDescending = takeKeyword("DESC")
        if !isDescending { _ = takeKeyword("ASC") }
        var nullsFirst: Bool?
        if takeKeyword("NULLS") {
            nullsFirst = takeKeyword("FIRST")
            if nullsFirst == false { try expectKeyword("LAST") }
        }
        return OrderItemSyntax(
            expression: expression, isDescending: isDescending, nullsFirst: nullsFirst)
    }
}
