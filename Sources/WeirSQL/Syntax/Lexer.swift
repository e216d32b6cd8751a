// Splits a SQL text into tokens. Works on UTF-8 bytes, so that columns are what editors and the
// configuration's own positions count; every byte is looked at once.

import WeirCore

/// Reads tokens from the front of a text.
struct Lexer {
    private let bytes: [UInt8]
    private var offset = 0
    private var line = 1
    private var lineStart = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    /// All tokens of `text`, an `.end` token last.
    static func tokens(of text: String) throws(Diagnostic) -> [Token] {
        if text.utf8.count > SQLLimits.textBytesMax {
            throw Diagnostic(
                TextPosition(line: 1, column: 1),
                "the text has \(text.utf8.count) bytes; a query has at most \(SQLLimits.textBytesMax)"
            )
        }
        var lexer = Lexer(text)
        var tokens: [Token] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private var position: TextPosition { TextPosition(line: line, column: offset - lineStart + 1) }

    private func byte(_ ahead: Int = 0) -> UInt8? {
        offset + ahead < bytes.count ? bytes[offset + ahead] : nil
    }

    private func text(from start: Int) -> String {
        String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func advance() {
        if bytes[offset] == UInt8(ascii: "\n") {
            line += 1
            lineStart = offset + 1
        }
        offset += 1
    }

    private mutating func next() throws(Diagnostic) -> Token {
        try skipBlanks()
        let start = position
        guard let first = byte() else { return Token(.end, "", at: start) }
        switch first {
        case UInt8(ascii: "'"): return try quoted(by: first, .string, "string")
        case UInt8(ascii: "`"):
            let token = try quoted(by: first, .quotedName, "name")
            if token.text.isEmpty { throw Diagnostic(start, "a name in backquotes is empty") }
            return token
        case UInt8(ascii: "\""):
            throw Diagnostic(
                start, "names are quoted with backquotes (`) and strings with single quotes (')")
        case _ where first.isDigit: return try number()
        case UInt8(ascii: ".") where byte(1)?.isDigit == true: return try number()
        case _ where first.isNameStart && punctuationLength() == 0: return try word()
        default: return try symbol()
        }
    }

    private mutating func skipBlanks() throws(Diagnostic) {
        while let here = byte() {
            if here == 0x20 || (0x09...0x0d).contains(here) {
                advance()
            } else if here == UInt8(ascii: "-"), byte(1) == here {
                while let inComment = byte(), inComment != UInt8(ascii: "\n") { advance() }
            } else if here == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                try skipBlockComment()
            } else {
                return
            }
        }
    }

    private mutating func skipBlockComment() throws(Diagnostic) {
        let start = position
        if byte(2) == UInt8(ascii: "+") {
            throw Diagnostic(
                start,
                "hints (/*+ … */) are not supported; such settings belong in the configuration")
        }
        offset += 2
        while let here = byte() {
            if here == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                offset += 2
                return
            }
            advance()
        }
        throw Diagnostic(start, "the comment that starts here is not closed by */")
    }

    /// A run between two quotes; a doubled quote stands for one.
    private mutating func quoted(
        by quote: UInt8, _ kind: Token.Kind, _ what: String
    ) throws(Diagnostic) -> Token {
        let start = position
        var value: [UInt8] = []
        advance()
        while let here = byte() {
            advance()
            if here == quote {
                guard byte() == quote else {
                    return Token(kind, String(decoding: value, as: UTF8.self), at: start)
                }
                advance()
            }
            value.append(here)
        }
        throw Diagnostic(
            start,
            "the \(what) that starts here is not closed by \(Character(Unicode.Scalar(quote)))")
    }

    private mutating func number() throws(Diagnostic) -> Token {
        let (start, first) = (position, offset)
        skipDigits()
        if byte() == UInt8(ascii: ".") {
            offset += 1
            skipDigits()
        }
        if let mark = byte(), mark | 0x20 == UInt8(ascii: "e") {
            let hasSign = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-")
            if byte(hasSign ? 2 : 1)?.isDigit == true {
                offset += hasSign ? 2 : 1
                skipDigits()
            }
        }
        if byte()?.isNamePart == true {
            while byte()?.isNamePart == true { offset += 1 }
            throw Diagnostic(
                start,
                "\"\(Token.clipped(text(from: first)))\" is neither a number nor a name; a name that starts with a "
                    + "digit is written in backquotes")
        }
        return Token(.number, text(from: first), at: start)
    }

