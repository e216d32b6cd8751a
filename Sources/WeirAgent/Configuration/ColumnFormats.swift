// How a column of a source is declared: its SQL type, the JSON pointer to its value, or the part of
// the message that is no payload.

import WeirCore

/// SQL types that a source's column can have. Types with parts are read by ColumnTypeReader.
enum ColumnType {
    private static let scalars: [(name: String, type: DataType)] = [
        ("BOOLEAN", .boolean), ("TINYINT", .tinyint), ("SMALLINT", .smallint), ("INT", .int),
        ("BIGINT", .bigint), ("FLOAT", .float), ("DOUBLE", .double), ("STRING", .string),
        ("BYTES", .bytes), ("DATE", .date), ("TIME", .time), ("TIMESTAMP(3)", .timestamp),
        ("TIMESTAMP_LTZ(3)", .timestampLTZ),
    ]
    /// What other names of Flink's SQL are written as here.
    private static let substitutes: [String: String] = [
        "INTEGER": "INT", "LONG": "BIGINT", "REAL": "FLOAT", "DECIMAL": "DECIMAL(p, s)",
        "NUMERIC": "DECIMAL(p, s)", "BOOL": "BOOLEAN", "VARCHAR": "STRING", "CHAR": "STRING",
        "TEXT": "STRING", "BINARY": "BYTES", "VARBINARY": "BYTES",
        "TIMESTAMP_LTZ": "TIMESTAMP_LTZ(3)", "TIMESTAMP": "TIMESTAMP(3)",
        "TIMESTAMP_LTZ(6)": "TIMESTAMP_LTZ(3)", "TIME(0)": "TIME", "TIME(3)": "TIME",
    ]

    static let names =
        scalars.map(\.name) + ["DECIMAL(p, s)", "ARRAY<…>", "MAP<STRING, …>", "ROW<name …>"]

    static func parse(_ text: String) -> Result<DataType, Complaint> {
        var reader = ColumnTypeReader(text)
        return reader.read()
    }

    /// A type without parts.
    static func scalar(_ text: String) -> Result<DataType, Complaint> {
        let word = text.uppercased().filter { $0 != " " }
        if let scalar = scalars.first(where: { $0.name == word }) { return .success(scalar.type) }
        if let decimal = decimal(word) { return decimal }
        let near: String? =
            substitutes[word] ?? substitutes[String(word.prefix { $0 != "(" })]
            ?? nearestSpelling(of: word, among: names)
        let hint = near.map { "; use \($0)" } ?? ""
        return .failure(Complaint("must be \(alternatives(names)), not \(quoted(text))\(hint)"))
    }

    /// DECIMAL(p) or DECIMAL(p, s); nil for what is neither.
    private static func decimal(_ word: String) -> Result<DataType, Complaint>? {
        guard let open = word.firstIndex(of: "("), word.last == ")",
            ["DECIMAL", "DEC", "NUMERIC"].contains(word[..<open])
        else { return nil }
        let inside = word[word.index(after: open)...].dropLast()
        let numbers = inside.split(separator: ",", omittingEmptySubsequences: false)
            .map { Int($0) }
        guard (1...2).contains(numbers.count), let precision = numbers[0],
            (1...DataType.decimalPrecisionMax).contains(precision),
            let scale = numbers.count == 2 ? numbers[1] : 0, (0...precision).contains(scale)
        else {
            return .failure(
                Complaint("must be DECIMAL(p, s) with p from 1 to 38 and s from 0 to p"))
        }
        return .success(.decimal(precision: precision, scale: scale))
    }
}

/// A JSON pointer (RFC 6901) in which a part `*` stands for every element of an array.
public struct JSONPointer: Hashable, Sendable, CustomStringConvertible {
    /// Parts of a pointer at most.
    static let partsMax = 32

    /// The parts, `~1` and `~0` already replaced.
    public let parts: [String]
    /// As it was written.
    public let description: String

    /// The pointer to a member of the payload's outermost object.
    init(member: String) {
        parts = [member]
        description =
            "/" + member.replacing("~", with: "~0").replacing("/", with: "~1")
    }

    private init(parts: [String], description: String) {
        self.parts = parts
        self.description = description
    }

    static func parse(_ text: String) -> Result<JSONPointer, Complaint> {
        guard text.hasPrefix("/") else {
            return .failure(
                Complaint("must be a JSON pointer such as \"/power/battery\", not \(quoted(text))"))
        }
        var parts: [String] = []
        for part in text.utf8.dropFirst().split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        {
            var plain: [UInt8] = []
            var rest = part
            while let byte = rest.popFirst() {
                guard byte == UInt8(ascii: "~") else {
                    plain.append(byte)
                    continue
                }
                switch rest.popFirst() {
                case UInt8(ascii: "0"): plain.append(UInt8(ascii: "~"))
                case UInt8(ascii: "1"): plain.append(UInt8(ascii: "/"))
                default:
                    return .failure(
                        Complaint(
                            "has a \"~\" in \(quoted(text)) that is neither \"~0\" nor \"~1\""))
                }
            }
            parts.append(String(decoding: plain, as: UTF8.self))
        }
        guard parts.count <= partsMax else {
            return .failure(Complaint("has more than \(partsMax) parts"))
        }
        guard parts.count(where: { $0 == "*" }) <= 1 else {
            return .failure(Complaint("has more than one \"*\" in \(quoted(text))"))
        }
        return .success(JSONPointer(parts: parts, description: text))
    }
}

/// How a point in time is written in a payload.
public enum TimestampFormat: String, Sendable, CaseIterable {
    case epochSeconds = "epoch_s"
    case epochMilliseconds = "epoch_ms"
    case epochMicroseconds = "epoch_us"
    case rfc3339
}

/// What `from` of a column can say.
enum ColumnOriginWord: Sendable, Equatable {
    case timestamp(TimestampFormat)
    case topicLevel(Int)
    case topic
    case receivedAt
    case retain
    case userProperty(String)

    static func parse(_ text: String) -> Result<ColumnOriginWord, Complaint> {
        if let format = TimestampFormat(rawValue: text) { return .success(.timestamp(format)) }
        switch text {
        case "$topic": return .success(.topic)
        case "$received_at": return .success(.receivedAt)
        case "$retain": return .success(.retain)
        default: break
        }
        if text.hasPrefix("$property.") {
            let name = String(text.dropFirst("$property.".count))
            return name.isEmpty
                ? .failure(Complaint("names no user property: $property.NAME"))
                : .success(.userProperty(name))
        }
        if text.hasPrefix("topic["), text.hasSuffix("]") {
            let digits = text.dropFirst(6).dropLast()
            guard let level = Int(digits), (0...127).contains(level), digits.allSatisfy(\.isNumber)
            else {
                return .failure(
                    Complaint(
                        "must have a level from 0 to 127 in \(quoted(text)); topic[0] is the first")
                )
            }
            return .success(.topicLevel(level))
        }
        let words =
            TimestampFormat.allCases.map(\.rawValue)
            + ["topic[N]", "$topic", "$received_at", "$retain", "$property.NAME"]
        let near =
            nearestSpelling(of: text, among: words).map { "; did you mean \(quoted($0))?" } ?? ""
        return .failure(Complaint("must be \(alternatives(words)), not \(quoted(text))\(near)"))
    }
}
