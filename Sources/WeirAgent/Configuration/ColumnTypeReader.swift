// Types with parts, as a column's `type` writes them: ARRAY<INT>, MAP<STRING, DOUBLE>,
// ROW<a INT, b ARRAY<STRING>>. Names of fields stand in backquotes where they are no plain words.
//
// Nesting is bounded, and with it the recursion here and in the reader of payloads.

import WeirCore

/// Reads one type.
struct ColumnTypeReader {
    /// Types inside each other at most.
    static let nestingMax = 8
    /// Fields of a ROW at most.
    static let fieldsMax = 200

    private let text: String
    private var rest: Substring

    init(_ text: String) {
        self.text = text
        rest = text[...]
    }

    mutating func read() -> Result<DataType, Complaint> {
        do throws(Complaint) {
            let type = try type(depth: 1)
            skipSpaces()
            guard rest.isEmpty else { throw Complaint("has \(quoted(String(rest))) behind the type") }
            return .success(type)
        } catch {
            return .failure(error)
        }
    }

    private mutating func type(depth: Int) throws(Complaint) -> DataType {
        guard depth <= Self.nestingMax else {
            throw Complaint("has more than \(Self.nestingMax) types inside each other")
        }
        skipSpaces()
        let start = rest
        let word = rest.prefix { !"<>,(`".contains($0) }
        rest = rest[word.endIndex...]
        let name = word.uppercased().filter { $0 != " " }
        guard ["ARRAY", "MAP", "ROW"].contains(name), take("<") else {
            if rest.first == "(" { rest = rest.drop { $0 != ")" }.dropFirst() }
            return try ColumnType.scalar(String(start[..<rest.startIndex])).get()
        }
        let type: DataType
        switch name {
        case "ARRAY": type = .array(try self.type(depth: depth + 1))
        case "MAP":
            let key = try self.type(depth: depth + 1)
            guard key == .string else { throw Complaint("must have STRING as the key of a MAP") }
            try expect(",")
            type = .map(key: key, value: try self.type(depth: depth + 1))
        default: type = .row(try fields(depth: depth + 1))
        }
        try expect(">")
        return type
    }

    private mutating func fields(depth: Int) throws(Complaint) -> [Field] {
        var fields: [Field] = []
        repeat {
            let name = try fieldName()
            if fields.contains(where: { $0.name == name }) {
                throw Complaint("has two fields called \(name)")
            }
            fields.append(Field(name, try type(depth: depth)))
        } while take(",")
        guard fields.count <= Self.fieldsMax else {
            throw Complaint("has a ROW of more than \(Self.fieldsMax) fields")
        }
        return fields
    }

    private mutating func fieldName() throws(Complaint) -> String {
        skipSpaces()
        if rest.first == "`" {
            let name = rest.dropFirst().prefix { $0 != "`" }
            rest = rest[name.endIndex...].dropFirst()
            if !name.isEmpty { return String(name) }
        }
        let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        rest = rest[name.endIndex...]
        guard !name.isEmpty else {
            throw Complaint("must have a name and a type for each field: ROW<name TYPE, …>")
        }
        return String(name)
    }

    private mutating func skipSpaces() { rest = rest.drop { $0 == " " } }

    private mutating func take(_ mark: Character) -> Bool {
        skipSpaces()
        guard rest.first == mark else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func expect(_ mark: Character) throws(Complaint) {
        if !take(mark) {
            throw Complaint("lacks \(quoted(String(mark))) at \(quoted(String(rest))) in \(quoted(text))")
        }
    }
}
