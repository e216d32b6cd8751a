// What Flink 2.3 makes of QUALIFY otherwise than the SQL standard and weir. Beside GROUP BY its planner
// fails. And where OVER is only in the SELECT list, it takes a column that QUALIFY reads besides for the one
// that has its place in FROM in the SELECT list: it fails, or keeps other rows. Both were tried, and both do
// not happen to a WHERE one level up.
//
// As with all that is about portability, the words of the text are looked at.

import WeirCore

/// Finds the QUALIFYs that Flink fails on.
enum PortableQualify {
    /// A complaint for each QUALIFY of the text that Flink does not take, or takes otherwise.
    static func complaints(about tokens: [Token]) -> [Diagnostic] {
        tokens.indices.compactMap { index in
            tokens[index].kind == .word && tokens[index].keyword == "QUALIFY"
                ? complaint(about: index, in: tokens) : nil
        }
    }

    private static func complaint(about place: Int, in tokens: [Token]) -> Diagnostic? {
        let clauses = clauses(before: place, in: tokens)
        if clauses.isGrouped {
            return Diagnostic(
                tokens[place].position,
                "Flink 2.3 fails on QUALIFY beside GROUP BY; write its condition as the WHERE of a SELECT above it")
        }
        let condition = condition(behind: place, in: tokens)
        if condition.contains(where: { tokens[$0].kind == .word && tokens[$0].keyword == "OVER" }) { return nil }
        let computed = clauses.items.compactMap { computedName($0, in: tokens) }
        let plain = condition.first { index in
            // What follows AS is a type.
            isName(index, in: tokens) && !isAs(index - 1, in: tokens) && !computed.contains(tokens[index].text)
        }
        return plain.map { index in
            Diagnostic(
                tokens[index].position,
                "Flink 2.3 reads another column for \(tokens[index].text) in a QUALIFY whose OVER is in the SELECT "
                    + "list; write the condition as the WHERE of a SELECT above it")
        }
    }

    /// The items of the SELECT list that QUALIFY at `place` belongs to, and whether it has a GROUP BY.
    private static func clauses(
        before place: Int, in tokens: [Token]
    ) -> (items: [Range<Int>], isGrouped: Bool) {
        var depth = 0
        var (items, end, isGrouped): ([Range<Int>], Int, Bool) = ([], place, false)
        for index in (0..<place).reversed() {
            let token = tokens[index]
            if token.kind == .symbol, token.text == ")" { depth += 1 }
            if token.kind == .symbol, token.text == "(" { depth -= 1 }
            guard depth == 0 else { continue }
            switch (token.kind, token.keyword) {
            case (.word, "GROUP"): isGrouped = true
            case (.word, "FROM"):
                (items, end) = ([], index)
            case (.word, "SELECT"): return ([index + 1..<end] + items, isGrouped)
            case (.symbol, _) where token.text == ",":
                items.insert(index + 1..<end, at: 0)
                end = index
            default: break
            }
        }
        return (items, isGrouped)
    }

    /// What stands behind QUALIFY at `place`, up to the next clause.
    private static func condition(behind place: Int, in tokens: [Token]) -> Range<Int> {
        var depth = 0
        for index in (place + 1)..<tokens.count {
            let token = tokens[index]
            if token.kind == .symbol, token.text == "(" { depth += 1 }
            if token.kind == .symbol, token.text == ")" { depth -= 1 }
            let isOver = depth == 0 && token.kind == .word && nextClauses.contains(token.keyword)
            if depth < 0 || isOver || token.kind == .end { return place + 1..<index }
        }
        return place + 1..<tokens.count
    }

    private static let nextClauses: Set<String> = [
        "ORDER", "LIMIT", "OFFSET", "FETCH", "UNION", "INTERSECT", "EXCEPT",
    ]

    /// The name of an item of a SELECT list that is more than a column; nil of others.
    private static func computedName(_ item: Range<Int>, in tokens: [Token]) -> String? {
        let isColumn = item.allSatisfy { isName($0, in: tokens) || tokens[$0].text == "." || isAs($0, in: tokens) }
        guard let last = item.last, !isColumn, isName(last, in: tokens) else { return nil }
        return tokens[last].text
    }

    private static func isAs(_ index: Int, in tokens: [Token]) -> Bool {
        tokens[index].kind == .word && tokens[index].keyword == "AS"
    }

    /// Whether the token is a name, of a column or an alias, and no function's, type's or unit's.
    private static func isName(_ index: Int, in tokens: [Token]) -> Bool {
        let token = tokens[index]
        if token.kind == .quotedName { return true }
        guard token.kind == .word, !reservedWords.contains(token.keyword) else { return false }
        let next = index + 1 < tokens.count ? tokens[index + 1] : token
        if next.kind == .symbol && next.text == "(" || next.kind == .string { return false }
        return index == 0 || tokens[index - 1].kind != .string
    }
}
