// What FROM names: tables, subqueries, window table functions, UNNEST, and joins of these.

import WeirCore

extension Parser {
    /// Tables, joined by commas or JOIN.
    mutating func parseFrom() throws(Diagnostic) -> TableSyntax {
        var table = try parseTable()
        var levels = 0
        while true {
            let position = current.position
            if takeSymbol(",") {
                table = join(.comma, position, table, try parseTable())
            } else if let kind = try takeJoin() {
                table = try parseJoin(kind, position, table)
            } else {
                return table
            }
            levels += 1
            try checkLevels(levels, "joined")
        }
    }

    private func join(
        _ kind: JoinSyntax.Kind, _ position: TextPosition, _ left: TableSyntax,
        _ right: TableSyntax,
        condition: ExpressionSyntax? = nil, using: [Identifier] = []
    ) -> TableSyntax {
        let join = JoinSyntax(
            kind: kind, position: position, left: left, right: right, condition: condition,
            using: using)
        return TableSyntax(kind: .join(join), position: left.position)
    }

    /// The kind of the join whose keywords are next, taken up to and with JOIN.
    private mutating func takeJoin() throws(Diagnostic) -> JoinSyntax.Kind? {
        let keyword = current.keyword
        switch keyword {
        case "JOIN":
            take()
            return .inner
        case "NATURAL": throw unsupported("NATURAL JOIN")
        case "INNER", "CROSS":
            take()
            try expectKeyword("JOIN")
            return keyword == "INNER" ? .inner : .cross
        case "LEFT", "RIGHT", "FULL":
            take()
            if isKeyword("SEMI") || isKeyword("ANTI") {
                throw unsupported(
                    "\(keyword) \(current.keyword) JOIN",
                    "write WHERE \(current.keyword == "ANTI" ? "NOT " : "")EXISTS (SELECT …)")
            }
            _ = takeKeyword("OUTER")
            try expectKeyword("JOIN")
            return keyword == "LEFT" ? .left : keyword == "RIGHT" ? .right : .full
        default: return nil
        }
    }

    private mutating func parseJoin(
        _ kind: JoinSyntax.Kind, _ position: TextPosition, _ left: TableSyntax
    ) throws(Diagnostic) -> TableSyntax {
        let right = try parseTable()
        if kind == .cross { return join(kind, position, left, right) }
        if takeKeyword("ON") {
            return join(kind, position, left, right, condition: try parseExpression())
        }
        if takeKeyword("USING") {
            return join(kind, position, left, right, using: try namesInParentheses("a column name"))
        }
        throw unexpected("expected ON and the condition of the \(kind.rawValue)")
    }

    private mutating func parseTable() throws(Diagnostic) -> TableSyntax {
        var table = try nested { (parser) throws(Diagnostic) in try parser.parseTablePrimary() }
        if takeKeywords("FOR", "SYSTEM_TIME") {
            try expectKeyword("AS")
            try expectKeyword("OF")
            table.asOf = try parseExpression()
        }
        if isKeyword("TABLESAMPLE") { throw unsupported("TABLESAMPLE") }
        try parseAlias(&table)
        var levels = 0
        while isKeyword("MATCH_RECOGNIZE") {
            table = try parseMatch(table)
            try parseAlias(&table)
            levels += 1
            try checkLevels(levels, "matched")
        }
        return table
    }

    /// `[AS] name [(columns)]`, if it is there.
    private mutating func parseAlias(_ table: inout TableSyntax) throws(Diagnostic) {
        let hasAs = takeKeyword("AS")
        table.alias = hasAs ? try expectName("a name for the table") : takeName() ?? table.alias
        if table.alias != nil, isSymbol("(") {
            table.columnAliases = try namesInParentheses("a column name")
        }
    }

