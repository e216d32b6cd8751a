// A Parquet file as text, for `weir parquet`: what lies in an outbox or a lake can be looked at on the
// machine itself, without other tools.

import WeirCore
import WeirFormats

/// Shows Parquet files.
public enum ParquetView {
    /// The file's columns, row count and metadata, a line each.
    public static func description(of path: String) throws(Failure) -> String {
        let reader = try ParquetReader(ParquetFile(path: path))
        var lines = reader.schema.fields.map { "\($0.name) \($0.type)" }
        lines += reader.unreadable.map { "\($0) (of a type that weir lacks)" }
        lines.append("rows: \(reader.rowCount)")
        if !reader.writer.isEmpty { lines.append("written by: \(reader.writer)") }
        lines += reader.metadata.filter { $0.key.hasPrefix("weir.") }.map { "\($0.key): \($0.value)" }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Hands the file's first `limit` rows to `write`, as NDJSON.
    public static func rows(
        of path: String, limit: Int, write: (UnsafeRawBufferPointer) -> Void
    ) throws(Failure) {
        let reader = try ParquetReader(ParquetFile(path: path))
        let encoder = RowFormat.ndjson.makeEncoder(reader.schema)
        let text = EncodedBytes()
        var left = limit
        while left > 0, let batch = try reader.next() {
            encoder.append(batch, rows: 0..<min(left, batch.rowCount), to: text)
            left -= min(left, batch.rowCount)
            write(text.bytes)
            text.removeAll()
        }
    }
}
