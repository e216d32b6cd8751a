// MATCH_RECOGNIZE as written: the clauses between its parentheses. The pattern is a list already:
// concatenation is the only way of combining variables that is computed, so the parser refuses the
// others (alternation, groups with quantifiers, PERMUTE, exclusion, anchors) where they stand.

import WeirCore

/// `table MATCH_RECOGNIZE ( … )`.
struct MatchSyntax: Sendable {
    /// AFTER MATCH SKIP ….
    enum Skip: Sendable {
        case pastLastRow
        case toNextRow
        case toFirst(Identifier)
        /// SKIP TO LAST v, or SKIP TO v.
        case toLast(Identifier)
    }

    /// A pattern variable with its quantifier.
    struct Element: Sendable {
        let name: Identifier
        let quantifier: Quantifier?
    }

    /// `*`, `+`, `?` or `{n, m}`, perhaps with a `?` behind it.
    struct Quantifier: Sendable {
        let position: TextPosition
        let least: Int
        /// nil: without limit.
        let most: Int?
        let isReluctant: Bool
    }

    /// `expression AS name` in MEASURES.
    struct Measure: Sendable {
        let expression: ExpressionSyntax
        let name: Identifier
    }

    /// `variable AS condition` in DEFINE.
    struct Definition: Sendable {
        let variable: Identifier
        let condition: ExpressionSyntax
    }

    /// Where the keyword stands.
    let position: TextPosition
    let input: TableSyntax
    var partitionBy: [ExpressionSyntax] = []
    var orderBy: [OrderItemSyntax] = []
    var measures: [Measure] = []
    /// nil where the clause is left out.
    var skip: Skip?
    var pattern: [Element] = []
    /// The interval behind WITHIN.
    var within: ExpressionSyntax?
    var definitions: [Definition] = []
}
