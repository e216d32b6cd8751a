// The little of RFC 3986 that object stores need: percent-encoding with one fixed set (the unreserved
// characters, as AWS signatures demand), query strings, and taking a server's address apart.

import WeirCore

/// Percent-encodes every byte but A–Z a–z 0–9 - . _ ~ (and "/" when asked).
func percentEncoded(_ text: String, keepingSlashes: Bool = false) -> String {
    var encoded: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            encoded.append(byte)
        case UInt8(ascii: "/") where keepingSlashes:
            encoded.append(byte)
        default:
            encoded.append(UInt8(ascii: "%"))
            encoded.append(hexDigits[Int(byte >> 4)])
            encoded.append(hexDigits[Int(byte & 15)])
        }
    }
    return String(decoding: encoded, as: UTF8.self)
}

private let hexDigits = Array("0123456789ABCDEF".utf8)

/// Lower-case hexadecimal digits of some bytes.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// `a=1&b=2`, percent-encoded; an item without a value is its name alone.
func queryString(_ items: [(name: String, value: String?)]) -> String {
    items.map { item in
        item.value.map { percentEncoded(item.name) + "=" + percentEncoded($0) }
            ?? percentEncoded(item.name)
    }.joined(separator: "&")
}

/// A server's address: `scheme://host:port/path`.
struct ServerAddress: Hashable, Sendable {
    let scheme: String
    /// With brackets where it is an IPv6 address.
    let host: String
    /// As written; nil = the scheme's own.
    let port: Int?
    /// What follows the host, without a slash at the end; without the query.
    let path: String

    /// Takes an address apart; nil when it is none, or one with a user in it.
    init?(_ text: String) {
        guard let scheme = Self.scheme(of: text) else { return nil }
        let rest = text.dropFirst(scheme.count + 3)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.isEmpty, !authority.contains("@"), !authority.contains(","),
            authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        let afterBracket = authority.lastIndex(of: "]") ?? authority.startIndex
        if let colon = authority[afterBracket...].lastIndex(of: ":") {
            guard let port = UInt16(authority[authority.index(after: colon)...]), port > 0 else {
                return nil
            }
            host = String(authority[..<colon])
            self.port = Int(port)
        } else {
            host = String(authority)
            port = nil
        }
        guard !host.isEmpty else { return nil }
        self.scheme = scheme
        var path = rest.dropFirst(authority.count).prefix { $0 != "?" && $0 != "#" }
        while path.hasSuffix("/") { path.removeLast() }
        self.path = String(path)
    }

    /// The word before `://`, in lower case; nil when there is none.
    static func scheme(of text: String) -> String? {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
        let scheme = text[..<colon]
        guard !scheme.isEmpty, scheme.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        return scheme.lowercased()
    }

    /// The host, and the port where it is not the scheme's own: what libcurl sends as Host.
    var authority: String {
        guard let port, !(scheme == "http" && port == 80), !(scheme == "https" && port == 443) else {
            return host
        }
        return "\(host):\(port)"
    }
}