    private mutating func parseTablePrimary() throws(Diagnostic) -> TableSyntax {
        let position = current.position
        switch current.keyword {
        case "TABLE":
            take()
            try expectSymbol("(")
            let function = try parseWindowFunction()
            try expectSymbol(")")
            return TableSyntax(kind: .windowFunction(function), position: position)
        case "LATERAL":
            throw unsupported(
                "LATERAL", "arrays are unfolded by CROSS JOIN UNNEST(column) AS t (element)")
        case "UNNEST":
            take()
            try expectSymbol("(")
            let array = try parseExpression()
            if isSymbol(",") {
                throw unsupported("UNNEST of several arrays", "use one CROSS JOIN UNNEST an array")
            }
            try expectSymbol(")")
            let hasOrdinality = takeKeywords("WITH", "ORDINALITY")
            return TableSyntax(
                kind: .unnest(array, hasOrdinality: hasOrdinality), position: position)
        default: break
        }
        if isSymbol("(") { return try parseTableInParentheses() }
        let name = try expectName("a table")
        if isSymbol("(") {
            throw Diagnostic(
                position, "a table function is called inside TABLE( ): FROM TABLE(\(name.name)(…))")
        }
        if isSymbol(".") {
            throw Diagnostic(
                current.position,
                "a table has a name of one part here; there are no catalogs or databases")
        }
        return TableSyntax(kind: .named(name), position: position)
    }

    private mutating func parseTableInParentheses() throws(Diagnostic) -> TableSyntax {
        let position = current.position
        let isQuery = startsQueryInParentheses()
        take()
        if isQuery {
            let query = try parseQuery()
            try expectSymbol(")")
            return TableSyntax(kind: .subquery(query), position: position)
        }
        let table = try parseFrom()
        try expectSymbol(")")
        return table
    }

    // MARK: Window table functions

    private mutating func parseWindowFunction() throws(Diagnostic) -> WindowFunctionSyntax {
        let name = try expectName("a window function such as TUMBLE")
        try expectSymbol("(")
        let arguments = try list { (parser) throws(Diagnostic) in try parser.parseWindowArgument() }
        try expectSymbol(")")
        return WindowFunctionSyntax(name: name, arguments: arguments)
    }

    private mutating func parseWindowArgument() throws(Diagnostic) -> WindowFunctionSyntax.Argument
    {
        let position = current.position
        var name: Identifier?
        // Named arguments may be keywords (OFFSET), so they are told by the arrow.
        if isSymbol("=>", at: 1), current.kind == .word || current.kind == .quotedName {
            name = Identifier(name: take().text.uppercased(), position: position)
            take()
        }
        return WindowFunctionSyntax.Argument(
            name: name, value: try parseWindowArgumentValue(), position: position)
    }

    private mutating func parseWindowArgumentValue() throws(Diagnostic)
        -> WindowFunctionSyntax.Argument.Value
    {
        if takeKeyword("TABLE") {
            let hasParenthesis = takeSymbol("(")
            let name = try expectName("a table")
            if hasParenthesis { try expectSymbol(")") }
            let table = TableSyntax(kind: .named(name), position: name.position)
            return .table(table, partitionBy: try parsePartitionBy())
        }
        if startsQueryInParentheses() {
            return .table(try parseTableInParentheses(), partitionBy: try parsePartitionBy())
        }
        if isKeyword("DESCRIPTOR"), isSymbol("(", at: 1) {
            take()
            return .descriptor(try namesInParentheses("the event-time column"))
        }
        return .expression(try parseExpression())
    }

    /// `PARTITION BY a, b` or `PARTITION BY (a, b)`; empty when there is none.
    private mutating func parsePartitionBy() throws(Diagnostic) -> [ExpressionSyntax] {
        guard takeKeywords("PARTITION", "BY") else { return [] }
        var keys = [try parseExpression()]
        // The comma before the next argument of the function ends the list.
        while isSymbol(","), ahead(1).keyword != "DESCRIPTOR", !isSymbol("=>", at: 2) {
            take()
            keys.append(try parseExpression())
        }
        return keys
    }
}
