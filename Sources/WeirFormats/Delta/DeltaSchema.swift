// A table's columns as `metaData` has them: JSON in the words of Spark's types. Of other writers' schemas
// everything is kept as it was read, comments and all; weir only ever adds columns.
//
// | ours                      | the table's                  |   | ours          | the table's      |
// |---------------------------|------------------------------|---|---------------|------------------|
// | BOOLEAN, STRING, BYTES    | boolean, string, binary      |   | DATE          | date             |
// | TINYINT, SMALLINT         | byte, short                  |   | TIMESTAMP_LTZ | timestamp        |
// | INT, BIGINT               | integer, long                |   | TIMESTAMP     | timestamp_ntz    |
// | FLOAT, DOUBLE             | float, double                |   | TIME          | integer, ms      |
// | DECIMAL(p, s)             | decimal(p,s)                 |   | INTERVAL      | long ms, integer |
// | ARRAY, MAP, ROW           | array, map, struct           |   |               |                  |

import WeirCore

/// A column, or a field of a struct.
struct DeltaField: Sendable {
    let name: String
    /// The name of a simple type, or the object of another.
    let type: JSONValue
    let isNullable: Bool
    let metadata: JSONValue
}

/// The columns of a table.
public struct DeltaSchema: Sendable {
    private(set) var fields: [DeltaField]

    /// The columns that files of `schema` have.
    public init(_ schema: Schema) {
        fields = schema.fields.map { DeltaField($0.name, $0.type.deltaType) }
    }

    /// A schema as `metaData` has it; nil when it is not one.
    public init?(parsing text: String) {
        guard let json = JSONValue(parsing: Array(text.utf8)), json["type"]?.string == "struct",
            let elements = json["fields"]?.elements
        else { return nil }
        fields = []
        for element in elements {
            guard let name = element["name"]?.string, let type = element["type"] else { return nil }
            fields.append(
                DeltaField(
                    name: name, type: type, isNullable: element["nullable"]?.bool ?? true,
                    metadata: element["metadata"] ?? .object([])))
        }
    }

    /// As `metaData` wants it.
    public var text: String { DeltaField.structure(fields).text }

    /// Whether a column has times without a zone, for which readers need a feature.
    public var hasLocalTimes: Bool { fields.contains { $0.type.contains("timestamp_ntz") } }

    /// Adds the partition columns, which files lack: the UTC date and hour.
    public mutating func addDateAndHour() {
        fields.append(DeltaField("date", .string("date")))
        fields.append(DeltaField("hour", .string("integer")))
    }

    /// What becomes of a table of these columns when files of others are added.
    public enum Fit {
        /// The table has them all.
        case fits
        /// These columns, which the table then has.
        case needs(DeltaSchema)
        /// It cannot be, for this reason.
        case refused(String)
    }

    /// How files of the columns `new` fit into the table.
    public func fit(_ new: DeltaSchema) -> Fit {
        var widened = self
        for field in new.fields {
            let lowercased = field.name.lowercased()
            guard let present = fields.first(where: { $0.name.lowercased() == lowercased }) else {
                widened.fields.append(field)
                continue
            }
            if present.name != field.name {
                return .refused(
                    "column \(field.name) of the result would be \(present.name) in the table, where names "
                        + "must differ by more than case")
            }
            if !present.type.isSameType(as: field.type) {
                return .refused(
                    "column \(field.name) is of type \(field.type.typeName) in the result and of type "
                        + "\(present.type.typeName) in the table")
            }
            if !present.isNullable {
                return .refused("column \(field.name) is NOT NULL in the table, which results cannot promise")
            }
        }
        let names = Set(new.fields.map(\.name))
        if let missing = fields.first(where: { !$0.isNullable && !names.contains($0.name) }) {
            return .refused(
                "column \(missing.name), NOT NULL in the table, is not in the result")
        }
        return widened.fields.count == fields.count ? .fits : .needs(widened)
    }

    /// The first column whose metadata has a key that begins like this; nil when there is none.
    func column(withMetadata prefix: String) -> String? {
        fields.first { $0.metadata.members?.contains { $0.name.hasPrefix(prefix) } ?? false }?.name
    }
}

extension DeltaField {
    init(_ name: String, _ type: JSONValue) {
        self.init(name: name, type: type, isNullable: true, metadata: .object([]))
    }

