// Our types as Parquet's. Every column is OPTIONAL, as every value in SQL may be NULL; only the keys of
// a map are REQUIRED, as the format wants it.
//
// | ours                    | stored as                     | annotated as                     |
// |-------------------------|-------------------------------|----------------------------------|
// | BOOLEAN                 | BOOLEAN                       |                                  |
// | TINYINT, SMALLINT       | INT32                         | INTEGER(8 or 16, signed)         |
// | INT, BIGINT             | INT32, INT64                  |                                  |
// | FLOAT, DOUBLE           | FLOAT, DOUBLE                 |                                  |
// | DECIMAL(p, s)           | INT32 to 9 digits, INT64 to 18, else FIXED_LEN_BYTE_ARRAY | DECIMAL |
// | STRING, BYTES           | BYTE_ARRAY                    | STRING, nothing                  |
// | DATE, TIME              | INT32                         | DATE, TIME(millis, local)        |
// | TIMESTAMP(3), _LTZ(3)   | INT64                         | TIMESTAMP(millis, local or UTC)  |
// | INTERVAL                | INT64 ms, INT32 months        |                                  |
// | ARRAY, MAP, ROW         | groups                        | LIST, MAP, nothing               |

import WeirCore

/// How values are stored; the raw values are the format's.
enum ParquetType: Int32 {
    case boolean = 0
    case int32 = 1
    case int64 = 2
    case float = 4
    case double = 5
    case byteArray = 6
    case fixedBytes = 7

    /// The type that stores `type`, which is a single value.
    init(_ type: DataType) {
        switch type {
        case .boolean: self = .boolean
        case .tinyint, .smallint, .int, .date, .time, .intervalYearMonth, .null: self = .int32
        case .bigint, .timestamp, .timestampLTZ, .interval: self = .int64
        case .float: self = .float
        case .double: self = .double
        case .decimal(let precision, _):
            self = precision <= 9 ? .int32 : precision <= 18 ? .int64 : .fixedBytes
        case .string, .bytes: self = .byteArray
        case .array, .map, .row: preconditionFailure("a group has no type")
        }
    }
}

/// A column of single values in the file, and the way to it from a column of a batch.
struct ParquetLeaf {
    /// One step of the way; a path begins at a row of a batch's column.
    enum Step {
        /// NULL ends the path, a value is one level further.
        case optional
        /// One path for each element of an array, of this repetition level; none ends it.
        case elements(level: UInt8)
        /// The same for a map's entries, without those whose key is NULL, which Parquet cannot hold.
        case entries(level: UInt8)
        /// A field of a row.
        case field(Int)
    }

    /// The names on the way, the format's own `list` and `key_value` among them.
    let path: [String]
    /// The column of the batch.
    let column: Int
    let steps: [Step]
    let type: DataType
    let physical: ParquetType
    /// What values are multiplied by on their way: 1000 where milliseconds become microseconds.
    let scale: Int64
    /// The levels of a value that is there, and of the innermost list.
    let definitionMax: UInt8
    let repetitionMax: UInt8

    /// Whether it is a batch's column itself.
    var isFlat: Bool { path.count == 1 }

    /// Bytes of a value of fixed length; those of a long decimal are as few as its digits need.
    var fixedBytes: Int {
        switch physical {
        case .boolean: return 1
        case .int32, .float: return 4
        case .int64, .double: return 8
        case .byteArray: return 0
        case .fixedBytes:
            guard case .decimal(let precision, _) = type else { return 16 }
            var (bytes, limit) = (8, Int128(1) << 63)
            let greatest = (0..<precision).reduce(Int128(1)) { power, _ in power * 10 } - 1
            while greatest >= limit, bytes < 16 {
                bytes += 1
                limit = bytes == 16 ? .max : limit << 8
            }
            return bytes
        }
    }
}

/// A node of the file's schema, in the order in which the footer lists them.
struct ParquetNode {
    /// REQUIRED, OPTIONAL and REPEATED, as the format numbers them.
    enum Repetition: Int32 { case required = 0, optional = 1, repeated = 2 }

    let name: String
    /// Nil at the root.
    let repetition: Repetition?
    /// The type of a leaf or of an annotated group; nil for a group without a meaning of its own.
    let type: DataType?
    /// 0 for a leaf.
    let childCount: Int
    /// Bytes of a value, where its type does not say so.
    var fixedLength: Int?
}

/// The file's schema for the columns of a batch.
struct ParquetSchema {
    private(set) var nodes: [ParquetNode] = []
    private(set) var leaves: [ParquetLeaf] = []
    /// Whether points in time are in microseconds, and times of day plain numbers of milliseconds, as
    /// tables have them.
    let isForTables: Bool

    init(_ schema: Schema, isForTables: Bool = false) {
        self.isForTables = isForTables
        nodes.append(ParquetNode(name: "schema", repetition: nil, type: nil, childCount: schema.count))
        for (index, field) in schema.fields.enumerated() {
            add(Place(path: [field.name], column: index), field.type, .optional)
        }
    }

    /// Where in the tree a node is put.
    private struct Place {
        var path: [String]
        let column: Int
        var steps: [ParquetLeaf.Step] = []
        var definition: UInt8 = 0
        var repetition: UInt8 = 0

        var name: String { path.last ?? "" }

        /// A place below this one.
        func below(
            _ name: String, _ step: ParquetLeaf.Step? = nil, isRepeated: Bool = false
        ) -> Place {
            var place = self
            place.path.append(name)
            if let step { place.steps.append(step) }
            if isRepeated {
                place.definition += 1
                place.repetition += 1
            }
            return place
        }
    }

    private mutating func add(
        _ place: Place, _ type: DataType, _ repetition: ParquetNode.Repetition
    ) {
        var place = place
        if repetition == .optional {
            place.steps.append(.optional)
            place.definition += 1
        }
        let node = { (name: String, repetition: ParquetNode.Repetition, type: DataType?, children: Int) in
            ParquetNode(name: name, repetition: repetition, type: type, childCount: children)
        }
        switch type {
        case .array(let element):
            nodes.append(node(place.name, repetition, type, 1))
            nodes.append(node("list", .repeated, nil, 1))
            let level = place.repetition + 1
            let list = place.below("list", .elements(level: level), isRepeated: true)
            add(list.below("element"), element, .optional)
        case .map(let key, let value):
            nodes.append(node(place.name, repetition, type, 1))
            nodes.append(node("key_value", .repeated, nil, 2))
            let level = place.repetition + 1
            let entries = place.below("key_value", .entries(level: level), isRepeated: true)
            add(entries.below("key", .field(0)), key, .required)
            add(entries.below("value", .field(1)), value, .optional)
        case .row(let fields):
            nodes.append(node(place.name, repetition, type, fields.count))
            for (index, field) in fields.enumerated() {
                add(place.below(field.name, .field(index)), field.type, .optional)
            }
        default:
            let type = isForTables && type == .time ? DataType.int : type
            let leaf = ParquetLeaf(
                path: place.path, column: place.column, steps: place.steps, type: type,
                physical: ParquetType(type), scale: isForTables && type.isTimestamp ? 1000 : 1,
                definitionMax: place.definition, repetitionMax: place.repetition)
            var leafNode = node(place.name, repetition, type, 0)
            if leaf.physical == .fixedBytes { leafNode.fixedLength = leaf.fixedBytes }
            nodes.append(leafNode)
            leaves.append(leaf)
        }
    }
}
