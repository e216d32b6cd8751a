// Rows as the text of a file.
//
// How values are written, in both formats: a double as the shortest text that reads back as the
// same double, always with a point or an exponent; TIMESTAMP_LTZ(3) as 2026-11-21T13:00:00.000Z and
// TIMESTAMP(3) as 2026-11-21T13:00:00.000; a DECIMAL with as many digits behind the point as its type
// says; DATE as 2026-11-21, TIME as 13:00:00 or 13:00:00.25; BYTES as base64; intervals as
// milliseconds or months. DuckDB, pandas, Arrow and
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
/// and the infinities, which JSON lacks; arrays are arrays, maps and rows are objects.
public final class NDJSONEncoder: RowEncoder {
    public let schema: Schema
    private let table: TextTable

    public init(_ schema: Schema) {
        self.schema = schema
        table = TextTable(schema.fields, prefixes: TextTable.memberPrefixes(schema.fields))
    }

    public func appendHeader(to output: EncodedBytes) {}

    public func append(_ batch: Batch, rows: Range<Int>, to output: EncodedBytes) {
        batch.check(schema, rows)
        table.point(at: batch.columns)
        weir_text_append_ndjson(
            &output.text, table.columns, table.count, rows.lowerBound, rows.count)
    }
}

/// RFC 4180: a header line, lines that end in CR LF, quotes where they are needed. NULL is an empty
/// field and an empty string is `""`; NaN and the infinities are NaN, Infinity and -Infinity; an
/// array, a map or a row is its JSON text.
public final class CSVEncoder: RowEncoder {
    public let schema: Schema
    private let table: TextTable

    public init(_ schema: Schema) {
        self.schema = schema
        let prefixes = schema.fields.indices.map { $0 == 0 ? [] : Array(",".utf8) }
        table = TextTable(schema.fields, prefixes: prefixes)
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
        batch.check(schema, rows)
        table.point(at: batch.columns)
        weir_text_append_csv(&output.text, table.columns, table.count, rows.lowerBound, rows.count)
    }
}

extension Batch {
    /// Stops the process where a batch of another schema was given, or rows that it does not have.
    func check(_ schema: Schema, _ rows: Range<Int>) {
        precondition(self.schema.count == schema.count, "a batch of another schema")
        precondition(0 <= rows.lowerBound && rows.upperBound <= rowCount, "rows out of bounds")
        for (column, field) in zip(columns, schema.fields) {
            precondition(column.physical == field.type.physical, "a batch of another schema")
        }
    }
}
