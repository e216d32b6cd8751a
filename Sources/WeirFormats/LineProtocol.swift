// Rows as InfluxDB's line protocol: `measurement,tag=a,tag=b field=1.5,other=3i 1764157980000`.
//
// What has no form there is left out rather than invented: a NULL field or tag, an empty tag, NaN and the
// infinities. A row of which no field is left gets one, `row`, with its number, so that it is not lost.
// Text with blanks, commas, equals signs, quotes or line breaks is escaped by the protocol's rules; a tag
// cannot end in a backslash, which would hide the separator: a `_` takes its place.

import WeirCore

/// What becomes of a row's columns.
public struct LineProtocolLayout: Sendable {
    /// nil: the name of the stream.
    public var measurement: String?
    /// Columns that are tags; the others are fields.
    public var tags: [String]
    /// The timestamp column.
    public var timeColumn: String

    public init(measurement: String? = nil, tags: [String], timeColumn: String) {
        self.measurement = measurement
        self.tags = tags
        self.timeColumn = timeColumn
    }
}

/// Writes batches of one schema as lines. Timestamps are in milliseconds.
public final class LineProtocolEncoder {
    private struct Item {
        let column: Int
        /// The escaped name and `=`.
        let prefix: [UInt8]
        let type: DataType
        /// Writes values that are not written here: times, decimals, nested ones.
        let json: NDJSONEncoder?
    }

    private let measurement: [UInt8]
    private let tags: [Item]
    private let fields: [Item]
    private let timeColumn: Int?
    private let schema: Schema
    private let scratch = EncodedBytes()

    /// - Parameters:
    ///   - layout: columns that the schema lacks are left out of account.
    ///   - stream: names the measurement where the layout does not.
    public init(_ schema: Schema, _ layout: LineProtocolLayout, stream: String) {
        self.schema = schema
        measurement = escaped(Array((layout.measurement ?? stream).utf8), ", ")
        timeColumn = schema.index(of: layout.timeColumn)
        let item = { (column: Int) in
            let field = schema[column]
            return Item(
                column: column, prefix: escaped(Array(field.name.utf8), ",= ") + Array("=".utf8),
                type: field.type, json: Self.isPlain(field.type) ? nil : NDJSONEncoder(Schema([Field("", field.type)])))
        }
        let columns = schema.fields.indices.filter { $0 != schema.index(of: layout.timeColumn) }
        tags = columns.filter { layout.tags.contains(schema[$0].name) }
            .sorted { schema[$0].name < schema[$1].name }.map(item)
        fields = columns.filter { !layout.tags.contains(schema[$0].name) }.map(item)
    }

    /// Appends row `row` as a line with its end.
    ///
    /// - Parameters:
    ///   - number: the row's number in its stream, for a row without fields.
    ///   - timeOfNull: the time of a row whose time is NULL, ms since the epoch.
    public func append(
        _ batch: Batch, row: Int, number: UInt64, timeOfNull: Int64, to output: EncodedBytes
    ) {
        output.append(bytes: measurement)
        for item in tags where !batch.columns[item.column].isNull(row) {
            let value = tagValue(item, batch.columns[item.column], row)
            guard !value.isEmpty else { continue }
            output.append(",")
            output.append(bytes: item.prefix)
            output.append(bytes: value)
        }
        var separator = " "
        for item in fields {
            let column = batch.columns[item.column]
            if column.isNull(row) { continue }
            if item.type.isApproximate, !column.doubles[row].isFinite { continue }
            output.append(separator)
            output.append(bytes: item.prefix)
            appendField(item, column, row, to: output)
            separator = ","
        }
        if separator == " " { output.append(" row=\(number)i") }
        let time = timeColumn.map { batch.columns[$0] }.flatMap { $0.isNull(row) ? nil : $0.ints[row] }
        output.append(" \(time ?? timeOfNull)\n")
    }

    private static func isPlain(_ type: DataType) -> Bool {
        type.isInteger || type.isApproximate || type == .boolean || type == .string
    }

    private func appendField(_ item: Item, _ column: Column, _ row: Int, to output: EncodedBytes) {
        switch item.type {
        case .boolean: output.append(column.bools[row] == 0 ? "false" : "true")
        case .float, .double: output.append(column.doubles[row].description)
        case .tinyint, .smallint, .int, .bigint: output.append("\(column.ints[row])i")
        case .string: appendQuoted(Array(column.text(row)), to: output)
        default:
            let text = jsonText(item, column, row)
            if item.type.isDecimal { output.append(bytes: text) } else { appendQuoted(text, to: output) }
        }
    }

    private func appendQuoted(_ text: [UInt8], to output: EncodedBytes) {
        output.append("\"")
        output.append(bytes: escaped(text, "\"\\"))
        output.append("\"")
    }

    private func tagValue(_ item: Item, _ column: Column, _ row: Int) -> [UInt8] {
        var text: [UInt8] =
            switch item.type {
            case .boolean: Array((column.bools[row] == 0 ? "false" : "true").utf8)
            case .float, .double: Array(column.doubles[row].description.utf8)
            case .tinyint, .smallint, .int, .bigint: Array("\(column.ints[row])".utf8)
            case .string: Array(column.text(row))
            default: jsonText(item, column, row)
            }
        for index in text.indices where text[index] < 0x20 { text[index] = UInt8(ascii: " ") }
        if text.last == UInt8(ascii: "\\") { text[text.count - 1] = UInt8(ascii: "_") }
        return escaped(text, ",= ")
    }

    /// A value as files have it, without the quotes of a text: times have nothing to escape.
    private func jsonText(_ item: Item, _ column: Column, _ row: Int) -> [UInt8] {
        guard let json = item.json else { return [] }
        scratch.removeAll()
        let one = Batch(schema: json.schema, columns: [column], rowCount: column.count)
        json.append(one, rows: row..<row + 1, to: scratch)
        // {"":VALUE} and a line's end.
        var text = scratch.bytes.dropFirst(4).dropLast(2)
        if text.first == UInt8(ascii: "\"") { text = text.dropFirst().dropLast() }
        return Array(text)
    }
}

/// `text` with a backslash before each byte of `special`.
private func escaped(_ text: [UInt8], _ special: StaticString) -> [UInt8] {
    let marks = UnsafeBufferPointer(start: special.utf8Start, count: special.utf8CodeUnitCount)
    guard text.contains(where: marks.contains) else { return text }
    var result: [UInt8] = []
    result.reserveCapacity(text.count + 8)
    for byte in text {
        if marks.contains(byte) { result.append(UInt8(ascii: "\\")) }
        result.append(byte)
    }
    return result
}

extension EncodedBytes {
    /// Appends an array's bytes.
    func append(bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }
}
