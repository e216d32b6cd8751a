// Queries as written. What the binder refuses is read into the tree as well: it then knows its place and
// can say what is not supported.

import WeirCore

/// A whole query, or a query in parentheses.
struct QuerySyntax: Sendable {
    let position: TextPosition
    let with: [CommonTableSyntax]
    let body: QueryBodySyntax
    let orderBy: [OrderItemSyntax]
    /// Where ORDER BY, LIMIT, OFFSET or FETCH first stands, and which it is.
    let ordering: Identifier?
    /// LIMIT n or FETCH FIRST n ROWS ONLY.
    var limit: ExpressionSyntax?
    /// OFFSET n.
    var offset: ExpressionSyntax?
}

/// `name [(columns)] AS (query)` in WITH.
struct CommonTableSyntax: Sendable {
    let name: Identifier
    let columns: [Identifier]
    let query: QuerySyntax
}

/// A SELECT, or two bodies combined.
indirect enum QueryBodySyntax: Sendable {
    case select(SelectSyntax)
    /// UNION, INTERSECT or EXCEPT; `operation` is the keyword and its place.
    case setOperation(Identifier, isAll: Bool, QueryBodySyntax, QueryBodySyntax)
    case query(QuerySyntax)
}

/// SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW … QUALIFY ….
struct SelectSyntax: Sendable {
    let position: TextPosition
    /// Where DISTINCT stands.
    let distinct: TextPosition?
    var items: [SelectItemSyntax]
    let from: TableSyntax?
    let filter: ExpressionSyntax?
    let groupBy: GroupBySyntax?
    let having: ExpressionSyntax?
    /// WINDOW name AS (…).
    var windows: [NamedOverSyntax] = []
    /// The condition of QUALIFY.
    var qualify: ExpressionSyntax?
    /// Whether the SELECT list or QUALIFY has an OVER.
    var hasOver = false
}

/// `name AS (PARTITION BY … ORDER BY … frame)` in WINDOW.
struct NamedOverSyntax: Sendable {
    let name: Identifier
    let over: OverSyntax
}

/// One item of a SELECT list.
enum SelectItemSyntax: Sendable {
    /// `*` or `t.*`.
    case star(qualifier: Identifier?, TextPosition)
    case expression(ExpressionSyntax, alias: Identifier?)
}

/// GROUP BY and its elements.
struct GroupBySyntax: Sendable {
    let position: TextPosition
    let elements: [GroupingSyntax]

    /// All expressions, from left to right.
    var items: [ExpressionSyntax] { elements.flatMap(\.items) }
}

/// One element of GROUP BY, each a list of grouping sets; several elements are combined, each set with
/// each.
indirect enum GroupingSyntax: Sendable {
    /// One set: an expression, several in parentheses, or none: ().
    case columns([ExpressionSyntax])
    /// Each part is one expression or several in parentheses.
    case rollup([[ExpressionSyntax]])
    case cube([[ExpressionSyntax]])
    /// GROUPING SETS: the sets of all its elements.
    case sets([GroupingSyntax])

    /// All expressions, from left to right.
    var items: [ExpressionSyntax] {
        switch self {
        case .columns(let items): items
        case .rollup(let parts), .cube(let parts): parts.flatMap(\.self)
        case .sets(let elements): elements.flatMap(\.items)
        }
    }
}

/// What FROM names.
struct TableSyntax: Sendable {
    indirect enum Kind: Sendable {
        case named(Identifier)
        case subquery(QuerySyntax)
        case windowFunction(WindowFunctionSyntax)
        /// UNNEST(array), perhaps WITH ORDINALITY.
        case unnest(ExpressionSyntax, hasOrdinality: Bool)
        case join(JoinSyntax)
        case match(MatchSyntax)
    }

    let kind: Kind
    let position: TextPosition
    var alias: Identifier?
    var columnAliases: [Identifier] = []
    /// The time of FOR SYSTEM_TIME AS OF.
    var asOf: ExpressionSyntax?
}

/// Two tables side by side.
struct JoinSyntax: Sendable {
    enum Kind: String, Sendable {
        case inner = "JOIN"
        case left = "LEFT JOIN"
        case right = "RIGHT JOIN"
        case full = "FULL JOIN"
        case cross = "CROSS JOIN"
        /// `FROM a, b`.
        case comma = "a join by a comma"
    }

    let kind: Kind
    let position: TextPosition
    let left: TableSyntax
    let right: TableSyntax
    let condition: ExpressionSyntax?
    /// USING (…).
    let using: [Identifier]
}

/// TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), …)).
struct WindowFunctionSyntax: Sendable {
    struct Argument: Sendable {
        indirect enum Value: Sendable {
            /// TABLE t [PARTITION BY …], or a query in parentheses.
            case table(TableSyntax, partitionBy: [ExpressionSyntax])
            case descriptor([Identifier])
            case expression(ExpressionSyntax)
        }

        /// `SIZE` of `SIZE => INTERVAL …`, in upper case.
        let name: Identifier?
        let value: Value
        let position: TextPosition
    }

    let name: Identifier
    let arguments: [Argument]
}
