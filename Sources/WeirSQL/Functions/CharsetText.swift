// The character sets of ENCODE and DECODE, and the parts of a URL.

import WeirCore

/// A character set that Java always has.
enum Charset: String {
    case ascii = "US-ASCII"
    case latin1 = "ISO-8859-1"
    case utf8 = "UTF-8"
    case utf16BigEndian = "UTF-16BE"
    case utf16LittleEndian = "UTF-16LE"
    /// With a byte order mark, big-endian by default.
    case utf16 = "UTF-16"

    init?(_ name: TextView) {
        let name = name.string.uppercased()
        let other = ["ASCII": "US-ASCII", "LATIN1": "ISO-8859-1", "UTF8": "UTF-8"]
        self.init(rawValue: other[name] ?? name)
    }

    /// Characters that the set lacks become question marks.
    func encode(_ text: TextView, _ builder: inout TextBuilder) {
        switch self {
        case .utf8: builder.append(text)
        case .ascii, .latin1:
            let limit: UInt32 = self == .ascii ? 0x80 : 0x100
            for scalar in text.string.unicodeScalars {
                builder.append(scalar.value < limit ? UInt8(scalar.value) : UInt8(ascii: "?"))
            }
        case .utf16, .utf16BigEndian, .utf16LittleEndian:
            if self == .utf16, !text.isEmpty { builder.append(contentsOf: [0xFE, 0xFF]) }
            for unit in text.string.utf16 {
                let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xFF))
                let isLittle = self == .utf16LittleEndian
                builder.append(contentsOf: isLittle ? [low, high] : [high, low])
            }
        }
    }

    /// Bytes that mean nothing become replacement characters.
    func decode(_ bytes: TextView, _ builder: inout TextBuilder) {
        switch self {
        case .utf8: builder.append(bytes.string)
        case .ascii:
            for byte in bytes { builder.append(byte < 0x80 ? Unicode.Scalar(byte) : "\u{FFFD}") }
        case .latin1: for byte in bytes { builder.append(Unicode.Scalar(byte)) }
        case .utf16, .utf16BigEndian, .utf16LittleEndian:
            var isLittle = self == .utf16LittleEndian
            var start = 0
            if self == .utf16, bytes.count >= 2 {
                isLittle = bytes[0] == 0xFF && bytes[1] == 0xFE
                if isLittle || (bytes[0] == 0xFE && bytes[1] == 0xFF) { start = 2 }
            }
            let units = stride(from: start, to: bytes.count - 1, by: 2).map { at in
                let (first, second) = (UInt16(bytes[at]), UInt16(bytes[at + 1]))
                return isLittle ? second << 8 | first : first << 8 | second
            }
            builder.append(String(decoding: units, as: UTF16.self))
        }
    }
}

/// A URL taken apart as java.net.URL does.
struct URLParts {
    private let scheme: String
    private let authority: String
    private let path: String
    private let query: String?
    private let reference: String?

    /// Nil if it is no URL with one of the schemes that Java knows.
    init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        scheme = text[..<colon].lowercased()
        guard ["http", "https", "ftp", "file", "jar"].contains(scheme) else { return nil }
        var rest = text[text.index(after: colon)...]
        if let hash = rest.firstIndex(of: "#") {
            reference = String(rest[rest.index(after: hash)...])
            rest = rest[..<hash]
        } else {
            reference = nil
        }
        if let mark = rest.firstIndex(of: "?") {
            query = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        } else {
            query = nil
        }
        guard rest.hasPrefix("//") else {
            authority = ""
            path = String(rest)
            return
        }
        rest = rest.dropFirst(2)
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        authority = String(rest[..<end])
        path = String(rest[end...])
    }

    /// The part called `name`, or the value of `key` in the query.
    func part(_ name: String, key: String?) -> String? {
        if let key {
            guard name == "QUERY", let query else { return nil }
            for pair in query.split(separator: "&") where pair.hasPrefix(key + "=") {
                return String(pair.dropFirst(key.count + 1))
            }
            return nil
        }
        let hostStart = authority.lastIndex(of: "@").map { authority.index(after: $0) }
        let address = authority[(hostStart ?? authority.startIndex)...]
        switch name {
        case "PROTOCOL": return scheme
        case "AUTHORITY": return authority.isEmpty ? nil : authority
        case "USERINFO":
            return authority.lastIndex(of: "@").map { String(authority[..<$0]) }
        case "HOST":
            if address.hasPrefix("["), let end = address.firstIndex(of: "]") { return String(address[...end]) }
            return String(address.prefix { $0 != ":" })
        case "PATH": return path
        case "FILE": return path + (query.map { "?" + $0 } ?? "")
        case "QUERY": return query
        case "REF": return reference
        default: return nil
        }
    }
}
