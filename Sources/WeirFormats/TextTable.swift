// How the C++ row writers are told of columns: one description a column, with those of its elements
// and fields below it. The descriptions are made once a schema and pointed at one batch after the
// other; they hold base pointers, so a batch must outlive what is done between two `point`s.

import CSimdJSON
import WeirCore

/// The C description of some columns.
final class TextTable {
    let columns: UnsafeMutablePointer<weir_text_column>
    let count: Int
    private let prefixes: UnsafeMutablePointer<UInt8>
    /// What lies below each column: an array's elements, a row's fields.
    private var nested: [TextTable?] = []

    /// Columns of `fields`; `texts` are what stands before each of their values.
    init(_ fields: [Field], prefixes texts: [[UInt8]]) {
        count = fields.count
        columns = .allocate(capacity: max(count, 1))
        let joined = texts.joined()
        prefixes = .allocate(capacity: max(joined.count, 1))
        let room = UnsafeMutableBufferPointer(start: prefixes, count: joined.count)
        _ = room.initialize(from: joined)
        var start = 0
        for (index, field) in fields.enumerated() {
            var column = weir_text_column()
            column.kind = kind(of: field.type)
            column.prefix = UnsafePointer(prefixes + start)
            column.prefix_length = texts[index].count
            start += texts[index].count
            if case .decimal(_, let scale) = field.type { column.scale = Int32(scale) }
            let below = Self.below(field.type)
            if case .row = field.type {
                column.fields = below.map { UnsafePointer($0.columns) }
                column.field_count = below?.count ?? 0
            } else {
                column.elements = below.map { UnsafePointer($0.columns) }
            }
            nested.append(below)
            (columns + index).initialize(to: column)
        }
    }

    deinit {
        columns.deallocate()
        prefixes.deallocate()
    }

    private static func below(_ type: DataType) -> TextTable? {
        if let element = type.elementType {
            return TextTable([Field("", element)], prefixes: [[]])
        }
        guard case .row(let fields) = type else { return nil }
        return TextTable(fields, prefixes: memberPrefixes(fields))
    }

    /// What stands before the members of a JSON object: `{"first":` and `,"next":`.
    static func memberPrefixes(_ fields: [Field]) -> [[UInt8]] {
        let key = EncodedBytes()
        return fields.enumerated().map { index, field in
            key.removeAll()
            key.append(index == 0 ? "{\"" : ",\"")
            var name = field.name
            name.withUTF8 { weir_text_append_escaped(&key.text, $0.baseAddress, $0.count) }
            key.append("\":")
            return [UInt8](key.bytes)
        }
    }

    /// Takes the base pointers of `filled`, whose rows are about to be written.
    func point(at filled: [Column]) {
        for (index, column) in filled.enumerated() {
            columns[index].values = UnsafeRawPointer(column.storage)
            columns[index].validity = column.validity.map { UnsafePointer($0) }
            columns[index].bytes = UnsafePointer(column.bytes)
            guard let below = nested[index] else { continue }
            below.point(at: column.child.map { [$0] } ?? column.fields)
        }
    }
}

private func kind(of type: DataType) -> weir_text_kind {
    switch type {
    case .boolean: WEIR_TEXT_BOOL
    case .tinyint, .smallint, .int, .bigint, .interval, .intervalYearMonth, .null: WEIR_TEXT_INT64
    case .float: WEIR_TEXT_FLOAT
    case .double: WEIR_TEXT_DOUBLE
    case .decimal: type.physical == .int64 ? WEIR_TEXT_DECIMAL : WEIR_TEXT_WIDE_DECIMAL
    case .string: WEIR_TEXT_STRING
    case .bytes: WEIR_TEXT_BYTES
    case .date: WEIR_TEXT_DATE
    case .time: WEIR_TEXT_TIME
    case .timestamp: WEIR_TEXT_TIMESTAMP
    case .timestampLTZ: WEIR_TEXT_TIMESTAMP_UTC
    case .array: WEIR_TEXT_ARRAY
    case .map: WEIR_TEXT_MAP
    case .row: WEIR_TEXT_ROW
    }
}
