// Recursive descent over the tokens of one query, with precedence climbing for expressions. The
// grammar is Flink SQL's query language; what of it weir does not compute is either read into the
// tree and refused by the binder, or, where its grammar is a language of its own, refused here. Either
// way the sentence names the construct and stands at its place.
//
// Always true: recursion is bounded by SQLLimits.nestingMax, lists that grow to the left by the same
// number, and expressions by their height, so no text exhausts the stack, neither here nor later.

import WeirCore

/// Reads one query from its tokens.
struct Parser {
    private let tokens: [Token]
    private var index = 0
    private var depth = 0
    /// What calls can name beside functions, by name in capitals.
    let macros: [String: Catalog.Macro]
    /// The parameters of the macro that is being read, by name.
    let parameters: [String: ExpressionSyntax]
    /// The macros being read, outermost first.
    let openMacros: [String]
    /// The word list that calls of SENTIMENT take which name none.
    let sentimentWords: String?
    /// OVER clauses read so far.
    var overCount = 0

    init(
        _ text: String, macros: [Catalog.Macro] = [], sentimentWords: String? = nil
    ) throws(Diagnostic) {
        tokens = try Lexer.tokens(of: text)
        self.macros = Dictionary(macros.map { ($0.name.uppercased(), $0) }) { first, _ in first }
        self.sentimentWords = sentimentWords
        parameters = [:]
        openMacros = []
    }

    /// For the text of a macro; all its places are that of the call.
    init(
        macro: Catalog.Macro, _ parameters: [String: ExpressionSyntax], within parser: Parser,
        at position: TextPosition
    ) throws(Diagnostic) {
        tokens = try Lexer.tokens(of: macro.sql).map { Token($0.kind, $0.text, at: position) }
        macros = parser.macros
        sentimentWords = parser.sentimentWords
        self.parameters = parameters
        openMacros = parser.openMacros + [macro.name.uppercased()]
    }

    /// The query that `text` is.
    static func query(
        of text: String, macros: [Catalog.Macro] = [], sentimentWords: String? = nil
    ) throws(Diagnostic) -> QuerySyntax {
        var parser = try Parser(text, macros: macros, sentimentWords: sentimentWords)
        return try parser.parseStatement()
    }

    // MARK: Looking

    /// The next token.
    var current: Token { tokens[index] }

    /// The token `distance` behind the next one; the end token beyond the end.
    func ahead(_ distance: Int) -> Token { tokens[min(index + distance, tokens.count - 1)] }

    /// The token before the next one.
    var previous: Token? { index > 0 ? tokens[index - 1] : nil }

    func isKeyword(_ word: String) -> Bool { current.keyword == word }

