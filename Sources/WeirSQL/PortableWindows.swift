// Flink computes all OVER calls of a SELECT over one window: the same partition, order and frame. weir takes
// several. As with all that is about portability, the words of the text are looked at: OVER with what is in
// its parentheses, or with what WINDOW defines by that name, put into one form.

import WeirCore

/// Finds SELECT lists with calls over several windows.
struct PortableWindows {
    private let tokens: [Token]
    private var complaints: [Diagnostic] = []
    /// The SELECTs that are open, the innermost last.
    private var open = [Select()]

    /// The OVERs of a SELECT.
    private struct Select {
        var calls: [(position: TextPosition, function: String, window: Range<Int>)] = []
        /// What WINDOW defines.
        var named: [String: Range<Int>] = [:]
    }

    private init(_ tokens: [Token]) { self.tokens = tokens }

    /// A complaint for each call over another window than the first one of its SELECT.
    static func complaints(about tokens: [Token]) -> [Diagnostic] {
        var search = PortableWindows(tokens)
        search.run()
        return search.complaints
    }

    private mutating func run() {
        for index in tokens.indices {
            let token = tokens[index]
            if token.kind == .symbol, token.text == "(" {
                open.append(Select())
            } else if token.kind == .symbol, token.text == ")" {
                if open.count > 1 { close() }
            } else if token.keyword == "SELECT", token.kind == .word {
                close()
                open.append(Select())
            } else if token.keyword == "OVER", token.kind == .word {
                addCall(at: index)
            } else if token.keyword == "AS", token.kind == .word, definesWindow(index) {
                open[open.count - 1].named[tokens[index - 1].text] = inside(index + 1)
            }
        }
        while !open.isEmpty { close() }
    }

    private func isSymbol(_ index: Int, _ text: String) -> Bool {
        tokens.indices.contains(index) && tokens[index].kind == .symbol && tokens[index].text == text
    }

    /// Whether the AS at `index` belongs to a WINDOW clause: of WITH, too, parentheses follow, but a
    /// query is in them.
    private func definesWindow(_ index: Int) -> Bool {
        index > 0 && isSymbol(index + 1, "(") && index + 2 < tokens.count
            && ["PARTITION", "ORDER"].contains(tokens[index + 2].keyword)
    }

    private mutating func addCall(at index: Int) {
        var place = index - 1
        var depth = 0
        while place >= 0 {
            if isSymbol(place, ")") { depth += 1 }
            if isSymbol(place, "(") { depth -= 1 }
            if depth == 0 { break }
            place -= 1
        }
        guard place > 0, index + 1 < tokens.count else { return }
        let window = isSymbol(index + 1, "(") ? inside(index + 1) : index + 1..<index + 2
        open[open.count - 1].calls.append((tokens[index].position, tokens[place - 1].keyword, window))
    }

    /// What is between the parenthesis at `index` and the one that closes it.
    private func inside(_ index: Int) -> Range<Int> {
        var depth = 0
        for place in index..<tokens.count {
            if isSymbol(place, "(") { depth += 1 }
            if isSymbol(place, ")") { depth -= 1 }
            if depth == 0 { return index + 1..<place }
        }
        return index + 1..<tokens.count
    }

    private mutating func close() {
        let select = open.removeLast()
        var first: String?
        for call in select.calls {
            let isName = call.window.count == 1
            let named = isName ? select.named[tokens[call.window.lowerBound].text] : nil
            let form = form(of: named ?? call.window, call.function)
            if first == nil { first = form }
            guard form != first else { continue }
            complaints.append(
                Diagnostic(
                    call.position,
                    "Flink computes the OVER calls of a SELECT over one window; put \(call.function) into a "
                        + "SELECT above it"))
        }
        complaints.sort { $0.position < $1.position }
    }

    /// A window in one form, whichever way its frame is written.
    private func form(of window: Range<Int>, _ function: String) -> String {
        var words = window.map { index in
            tokens[index].kind == .word ? tokens[index].text.uppercased() : tokens[index].text
        }
        if let frame = words.lastIndex(where: { $0 == "ROWS" || $0 == "RANGE" }) {
            if words.suffix(3) == ["AND", "CURRENT", "ROW"] { words.removeLast(3) }
            if frame + 1 < words.count, words[frame + 1] == "BETWEEN" { words.remove(at: frame + 1) }
        } else {
            words += [function == "ROW_NUMBER" ? "ROWS" : "RANGE", "UNBOUNDED", "PRECEDING"]
        }
        return words.joined(separator: " ")
    }
}
