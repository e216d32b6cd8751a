// GROUP BY and its grouping sets. ROLLUP, CUBE and GROUPING are words like others elsewhere: they mean
// something at the beginning of an element only, and before a parenthesis.

import WeirCore

extension Parser {
    /// `GROUP BY element, …`; GROUP is next.
    mutating func parseGroupBy() throws(Diagnostic) -> GroupBySyntax {
        let position = take().position
        try expectKeyword("BY")
        let elements = try list { (parser) throws(Diagnostic) in try parser.parseGrouping() }
        return GroupBySyntax(position: position, elements: elements)
    }

    private mutating func parseGrouping() throws(Diagnostic) -> GroupingSyntax {
        if isKeyword("GROUPING"), ahead(1).keyword == "SETS", isSymbol("(", at: 2) {
            take()
            take()
            return .sets(try parseGroupingSets())
        }
        if isKeyword("ROLLUP"), isSymbol("(", at: 1) {
            take()
            return .rollup(try parseGroupingParts())
        }
        if isKeyword("CUBE"), isSymbol("(", at: 1) {
            take()
            return .cube(try parseGroupingParts())
        }
        return .columns(try parseGroupingColumns())
    }

    private mutating func parseGroupingSets() throws(Diagnostic) -> [GroupingSyntax] {
        try nested { (parser) throws(Diagnostic) in
            try parser.expectSymbol("(")
            let elements = try parser.list { (parser) throws(Diagnostic) in
                try parser.parseGrouping()
            }
            try parser.expectSymbol(")")
            return elements
        }
    }

    /// `(part, …)`.
    private mutating func parseGroupingParts() throws(Diagnostic) -> [[ExpressionSyntax]] {
        try expectSymbol("(")
        let parts = try list { (parser) throws(Diagnostic) in try parser.parseGroupingColumns() }
        try expectSymbol(")")
        return parts
    }

    /// An expression, `(expression, …)`, or `()`.
    private mutating func parseGroupingColumns() throws(Diagnostic) -> [ExpressionSyntax] {
        let isList = isSymbol("(")
        if isList, isSymbol(")", at: 1) {
            take()
            take()
            return []
        }
        let expression = try parseExpression()
        if isList, case .row(let members) = expression.kind { return members }
        return [expression]
    }
}
