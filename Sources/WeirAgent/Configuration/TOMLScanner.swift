// A lexical look at TOML text, for what toml++ does not tell: where each character of a string came
// from, and keys with so many parts that parsing them would recurse too deep.
//
// It follows TOML 1.0's rules for strings and comments and nothing else; it never fails, because
// texts that are no TOML are refused by the parser.

/// Reads strings in TOML text.
struct TOMLScanner {
    private let text: [UInt8]

    init(_ text: [UInt8]) { self.text = text }

    /// The offset of a key with more than `partsMax` parts, or nil.
    func firstKeyOverLimit(partsMax: Int) -> Int? {
        var offset = 0
        var dots = 0
        while offset < text.count {
            switch text[offset] {
            case UInt8(ascii: "#"):
                while offset < text.count, text[offset] != UInt8(ascii: "\n") { offset += 1 }
                continue
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                offset = string(at: offset, nil)
                continue
            case UInt8(ascii: "."):
                dots += 1
                if dots >= partsMax { return offset }
            case UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: "{"), UInt8(ascii: "["),
                UInt8(ascii: "\n"):
                dots = 0
            default: break
            }
            offset += 1
        }
        return nil
    }

    /// Walks over the string that begins at `start` and returns the offset behind it.
    ///
    /// `visit` hears of each piece of the string's value: its bytes and the offset where they are
    /// written. Bytes that stand for themselves come one at a time, an escape as a whole; at the
    /// end it hears of an empty piece at the closing quotes.
    @discardableResult
    func string(at start: Int, _ visit: ((_ bytes: [UInt8], _ offset: Int) -> Void)?) -> Int {
        let quote = text[start]
        let isMultiline = text[start...].starts(with: [quote, quote, quote])
        let isBasic = quote == UInt8(ascii: "\"")
        var offset = start + (isMultiline ? 3 : 1)
        if isMultiline { offset = afterLineBreak(offset) ?? offset }
        while offset < text.count {
            let byte = text[offset]
            if byte == quote {
                if !isMultiline {
                    visit?([], offset)
                    return offset + 1
                }
                let run = text[offset...].prefix(5).prefix { $0 == quote }.count
                if run >= 3 {
                    // Up to two quotes may stand before the closing three.
                    for extra in 0..<(run - 3) { visit?([quote], offset + extra) }
                    visit?([], offset + run - 3)
                    return offset + run
                }
            }
            if !isMultiline, byte == UInt8(ascii: "\n") { return offset }
            if isBasic, byte == UInt8(ascii: "\\") {
                offset = escape(at: offset, visit)
            } else {
                // The parser makes one line feed of the line ends of Windows.
                let isHalfLineEnd = byte == UInt8(ascii: "\r") && afterLineBreak(offset) != nil
                if !isHalfLineEnd { visit?([byte], offset) }
                offset += 1
            }
        }
        return offset
    }

    private func afterLineBreak(_ offset: Int) -> Int? {
        let rest = text[min(offset, text.count)...]
        if rest.first == UInt8(ascii: "\n") { return offset + 1 }
        return rest.starts(with: [UInt8(ascii: "\r"), UInt8(ascii: "\n")]) ? offset + 2 : nil
    }

    private func escape(at start: Int, _ visit: ((_ bytes: [UInt8], _ offset: Int) -> Void)?) -> Int
    {
        guard start + 1 < text.count else { return text.count }
        let plain: [UInt8: UInt8] = [
            UInt8(ascii: "b"): 8, UInt8(ascii: "t"): 9, UInt8(ascii: "n"): 10,
            UInt8(ascii: "f"): 12,
            UInt8(ascii: "r"): 13, UInt8(ascii: "\""): 34, UInt8(ascii: "\\"): 92,
        ]
        let letter = text[start + 1]
        if let byte = plain[letter] {
            visit?([byte], start)
            return start + 2
        }
        if letter == UInt8(ascii: "u") || letter == UInt8(ascii: "U") {
            let end = min(start + 2 + (letter == UInt8(ascii: "u") ? 4 : 8), text.count)
            let digits = String(decoding: text[(start + 2)..<end], as: UTF8.self)
            let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init)
            visit?(Array(String(Character(scalar ?? "\u{FFFD}")).utf8), start)
            return end
        }
        // A backslash at the end of a line swallows all white space up to the next character.
        let white: [UInt8] = [32, 9, 10, 13]
        var offset = start + 1
        while offset < text.count, white.contains(text[offset]) { offset += 1 }
        return max(offset, start + 2)
    }
}
