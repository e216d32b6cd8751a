// The words of a SQL text with their places. The parser works on an array of these; a token keeps its
// text as a String, because a query is read once and every later stage wants names, not byte ranges.

import WeirCore

/// One lexical element.
struct Token: Sendable {
    enum Kind: Sendable, Equatable {
        /// A keyword or a name; which of the two is decided by the grammar.
        case word
        /// A name in backquotes, never a keyword.
        case quotedName
        /// A number as written.
        case number
        /// A text in single quotes; `text` is its value.
        case string
        /// An operator or a punctuation mark.
        case symbol
        /// Behind the last token.
        case end
    }

    let kind: Kind
    /// The word, the name without quotes, the digits, the string's value or the symbol.
    let text: String
    /// `text` in upper case when this is a word, else empty: what keywords are compared with.
    let keyword: String
    let position: TextPosition

    init(_ kind: Kind, _ text: String, at position: TextPosition) {
        self.kind = kind
        self.text = text
        keyword = kind == .word ? text.uppercased() : ""
        self.position = position
    }

    /// The token as an error message shows it.
    var shown: String {
        switch kind {
        case .end: "the end of the query"
        case .string: "'\(Self.clipped(text))'"
        case .quotedName: "`\(Self.clipped(text))`"
        case .word, .number, .symbol: "\"\(Self.clipped(text))\""
        }
    }

    /// Whether it stands where `token`, a word, ends.
    func isDirectly(behind token: Token) -> Bool {
        position.line == token.position.line
            && position.column == token.position.column + token.text.utf8.count
    }

    /// At most 40 characters of `text`, so that a message stays a line.
    static func clipped(_ text: String) -> String {
        text.utf8.count <= 40 ? text : "\(text.prefix(37))..."
    }
}

/// Bounds on a query's text and shape, so that no text can exhaust the stack or the memory.
enum SQLLimits {
    /// Bytes of one query or view.
    static let textBytesMax = 256 << 10
    /// Parentheses, CASEs, function calls and subqueries inside each other.
    static let nestingMax = 128
    /// Nodes on the longest way down one expression; `a + b + c + …` grows by one an operator.
    static let expressionHeightMax = 400
    /// Nodes that BETWEEN, simple CASE and the like may repeat when they are expanded.
    static let repeatedNodesMax = 1_000
    /// Columns of one SELECT list.
    static let outputColumnsMax = 2_000
    /// Relational operators above each other after all views are inlined.
    static let planHeightMax = 256
    /// Grouping sets of one GROUP BY.
    static let groupingSetsMax = 256
    /// Windows that one row of a hopping window may fall in.
    static let hopOverlapMax: Int64 = 86_400
    /// The longest window, ms: a leap year.
    static let windowMillisecondsMax: Int64 = 366 * 86_400_000
    /// The longest window and slide of calendar months.
    static let windowMonthsMax: Int64 = 12
}

/// Words that cannot be names without backquotes, because the grammar needs them to find its way.
/// Flink reserves many more; a text that quotes those is read here as well.
let reservedWords: Set<String> = [
    "ALL", "AND", "ARRAY", "AS", "BETWEEN", "BY", "CASE", "CAST", "CROSS", "DISTINCT", "ELSE",
    "END",
    "EXCEPT", "EXISTS", "FALSE", "FETCH", "FOR", "FROM", "FULL", "GROUP", "HAVING", "IN", "INNER",
    "INTERSECT", "INTERVAL", "INTO", "IS", "JOIN", "LATERAL", "LEFT", "LIKE", "LIMIT",
    "MATCH_RECOGNIZE", "NATURAL", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OVER", "QUALIFY",
    "RIGHT", "SELECT", "TABLE", "TABLESAMPLE", "THEN", "TRUE", "TRY_CAST", "UNION", "UNNEST",
    "USING",
    "VALUES", "WHEN", "WHERE", "WINDOW", "WITH",
]