    /// The object of a struct, such as a table as a whole.
    static func structure(_ fields: [DeltaField]) -> JSONValue {
        .object([
            ("type", .string("struct")),
            (
                "fields",
                .array(
                    fields.map {
                        .object([
                            ("name", .string($0.name)), ("type", $0.type),
                            ("nullable", .bool($0.isNullable)), ("metadata", $0.metadata),
                        ])
                    })
            ),
        ])
    }
}

extension DataType {
    /// The type in a table's schema.
    fileprivate var deltaType: JSONValue {
        switch self {
        case .boolean: return .string("boolean")
        case .tinyint: return .string("byte")
        case .smallint: return .string("short")
        case .int, .time, .intervalYearMonth, .null: return .string("integer")
        case .bigint, .interval: return .string("long")
        case .float: return .string("float")
        case .double: return .string("double")
        case .decimal(let precision, let scale): return .string("decimal(\(precision),\(scale))")
        case .string: return .string("string")
        case .bytes: return .string("binary")
        case .date: return .string("date")
        case .timestamp: return .string("timestamp_ntz")
        case .timestampLTZ: return .string("timestamp")
        case .array(let element):
            return .object([
                ("type", .string("array")), ("elementType", element.deltaType),
                ("containsNull", .bool(true)),
            ])
        case .map(let key, let value):
            return .object([
                ("type", .string("map")), ("keyType", key.deltaType), ("valueType", value.deltaType),
                ("valueContainsNull", .bool(true)),
            ])
        case .row(let fields):
            return DeltaField.structure(fields.map { DeltaField($0.name, $0.type.deltaType) })
        }
    }
}

extension JSONValue {
    /// Whether a text of this value, at any depth, is `text`.
    fileprivate func contains(_ text: String) -> Bool {
        switch self {
        case .string(let own): own == text
        case .array(let elements): elements.contains { $0.contains(text) }
        case .object(let members): members.contains { $0.value.contains(text) }
        case .null, .bool, .number: false
        }
    }

    /// Whether both are the same type, whether or not there may be NULL inside of it.
    fileprivate func isSameType(as other: JSONValue) -> Bool {
        if let name = string { return name == other.string }
        guard let kind = self["type"]?.string, kind == other["type"]?.string else { return false }
        switch kind {
        case "array": return isSameMember("elementType", of: other)
        case "map": return isSameMember("keyType", of: other) && isSameMember("valueType", of: other)
        default:
            guard let mine = self["fields"]?.elements, let others = other["fields"]?.elements,
                mine.count == others.count
            else { return false }
            return zip(mine, others).allSatisfy {
                $0["name"]?.string == $1["name"]?.string && $0.isSameMember("type", of: $1)
            }
        }
    }

    private func isSameMember(_ name: String, of other: JSONValue) -> Bool {
        guard let mine = self[name], let others = other[name] else { return false }
        return mine.isSameType(as: others)
    }

    /// A type in the words of messages: `array<string>`.
    fileprivate var typeName: String {
        if let name = string { return name }
        let inner = { (name: String) in self[name]?.typeName ?? "" }
        switch self["type"]?.string {
        case "array": return "array<\(inner("elementType"))>"
        case "map": return "map<\(inner("keyType")),\(inner("valueType"))>"
        default:
            let fields = self["fields"]?.elements ?? []
            let texts = fields.map { "\($0["name"]?.string ?? ""):\($0["type"]?.typeName ?? "")" }
            return "struct<\(texts.joined(separator: ","))>"
        }
    }
}

extension DeltaSchema {
    /// Why readers would not take a column's name; nil when they take all.
    ///
    /// - Parameter isPartitioned: whether the table has the partition columns `date` and `hour`.
    public func nameProblem(isPartitioned: Bool) -> String? {
        var seen: Set<String> = isPartitioned ? ["date", "hour"] : []
        for field in fields {
            if isPartitioned, ["date", "hour"].contains(field.name.lowercased()) {
                return "column \(field.name) has the name of a partition column; rename it with AS"
            }
            if field.name.contains(where: { " ,;{}()\n\t=".contains($0) }) {
                return "column \(jsonString(field.name)) has a character of \" ,;{}()=\" in its name, which "
                    + "tables cannot have; rename it with AS"
            }
            if !seen.insert(field.name.lowercased()).inserted {
                return "two columns are called \(field.name) but for the case; rename one with AS"
            }
        }
        return nil
    }
}
