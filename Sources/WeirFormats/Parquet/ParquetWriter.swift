// Parquet files, straight from columnar batches.
//
// A file must be a function of its rows, never of how they were cut into batches, since an upload that
// is tried again may find them cut differently. So all decisions, where a page ends and where a row
// group, fall at the ends of strides: runs of rows that begin at the file's first and end after a fixed
// number of rows or bytes.
//
// Memory is bounded by the row group: its pages wait, compressed, until it ends. A footer entry for each
// chunk and page stays until the end of the file.

import WeirCore

/// How a Parquet file is written.
public struct ParquetOptions: Sendable {
    /// Of each page.
    public var compression: Compression
    /// Whole numbers without a dictionary as DELTA_BINARY_PACKED, which Flink's reader lacks, or PLAIN.
    public var usesDeltas: Bool
    /// Top-level columns whose chunks get a Bloom filter.
    public var bloomFilterColumns: Set<String>
    /// Bytes that a row group may hold in memory before it is written out.
    public var rowGroupBytesMax: Int
    /// Rows of a row group.
    public var rowGroupRowsMax: Int
    /// The version of weir, which readers are told.
    public var version: String
    /// Whether the files are a Delta table's: times in microseconds, no TIME of day.
    public var isForTables = false

    public init(
        compression: Compression = .zstd, usesDeltas: Bool = true,
        bloomFilterColumns: Set<String> = [], rowGroupBytesMax: Int = 16 << 20,
        rowGroupRowsMax: Int = 1 << 20, version: String = "0"
    ) {
        self.compression = compression
        self.usesDeltas = usesDeltas
        self.bloomFilterColumns = bloomFilterColumns
        self.rowGroupBytesMax = rowGroupBytesMax
        self.rowGroupRowsMax = rowGroupRowsMax
        self.version = version
    }
}

/// Writes one file.
public final class ParquetWriter {
    /// The columns of the batches it takes.
    public let schema: Schema
    private let file: ParquetSchema
    private let chunks: [ChunkWriter]
    private let compressor: PageCompressor
    private let scratch = PageScratch()
    private let options: ParquetOptions
    private var groups: [RowGroupRecord] = []
    /// Bytes of the file so far.
    private var position = 0
    private var groupRows = 0
    private var strideRows = 0
    private var strideBytes = 0
    private var isFinished = false

    private static let strideRowsMax = 1024
    private static let strideBytesMax = 256 << 10
    private static let magic = "PAR1"

    public init(_ schema: Schema, _ options: ParquetOptions = ParquetOptions()) {
        self.schema = schema
        self.options = options
        file = ParquetSchema(schema, isForTables: options.isForTables)
        chunks = file.leaves.map { ChunkWriter($0, options) }
        compressor = PageCompressor(ParquetCodec(options.compression))
    }

    /// Adds rows `rows` of `batch`; appends what is complete to `output`.
    public func append(_ batch: Batch, rows: Range<Int>, to output: EncodedBytes) {
        precondition(!isFinished, "the file is finished")
        batch.check(schema, rows)
        let widths = batch.columns.map(\.type.rowBytes)
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = strideEnd(batch, start, rows.upperBound, widths)
            for chunk in chunks { chunk.append(batch.columns[chunk.leaf.column], start..<end) }
            strideRows += end - start
            strideBytes += bytes(of: batch, start..<end, widths)
            groupRows += end - start
            start = end
            if strideRows >= Self.strideRowsMax || strideBytes >= Self.strideBytesMax {
                endStride(to: output)
            }
        }
    }

    /// Ends the file; `metadata` are key-value pairs of its footer.
    public func finish(metadata: [(key: String, value: String)], to output: EncodedBytes) {
        precondition(!isFinished, "the file is finished")
        isFinished = true
        endGroup(to: output)
        begin(output)
        let start = output.count
        ParquetFooter(
            schema: file, groups: groups, codec: ParquetCodec(options.compression),
            metadata: metadata, version: options.version
        ).write(to: output, at: position)
        position += output.count - start
        output.append(Self.magic)
    }

    /// What a table's log says of the file; after its end, and only of files for tables.
    var tableFacts: TableFileFacts? {
        guard options.isForTables, isFinished else { return nil }
        return TableFileFacts(
            schemaString: DeltaSchema(schema).text,
            statistics: DeltaStatistics(groups, file).text)
    }

    // MARK: Strides

    /// The end of the stride under way, or of the rows if they end before it.
    private func strideEnd(_ batch: Batch, _ start: Int, _ limit: Int, _ widths: [Int]) -> Int {
        let last = min(limit, start + Self.strideRowsMax - strideRows)
        let room = Self.strideBytesMax - strideBytes
        guard bytes(of: batch, start..<last, widths) > room else { return last }
        // The first row with which the bytes reach the bound; at least one.
        var (low, high) = (start + 1, last)
        while low < high {
            let middle = (low + high) / 2
            if bytes(of: batch, start..<middle, widths) >= room { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func bytes(of batch: Batch, _ rows: Range<Int>, _ widths: [Int]) -> Int {
        var total = 0
        for (column, width) in zip(batch.columns, widths) {
            total += width * rows.count + column.variableBytes(rows)
        }
        return total
    }

    private func endStride(to output: EncodedBytes) {
        (strideRows, strideBytes) = (0, 0)
        var held = 0
        for chunk in chunks {
            if chunk.isPageFull { chunk.endPage(compressor, scratch) }
            held += chunk.heldBytes
        }
        if held >= options.rowGroupBytesMax || groupRows >= options.rowGroupRowsMax {
            endGroup(to: output)
        }
    }

    // MARK: Row groups

    /// The file's first four bytes.
    private func begin(_ output: EncodedBytes) {
        guard position == 0 else { return }
        output.append(Self.magic)
        position = Self.magic.utf8.count
    }

    private func endGroup(to output: EncodedBytes) {
        guard groupRows > 0 else { return }
        begin(output)
        let start = position
        var records: [ChunkRecord] = []
        for chunk in chunks {
            let before = output.count
            records.append(chunk.end(to: output, at: position, compressor, scratch))
            position += output.count - before
        }
        for (index, chunk) in chunks.enumerated() {
            guard let filter = chunk.takeBloomFilter() else { continue }
            let before = output.count
            filter.write(to: output)
            records[index].bloom = (position, output.count - before)
            position += output.count - before
        }
        groups.append(RowGroupRecord(chunks: records, rowCount: groupRows, offset: start))
        (groupRows, strideRows, strideBytes) = (0, 0, 0)
    }
}

extension DataType {
    /// Bytes that a row takes at least, whatever its values.
    fileprivate var rowBytes: Int {
        if case .row(let fields) = self { return fields.reduce(0) { $0 + $1.type.rowBytes } }
        return physical == .int128 ? 16 : 8
    }
}

extension Column {
    /// Bytes of texts and elements in rows `rows`: those of two ranges are those of both together.
    fileprivate func variableBytes(_ rows: Range<Int>) -> Int {
        switch physical {
        case .string: return Int(offsets[rows.upperBound] - offsets[rows.lowerBound])
        case .array:
            guard let child else { return 0 }
            let elements = Int(offsets[rows.lowerBound])..<Int(offsets[rows.upperBound])
            return elements.count * child.type.rowBytes + child.variableBytes(elements)
        case .row: return fields.reduce(0) { $0 + $1.variableBytes(rows) }
        default: return 0
        }
    }
}
