// One column of one row group: values gather in a page, pages are encoded and compressed as they fill,
// and wait in memory for the end of the row group, because a dictionary, which comes first in the file,
// is complete only then.

import WeirCore

/// What the footer and the indexes say of a page.
struct PageRecord {
    /// Where its header begins, from the first data page of the chunk.
    let offset: Int
    /// Header and data.
    let size: Int
    /// Its first row in the row group.
    let firstRow: Int
    let nullCount: Int
    /// Whether it has no value at all.
    let isNull: Bool
    let bounds: Bounds?
}

/// What the footer says of a chunk.
struct ChunkRecord {
    let leaf: ParquetLeaf
    let pages: [PageRecord]
    /// The encodings of data pages, and how many pages have each, by the encoding's number.
    let encodings: [(encoding: ParquetEncoding, pages: Int)]
    let valueCount: Int
    let uncompressedBytes: Int
    let compressedBytes: Int
    let dictionaryOffset: Int?
    let dataOffset: Int
    /// Place and length of the Bloom filter.
    var bloom: (offset: Int, length: Int)?

    var nullCount: Int { pages.reduce(0) { $0 + $1.nullCount } }

    /// Bounds of the whole chunk; nil where a page with values has none.
    var bounds: Bounds? {
        var total: Bounds?
        for page in pages where !page.isNull {
            guard let bounds = page.bounds else { return nil }
            if total == nil { total = bounds } else { total?.merge(bounds) }
        }
        return total
    }
}

/// Writes the chunks of one leaf, one after the other.
final class ChunkWriter {
    let leaf: ParquetLeaf
    private let values: any PageValues
    private let hasBloomFilter: Bool
    private let hashes = ValueBuffer<UInt64>()
    private var data = EncodedBytes()
    private var pages: [PageRecord] = []
    private var encodings: [ParquetEncoding: Int] = [:]
    private var valueCount = 0
    private var uncompressedBytes = 0

    // The page under way.
    private let definitions = ValueBuffer<UInt8>()
    private let repetitions = ValueBuffer<UInt8>()
    /// Levels so far; while all are of values that are there, only their number is kept.
    private var levelCount = 0
    private var hasOnlyValues = true
    private var firstRow = 0
    private var rowCount = 0

    /// A page ends when it holds so much, or so many rows.
    private static let pageBytesMax = 1 << 20
    private static let pageRowsMax = 20_000

    init(_ leaf: ParquetLeaf, _ options: ParquetOptions) {
        self.leaf = leaf
        switch leaf.physical {
        case .byteArray, .fixedBytes: values = TextValues(leaf)
        default: values = WordValues(leaf, usesDeltas: options.usesDeltas)
        }
        hasBloomFilter =
            options.bloomFilterColumns.contains(leaf.path[0]) && leaf.physical != .boolean
    }

    /// Bytes that wait in memory, a function of the rows alone.
    var heldBytes: Int {
        values.byteCount + levelCount + data.count + values.dictionaryBytes * 2 + hashes.count * 8
    }

    var isPageFull: Bool {
        rowCount >= Self.pageRowsMax || values.byteCount + levelCount >= Self.pageBytesMax
    }

    // MARK: Rows

    /// Adds rows `rows` of the batch's column that the leaf lies in.
    func append(_ column: Column, _ rows: Range<Int>) {
        rowCount += rows.count
        guard leaf.isFlat else { return appendNested(ShreddedRows(column, rows, leaf)) }
        values.append(column, rows)
        let hasNull =
            column.validity.map { validity in rows.contains { validity[$0] == 0 } } ?? false
        if hasOnlyValues, !hasNull {
            levelCount += rows.count
            return
        }
        keepLevels()
        let to = definitions.extend(rows.count)
        for (index, row) in rows.enumerated() { to[index] = column.isNull(row) ? 0 : 1 }
        levelCount += rows.count
    }

    private func appendNested(_ shredded: ShreddedRows) {
        keepLevels()
        let count = shredded.definitions.count
        shredded.definitions.withUnsafeBufferPointer { from in
            guard let base = from.baseAddress else { return }
            definitions.extend(count).update(from: base, count: count)
        }
        shredded.repetitions.withUnsafeBufferPointer { from in
            guard leaf.repetitionMax > 0, let base = from.baseAddress else { return }
            repetitions.extend(count).update(from: base, count: count)
        }
        levelCount += count
        values.append(shredded.column, at: shredded.valueRows)
    }

    private func keepLevels() {
        guard hasOnlyValues else { return }
        hasOnlyValues = false
        definitions.extend(levelCount).update(repeating: leaf.definitionMax, count: levelCount)
    }

    // MARK: Pages

