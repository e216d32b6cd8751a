// Rows as the text of a file.
//
// How values are written, in both formats: a double as the shortest text that reads back as the
// same double, always with a point or an exponent; TIMESTAMP_LTZ(3) as 2026-11-21T13:00:00.000Z and
// TIMESTAMP(3) as 2026-11-21T13:00:00.000; intervals as milliseconds. DuckDB, pandas, Arrow and
// Spark read both kinds of time (DuckDB guesses VARCHAR for TIMESTAMP(3) in NDJSON, and casts it).
// What differs between the formats is said at the encoders.

import CSimdJSON
import WeirCore

/// Writes batches of one schema as text. Rows written in pieces are the same bytes as rows written
/// whole.
public protocol RowEncoder: AnyObject {
    /// The columns of the batches it takes.
    var schema: Schema { get }

    /// What stands once at the beginning of a file.
    func appendHeader(to output: EncodedBytes)

    /// Appends rows `rows` of `batch`.
    func append(_ batch: Batch, rows: Range<Int>, to output: EncodedBytes)
}

extension RowEncoder {
    /// Appends all rows of `batch`.
    public func append(_ batch: Batch, to output: EncodedBytes) {
        append(batch, rows: 0..<batch.rowCount, to: output)
    }
}

/// The formats of files that are written row by row; the raw values are the configuration's.
public enum RowFormat: String, Hashable, Sendable, CaseIterable {
    case ndjson
    case csv

    /// An encoder for rows of `schema`.
    public func makeEncoder(_ schema: Schema) -> any RowEncoder {
        switch self {
        case .ndjson: NDJSONEncoder(schema)
        case .csv: CSVEncoder(schema)
        }
    }

    /// The end of a file's name, such as `.ndjson.gz`.
    public func fileExtension(_ compression: Compression) -> String {
        "." + rawValue + compression.fileExtension
    }
}

/// One JSON object a row and line, members in the order of the schema. NULL is null, and so are NaN
/// and the infinities, which JSON lacks; arrays are arrays.
public final class NDJSONEncoder: RowEncoder {
    public let schema: Schema
    private let table: TextTable

    public init(_ schema: Schema) {
        self.schema = schema
        let key = EncodedBytes()
        let prefixes = schema.fields.enumerated().map { index, field in
            key.removeAll()
            key.append(index == 0 ? "{\"" : ",\"")
            var name = field.name
            name.withUTF8 { weir_text_append_escaped(&key.text, $0.baseAddress, $0.count) }
            key.append("\":")
            return [UInt8](key.bytes)
        }
        table = TextTable(schema, prefixes: prefixes)
    }

    public func appendHeader(to output: EncodedBytes) {}

    public func append(_ batch: Batch, rows: Range<Int>, to output: EncodedBytes) {
        table.point(at: batch, rows: rows)
        weir_text_append_ndjson(
            &output.text, table.columns, table.count, rows.lowerBound, rows.count)
    }
}

/// RFC 4180: a header line, lines that end in CR LF, quotes where they are needed. NULL is an empty
/// field and an empty string is `""`; NaN and the infinities are NaN, Infinity and -Infinity; an
/// array is its JSON text.
public final class CSVEncoder: RowEncoder {
    public let schema: Schema
    private let table: TextTable

    public init(_ schema: Schema) {
        self.schema = schema
        let prefixes = schema.fields.indices.map { $0 == 0 ? [] : Array(",".utf8) }
        table = TextTable(schema, prefixes: prefixes)
    }

    public func appendHeader(to output: EncodedBytes) {
        for (index, field) in schema.fields.enumerated() {
            if index > 0 { output.append(",") }
            var name = field.name
            name.withUTF8 { weir_text_append_csv_field(&output.text, $0.baseAddress, $0.count) }
        }
        output.append("\r\n")
    }

    public func append(_ batch: Batch, rows: Range<Int>, to output: EncodedBytes) {
        table.point(at: batch, rows: rows)
        weir_text_append_csv(&output.text, table.columns, table.count, rows.lowerBound, rows.count)
    }
}

/// The C description of a schema's columns; it is pointed at one batch after the other.
private final class TextTable {
    let columns: UnsafeMutablePointer<weir_text_column>
    let count: Int
    private let elements: UnsafeMutablePointer<weir_text_column>
    private let prefixes: UnsafeMutablePointer<UInt8>
    private let schema: Schema

    init(_ schema: Schema, prefixes texts: [[UInt8]]) {
        self.schema = schema
        count = schema.count
        columns = .allocate(capacity: max(count, 1))
        elements = .allocate(capacity: max(count, 1))
        let joined = texts.joined()
        prefixes = .allocate(capacity: max(joined.count, 1))
        let room = UnsafeMutableBufferPointer(start: prefixes, count: joined.count)
        _ = room.initialize(from: joined)
        var start = 0
        for (index, field) in schema.fields.enumerated() {
            var column = weir_text_column()
            column.kind = kind(of: field.type)
            column.prefix = UnsafePointer(prefixes + start)
            column.prefix_length = texts[index].count
            start += texts[index].count
            var element = weir_text_column()
            if case .array(let type) = field.type {
                element.kind = kind(of: type)
                column.elements = UnsafePointer(elements + index)
            }
            (columns + index).initialize(to: column)
            (elements + index).initialize(to: element)
        }
    }

    deinit {
        columns.deallocate()
        elements.deallocate()
        prefixes.deallocate()
    }

    /// Takes the base pointers of `batch`, whose rows `rows` are about to be written.
    func point(at batch: Batch, rows: Range<Int>) {
        precondition(batch.schema.count == count, "a batch of another schema")
        precondition(
            0 <= rows.lowerBound && rows.upperBound <= batch.rowCount, "rows out of bounds")
        for (index, column) in batch.columns.enumerated() {
            let physical = schema[index].type.physical
            precondition(column.physical == physical, "a batch of another schema")
            fill(columns + index, from: column)
            if let child = column.child { fill(elements + index, from: child) }
        }
    }

    private func fill(_ target: UnsafeMutablePointer<weir_text_column>, from column: Column) {
        target.pointee.values = UnsafeRawPointer(column.storage)
        target.pointee.validity = column.validity.map { UnsafePointer($0) }
        target.pointee.bytes = UnsafePointer(column.bytes)
    }
}

private func kind(of type: DataType) -> weir_text_kind {
    switch type {
    case .boolean: WEIR_TEXT_BOOL
    case .int, .bigint, .interval, .null: WEIR_TEXT_INT64
    case .double: WEIR_TEXT_DOUBLE
    case .string: WEIR_TEXT_STRING
    case .timestamp: WEIR_TEXT_TIMESTAMP
    case .timestampLTZ: WEIR_TEXT_TIMESTAMP_UTC
    case .array(.array): preconditionFailure("arrays of arrays have no text")
    case .array: WEIR_TEXT_ARRAY
    }
}
