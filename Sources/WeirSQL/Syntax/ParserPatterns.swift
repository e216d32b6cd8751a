// MATCH_RECOGNIZE: its clauses in Calcite's order, and the little language of PATTERN. What Flink
// itself refuses (ALL ROWS PER MATCH, SUBSET, alternation, …) is refused here by name.

import WeirCore

extension Parser {
    /// `MATCH_RECOGNIZE ( … )` behind `input`; the keyword is next.
    mutating func parseMatch(_ input: TableSyntax) throws(Diagnostic) -> TableSyntax {
        var match = MatchSyntax(position: take().position, input: input)
        try expectSymbol("(")
        if takeKeywords("PARTITION", "BY") {
            match.partitionBy = try list { (parser) throws(Diagnostic) in
                try parser.parseExpression()
            }
        }
        if takeKeywords("ORDER", "BY") {
            match.orderBy = try list { (parser) throws(Diagnostic) in try parser.parseOrderItem() }
        }
        if takeKeyword("MEASURES") {
            match.measures = try list { (parser) throws(Diagnostic) in try parser.parseMeasure() }
        }
        try parseRowsPerMatch()
        if isKeyword("AFTER") { match.skip = try parseSkip() }
        try expectKeyword("PATTERN")
        match.pattern = try parsePattern()
        if takeKeyword("WITHIN") {
            if !isKeyword("INTERVAL") {
                throw unexpected("expected INTERVAL '…' behind WITHIN", instead: ["INTERVAL"])
            }
            match.within = try parseExpression()
        }
        if isKeyword("SUBSET") {
            throw unsupported("SUBSET", "write the condition for each variable")
        }
        try expectKeyword("DEFINE")
        match.definitions = try list { (parser) throws(Diagnostic) in
            let variable = try parser.expectName("a pattern variable")
            try parser.expectKeyword("AS")
            return .init(variable: variable, condition: try parser.parseExpression())
        }
        try expectSymbol(")")
        return TableSyntax(kind: .match(match), position: input.position)
    }

    private mutating func parseMeasure() throws(Diagnostic) -> MatchSyntax.Measure {
        let expression = try parseExpression()
        guard takeKeyword("AS") else {
            throw unexpected("expected AS and a name for the measure", instead: ["AS"])
        }
        return .init(expression: expression, name: try expectName("a name for the measure"))
    }

    /// Whether the token `distance` ahead is the name of a call.
    func startsCall(_ distance: Int) -> Bool {
        let token = ahead(distance)
        return token.kind == .word && !reservedWords.contains(token.keyword)
            && isSymbol("(", at: distance + 1)
    }

    /// `FINAL LAST(…)` and `RUNNING LAST(…)`: a call of FINAL or RUNNING with the call as its argument.
    mutating func parseFinal() throws(Diagnostic) -> ExpressionSyntax {
        let token = take()
        let value = try nested { (parser) throws(Diagnostic) in try parser.parsePrimary() }
        let call = CallSyntax(
            name: Identifier(name: token.text, position: token.position), arguments: [value],
            isStar: false, isDistinct: false, filter: nil, over: nil)
        return try ExpressionSyntax(.call(call), at: token.position, over: [value])
    }

    private mutating func parseRowsPerMatch() throws(Diagnostic) {
        if isKeyword("ALL"), ahead(1).keyword == "ROWS" {
            throw unsupported(
                "ALL ROWS PER MATCH", "ONE ROW PER MATCH gives the PARTITION BY columns and MEASURES")
        }
        guard takeKeywords("ONE", "ROW") else { return }
        try expectKeyword("PER")
        try expectKeyword("MATCH")
    }

    /// `AFTER MATCH SKIP …`.
    private mutating func parseSkip() throws(Diagnostic) -> MatchSyntax.Skip {
        take()
        try expectKeyword("MATCH")
        try expectKeyword("SKIP")
        if takeKeyword("PAST") {
            try expectKeyword("LAST")
            try expectKeyword("ROW")
            return .pastLastRow
        }
        guard takeKeyword("TO") else {
            throw unexpected(
                "expected PAST LAST ROW, TO NEXT ROW, TO FIRST or TO LAST", instead: ["PAST", "TO"])
        }
        if takeKeywords("NEXT", "ROW") { return .toNextRow }
        let startsVariable = { (token: Token) in
            token.kind == .quotedName || (token.kind == .word && token.keyword != "PATTERN")
        }
        if isKeyword("FIRST"), startsVariable(ahead(1)) {
            take()
            return .toFirst(try expectName("a pattern variable"))
        }
        if isKeyword("LAST"), startsVariable(ahead(1)) { take() }
        return .toLast(try expectName("a pattern variable"))
    }