    /// Ends the page under way, if it has rows.
    func endPage(_ compressor: PageCompressor, _ scratch: PageScratch) {
        guard rowCount > 0 else { return }
        let body = scratch.body
        body.removeAll()
        appendLevels(repetitions, width: bitWidth(of: Int(leaf.repetitionMax)), to: body)
        appendDefinitions(to: body)
        let present = values.count
        // Whether the dictionary takes the values is known only when they are gone.
        let hashesBefore = hashes.count
        if hasBloomFilter { values.hashPage(to: hashes) }
        let encoded = values.encodePage(to: body, scratch)
        if encoded.encoding == .rleDictionary { hashes.truncate(to: hashesBefore) }
        let offset = data.count
        let levels = levelCount
        writePage(body.bytes, compressor, scratch.trial) { header in
            header.structure(5) {
                $0.int32(1, levels)
                $0.int32(2, encoded.encoding.rawValue)
                $0.int32(3, ParquetEncoding.rle.rawValue)
                $0.int32(4, ParquetEncoding.rle.rawValue)
            }
        }
        pages.append(
            PageRecord(
                offset: offset, size: data.count - offset, firstRow: firstRow,
                nullCount: levelCount - present, isNull: present == 0, bounds: encoded.bounds))
        encodings[encoded.encoding, default: 0] += 1
        valueCount += levelCount
        firstRow += rowCount
        (rowCount, levelCount, hasOnlyValues) = (0, 0, true)
        definitions.removeAll()
        repetitions.removeAll()
    }

    private func appendLevels(_ levels: ValueBuffer<UInt8>, width: Int, to body: EncodedBytes) {
        guard width > 0 else { return }
        withLength(body) {
            body.append(hybrid: UnsafePointer(levels.base), count: levels.count, width: width)
        }
    }

    private func appendDefinitions(to body: EncodedBytes) {
        let width = bitWidth(of: Int(leaf.definitionMax))
        guard hasOnlyValues else { return appendLevels(definitions, width: width, to: body) }
        withLength(body) {
            body.append(run: levelCount, of: UInt64(leaf.definitionMax), width: width)
        }
    }

    /// Levels stand behind their length in four bytes.
    private func withLength(_ body: EncodedBytes, _ write: () -> Void) {
        let start = body.count
        body.append(littleEndian: UInt32(0))
        write()
        body.store(littleEndian: UInt32(body.count - start - 4), at: start)
    }

    /// Compresses a page and appends it behind its header, to the chunk's data or `output`.
    private func writePage(
        _ page: UnsafeRawBufferPointer, _ compressor: PageCompressor, _ compressed: EncodedBytes,
        isDictionary: Bool = false, to output: EncodedBytes? = nil,
        _ kind: (inout ThriftWriter) -> Void
    ) {
        compressed.removeAll()
        compressor.compress(page, to: compressed)
        let output = output ?? data
        let start = output.count
        ThriftWriter.write(to: output) {
            $0.int32(1, isDictionary ? 2 : 0)
            $0.int32(2, page.count)
            $0.int32(3, compressed.count)
            $0.int32(4, PageCompressor.checksum(compressed.bytes))
            kind(&$0)
        }
        uncompressedBytes += output.count - start + page.count
        output.append(compressed.bytes)
    }

    // MARK: The chunk

    /// Ends the chunk: appends it to `output`, which stands at `position` of the file.
    func end(
        to output: EncodedBytes, at position: Int, _ compressor: PageCompressor,
        _ scratch: PageScratch
    ) -> ChunkRecord {
        endPage(compressor, scratch)
        let start = output.count
        var dictionaryOffset: Int?
        let entries = values.dictionaryCount
        if entries > 0 {
            dictionaryOffset = position
            scratch.body.removeAll()
            values.encodeDictionary(to: scratch.body)
            writePage(
                scratch.body.bytes, compressor, scratch.trial, isDictionary: true, to: output
            ) { header in
                header.structure(7) {
                    $0.int32(1, entries)
                    $0.int32(2, ParquetEncoding.plain.rawValue)
                }
            }
            if hasBloomFilter { values.hashDictionary(to: hashes) }
        }
        let dataOffset = position + output.count - start
        output.append(data.bytes)
        let record = ChunkRecord(
            leaf: leaf, pages: pages,
            encodings: encodings.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                (encoding: $0.key, pages: $0.value)
            },
            valueCount: valueCount, uncompressedBytes: uncompressedBytes,
            compressedBytes: output.count - start, dictionaryOffset: dictionaryOffset,
            dataOffset: dataOffset)
        values.removeAll()
        data = EncodedBytes()
        pages = []
        encodings = [:]
        (valueCount, uncompressedBytes, firstRow) = (0, 0, 0)
        return record
    }

    /// The Bloom filter of the chunk that has just ended; nil where none is wanted.
    func takeBloomFilter() -> BloomFilter? {
        defer { hashes.removeAll() }
        return hasBloomFilter ? BloomFilter(hashes) : nil
    }
}
