// Scalar expressions by precedence climbing. From the loosest binding:
//
//   1 OR   2 AND   3 NOT   4 IS …   5 = <> < <= > >=   6 BETWEEN IN LIKE   7 + -   8 * / % ||   9 unary
//
// as in Calcite, Flink's parser. Runs of AND, OR and || become one flat node, because generated
// queries hold thousands of them.

import WeirCore

private enum Precedence {
    static let or = 1
    static let and = 2
    static let not = 3
    static let test = 4
    static let comparison = 5
    static let range = 6
    static let sum = 7
    static let product = 8
    static let unary = 9
}

private let comparisons: [String: ScalarFunction] = [
    "=": .equal, "<>": .notEqual, "!=": .notEqual, "<": .less, "<=": .lessOrEqual, ">": .greater,
    ">=": .greaterOrEqual,
]

extension Parser {
    /// An expression whose operators bind at least as tightly as `minimum`.
    mutating func parseExpression(_ minimum: Int = 0) throws(Diagnostic) -> ExpressionSyntax {
        try nested { (parser) throws(Diagnostic) in
            var left = try parser.parsePrefix()
            while let next = try parser.parseInfix(left, minimum) { left = next }
            return left
        }
    }

    private mutating func parsePrefix() throws(Diagnostic) -> ExpressionSyntax {
        let position = current.position
        if takeKeyword("NOT") {
            let operand = try parseExpression(Precedence.not)
            return try ExpressionSyntax(.not(operand), at: position, over: [operand])
        }
        if takeSymbol("+") { return try parseExpression(Precedence.unary) }
        if takeSymbol("-") {
            if current.kind == .number, !isSymbol("[", at: 1) {
                return try ExpressionSyntax(.number("-" + take().text), at: position)
            }
            let operand = try parseExpression(Precedence.unary)
            return try ExpressionSyntax(.negate(operand), at: position, over: [operand])
        }
        var expression = try parsePrimary()
        while isSymbol("[") || isSymbol(".") {
            let mark = take()
            if mark.text == "." {
                let field = try expectName("a field's name")
                expression = try ExpressionSyntax(
                    .field(expression, field), at: field.position, over: [expression])
                continue
            }
            let index = try parseExpression()
            try expectSymbol("]")
            expression = try ExpressionSyntax(
                .element(expression, index), at: mark.position, over: [expression, index])
        }
        return expression
    }

    /// `left` with the next operator and its right side, or nil when none binds tightly enough.
    private mutating func parseInfix(
        _ left: ExpressionSyntax, _ minimum: Int
    ) throws(Diagnostic) -> ExpressionSyntax? {
        let token = current
        switch token.kind {
        case .symbol:
            if let function = comparisons[token.text] {
                return try parseBinary(function, left, Precedence.comparison, minimum)
            }
            switch token.text {
            case "+": return try parseBinary(.add, left, Precedence.sum, minimum)
            case "-": return try parseBinary(.subtract, left, Precedence.sum, minimum)
            case "*": return try parseBinary(.multiply, left, Precedence.product, minimum)
            case "/": return try parseBinary(.divide, left, Precedence.product, minimum)
            case "%": return try parseBinary(.modulo, left, Precedence.product, minimum)
            case "||": return try parseChain(.concat, left, Precedence.product, minimum)
            default: return nil
            }
        case .word:
            switch token.keyword {
            case "OR": return try parseChain(.or, left, Precedence.or, minimum)
            case "AND": return try parseChain(.and, left, Precedence.and, minimum)
            case "IS": return minimum <= Precedence.test ? try parseTest(left) : nil
            case "OVERLAPS": return minimum <= Precedence.range ? try parseOverlaps(left) : nil
            case "NOT", "BETWEEN", "IN", "LIKE", "SIMILAR":
                return minimum <= Precedence.range ? try parseRange(left) : nil
            default: return nil
            }
        default: return nil
        }
    }

    private mutating func parseBinary(
        _ function: ScalarFunction, _ left: ExpressionSyntax, _ precedence: Int, _ minimum: Int
    ) throws(Diagnostic) -> ExpressionSyntax? {
        guard precedence >= minimum else { return nil }
        let position = take().position
        if ["ALL", "ANY", "SOME"].contains(current.keyword), isSymbol("(", at: 1) {
            throw unsupported("a comparison with \(current.keyword) (…)")
        }
        let right = try parseExpression(precedence + 1)
        return try ExpressionSyntax(
            .binary(function, left, right), at: position, over: [left, right])
    }

