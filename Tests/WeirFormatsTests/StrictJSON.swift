// A second opinion on what is JSON: a plain recursive-descent checker of RFC 8259's grammar, which
// shares nothing with the reader that it judges.

/// Whether bytes are one JSON object or array, in valid UTF-8, nested no deeper than `depthMax`.
struct StrictJSON {
    private let bytes: [UInt8]
    private let depthMax: Int
    private var at = 0

    static func accepts(_ bytes: [UInt8], depthMax: Int = 64) -> Bool {
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        var checker = StrictJSON(bytes: bytes, depthMax: depthMax)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { checker.at = 3 }
        checker.space()
        guard checker.peek == UInt8(ascii: "{") || checker.peek == UInt8(ascii: "[") else {
            return false
        }
        guard checker.value(depth: 1) else { return false }
        checker.space()
        return checker.at == bytes.count
    }

    private init(bytes: [UInt8], depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
    }

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ byte: Character) -> Bool {
        guard let expected = byte.asciiValue, peek == expected else { return false }
        at += 1
        return true
    }

    private mutating func space() {
        while let byte = peek, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { at += 1 }
    }

    private mutating func value(depth: Int) -> Bool {
        space()
        switch peek.map({ Character(UnicodeScalar($0)) }) {
        case "{": return members(depth: depth)
        case "[": return elements(depth: depth)
        case "\"": return string()
        case "t": return word("true")
        case "f": return word("false")
        case "n": return word("null")
        default: return number()
        }
    }

    private mutating func members(depth: Int) -> Bool {
        at += 1
        guard depth <= depthMax else { return false }
        space()
        if take("}") { return true }
        repeat {
            space()
            guard string() else { return false }
            space()
            guard take(":"), value(depth: depth + 1) else { return false }
            space()
        } while take(",")
        return take("}")
    }

    private mutating func elements(depth: Int) -> Bool {
        at += 1
        guard depth <= depthMax else { return false }
        space()
        if take("]") { return true }
        repeat {
            guard value(depth: depth + 1) else { return false }
            space()
        } while take(",")
        return take("]")
    }

    private mutating func word(_ word: String) -> Bool {
        for character in word where !take(character) { return false }
        return true
    }

    private mutating func digits() -> Bool {
        let start = at
        while let byte = peek, (0x30...0x39).contains(byte) { at += 1 }
        return at > start
    }

    private mutating func number() -> Bool {
        _ = take("-")
        if !take("0"), !digits() { return false }
        if take("."), !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            return digits()
        }
        return true
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while let byte = peek {
            at += 1
            if byte == 0x22 { return true }
            if byte < 0x20 { return false }
            guard byte == 0x5C else { continue }
            guard let escape = peek else { return false }
            at += 1
            if escape == UInt8(ascii: "u") {
                for _ in 0..<4 {
                    guard let digit = peek, Character(UnicodeScalar(digit)).isHexDigit else {
                        return false
                    }
                    at += 1
                }
            } else if !"\"\\/bfnrt".utf8.contains(escape) {
                return false
            }
        }
        return false
    }
}
