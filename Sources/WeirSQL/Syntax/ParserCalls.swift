// Calls in functional form, and the functions whose arguments SQL separates by words.

import WeirCore

extension Parser {
    /// `name(…)`; the name and the parenthesis are next.
    mutating func parseCall() throws(Diagnostic) -> ExpressionSyntax {
        let token = take()
        let name = Identifier(name: token.text, position: token.position)
        try expectSymbol("(")
        switch token.keyword {
        case "EXTRACT":
            let field = try takeWord("the field to extract, such as HOUR")
            try expectKeyword("FROM")
            let value = try parseExpression()
            try expectSymbol(")")
            return try ExpressionSyntax(.extract(field, value), at: name.position, over: [value])
        case "FLOOR", "CEIL", "CEILING":
            return try parseRounding(name, isCeiling: token.keyword != "FLOOR")
        case "SUBSTRING", "SUBSTR": return try parseSubstring(name)
        case "POSITION": return try parsePosition(name)
        case "TRIM": return try parseTrim(name)
        case "OVERLAY": return try parseOverlay(name)
        case "TIMESTAMPADD", "TIMESTAMPDIFF": return try parseUnitCall(name)
        case "JSON_VALUE", "JSON_QUERY", "JSON_EXISTS": return try parseJSONRead(name)
        case "JSON_OBJECT", "JSON_ARRAY": return try parseJSONBuild(name)
        case "JSON_OBJECTAGG", "JSON_ARRAYAGG": return try parseJSONAggregate(name)
        default:
            if let macro = macros[token.keyword] { return try parseMacroCall(macro, at: name.position) }
            let call = try parseArguments(name)
            return token.keyword == "SENTIMENT" ? try withWords(call) : call
        }
    }

    /// SENTIMENT(text) with the word list of the configuration, if that has one.
    private func withWords(_ expression: ExpressionSyntax) throws(Diagnostic) -> ExpressionSyntax {
        guard let sentimentWords, case .call(let written) = expression.kind, written.arguments.count == 1
        else { return expression }
        let words = try ExpressionSyntax(.string(sentimentWords), at: expression.position)
        return try call(written.name, written.arguments + [words])
    }

    func call(_ name: Identifier, _ arguments: [ExpressionSyntax]) throws(Diagnostic)
        -> ExpressionSyntax
    {
        let call = CallSyntax(
            name: name, arguments: arguments, isStar: false, isDistinct: false, filter: nil,
            over: nil)
        return try ExpressionSyntax(.call(call), at: name.position, over: arguments)
    }

    mutating func takeWord(_ what: String) throws(Diagnostic) -> Identifier {
        guard current.kind == .word else { throw unexpected("expected \(what)") }
        let token = take()
        return Identifier(name: token.keyword, position: token.position)
    }

    private mutating func parseRounding(
        _ name: Identifier, isCeiling: Bool
    ) throws(Diagnostic) -> ExpressionSyntax {
        let value = try parseExpression()
        if takeKeyword("TO") {
            let unit = try takeWord("a unit of time, such as MINUTE")
            try expectSymbol(")")
            return try ExpressionSyntax(
                .roundTime(value, to: unit, isCeiling: isCeiling), at: name.position, over: [value])
        }
        return try finishArguments(name, [value])
    }

