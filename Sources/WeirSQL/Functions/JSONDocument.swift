// JSON texts as trees, read and written as Jackson does it for Flink: what follows the first value is not
// looked at, of a key that comes twice the last value counts, numbers keep their digits, and objects are
// written with their keys in order.

import WeirCore

/// A JSON value.
indirect enum JSONDocument {
    case null
    case boolean(Bool)
    /// As Java's BigInteger and BigDecimal write it.
    case number(String)
    case string(String)
    case array([JSONDocument])
    case object([(key: String, value: JSONDocument)])

    /// Levels of arrays and objects that are read.
    static let depthMax = 200

    /// The first value of a text; nil if it does not begin with one.
    init?(_ text: TextView) {
        var reader = JSONReader(text)
        guard let value = reader.value(depth: 0) else { return nil }
        self = value
    }

    /// Whether it is neither an array nor an object.
    var isScalar: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }

    var isNull: Bool { if case .null = self { true } else { false } }

    /// A scalar as text: a string's characters, or what JSON writes.
    var scalarText: String {
        switch self {
        case .string(let text): text
        case .number(let text): text
        case .boolean(let value): value ? "true" : "false"
        default: "null"
        }
    }

    /// The value of `key`.
    func member(_ key: String) -> JSONDocument? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// The text, without blanks.
    func write(to text: inout String) {
        switch self {
        case .null, .boolean, .number: text += scalarText
        case .string(let value): Self.writeString(value, to: &text)
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += "," }
                element.write(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            let sorted = members.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }
            for (index, member) in sorted.enumerated() {
                if index > 0 { text += "," }
                Self.writeString(member.key, to: &text)
                text += ":"
                member.value.write(to: &text)
            }
            text += "}"
        }
    }

    /// A string in quotes; control characters, quotes and backslashes are escaped.
    static func writeString(_ value: String, to text: inout String) {
        let short: [Unicode.Scalar: String] = [
            "\"": "\\\"", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u{8}": "\\b", "\u{C}": "\\f",
        ]
        text += "\""
        for scalar in value.unicodeScalars {
            if let escape = short[scalar] {
                text += escape
            } else if scalar.value < 0x20 {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

/// Texts as JSON has them.
public enum JSONStrings {
    /// `value` in quotes, escaped as the functions of JSON do.
    public static func quoted(_ value: String) -> String {
        var text = ""
        JSONDocument.writeString(value, to: &text)
        return text
    }
}

/// Reads JSON.
struct JSONReader {
    private let text: TextView
    private var at = 0

    init(_ text: TextView) { self.text = text }

    /// Whether all of the text has been read.
    var isAtEnd: Bool { at == text.count }

    private mutating func skipBlanks() {
        while at < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[at]) { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard at < text.count, text[at] == byte else { return false }
        at += 1
        return true
    }

    private mutating func take(word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard at + count <= text.count, memcmpEqual(word, text.part(at..<(at + count))) else { return false }
        at += count
        return isAtBoundary
    }

    private func memcmpEqual(_ word: StaticString, _ part: TextView) -> Bool {
        part.elementsEqual(TextView(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    /// Whether a word or number may end here.
    private var isAtBoundary: Bool {
        at == text.count || [0x20, 0x09, 0x0A, 0x0D, 0x2C, 0x5D, 0x7D].contains(text[at])
    }

    /// The next value.
    mutating func value(depth: Int) -> JSONDocument? {
        skipBlanks()
        guard at < text.count, depth < JSONDocument.depthMax else { return nil }
        switch text[at] {
        case UInt8(ascii: "{"): return object(depth)
        case UInt8(ascii: "["): return array(depth)
        case UInt8(ascii: "\""): return string().map(JSONDocument.string)
        case UInt8(ascii: "t"): return take(word: "true") ? .boolean(true) : nil
        case UInt8(ascii: "f"): return take(word: "false") ? .boolean(false) : nil
        case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
        default: return number()
        }
    }

    private mutating func object(_ depth: Int) -> JSONDocument? {
        at += 1
        var members: [(key: String, value: JSONDocument)] = []
        var places: [String: Int] = [:]
        skipBlanks()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipBlanks()
            guard at < text.count, text[at] == UInt8(ascii: "\""), let key = string() else { return nil }
            skipBlanks()
            guard take(UInt8(ascii: ":")), let member = value(depth: depth + 1) else { return nil }
            if let place = places[key] {
                members[place].value = member
            } else {
                places[key] = members.count
                members.append((key, member))
            }
            skipBlanks()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { return nil }
        }
    }

    private mutating func array(_ depth: Int) -> JSONDocument? {
        at += 1
        var elements: [JSONDocument] = []
        skipBlanks()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            guard let element = value(depth: depth + 1) else { return nil }
            elements.append(element)
            skipBlanks()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { return nil }
        }
    }

    /// A string; its quote is next.
    mutating func string() -> String? {
        at += 1
        let start = at
        while at < text.count, text[at] >= 0x20, text[at] != UInt8(ascii: "\""), text[at] != UInt8(ascii: "\\") {
            at += 1
        }
        if take(UInt8(ascii: "\"")) { return text.part(start..<(at - 1)).string }
        var units = Array(text.part(start..<at).string.utf16)
        while at < text.count {
            let byte = text[at]
            if take(UInt8(ascii: "\"")) { return String(decoding: units, as: UTF16.self) }
            if byte < 0x20 { return nil }
            if byte == UInt8(ascii: "\\") {
                guard let unit = escape() else { return nil }
                units.append(unit)
            } else {
                let length = codePointLength(text, at: at)
                units.append(contentsOf: text.part(at..<(at + length)).string.utf16)
                at += length
            }
        }
        return nil
    }

    private mutating func escape() -> UInt16? {
        guard at + 1 < text.count else { return nil }
        let letter = text[at + 1]
        at += 2
        switch letter {
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UInt16(letter)
        case UInt8(ascii: "u"):
            guard at + 4 <= text.count else { return nil }
            var unit: UInt16 = 0
            for _ in 0..<4 {
                guard let digit = hexDigit(text[at]) else { return nil }
                unit = unit << 4 | UInt16(digit)
                at += 1
            }
            return unit
        default: return nil
        }
    }

    private mutating func digits() -> Int {
        let start = at
        while at < text.count, (0x30...0x39).contains(text[at]) { at += 1 }
        return at - start
    }

    private mutating func number() -> JSONDocument? {
        let start = at
        _ = take(UInt8(ascii: "-"))
        let first = at
        let whole = digits()
        if whole == 0 || (whole > 1 && text[first] == 0x30) { return nil }
        var isWhole = true
        if take(UInt8(ascii: ".")) {
            isWhole = false
            if digits() == 0 { return nil }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isWhole = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            if digits() == 0 { return nil }
        }
        guard isAtBoundary else { return nil }
        let written = text.part(start..<at).string
        if isWhole { return .number(written == "-0" ? "0" : written) }
        return bigDecimalText(written).map(JSONDocument.number)
    }
}

/// A decimal with an exponent as Java's BigDecimal writes it; nil where the exponent does not fit.
func bigDecimalText(_ text: String) -> String? {
    let parts = text.lowercased().split(separator: "e")
    let isNegative = text.hasPrefix("-")
    let mantissa = parts[0].drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
    let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
    var exponent = 0
    if parts.count > 1 {
        guard let power = Int(parts[1].drop { $0 == "+" }), power.magnitude < 1_000_000 else { return nil }
        exponent = power
    }
    var digits = String((String(mantissa[0]) + fraction).drop { $0 == "0" })
    if digits.isEmpty { digits = "0" }
    let scale = fraction.count - exponent
    let adjusted = digits.count - 1 - scale
    var result: String
    if scale == 0 {
        result = digits
    } else if scale > 0, adjusted >= -6 {
        let filled = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
        result = "\(filled.dropLast(scale)).\(filled.suffix(scale))"
    } else {
        result = String(digits.prefix(1)) + (digits.count > 1 ? ".\(digits.dropFirst())" : "")
        result += "E\(adjusted < 0 ? "-" : "+")\(adjusted.magnitude)"
    }
    return isNegative && digits != "0" ? "-" + result : result
}
