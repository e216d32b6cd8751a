// What the C++ reader is told of the columns: a description each, and of columns with parts (MAP, ROW,
// arrays of arrays and the like) one of every type inside, in the order in which the type is written.

import CSimdJSON
import WeirCore

#if canImport(Glibc)
import Glibc
#endif

extension DataType {
    /// Whether a column of it is read part by part; arrays of single values are not.
    var hasParts: Bool {
        switch self {
        case .array(let element): !element.isScalar
        case .map, .row: true
        default: false
        }
    }

    /// How many descriptions it has: its own and those of all its parts.
    var partCount: Int { parts.reduce(1) { $0 + $1.type.partCount } }

    /// The types directly inside, with the names of a row's fields.
    fileprivate var parts: [Field] {
        switch self {
        case .array(let element): [Field("", element)]
        case .map(let key, let value): [Field("", key), Field("", value)]
        case .row(let fields): fields
        default: []
        }
    }
}

extension Column {
    /// A column of what the reader filled, the values of `type` and of its parts first in `values`.
    convenience init(takingParts values: inout ArraySlice<weir_json_values>, _ type: DataType) {
        guard let own = values.popFirst(), let storage = own.values else {
            preconditionFailure("the reader gave no values")
        }
        let parts = type.parts.map { Column(takingParts: &values, $0.type) }
        switch type {
        case .row:
            self.init(row: type, count: own.count, validity: own.validity, fields: parts)
            free(storage)
        case .map:
            guard let entries = type.elementType else { preconditionFailure("a map has entries") }
            self.init(
                adopting: storage, type: type, count: own.count, validity: own.validity,
                child: Column(row: entries, count: parts[0].count, validity: nil, fields: parts))
        default:
            self.init(
                adopting: storage, type: type, count: own.count, validity: own.validity,
                bytes: own.bytes, byteCount: own.byte_count, child: parts.first)
        }
    }
}

/// The C++ reader for columns that come from payloads.
func makeReader(
    _ columns: [ColumnDeclaration], _ limits: DecodeLimits, chunkBytes: Int
) -> OpaquePointer {
    var plan: [weir_json_column] = []
    var parts: [weir_json_part] = []
    // All texts one behind the other: pointers of columns and names of fields, in this order.
    var texts: [UInt8] = []
    for column in columns {
        guard case .payload(let pointer) = column.origin else { continue }
        plan.append(planned(column, pointerLength: pointer.utf8.count))
        texts += pointer.utf8
    }
    for column in columns where column.type.hasParts {
        describe(Field("", column.type), column, &parts, &texts)
    }
    let bounds = weir_json_limits(
        depth_max: UInt32(limits.depthMax), document_bytes_max: limits.documentBytesMax,
        chunk_bytes: chunkBytes)
    let reader = texts.withUnsafeBytes { text in
        var start = text.baseAddress?.assumingMemoryBound(to: CChar.self)
        for index in plan.indices {
            plan[index].pointer = UnsafePointer(start)
            start = start?.advanced(by: plan[index].pointer_length)
        }
        for index in parts.indices {
            parts[index].name = UnsafePointer(start)
            start = start?.advanced(by: parts[index].name_length)
        }
        return parts.withUnsafeBufferPointer { parts in
            var next = parts.baseAddress
            for index in plan.indices where plan[index].part_count > 0 {
                plan[index].parts = next
                next = next?.advanced(by: plan[index].part_count)
            }
            return weir_json_create(plan, plan.count, bounds)
        }
    }
    guard let reader else { preconditionFailure("a column's path is no JSON pointer") }
    return reader
}

private func describe(
    _ field: Field, _ column: ColumnDeclaration, _ parts: inout [weir_json_part],
    _ texts: inout [UInt8]
) {
    let digits = field.type.isDecimal ? field.type.decimalShape : nil
    parts.append(
        weir_json_part(
            kind: kind(of: field.type), time: time(of: field.type, column.timestampEncoding),
            precision: Int32(digits?.precision ?? 0), scale: Int32(digits?.scale ?? 0),
            part_count: field.type.parts.count, name: nil, name_length: field.name.utf8.count))
    texts += field.name.utf8
    for part in field.type.parts { describe(part, column, &parts, &texts) }
}

private func planned(_ column: ColumnDeclaration, pointerLength: Int) -> weir_json_column {
    var scalar = column.type
    var isArray = false
    if case .array(let element) = column.type { (scalar, isArray) = (element, true) }
    let digits = scalar.isDecimal ? scalar.decimalShape : nil
    return weir_json_column(
        pointer: nil, pointer_length: pointerLength, kind: kind(of: scalar),
        time: time(of: scalar, column.timestampEncoding),
        precision: Int32(digits?.precision ?? 0), scale: Int32(digits?.scale ?? 0), is_array: isArray,
        null_on_error: column.onTypeError == .null, parts: nil,
        part_count: column.type.hasParts ? column.type.partCount : 0)
}

private func kind(of type: DataType) -> weir_json_kind {
    switch type {
    case .boolean: WEIR_JSON_BOOL
    case .int: WEIR_JSON_INT32
    case .bigint: WEIR_JSON_INT64
    case .double: WEIR_JSON_DOUBLE
    case .string: WEIR_JSON_STRING
    case .tinyint: WEIR_JSON_INT8
    case .smallint: WEIR_JSON_INT16
    case .float: WEIR_JSON_FLOAT
    case .decimal: type.physical == .int64 ? WEIR_JSON_DECIMAL : WEIR_JSON_WIDE_DECIMAL
    case .date: WEIR_JSON_DATE
    case .time: WEIR_JSON_TIME_OF_DAY
    case .bytes: WEIR_JSON_BYTES
    case .array: WEIR_JSON_ARRAY
    case .map: WEIR_JSON_MAP
    case .row: WEIR_JSON_ROW
    default: WEIR_JSON_TIME
    }
}

private func time(of type: DataType, _ encoding: TimestampEncoding) -> weir_json_time {
    switch encoding {
    case .epochSeconds: WEIR_JSON_EPOCH_S
    case .epochMilliseconds: WEIR_JSON_EPOCH_MS
    case .epochMicroseconds: WEIR_JSON_EPOCH_US
    case .rfc3339: type == .timestamp ? WEIR_JSON_RFC3339_LOCAL : WEIR_JSON_RFC3339
    }
}
