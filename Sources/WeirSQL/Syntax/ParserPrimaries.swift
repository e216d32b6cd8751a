// What expressions are made of: literals, names, CASE, CAST, parentheses. Calls are in ParserCalls.

import WeirCore

extension Parser {
    /// An expression without operators outside of parentheses.
    mutating func parsePrimary() throws(Diagnostic) -> ExpressionSyntax {
        let token = current
        switch token.kind {
        case .number:
            take()
            return try ExpressionSyntax(.number(token.text), at: token.position)
        case .string:
            take()
            return try ExpressionSyntax(.string(token.text), at: token.position)
        case .symbol where token.text == "(": return try parseParenthesis()
        case .quotedName: return try parseNameOrCall()
        case .word: return try parseWord()
        case .symbol, .end: throw unexpected("expected an expression")
        }
    }

    private mutating func parseParenthesis() throws(Diagnostic) -> ExpressionSyntax {
        let position = current.position
        let isQuery = startsQueryInParentheses() && ["SELECT", "WITH"].contains(ahead(1).keyword)
        take()
        if isQuery {
            let query = try parseQuery()
            try expectSymbol(")")
            return try ExpressionSyntax(.scalarQuery(query), at: position)
        }
        let expression = try parseExpression()
        if isSymbol(",") { return try parseRow(from: expression, at: position) }
        try expectSymbol(")")
        return expression
    }

    /// The rest of `(first, …)`.
    private mutating func parseRow(
        from first: ExpressionSyntax, at position: TextPosition
    ) throws(Diagnostic) -> ExpressionSyntax {
        var members = [first]
        while takeSymbol(",") { members.append(try parseExpression()) }
        try expectSymbol(")")
        return try ExpressionSyntax(.row(members), at: position, over: members)
    }

    private mutating func parseWord() throws(Diagnostic) -> ExpressionSyntax {
        let token = current
        switch token.keyword {
        case "NULL", "TRUE", "FALSE":
            take()
            let kind: ExpressionSyntax.Kind =
                token.keyword == "NULL" ? .null : .boolean(token.keyword == "TRUE")
            return try ExpressionSyntax(kind, at: token.position)
        case "CASE": return try parseCase()
        case "CAST", "TRY_CAST": return try parseCast()
        case "INTERVAL": return try parseInterval()
        case "EXISTS":
            take()
            try expectSymbol("(")
            let query = try parseQuery()
            try expectSymbol(")")
            return try ExpressionSyntax(.exists(query), at: token.position)
        case "ARRAY":
            take()
            try expectSymbol("[")
            let elements =
                isSymbol("]")
                ? [] : try list { (parser) throws(Diagnostic) in try parser.parseExpression() }
            try expectSymbol("]")
            return try ExpressionSyntax(.array(elements), at: token.position, over: elements)
        case "MAP" where isSymbol("[", at: 1):
            take()
            take()
            let entries = try list { (parser) throws(Diagnostic) in try parser.parseExpression() }
            try expectSymbol("]")
            if entries.count % 2 != 0 {
                throw Diagnostic(token.position, "MAP[key, value, …] takes a value for each key")
            }
            return try ExpressionSyntax(.map(entries), at: token.position, over: entries)
        case "ROW" where isSymbol("(", at: 1):
            take()
            take()
            return try parseRow(from: try parseExpression(), at: token.position)
        case "X" where ahead(1).kind == .string && ahead(1).isDirectly(behind: token):
            return try parseBinary()
        case "TIMESTAMP" where ahead(1).kind == .string: return try parseTimestamp()
        case "DATE" where ahead(1).kind == .string, "TIME" where ahead(1).kind == .string:
            return try parseDayOrTime()
        case "FINAL" where startsCall(1), "RUNNING" where startsCall(1):
            return try parseFinal()
        case "LEFT" where isSymbol("(", at: 1), "RIGHT" where isSymbol("(", at: 1):
            return try parseCall()
        default: return try parseNameOrCall()
        }
    }

    private mutating func parseNameOrCall() throws(Diagnostic) -> ExpressionSyntax {
        if isSymbol("(", at: 1),
            current.kind == .quotedName || !reservedWords.contains(current.keyword)
        {
            return try parseCall()
        }
        if current.kind == .word, !isSymbol("(", at: 1), let argument = parameters[current.text] {
            take()
            return argument
        }
        let first = try expectName("an expression")
        var parts = [first]
        while takeSymbol(".") {
            parts.append(try expectName("a column name"))
            try checkLevels(parts.count, "named")
        }
        return try ExpressionSyntax(.name(parts), at: first.position)
    }

    private mutating func parseCase() throws(Diagnostic) -> ExpressionSyntax {
        let position = take().position
        let operand = isKeyword("WHEN") ? nil : try parseExpression()
        var branches: [ExpressionSyntax.Branch] = []
        while takeKeyword("WHEN") {
            let condition = try parseExpression()
            try expectKeyword("THEN")
            branches.append(.init(condition: condition, result: try parseExpression()))
        }
        if branches.isEmpty { throw unexpected("expected WHEN", instead: ["WHEN"]) }
        let otherwise = takeKeyword("ELSE") ? try parseExpression() : nil
        guard takeKeyword("END") else {
            throw Diagnostic(
                current.position, "expected WHEN, ELSE or END of the CASE, found \(current.shown)")
        }
        var children = branches.flatMap { [$0.condition, $0.result] }
        if let operand { children.append(operand) }
        if let otherwise { children.append(otherwise) }
        return try ExpressionSyntax(
            .conditional(operand: operand, branches: branches, otherwise: otherwise), at: position,
            over: children)
    }

    private mutating func parseCast() throws(Diagnostic) -> ExpressionSyntax {
        let keyword = take()
        try expectSymbol("(")
        let value = try parseExpression()
        try expectKeyword("AS")
        let type = try parseCastTarget()
        try expectSymbol(")")
        return try ExpressionSyntax(
            .cast(value, to: type, isTry: keyword.keyword == "TRY_CAST"), at: keyword.position,
            over: [value])
    }
}
