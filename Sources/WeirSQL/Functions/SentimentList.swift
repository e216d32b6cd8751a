// The word list behind SENTIMENT: one word and its weight from -1 to 1 a line, with
// blanks or a comma between them, `not` and its like with the
// weight `negation`. Words are compared in small letters; the text is cut into words at everything that is
// no letter, digit or apostrophe.

import WeirCore

/// Words and weights.
public struct SentimentList: Sendable {
    /// Words behind a negation that it reaches.
    private static let reachWords = 3

    private var weights: [String: Double] = [:]
    private var negations: Set<String> = []

    /// Nil if a line is wrong.
    init?(_ text: String) {
        if Self.problem(in: text) != nil { return nil }
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = Self.parts(line)
            guard parts.count == 2 else { continue }
            if parts[1] == "negation" {
                negations.insert(parts[0])
            } else {
                weights[parts[0]] = Double(parts[1]) ?? 0
            }
        }
    }

    /// The first line that is neither empty, nor a comment behind #, nor a word and its weight.
    public static func problem(in text: String) -> (line: Int, message: String)? {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let parts = parts(line)
            if parts.isEmpty { continue }
            guard parts.count == 2 else { return (index + 1, "a line is a word and its weight") }
            if parts[1] == "negation" { continue }
            guard let weight = Double(parts[1]), weight.magnitude <= 1 else {
                return (index + 1, "'\(Token.clipped(parts[1]))' is no weight from -1 to 1, and not \"negation\"")
            }
        }
        return nil
    }

    private static func parts(_ line: Substring) -> [String] {
        if line.first == "#" { return [] }
        return line.split { $0.isWhitespace || $0 == "," }.map { $0.lowercased() }
    }

    /// The mean weight of the words that are in the list; 0 if none is.
    func score(_ text: TextView) -> Double {
        var (sum, count, reach) = (0.0, 0, 0)
        let words = text.string.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "'" || $0 == "’") }
        for word in words {
            let word = String(word.map { $0 == "’" ? "'" : $0 })
            if negations.contains(word) {
                reach = Self.reachWords
                continue
            }
            if let weight = weights[word] {
                sum += reach > 0 ? -weight : weight
                count += 1
                reach = 0
            } else if reach > 0 {
                reach -= 1
            }
        }
        return count == 0 ? 0 : sum / Double(count)
    }
}