    private mutating func skipDigits() {
        while byte()?.isDigit == true { offset += 1 }
    }

    private mutating func word() throws(Diagnostic) -> Token {
        let (start, first) = (position, offset)
        while byte()?.isNamePart == true, punctuationLength() == 0 { offset += 1 }
        let word = text(from: first)
        if word.uppercased() == "U", byte() == UInt8(ascii: "&"), byte(1) == UInt8(ascii: "'") {
            offset += 1
            return try unicodeString(at: start)
        }
        if byte() == UInt8(ascii: "'"), ["U", "N", "E", "B"].contains(word.uppercased()) {
            throw Diagnostic(start, "strings with a prefix (\(word)'…') are not supported")
        }
        return Token(.word, word, at: start)
    }

    /// The string of `U&'…' [UESCAPE 'c']`; its first quote is next. `\263A` is a UTF-16 unit.
    private mutating func unicodeString(at start: TextPosition) throws(Diagnostic) -> Token {
        let written = try quoted(by: UInt8(ascii: "'"), .string, "string")
        let behind = self
        var escape: Unicode.Scalar = "\\"
        try skipBlanks()
        if byte()?.isNameStart == true, let word = try? next(), word.keyword == "UESCAPE" {
            let mark = try next()
            guard mark.kind == .string, mark.text.unicodeScalars.count == 1,
                let scalar = mark.text.unicodeScalars.first
            else { throw Diagnostic(mark.position, "UESCAPE takes one character in quotes") }
            escape = scalar
        } else {
            self = behind
        }
        guard let text = UnicodeEscapes.text(written.text, escape: escape) else {
            throw Diagnostic(
                start, "behind the \(escape) of a U&'…' stand four hexadecimal digits, or another \(escape)")
        }
        return Token(.string, text, at: start)
    }

    /// Bytes of the typographic mark at `offset` (curly quotes, dashes, no-break spaces, byte order
    /// mark), 0 for anything else: word processors put them in and nobody sees it.
    private func punctuationLength() -> Int {
        guard let first = byte(), first >= 0x80, let second = byte(1) else { return 0 }
        switch (first, second) {
        case (0xc2, 0xa0...0xa9), (0xc2, 0xab), (0xc2, 0xbb): return 2
        case (0xe2, 0x80...0x81), (0xe3, 0x80), (0xef, 0xbb): return byte(2) == nil ? 0 : 3
        default: return 0
        }
    }

    private static let pairs: Set<String> = ["<>", "!=", "<=", ">=", "||", "=>"]
    private static let singles: Set<String> = [
        "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}", ",", ".", ";",
        "?", "|", "^", "$", ":",
    ]

    private mutating func symbol() throws(Diagnostic) -> Token {
        let (start, first) = (position, offset)
        let pair = String(decoding: bytes[first..<min(first + 2, bytes.count)], as: UTF8.self)
        if Self.pairs.contains(pair) {
            offset += 2
            return Token(.symbol, pair, at: start)
        }
        if pair == "::" { throw Diagnostic(start, "casts are written CAST(value AS type)") }
        if pair == "==" { throw Diagnostic(start, "equality is written with one =") }
        offset += max(1, punctuationLength())
        let single = text(from: first)
        if Self.singles.contains(single) { return Token(.symbol, single, at: start) }
        let isPlain = (0x21..<0x7f).contains(bytes[first])
        throw Diagnostic(
            start,
            "the character \(isPlain ? "\"\(single)\"" : codePoints(single)) has no meaning in SQL")
    }
}

/// Characters that cannot be seen or are easily mistaken, by number: `U+2019`.
private func codePoints(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }.joined(separator: " ")
}

extension UInt8 {
    fileprivate var isDigit: Bool { (0x30...0x39).contains(self) }
    /// Letters, the underscore, and all of UTF-8 beyond ASCII.
    fileprivate var isNameStart: Bool {
        (0x61...0x7a).contains(self | 0x20) || self == UInt8(ascii: "_") || self >= 0x80
    }
    fileprivate var isNamePart: Bool { isNameStart || isDigit || self == UInt8(ascii: "$") }
}
