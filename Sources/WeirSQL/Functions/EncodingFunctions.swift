// Texts and bytes in other forms: base 64, hexadecimal digits, character sets, URLs, addresses.

import WeirCore

/// The encodings.
let encodingFunctions: [LibraryFunction] = [
    LibraryFunction("TO_BASE64(text)", .hash, [.textOrBytes], .string, "In base 64.") { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            Base64Text.encode(texts[row], &builder)
            return .value
        }
    },
    LibraryFunction(
        "FROM_BASE64(text)", .hash, [.textOrBytes], .string,
        "The text that base 64 stands for; NULL and counted if it is none, where Flink ends the job.",
        canFail: true
    ) { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            Base64Text.decode(texts[row], &builder) ? .value : .failed
        }
    },
    LibraryFunction(
        "UNHEX(text)", .hash, [.string], .bytes,
        "The bytes of hexadecimal digits; of an odd number of digits the first makes a byte 0; NULL if"
            + " there is anything else."
    ) { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            let text = texts[row]
            var at = text.count % 2
            if at == 1 { builder.append(0) }
            while at < text.count {
                guard let high = hexDigit(text[at]), let low = hexDigit(text[at + 1]) else { return .null }
                builder.append(high << 4 | low)
                at += 2
            }
            return .value
        }
    },
    LibraryFunction(
        "ENCODE(text, charset)", .hash, [.string, .string], .bytes,
        "The bytes in a character set: US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE or UTF-16.",
        canFail: true
    ) { call in
        let (texts, names) = (call.text(0), call.text(1))
        return call.buildText { row, builder in
            guard let charset = Charset(names[row]) else { return .failed }
            charset.encode(texts[row], &builder)
            return .value
        }
    },
    LibraryFunction(
        "DECODE(bytes, charset)", .hash, [.exact(.bytes), .string], .string,
        "The text that bytes are in a character set.", canFail: true
    ) { call in
        let (texts, names) = (call.text(0), call.text(1))
        return call.buildText { row, builder in
            guard let charset = Charset(names[row]) else { return .failed }
            charset.decode(texts[row], &builder)
            return .value
        }
    },
    LibraryFunction(
        "URL_ENCODE(text)", .hash, [.string], .string, "As a form's value: + for a blank, %XX for what is special."
    ) { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            for byte in texts[row] {
                let isPlain = (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte)
                    || [0x2A, 0x2D, 0x2E, 0x5F].contains(byte)
                if isPlain || byte == 0x20 {
                    builder.append(isPlain ? byte : UInt8(ascii: "+"))
                } else {
                    builder.append(UInt8(ascii: "%"))
                    builder.append(hex: byte, isUpper: true)
                }
            }
            return .value
        }
    },
    LibraryFunction(
        "URL_DECODE(text)", .hash, [.string], .string, "The value that a form sent; NULL if it is not well formed."
    ) { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            let text = texts[row]
            var at = 0
            while at < text.count {
                if text[at] == UInt8(ascii: "%") {
                    guard at + 2 < text.count, let high = hexDigit(text[at + 1]),
                        let low = hexDigit(text[at + 2])
                    else { return .null }
                    builder.append(high << 4 | low)
                    at += 3
                } else {
                    builder.append(text[at] == UInt8(ascii: "+") ? 0x20 : text[at])
                    at += 1
                }
            }
            return .value
        }
    },
    LibraryFunction(
        "PARSE_URL(url, part[, key])", .hash, [.string, .string, .optional(.string)], .string,
        "PROTOCOL, AUTHORITY, USERINFO, HOST, PATH, FILE, QUERY or REF of a URL; with a key, that value of "
            + "the query. NULL if there is none."
    ) { call in
        let (texts, parts) = (call.text(0), call.text(1))
        let keys = call.text(ifGiven: 2)
        return call.buildText { row, builder in
            guard let url = URLParts(texts[row].string),
                let part = url.part(parts[row].string, key: keys.map { $0[row].string })
            else { return .null }
            builder.append(part)
            return .value
        }
    },
    LibraryFunction(
        "INET_ATON(text)", .hash, [.string], .bigint, "An IPv4 address as a number; 127.1 is 127.0.0.1."
    ) { call in
        let texts = call.text(0)
        return call.buildInteger { row, value in
            let parts = texts[row].string.split(separator: ".", omittingEmptySubsequences: false)
            guard (1...4).contains(parts.count) else { return .null }
            for (index, part) in parts.enumerated() {
                let isLast = index == parts.count - 1
                let limit: Int64 = isLast ? 1 << Int64(8 * (5 - parts.count)) : 256
                guard !part.isEmpty, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                    let number = Int64(part), number < limit
                else { return .null }
                value = isLast ? value << Int64(8 * (5 - parts.count)) | number : value << 8 | number
            }
            return .value
        }
    },
    LibraryFunction(
        "INET_NTOA(number)", .hash, [.bigint], .string, "The IPv4 address of a number; NULL outside of 32 bits."
    ) { call in
        let numbers = call.integers(0)
        return call.buildText { row, builder in
            guard let number = UInt32(exactly: numbers[row]) else { return .null }
            let bytes = [number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255]
            builder.append(bytes.map { "\($0)" }.joined(separator: "."))
            return .value
        }
    },
]

/// The value of a hexadecimal digit.
func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
}

/// Base 64 with padding.
enum Base64Text {
    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: TextView, _ builder: inout TextBuilder) {
        var at = 0
        while at < bytes.count {
            let left = bytes.count - at
            let word = UInt32(bytes[at]) << 16 | (left > 1 ? UInt32(bytes[at + 1]) << 8 : 0)
                | (left > 2 ? UInt32(bytes[at + 2]) : 0)
            for place in 0..<4 {
                let isPadding = place > left
                builder.append(isPadding ? UInt8(ascii: "=") : letters[Int(word >> UInt32(18 - 6 * place) & 63)])
            }
            at += 3
        }
    }

    /// Whether the text was base 64; padding may be left out.
    static func decode(_ text: TextView, _ builder: inout TextBuilder) -> Bool {
        var end = text.count
        while end > 0, text[end - 1] == UInt8(ascii: "="), text.count - end < 2 { end -= 1 }
        if end % 4 == 1 || (end < text.count && text.count % 4 != 0) { return false }
        var (word, bits): (UInt32, Int) = (0, 0)
        for byte in text.part(0..<end) {
            guard let digit = value(byte) else { return false }
            word = word << 6 | digit
            bits += 6
            if bits >= 8 {
                bits -= 8
                builder.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        return true
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5A: UInt32(byte - 0x41)
        case 0x61...0x7A: UInt32(byte - 0x61 + 26)
        case 0x30...0x39: UInt32(byte - 0x30 + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
