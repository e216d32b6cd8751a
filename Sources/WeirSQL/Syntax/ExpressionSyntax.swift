// Scalar expressions as written: names not yet resolved, types not yet known, places kept. The parser
// makes them, the binder turns them into BoundExpressions or into complaints at their positions.
//
// Always true: `height` is the longest way down, and never more than SQLLimits.expressionHeightMax, so
// that recursion over an expression cannot exhaust the stack.

import WeirCore

/// A name as written.
struct Identifier: Hashable, Sendable {
    let name: String
    let position: TextPosition
}

/// An expression and its place in the text.
struct ExpressionSyntax: Sendable {
    let kind: Kind
    /// Where its operator or its name stands: what a complaint about its types points at.
    let position: TextPosition
    /// Where its first word stands, without parentheses around it.
    let start: TextPosition
    let height: Int
    /// Its parts. Only macros within macros can make them many more than the text has bytes.
    let size: Int

    private static let sizeMax = 600_000

    indirect enum Kind: Sendable {
        /// `x` or `t.x`.
        case name([Identifier])
        case null
        case boolean(Bool)
        /// Digits with an optional minus, perhaps with a point or an exponent.
        case number(String)
        case string(String)
        /// INTERVAL '…' unit, ms.
        case interval(Int64)
        /// TIMESTAMP '…', ms.
        case timestamp(Int64)
        /// DATE '…', TIME '…', x'…', and an INTERVAL of months.
        case typed(LiteralValue, DataType)
        case negate(ExpressionSyntax)
        case not(ExpressionSyntax)
        /// Arithmetic and comparison.
        case binary(ScalarFunction, ExpressionSyntax, ExpressionSyntax)
        /// AND, OR and ||: two operands or more.
        case chain(ScalarFunction, [ExpressionSyntax])
        /// IS NULL, IS NOT TRUE and so on.
        case test(ScalarFunction, ExpressionSyntax)
        case between(
            ExpressionSyntax, low: ExpressionSyntax, high: ExpressionSyntax, isNegated: Bool)
        case inList(ExpressionSyntax, [ExpressionSyntax], isNegated: Bool)
        case inQuery(ExpressionSyntax, QuerySyntax, isNegated: Bool)
        case like(
            ExpressionSyntax, pattern: ExpressionSyntax, escape: ExpressionSyntax?, isNegated: Bool)
        case conditional(
            operand: ExpressionSyntax?, branches: [Branch], otherwise: ExpressionSyntax?)
        case cast(ExpressionSyntax, to: CastTarget, isTry: Bool)
        case call(CallSyntax)
        /// EXTRACT(field FROM x).
        case extract(Identifier, ExpressionSyntax)
        /// FLOOR(x TO unit) and CEIL(x TO unit).
        case roundTime(ExpressionSyntax, to: Identifier, isCeiling: Bool)
        case element(ExpressionSyntax, ExpressionSyntax)
        case array([ExpressionSyntax])
        /// MAP[key, value, …].
        case map([ExpressionSyntax])
        /// ROW(a, b) or (a, b).
        case row([ExpressionSyntax])
        /// `x.field` of anything but a name.
        case field(ExpressionSyntax, Identifier)
        case scalarQuery(QuerySyntax)
        case exists(QuerySyntax)
    }

    /// WHEN … THEN ….
    struct Branch: Sendable {
        let condition: ExpressionSyntax
        let result: ExpressionSyntax
    }

    /// Throws when the expression gets too high.
    init(
        _ kind: Kind, at position: TextPosition, over children: [ExpressionSyntax] = []
    ) throws(Diagnostic) {
        self.kind = kind
        self.position = position
        start = children.reduce(position) { min($0, $1.start) }
        height = 1 + children.reduce(0) { max($0, $1.height) }
        size = 1 + children.reduce(0) { $0 + $1.size }
        if size > Self.sizeMax {
            throw Diagnostic(position, "macros make this expression too large; compute parts in a view")
        }
        if height > SQLLimits.expressionHeightMax {
            throw Diagnostic(
                position,
                "the expression has more than \(SQLLimits.expressionHeightMax) operators above each other; "
                    + "split it with a subquery or a view")
        }
    }
}

/// A call in functional form; whether the function is scalar, an aggregate or a group window is the
/// binder's business.
struct CallSyntax: Sendable {
    let name: Identifier
    let arguments: [ExpressionSyntax]
    /// COUNT(*).
    let isStar: Bool
    let isDistinct: Bool
    /// FILTER (WHERE …).
    let filter: ExpressionSyntax?
    let over: OverSyntax?
    /// IGNORE NULLS (true) or RESPECT NULLS (false); nil where neither stands.
    var ignoresNulls: Bool?
}

/// OVER (PARTITION BY … ORDER BY … frame), or OVER name.
struct OverSyntax: Sendable {
    let position: TextPosition
    /// A window that the WINDOW clause defines; the rest is then empty.
    var name: Identifier?
    let partitionBy: [ExpressionSyntax]
    let orderBy: [OrderItemSyntax]
    let frame: FrameSyntax?
}

/// The frame of an OVER window.
struct FrameSyntax: Sendable {
    enum Bound: Sendable {
        case unboundedPreceding
        case preceding(ExpressionSyntax)
        case currentRow
        case following(ExpressionSyntax)
        case unboundedFollowing
    }

    /// ROWS, as opposed to RANGE.
    let countsRows: Bool
    let start: Bound
    let end: Bound
}

/// One expression of ORDER BY.
struct OrderItemSyntax: Sendable {
    let expression: ExpressionSyntax
    let isDescending: Bool
    /// NULLS FIRST or LAST; nil for the default.
    let nullsFirst: Bool?
}
