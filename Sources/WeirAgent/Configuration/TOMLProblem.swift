// toml++'s complaints about a text in the words and at the places that help its author.
//
// The digits of a number are never repeated: it may be a secret whose quotes were forgotten.

/// Why a text is no TOML.
struct TOMLProblem {
    let offset: Int
    let message: String

    /// - Parameters:
    ///   - raw: toml++'s message, such as "Error while parsing string: encountered end-of-file".
    ///   - offset: where toml++ stopped reading.
    ///   - text: what it read.
    init(_ raw: String, at offset: Int, in text: [UInt8]) {
        let preamble = "Error while parsing "
        let halves = raw.split(separator: ":", maxSplits: 1)
        guard halves.count == 2, halves[0].hasPrefix(preamble) else {
            self.offset = offset
            message = raw
            return
        }
        let scope = halves[0].dropFirst(preamble.count)
        let reason = String(halves[1].drop { $0 == " " })
        let isAtLineEnd = offset < text.count && text[offset] == UInt8(ascii: "\n")
        self.offset =
            reason.hasPrefix("cannot redefine")
            ? Self.lineContent(before: offset, in: text) : offset
        if reason.contains("is not representable") {
            message = "this number is too large"
        } else if reason.contains("nested value depth") {
            message = "lists and tables are nested too deep"
        } else if scope == "string", isAtLineEnd, reason.hasPrefix("unescaped control characters") {
            message = "the string is not closed on its line"
        } else if ["boolean", "floating-point", "value"].contains(scope),
            Self.isBareWord(at: offset, in: text)
        {
            message = "in this \(scope): \(reason); a string stands in double quotes"
        } else {
            message = "in this \(scope): \(reason)"
        }
    }

    /// The first byte of the line of `offset` that is no white space.
    private static func lineContent(before offset: Int, in text: [UInt8]) -> Int {
        var start = min(offset, text.count)
        while start > 0, text[start - 1] != UInt8(ascii: "\n") { start -= 1 }
        while start < offset, text[start] <= UInt8(ascii: " ") { start += 1 }
        return start
    }

    /// Whether the value that `offset` lies in begins with a letter.
    private static func isBareWord(at offset: Int, in text: [UInt8]) -> Bool {
        var start = min(offset, text.count)
        while start > 0, text[start - 1] > UInt8(ascii: " "), text[start - 1] != UInt8(ascii: "=") {
            start -= 1
        }
        guard start < text.count else { return false }
        return isIdentifierByte(text[start])
            && !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[start])
    }
}