    func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol && current.text == symbol }

    func isSymbol(_ symbol: String, at distance: Int) -> Bool {
        let token = ahead(distance)
        return token.kind == .symbol && token.text == symbol
    }

    /// Whether a query in parentheses starts with the parenthesis that is next.
    func startsQueryInParentheses() -> Bool {
        var distance = 0
        // Deeper ones are refused anyway; without the bound, nesting would be scanned again at each level.
        while distance <= SQLLimits.nestingMax, isSymbol("(", at: distance) { distance += 1 }
        return distance > 0 && ["SELECT", "WITH", "VALUES"].contains(ahead(distance).keyword)
    }

    // MARK: Taking

    /// Takes the next token.
    @discardableResult
    mutating func take() -> Token {
        let token = current
        if token.kind != .end { index += 1 }
        return token
    }

    /// Takes the next token if it is this keyword.
    mutating func takeKeyword(_ word: String) -> Bool {
        guard isKeyword(word) else { return false }
        index += 1
        return true
    }

    /// Takes the next two tokens if they are these keywords.
    mutating func takeKeywords(_ first: String, _ second: String) -> Bool {
        guard isKeyword(first), ahead(1).keyword == second else { return false }
        index += 2
        return true
    }

    /// Takes the next token if it is this symbol.
    mutating func takeSymbol(_ symbol: String) -> Bool {
        guard isSymbol(symbol) else { return false }
        index += 1
        return true
    }

    @discardableResult
    mutating func expectKeyword(_ word: String) throws(Diagnostic) -> Token {
        guard isKeyword(word) else { throw unexpected("expected \(word)", instead: [word]) }
        return take()
    }

    @discardableResult
    mutating func expectSymbol(_ symbol: String) throws(Diagnostic) -> Token {
        guard isSymbol(symbol) else { throw unexpected("expected \"\(symbol)\"") }
        return take()
    }

    /// A name: in backquotes, or a word that is not reserved.
    mutating func expectName(_ what: String) throws(Diagnostic) -> Identifier {
        guard let name = takeName() else {
            if current.kind == .word {
                throw Diagnostic(
                    current.position,
                    "expected \(what), found the keyword \(current.keyword); "
                        + "as a name it is written `\(current.text)`"
                )
            }
            throw unexpected("expected \(what)")
        }
        return name
    }

    /// A name, if one is next.
    mutating func takeName() -> Identifier? {
        let token = current
        guard
            token.kind == .quotedName
                || (token.kind == .word && !reservedWords.contains(token.keyword))
        else {
            return nil
        }
        index += 1
        return Identifier(name: token.text, position: token.position)
    }

    /// One or more of what `element` reads, between commas.
    mutating func list<Element>(
        _ element: (inout Parser) throws(Diagnostic) -> Element
    ) throws(Diagnostic) -> [Element] {
        var elements = [try element(&self)]
        while takeSymbol(",") { elements.append(try element(&self)) }
        return elements
    }

    /// `( name, … )`.
    mutating func namesInParentheses(_ what: String) throws(Diagnostic) -> [Identifier] {
        try expectSymbol("(")
        let names = try list { (parser) throws(Diagnostic) in try parser.expectName(what) }
        try expectSymbol(")")
        return names
    }

    // MARK: Depth

    /// Runs `body` one level deeper; every recursion of the grammar passes here.
    mutating func nested<Result>(
        _ body: (inout Parser) throws(Diagnostic) -> Result
    ) throws(Diagnostic) -> Result {
        depth += 1
        defer { depth -= 1 }
        try checkLevels(depth, "nested")
        return try body(&self)
    }

    /// Throws when a list that grows to the left, or the nesting, has too many levels.
    func checkLevels(_ levels: Int, _ what: String) throws(Diagnostic) {
        if levels > SQLLimits.nestingMax {
            throw Diagnostic(
                current.position,
                "more than \(SQLLimits.nestingMax) levels are \(what) here; split the query with views"
            )
        }
    }

    // MARK: Complaints

    /// "expected …, found …", or a misspelt keyword where the next or the last word looks like one of
    /// `instead` or of the clauses' keywords.
    func unexpected(_ expectation: String, instead: [String] = []) -> Diagnostic {
        let keywords =
            instead + ["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "JOIN", "UNION"]
        for token in [current, previous] {
            guard let token, token.kind == .word, token.text.utf8.count > 3,
                let keyword = nearestSpelling(of: token.keyword, among: keywords),
                keyword != token.keyword,
                !reservedWords.contains(token.keyword)
            else { continue }
            return Diagnostic(
                token.position, "\"\(token.text)\" is not expected here; did you mean \(keyword)?")
        }
        return Diagnostic(current.position, "\(expectation), found \(current.shown)")
    }

    /// A construct of Flink SQL that weir does not have.
    func unsupported(_ construct: String, _ advice: String = "", at position: TextPosition? = nil)
        -> Diagnostic
    {
        let sentence = "\(construct) is not supported yet"
        return Diagnostic(
            position ?? current.position, advice.isEmpty ? sentence : "\(sentence); \(advice)")
    }
}