    // MARK: PATTERN

    /// `( A B+ C{2,3}? … )`.
    private mutating func parsePattern() throws(Diagnostic) -> [MatchSyntax.Element] {
        try nested { (parser) throws(Diagnostic) in try parser.parseGroup() }
    }

    /// Variables between parentheses.
    private mutating func parseGroup() throws(Diagnostic) -> [MatchSyntax.Element] {
        try expectSymbol("(")
        var elements: [MatchSyntax.Element] = []
        while !isSymbol(")") {
            elements += try parseFactor()
            if isSymbol("|") {
                throw unsupported("| (one of several patterns)", "write a query for each")
            }
            if elements.count > PatternLimits.variablesMax {
                throw Diagnostic(
                    current.position,
                    "a pattern has at most \(PatternLimits.variablesMax) variables")
            }
        }
        if elements.isEmpty { throw unexpected("expected a pattern variable") }
        take()
        return elements
    }

    private mutating func parseFactor() throws(Diagnostic) -> [MatchSyntax.Element] {
        try refuseOtherPatterns()
        let isGroup = isSymbol("(")
        let elements =
            isGroup
            ? try parsePattern()
            : [.init(name: try expectName("a pattern variable"), quantifier: nil)]
        let position = current.position
        guard let quantifier = try parseQuantifier() else { return elements }
        guard elements.count == 1, elements[0].quantifier == nil else {
            throw unsupported("a quantifier on a group of variables", at: position)
        }
        return [.init(name: elements[0].name, quantifier: quantifier)]
    }

    private func refuseOtherPatterns() throws(Diagnostic) {
        if isSymbol("^") || isSymbol("$") {
            throw Diagnostic(
                current.position, "\(current.text) has no meaning in a stream, which has no ends")
        }
        if isSymbol("{"), isSymbol("-", at: 1) {
            throw unsupported("{- … -} (rows left out of the output)")
        }
        if isKeyword("PERMUTE"), isSymbol("(", at: 1) {
            throw unsupported("PERMUTE", "write a query for each order")
        }
    }

    private mutating func parseQuantifier() throws(Diagnostic) -> MatchSyntax.Quantifier? {
        let position = current.position
        var (least, most): (Int, Int?) = (0, nil)
        if takeSymbol("*") {
        } else if takeSymbol("+") {
            least = 1
        } else if takeSymbol("?") {
            most = 1
        } else if isSymbol("{"), !isSymbol("-", at: 1) {
            take()
            (least, most) = try parseBounds()
        } else {
            return nil
        }
        let isReluctant = takeSymbol("?")
        return .init(position: position, least: least, most: most, isReluctant: isReluctant)
    }

    /// `n }`, `n, }`, `n, m }` or `, m }`.
    private mutating func parseBounds() throws(Diagnostic) -> (Int, Int?) {
        let position = current.position
        let first = current.kind == .number ? try parseRepetitions() : nil
        if first == nil, !isSymbol(",") { throw unexpected("expected a number of rows") }
        var bounds: (Int, Int?) = (first ?? 0, first)
        if takeSymbol(",") {
            bounds.1 = current.kind == .number || first == nil ? try parseRepetitions() : nil
        }
        try expectSymbol("}")
        if let most = bounds.1, most < max(1, bounds.0) {
            throw Diagnostic(
                position,
                most == 0
                    ? "a variable that maps to no row has no place in a pattern"
                    : "a quantifier's greater number stands second")
        }
        return bounds
    }

    private mutating func parseRepetitions() throws(Diagnostic) -> Int {
        let token = current
        guard token.kind == .number, let count = Int(token.text), count >= 0 else {
            throw unexpected("expected a whole number of rows")
        }
        guard count <= PatternLimits.repetitionsMax else {
            throw Diagnostic(
                token.position, "a quantifier counts to \(PatternLimits.repetitionsMax) at most")
        }
        take()
        return count
    }
}