    /// `(text FROM start [FOR length])` or plain arguments.
    private mutating func parseSubstring(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax
    {
        var arguments = [try parseExpression()]
        guard takeKeyword("FROM") else { return try finishArguments(name, arguments) }
        arguments.append(try parseExpression())
        if takeKeyword("FOR") { arguments.append(try parseExpression()) }
        try expectSymbol(")")
        return try call(name, arguments)
    }

    /// `(needle IN text)`; the needle binds tighter than IN.
    private mutating func parsePosition(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax {
        var arguments = [try parseExpression(7)]
        try expectKeyword("IN")
        arguments.append(try parseExpression())
        if takeKeyword("FROM") { arguments.append(try parseExpression()) }
        try expectSymbol(")")
        return try call(name, arguments)
    }

    /// `([BOTH | LEADING | TRAILING] [characters] FROM text)` or plain arguments. The side becomes the
    /// name of the call: TRIM, LTRIM or RTRIM.
    private mutating func parseTrim(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax {
        var side = "TRIM"
        let hasSide = ["BOTH", "LEADING", "TRAILING"].contains(current.keyword)
        if hasSide { side = ["LEADING": "LTRIM", "TRAILING": "RTRIM"][take().keyword] ?? "TRIM" }
        let trimmed = Identifier(name: side, position: name.position)
        var arguments: [ExpressionSyntax] = []
        if !isKeyword("FROM") { arguments.append(try parseExpression()) }
        guard takeKeyword("FROM") else { return try finishArguments(trimmed, arguments) }
        arguments.insert(try parseExpression(), at: 0)
        try expectSymbol(")")
        return try call(trimmed, arguments)
    }

    private mutating func parseArguments(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax
    {
        if isSymbol("*"), isSymbol(")", at: 1) {
            take()
            take()
            return try parseSuffixes(name, [], isStar: true, isDistinct: false)
        }
        let isDistinct = takeKeyword("DISTINCT")
        if !isDistinct { _ = takeKeyword("ALL") }
        if takeSymbol(")") {
            return try parseSuffixes(name, [], isStar: false, isDistinct: isDistinct)
        }
        let first = try parseExpression()
        return try finishArguments(name, [first], isDistinct: isDistinct)
    }

    /// The arguments after those already read, up to the closing parenthesis, and what follows it.
    private mutating func finishArguments(
        _ name: Identifier, _ first: [ExpressionSyntax], isDistinct: Bool = false
    ) throws(Diagnostic) -> ExpressionSyntax {
        var arguments = first
        while takeSymbol(",") { arguments.append(try parseExpression()) }
        if isSymbol("=>") {
            throw unsupported("a named argument of a function", "give the arguments in order")
        }
        if isKeyword("ORDER") { throw unsupported("ORDER BY inside a call") }
        let ignoresNulls = takeNullTreatment()
        if !isSymbol(")") {
            throw unexpected("expected \",\" or \")\" in the call of \(name.name.uppercased())")
        }
        take()
        return try parseSuffixes(
            name, arguments, isStar: false, isDistinct: isDistinct, ignoresNulls: ignoresNulls)
    }

    /// IGNORE NULLS or RESPECT NULLS, inside the parentheses or behind them.
    private mutating func takeNullTreatment() -> Bool? {
        if takeKeywords("IGNORE", "NULLS") { return true }
        return takeKeywords("RESPECT", "NULLS") ? false : nil
    }

    /// FILTER (WHERE …) and OVER (…).
    private mutating func parseSuffixes(
        _ name: Identifier, _ arguments: [ExpressionSyntax], isStar: Bool, isDistinct: Bool,
        ignoresNulls: Bool? = nil
    ) throws(Diagnostic) -> ExpressionSyntax {
        let ignoresNulls = takeNullTreatment() ?? ignoresNulls
        if isKeyword("WITHIN") { throw unsupported("WITHIN GROUP") }
        var filter: ExpressionSyntax?
        if isKeyword("FILTER"), isSymbol("(", at: 1) {
            take()
            take()
            try expectKeyword("WHERE")
            filter = try parseExpression()
            try expectSymbol(")")
        }
        let over = isKeyword("OVER") ? try parseOver() : nil
        let call = CallSyntax(
            name: name, arguments: arguments, isStar: isStar, isDistinct: isDistinct,
            filter: filter, over: over, ignoresNulls: ignoresNulls)
        return try ExpressionSyntax(
            .call(call), at: name.position, over: arguments + (filter.map { [$0] } ?? []))
    }

    private mutating func parseOver() throws(Diagnostic) -> OverSyntax {
        let position = take().position
        overCount += 1
        if !isSymbol("(") {
            let name = try expectName("a window's name or \"(\"")
            return OverSyntax(
                position: position, name: name, partitionBy: [], orderBy: [], frame: nil)
        }
        return try parseOverInParentheses(position)
    }

    /// `(PARTITION BY … ORDER BY … frame)`.
    mutating func parseOverInParentheses(_ position: TextPosition) throws(Diagnostic) -> OverSyntax {
        try expectSymbol("(")
        var partitionBy: [ExpressionSyntax] = []
        var orderBy: [OrderItemSyntax] = []
        if takeKeywords("PARTITION", "BY") {
            partitionBy = try list { (parser) throws(Diagnostic) in try parser.parseExpression() }
        }
        if takeKeywords("ORDER", "BY") {
            orderBy = try list { (parser) throws(Diagnostic) in try parser.parseOrderItem() }
        }
        var frame: FrameSyntax?
        if isKeyword("ROWS") || isKeyword("RANGE") { frame = try parseFrame() }
        try expectSymbol(")")
        return OverSyntax(
            position: position, partitionBy: partitionBy, orderBy: orderBy, frame: frame)
    }

    private mutating func parseFrame() throws(Diagnostic) -> FrameSyntax {
        let countsRows = take().keyword == "ROWS"
        guard takeKeyword("BETWEEN") else {
            return FrameSyntax(countsRows: countsRows, start: try parseBound(), end: .currentRow)
        }
        let start = try parseBound()
        try expectKeyword("AND")
        return FrameSyntax(countsRows: countsRows, start: start, end: try parseBound())
    }

    private mutating func parseBound() throws(Diagnostic) -> FrameSyntax.Bound {
        if takeKeywords("CURRENT", "ROW") { return .currentRow }
        if takeKeywords("UNBOUNDED", "PRECEDING") { return .unboundedPreceding }
        if takeKeywords("UNBOUNDED", "FOLLOWING") { return .unboundedFollowing }
        // Binds tighter than the AND between the two bounds.
        let distance = try parseExpression(7)
        if takeKeyword("PRECEDING") { return .preceding(distance) }
        try expectKeyword("FOLLOWING")
        return .following(distance)
    }
}
