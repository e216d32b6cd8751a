// What a sink's objects are written as: text row by row, compressed as a whole, or Parquet.

import WeirCore

/// Writes one file. The same rows give the same bytes, however they come in batches.
public protocol FileWriter: AnyObject {
    /// Adds rows `rows` of `batch`; what is complete is appended to `output`.
    func append(_ batch: Batch, rows: Range<Int>, to output: EncodedBytes)

    /// Adds to what the file says of itself, before its end; nothing where the format has no place for it.
    func add(metadata: [(key: String, value: String)])

    /// Ends the file: appends all that is left to `output`.
    func finish(to output: EncodedBytes)

    /// What a table's log says of the file; after its end, and nil of files that are no table's.
    var tableFacts: TableFileFacts? { get }
}

extension FileWriter {
    public func add(metadata: [(key: String, value: String)]) {}
}

/// How files are written.
public enum FileFormat: Sendable {
    case rows(RowFormat, Compression)
    case parquet(ParquetOptions)

    /// A writer of batches of `schema`. `metadata` goes into files that have a place for it.
    public func makeWriter(
        _ schema: Schema, metadata: [(key: String, value: String)]
    ) -> any FileWriter {
        switch self {
        case .rows(let format, let compression):
            RowFileWriter(format.makeEncoder(schema), Compressor(compression))
        case .parquet(let options): ParquetFileWriter(ParquetWriter(schema, options), metadata)
        }
    }

    /// The end of a file's name, such as `.ndjson.gz` or `.parquet`.
    public var fileExtension: String {
        switch self {
        case .rows(let format, let compression): format.fileExtension(compression)
        case .parquet: ".parquet"
        }
    }

    /// The same for one of `count` files that are written at the same time and share the memory of one.
    public func sharingMemory(among count: Int) -> FileFormat {
        guard case .parquet(var options) = self, count > 1 else { return self }
        options.rowGroupBytesMax = max(1 << 20, options.rowGroupBytesMax / count)
        return .parquet(options)
    }
}

/// Rows as text, compressed.
private final class RowFileWriter: FileWriter {
    var tableFacts: TableFileFacts? { nil }
    private let encoder: any RowEncoder
    private let compressor: Compressor
    private let text = EncodedBytes()
    /// Rows that are text at a time.
    private static let encodedRowsMax = 4096

    init(_ encoder: any RowEncoder, _ compressor: Compressor) {
        self.encoder = encoder
        self.compressor = compressor
        encoder.appendHeader(to: text)
    }

    func append(_ batch: Batch, rows: Range<Int>, to output: EncodedBytes) {
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = min(rows.upperBound, start + Self.encodedRowsMax)
            encoder.append(batch, rows: start..<end, to: text)
            compress(to: output)
            start = end
        }
    }

    func finish(to output: EncodedBytes) {
        compress(to: output)
        compressor.finish(to: output)
    }

    private func compress(to output: EncodedBytes) {
        compressor.append(text.bytes, to: output)
        text.removeAll()
    }
}

/// A Parquet file that tells where its rows come from.
private final class ParquetFileWriter: FileWriter {
    var tableFacts: TableFileFacts? { writer.tableFacts }
    private let writer: ParquetWriter
    private var metadata: [(key: String, value: String)]
    private var rowCount = 0

    init(_ writer: ParquetWriter, _ metadata: [(key: String, value: String)]) {
        self.writer = writer
        self.metadata = metadata
    }

    func add(metadata: [(key: String, value: String)]) { self.metadata += metadata }

    func append(_ batch: Batch, rows: Range<Int>, to output: EncodedBytes) {
        rowCount += rows.count
        writer.append(batch, rows: rows, to: output)
    }

    func finish(to output: EncodedBytes) {
        writer.finish(metadata: metadata + [("weir.rows", "\(rowCount)")], to: output)
    }
}