    private mutating func parseChain(
        _ function: ScalarFunction, _ left: ExpressionSyntax, _ precedence: Int, _ minimum: Int
    ) throws(Diagnostic) -> ExpressionSyntax? {
        guard precedence >= minimum else { return nil }
        let mark = current
        var operands = [left]
        while current.kind == mark.kind,
            current.kind == .symbol ? isSymbol(mark.text) : isKeyword(mark.keyword)
        {
            take()
            operands.append(try parseExpression(precedence + 1))
        }
        return try ExpressionSyntax(.chain(function, operands), at: mark.position, over: operands)
    }

    // MARK: IS, BETWEEN, IN, LIKE

    private mutating func parseTest(_ value: ExpressionSyntax) throws(Diagnostic)
        -> ExpressionSyntax
    {
        let position = take().position
        let isNegated = takeKeyword("NOT")
        if takeKeywords("DISTINCT", "FROM") {
            let other = try parseExpression(Precedence.range)
            let function: ScalarFunction = isNegated ? .isNotDistinctFrom : .isDistinctFrom
            return try ExpressionSyntax(
                .binary(function, value, other), at: position, over: [value, other])
        }
        let function: ScalarFunction
        switch current.keyword {
        case "NULL", "UNKNOWN": function = isNegated ? .isNotNull : .isNull
        case "TRUE": function = isNegated ? .isNotTrue : .isTrue
        case "FALSE": function = isNegated ? .isNotFalse : .isFalse
        case "JSON": return try parseIsJSON(value, isNegated: isNegated, at: position)
        default: throw unexpected("expected NULL, TRUE, FALSE or DISTINCT FROM after IS")
        }
        take()
        return try ExpressionSyntax(.test(function, value), at: position, over: [value])
    }

    private mutating func parseRange(_ value: ExpressionSyntax) throws(Diagnostic)
        -> ExpressionSyntax
    {
        let position = current.position
        let isNegated = takeKeyword("NOT")
        switch current.keyword {
        case "BETWEEN":
            take()
            let isSymmetric = takeKeyword("SYMMETRIC")
            if !isSymmetric { _ = takeKeyword("ASYMMETRIC") }
            let low = try parseExpression(Precedence.sum)
            try expectKeyword("AND")
            let high = try parseExpression(Precedence.sum)
            if isSymmetric {
                // Between the bounds in either order.
                let children = [value, low, high]
                let (there, back) = (
                    try ExpressionSyntax(
                        .between(value, low: low, high: high, isNegated: isNegated), at: position, over: children),
                    try ExpressionSyntax(
                        .between(value, low: high, high: low, isNegated: isNegated), at: position, over: children)
                )
                return try ExpressionSyntax(
                    .chain(isNegated ? .and : .or, [there, back]), at: position, over: [there, back])
            }
            return try ExpressionSyntax(
                .between(value, low: low, high: high, isNegated: isNegated), at: position,
                over: [value, low, high])
        case "IN":
            take()
            return try parseIn(value, isNegated: isNegated, at: position)
        case "LIKE":
            take()
            let pattern = try parseExpression(Precedence.sum)
            let escape = takeKeyword("ESCAPE") ? try parseExpression(Precedence.sum) : nil
            return try ExpressionSyntax(
                .like(value, pattern: pattern, escape: escape, isNegated: isNegated), at: position,
                over: [value, pattern] + (escape.map { [$0] } ?? []))
        case "SIMILAR":
            take()
            return try parseSimilar(value, isNegated: isNegated, at: position)
        default: throw unexpected("expected BETWEEN, IN or LIKE after NOT")
        }
    }

    private mutating func parseIn(
        _ value: ExpressionSyntax, isNegated: Bool, at position: TextPosition
    ) throws(Diagnostic) -> ExpressionSyntax {
        guard isSymbol("(") else { throw unexpected("expected a list in parentheses after IN") }
        if startsQueryInParentheses() {
            take()
            let query = try parseQuery()
            try expectSymbol(")")
            return try ExpressionSyntax(
                .inQuery(value, query, isNegated: isNegated), at: position, over: [value])
        }
        take()
        if isSymbol(")") { throw Diagnostic(current.position, "the list after IN is empty") }
        let list = try list { (parser) throws(Diagnostic) in try parser.parseExpression() }
        try expectSymbol(")")
        return try ExpressionSyntax(
            .inList(value, list, isNegated: isNegated), at: position, over: [value] + list)
    }
}
