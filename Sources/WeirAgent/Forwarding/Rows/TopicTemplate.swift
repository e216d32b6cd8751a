// A topic with columns in it: `alerts/{line}/{device}`. What a row has in a column becomes part of a level,
// so it must not make levels or wildcards of its own, and must not be nothing: a row is never lost for the
// sake of its topic.

import WeirCore

/// Makes the topic of a row.
struct TopicTemplate: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        case text(String)
        case column(String)
    }

    private let parts: [Part]
    /// A value's bytes in a topic at most, escaped; what is longer is cut.
    private static let valueBytesMax = 255

    /// Reads a template, or says what is wrong with it.
    static func parse(_ text: String) -> Result<TopicTemplate, Complaint> {
        guard !text.isEmpty else { return .failure(Complaint("is empty")) }
        guard text.utf8.count <= 4096, !text.utf8.contains(0) else {
            return .failure(Complaint("is longer than 4,096 bytes or contains a NUL character"))
        }
        var parts: [Part] = []
        var rest = text[...]
        while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            guard rest[brace] == "{", let close = rest[brace...].firstIndex(of: "}") else {
                return .failure(Complaint("has a brace without its other: \(quoted(text))"))
            }
            if brace > rest.startIndex { parts.append(.text(String(rest[..<brace]))) }
            let name = String(rest[rest.index(after: brace)..<close])
            if let complaint = TextFormat.name.complaint(name) {
                return .failure(Complaint("has {\(name)}, and a column \(complaint.message)"))
            }
            parts.append(.column(name))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        for case .text(let literal) in parts where literal.contains(where: { "+#".contains($0) }) {
            return .failure(
                Complaint("has a wildcard, which is for subscriptions: \(quoted(text)); columns are in braces"))
        }
        for case .text(let literal) in parts where !literal.unicodeScalars.allSatisfy(isAllowed) {
            return .failure(Complaint("has a control character"))
        }
        return .success(TopicTemplate(parts: parts))
    }

    /// Columns that the topic is made of; `agent` and `stream` need not be columns.
    var columns: [String] {
        parts.compactMap { part in
            if case .column(let name) = part { name } else { nil }
        }
    }

    /// Types whose values may be in a topic.
    static func canHold(_ type: DataType) -> Bool {
        type.isInteger || type == .string || type == .boolean
    }

    /// The topic of row `row`. `stream` stands for {stream} where there is no such column.
    func topic(_ batch: Batch, _ row: Int, stream: String) -> String {
        var topic = ""
        for part in parts {
            switch part {
            case .text(let text): topic += text
            case .column(let name):
                let isFirst = topic.isEmpty
                if let index = batch.schema.index(of: name) {
                    topic += Self.level(Self.text(batch.columns[index], row), isFirst: isFirst)
                } else {
                    topic += name == "stream" ? stream : "_"
                }
            }
        }
        return topic
    }

    private static func text(_ column: Column, _ row: Int) -> [UInt8] {
        if column.isNull(row) { return [] }
        return switch column.type {
        case .string: Array(column.text(row))
        case .boolean: Array((column.bools[row] == 0 ? "false" : "true").utf8)
        case let type where type.isInteger: Array("\(column.ints[row])".utf8)
        default: []
        }
    }

    /// A value as part of a level: `/`, `+`, `#`, `%` and control characters as %XX, and a `$` at the
    /// topic's beginning, where brokers keep topics of their own; NULL and nothing as `_`.
    static func level(_ text: [UInt8], isFirst: Bool) -> String {
        guard !text.isEmpty else { return "_" }
        if text.count <= valueBytesMax, text.allSatisfy({ isIdentifierByte($0) || "-. ".utf8.contains($0) }) {
            return String(decoding: text, as: UTF8.self)
        }
        let digits = Array("0123456789ABCDEF".utf8)
        var level: [UInt8] = []
        for (index, scalar) in String(decoding: text, as: UTF8.self).unicodeScalars.enumerated() {
            let isMark = "/+#%".unicodeScalars.contains(scalar) || (isFirst && index == 0 && scalar == "$")
            var piece: [UInt8] = []
            for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                if isMark || !isAllowed(scalar) {
                    piece += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                } else {
                    piece.append(byte)
                }
            }
            if level.count + piece.count > valueBytesMax { break }
            level += piece
        }
        return String(decoding: level, as: UTF8.self)
    }

    /// Whether MQTT lets a character be in a topic: no control characters, nothing that is no character.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0xFDD0...0xFDEF: false
        default: scalar.value & 0xFFFE != 0xFFFE
        }
    }
}
