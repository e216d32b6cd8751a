// How the configuration declares a source's columns: a name, a type, and where the value comes
// from.

import WeirCore

/// Where a column's values come from.
public enum ColumnOrigin: Hashable, Sendable {
    /// From the payload, at a JSON pointer (RFC 6901) such as `/power/battery`. One segment may be
    /// `*`, which stands for every element of an array: `/entities/hashtags/*/text`.
    case payload(pointer: String)
    /// One level of the topic; `topic[0]` is the text before the first slash.
    case topicLevel(Int)
    /// The whole topic.
    case topic
    /// When weir received the message.
    case receivedAt
    /// MQTT's retain flag.
    case retained
    /// The MQTT 5 user property of this name (the first, if it comes more than once).
    case userProperty(String)
}

/// How a time is written in the payload; the raw values are the configuration's spellings.
public enum TimestampEncoding: String, Hashable, Sendable, CaseIterable {
    /// Seconds since the Unix epoch, with a fraction or without; as a number, or a number in a
    /// string.
    case epochSeconds = "epoch_s"
    /// Milliseconds, likewise.
    case epochMilliseconds = "epoch_ms"
    /// Microseconds, likewise.
    case epochMicroseconds = "epoch_us"
    /// RFC 3339 text. A TIMESTAMP_LTZ(3) needs its zone, a TIMESTAMP(3) has none.
    case rfc3339
}

/// What becomes of a value that does not fit its column; the raw values are the configuration's.
public enum TypeErrorAction: String, Hashable, Sendable, CaseIterable {
    /// The row is rejected.
    case reject
    /// The value is NULL, and counted.
    case null
}

/// One declared column of a source.
public struct ColumnDeclaration: Hashable, Sendable {
    /// In SQL.
    public let name: String
    /// What values are converted to.
    public let type: DataType
    /// Where values come from; by default the payload's member of this name.
    public let origin: ColumnOrigin
    /// How times are written; without meaning for other types and origins.
    public let timestampEncoding: TimestampEncoding
    /// What becomes of a row with a value of another type.
    public let onTypeError: TypeErrorAction

    /// Declares a column; without an origin it is the payload's member of the same name.
    public init(
        name: String, type: DataType, origin: ColumnOrigin? = nil,
        timestampEncoding: TimestampEncoding = .rfc3339, onTypeError: TypeErrorAction = .reject
    ) {
        self.name = name
        self.type = type
        self.origin = origin ?? .payload(pointer: "/" + Self.escape(name))
        self.timestampEncoding = timestampEncoding
        self.onTypeError = onTypeError
    }

    /// What is wrong with the declaration, as a sentence for the configuration's author; nil if
    /// nothing.
    public var problem: String? {
        switch origin {
        case .payload(let pointer):
            return Self.problem(ofPointer: pointer, type: type)
        case .topicLevel(let level):
            if level < 0 { return "topic levels count from 0" }
            return type == .string ? nil : "a topic level is a STRING"
        case .topic:
            return type == .string ? nil : "the topic is a STRING"
        case .userProperty:
            return type == .string ? nil : "a user property is a STRING"
        case .receivedAt:
            return type == .timestampLTZ ? nil : "the time of receipt is a TIMESTAMP_LTZ(3)"
        case .retained:
            return type == .boolean ? nil : "the retain flag is a BOOLEAN"
        }
    }

    private static func problem(ofPointer pointer: String, type: DataType) -> String? {
        guard pointer.utf8.first == UInt8(ascii: "/") else { return "a path begins with a slash" }
        let segments = pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        let stars = segments.count { $0 == "*" }
        if stars > 1 { return "a path has at most one *" }
        for segment in segments where !hasValidTildes(segment) {
            return "in a path, ~ is written ~0 and a slash inside a name ~1"
        }
        if stars == 1 {
            guard case .array(let element) = type else { return "a path with a * gives an ARRAY" }
            return element.isScalar ? problem(of: element) : "a path with a * gives single values"
        }
        return problem(of: type)
    }

    private static func problem(of type: DataType) -> String? {
        switch type {
        case .interval, .intervalYearMonth, .null: return "\(type) cannot be read from JSON"
        case .array(let element): return problem(of: element)
        case .map(let key, let value):
            return key == .string ? problem(of: value) : "the keys of a MAP are STRING in JSON"
        case .row(let fields):
            if Set(fields.map(\.name)).count < fields.count { return "two fields of a ROW have one name" }
            return fields.lazy.compactMap { problem(of: $0.type) }.first
        default: return nil
        }
    }

    private static func hasValidTildes(_ segment: Substring) -> Bool {
        var afterTilde = false
        for byte in segment.utf8 {
            if afterTilde, byte != UInt8(ascii: "0"), byte != UInt8(ascii: "1") { return false }
            afterTilde = !afterTilde && byte == UInt8(ascii: "~")
        }
        return !afterTilde
    }

    private static func escape(_ name: String) -> String {
        var pointer = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "~": pointer += "~0"
            case "/": pointer += "~1"
            default: pointer.unicodeScalars.append(scalar)
            }
        }
        return pointer
    }
}
