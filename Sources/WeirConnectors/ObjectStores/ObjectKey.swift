// The name of an object inside its store. Agents, queries and partition values get into names, so every
// segment is percent-encoded down to a set that file systems, HDFS and S3 all keep as it is, and that
// cannot climb out of the store's place: no "/", no "..", no ":".

/// A relative path of segments of [A-Za-z0-9_=.-] and %XX; never empty.
public struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The encoded segments, joined by "/".
    public let text: String

    /// A key of these segments, each percent-encoded; none may be empty.
    public init(segments: [String]) {
        precondition(!segments.isEmpty && !segments.contains(""), "a key has segments, none empty")
        text = segments.map(Self.encoded(segment:)).joined(separator: "/")
    }

    /// A key of the segments between the slashes of `path`, each percent-encoded.
    public init(path: String) {
        self.init(
            segments: path.split(separator: "/", omittingEmptySubsequences: false).map(String.init))
    }

    /// A key that is encoded already, as stores list them; nil when `text` is not in that form.
    public init?(encoded text: some StringProtocol) {
        let text = String(text)
        let segments = text.split(separator: "/", omittingEmptySubsequences: false)
        guard segments.allSatisfy(Self.isEncoded(segment:)) else { return nil }
        self.text = text
    }

    /// As it stands in requests, percent-encoded.
    public var description: String { text }

    /// The last segment.
    public var name: Substring {
        text[(text.lastIndex(of: "/").map(text.index(after:)) ?? text.startIndex)...]
    }

    /// What comes before the last segment, with its slash; empty when there is nothing.
    public var folder: Substring { text[..<name.startIndex] }

    public static func < (a: ObjectKey, b: ObjectKey) -> Bool { precede(a.text, b.text) }

    /// Whether one name comes before another in the byte order that S3 lists in.
    static func precede(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

    private static func isKept(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "="),
            UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// A segment with everything outside of the set as %XX; the dots too where it has only dots.
    static func encoded(segment: String) -> String {
        let isAllDots = segment.utf8.allSatisfy { $0 == UInt8(ascii: ".") }
        var encoded: [UInt8] = []
        for byte in segment.utf8 {
            if isKept(byte) && !isAllDots {
                encoded.append(byte)
            } else {
                encoded.append(UInt8(ascii: "%"))
                encoded.append(contentsOf: hexadecimal(CollectionOfOne(byte)).uppercased().utf8)
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    static func isEncoded(segment: Substring) -> Bool {
        let bytes = Array(segment.utf8)
        guard !bytes.isEmpty, !bytes.allSatisfy({ $0 == UInt8(ascii: ".") }) else { return false }
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%") {
                guard index + 2 < bytes.count, isHexDigit(bytes[index + 1]),
                    isHexDigit(bytes[index + 2])
                else {
                    return false
                }
                index += 3
            } else {
                guard isKept(bytes[index]) else { return false }
                index += 1
            }
        }
        return true
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte)
    }
}
