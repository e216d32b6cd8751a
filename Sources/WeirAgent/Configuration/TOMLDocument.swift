// A TOML text as a tree in which every key and every value knows where it stands.
//
// toml++ parses (CTomlPlusPlus); this side copies its nodes into Swift values and frees it. What
// could make a parser recurse or crawl is refused before: a text over `sizeMax`, a key of too many
// parts. Children of a table come in the order of the text.

import CTomlPlusPlus
import WeirCore

/// A value and where it stands, in bytes from the start of the text.
struct TOMLNode: Sendable {
    enum Value: Sendable {
        case table([Entry])
        case array([TOMLNode])
        case string(String)
        case integer(Int64)
        case float(Double)
        case boolean(Bool)
        /// A date, a time or both, in its canonical spelling.
        case datetime(String)
    }

    /// A key of a table and its value.
    struct Entry: Sendable {
        let key: String
        /// Where the key begins.
        let keyOffset: Int
        let node: TOMLNode
    }

    let value: Value
    /// Where the value begins: its quote, digit or bracket; the header of a `[table]`.
    let offset: Int

    /// The value of `key` of a table; nil when this is no table or has no such key.
    subscript(key: String) -> Entry? {
        guard case .table(let entries) = value else { return nil }
        return entries.first { $0.key == key }
    }

    /// What the value is, with its article, for messages.
    var kindName: String { value.kindName }
}

extension TOMLNode.Value {
    /// What it is, with its article, for messages.
    var kindName: String {
        switch self {
        case .table: "a table"
        case .array: "a list"
        case .string: "a string"
        case .integer: "an integer"
        case .float: "a float"
        case .boolean: "a boolean"
        case .datetime: "a date or time"
        }
    }
}

/// A parsed TOML text.
struct TOMLDocument: Sendable {
    /// Bytes of text at most; toml++ is quadratic in the number of tables.
    static let sizeMax = 1 << 20
    /// Parts of one dotted key at most; destroying toml++'s tables recurses.
    static let keyPartsMax = 32

    let text: [UInt8]
    let lines: LineIndex
    let root: TOMLNode

    /// Parses `text`, UTF-8 with or without a byte order mark.
    static func parse(_ text: [UInt8]) -> Result<TOMLDocument, Diagnostic> {
        let text = text.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(text.dropFirst(3)) : text
        let lines = LineIndex(text)
        func complaint(at offset: Int, _ message: String) -> Result<TOMLDocument, Diagnostic> {
            .failure(Diagnostic(lines.position(at: offset), message))
        }
        guard text.count <= sizeMax else {
            return complaint(at: 0, "the file is larger than \(sizeMax) bytes")
        }
        if let offset = TOMLScanner(text).firstKeyOverLimit(partsMax: keyPartsMax) {
            return complaint(at: offset, "a key has more than \(keyPartsMax) parts")
        }
        let document = text.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { weir_toml_parse($0.baseAddress, $0.count) }
        }
        guard let document else { return complaint(at: 0, "out of memory while parsing the file") }
        defer { weir_toml_free(document) }
        var errorOffset = 0
        if let message = weir_toml_error(document, &errorOffset) {
            let problem = TOMLProblem(String(cString: message), at: errorOffset, in: text)
            return complaint(at: problem.offset, problem.message)
        }
        var count = 0
        var reader = NodeReader(
            nodes: UnsafeBufferPointer(start: weir_toml_nodes(document, &count), count: count))
        return .success(TOMLDocument(text: text, lines: lines, root: reader.next()))
    }
}

/// Builds the tree from the walk's flat list.
private struct NodeReader {
    let nodes: UnsafeBufferPointer<weir_toml_node>
    private var index = 0

    init(nodes: UnsafeBufferPointer<weir_toml_node>) { self.nodes = nodes }

    mutating func next() -> TOMLNode {
        let node = nodes[index]
        index += 1
        return TOMLNode(value: value(of: node), offset: Int(node.value_at))
    }

    private mutating func value(of node: weir_toml_node) -> TOMLNode.Value {
        switch node.kind {
        case WEIR_TOML_TABLE.rawValue: return .table(entries(node.child_count))
        case WEIR_TOML_ARRAY.rawValue: return .array((0..<node.child_count).map { _ in next() })
        case WEIR_TOML_STRING.rawValue: return .string(text(node.text, node.text_length))
        case WEIR_TOML_INTEGER.rawValue: return .integer(node.integer)
        case WEIR_TOML_FLOAT.rawValue: return .float(node.number)
        case WEIR_TOML_BOOLEAN.rawValue: return .boolean(node.integer != 0)
        default: return .datetime(text(node.text, node.text_length))
        }
    }

    private mutating func entries(_ count: UInt32) -> [TOMLNode.Entry] {
        var entries: [TOMLNode.Entry] = []
        for _ in 0..<count {
            let head = nodes[index]
            entries.append(
                TOMLNode.Entry(
                    key: text(head.key, head.key_length), keyOffset: Int(head.key_at), node: next())
            )
        }
        // Parts of one dotted key can share an offset's neighbourhood but never the offset itself.
        entries.sort { ($0.keyOffset, $0.key) < ($1.keyOffset, $1.key) }
        return entries
    }

    private func text(_ start: UnsafePointer<CChar>?, _ length: Int) -> String {
        guard let start else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
    }
}
