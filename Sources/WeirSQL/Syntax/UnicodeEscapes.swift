// The inside of U&'…': characters by number. A number is a UTF-16 unit of four hexadecimal digits, so
// characters beyond U+FFFF are two; the escape character itself is doubled.

import WeirCore

/// Texts with characters by number.
enum UnicodeEscapes {
    /// What `text` stands for; nil when an escape is none. Half a pair becomes U+FFFD.
    static func text(_ text: String, escape: Unicode.Scalar) -> String? {
        var units: [UInt16] = []
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == escape else {
                units += String(scalar).utf16
                continue
            }
            if rest.first == escape {
                units += String(escape).utf16
                rest.removeFirst()
                continue
            }
            let digits = rest.prefix(4)
            guard digits.count == 4, digits.allSatisfy(\.properties.isASCIIHexDigit),
                let unit = UInt16(String(String.UnicodeScalarView(digits)), radix: 16)
            else { return nil }
            units.append(unit)
            rest.removeFirst(4)
        }
        return String(decoding: units, as: UTF16.self)
    }
}
