// What stands at the end of a file: the column and offset indexes of all pages, then schema, row groups
// and metadata, and the length of these. Readers begin here.

import WeirCore

/// What the footer says of a row group.
struct RowGroupRecord {
    let chunks: [ChunkRecord]
    let rowCount: Int
    /// Where it begins.
    let offset: Int
}

/// Writes the end of a file.
struct ParquetFooter {
    let schema: ParquetSchema
    let groups: [RowGroupRecord]
    let codec: ParquetCodec
    let metadata: [(key: String, value: String)]
    /// The version of weir that writes.
    let version: String

    /// Where a chunk's indexes are.
    private struct IndexPlaces {
        var column: (offset: Int, length: Int)?
        var offset: (offset: Int, length: Int) = (0, 0)
    }

    /// Which part of the format's history the file belongs to.
    private static let formatVersion = 2

    /// Appends all but the closing magic number; `output` stands at `position` of the file.
    func write(to output: EncodedBytes, at position: Int) {
        let start = output.count
        let place = { position + output.count - start }
        var places = groups.map { $0.chunks.map { _ in IndexPlaces() } }
        for (group, record) in groups.enumerated() {
            for (index, chunk) in record.chunks.enumerated() {
                let offset = place()
                guard writeColumnIndex(chunk, to: output) else { continue }
                places[group][index].column = (offset, place() - offset)
            }
        }
        for (group, record) in groups.enumerated() {
            for (index, chunk) in record.chunks.enumerated() {
                let offset = place()
                writeOffsetIndex(chunk, to: output)
                places[group][index].offset = (offset, place() - offset)
            }
        }
        let footer = output.count
        ThriftWriter.write(to: output) { writeFile(&$0, places) }
        output.append(littleEndian: UInt32(output.count - footer))
    }

    // MARK: Indexes

    /// False, and nothing is written, where a page with values has no bounds.
    private func writeColumnIndex(_ chunk: ChunkRecord, to output: EncodedBytes) -> Bool {
        let pages = chunk.pages
        guard !pages.contains(where: { !$0.isNull && $0.bounds == nil }) else { return false }
        ThriftWriter.write(to: output) {
            $0.list(1, of: .yes, count: pages.count)
            for page in pages { $0.element(page.isNull) }
            $0.list(2, of: .binary, count: pages.count)
            for page in pages { $0.element(page.bounds?.least.encoded(chunk.leaf) ?? []) }
            $0.list(3, of: .binary, count: pages.count)
            for page in pages { $0.element(page.bounds?.greatest.encoded(chunk.leaf) ?? []) }
            $0.int32(4, Self.order(pages.compactMap(\.bounds)))
            $0.list(5, of: .int64, count: pages.count)
            for page in pages { $0.element(Int64(page.nullCount)) }
        }
        return true
    }

    /// Whether bounds never fall (1), never rise (2), or neither (0).
    private static func order(_ bounds: [Bounds]) -> Int {
        let neighbours = zip(bounds, bounds.dropFirst())
        if neighbours.allSatisfy({
            !$1.least.isLess(than: $0.least) && !$1.greatest.isLess(than: $0.greatest)
        }) {
            return 1
        }
        return neighbours.allSatisfy({
            !$0.least.isLess(than: $1.least) && !$0.greatest.isLess(than: $1.greatest)
        }) ? 2 : 0
    }

    private func writeOffsetIndex(_ chunk: ChunkRecord, to output: EncodedBytes) {
        ThriftWriter.write(to: output) {
            $0.list(1, of: .structure, count: chunk.pages.count)
            for page in chunk.pages {
                $0.element {
                    $0.int64(1, chunk.dataOffset + page.offset)
                    $0.int32(2, page.size)
                    $0.int64(3, page.firstRow)
                }
            }
        }
    }

    // MARK: The footer

    private func writeFile(_ file: inout ThriftWriter, _ places: [[IndexPlaces]]) {
        file.int32(1, Self.formatVersion)
        file.list(2, of: .structure, count: schema.nodes.count)
        for node in schema.nodes { file.element { writeNode(&$0, node) } }
        file.int64(3, groups.reduce(0) { $0 + $1.rowCount })
        file.list(4, of: .structure, count: groups.count)
        for (index, group) in groups.enumerated() {
            file.element { writeGroup(&$0, group, index, places[index]) }
        }
        if !metadata.isEmpty {
            file.list(5, of: .structure, count: metadata.count)
            for (key, value) in metadata {
                file.element {
                    $0.text(1, key)
                    $0.text(2, value)
                }
            }
        }
        file.text(6, "weir version \(version)")
        // Statistics are in the order of each column's type.
        file.list(7, of: .structure, count: schema.leaves.count)
        for _ in schema.leaves { file.element { $0.structure(1) } }
    }

    private func writeNode(_ element: inout ThriftWriter, _ node: ParquetNode) {
        let isLeaf = node.childCount == 0 && node.repetition != nil
        if isLeaf, let type = node.type { element.int32(1, ParquetType(type).rawValue) }
        if let length = node.fixedLength { element.int32(2, length) }
        if let repetition = node.repetition { element.int32(3, repetition.rawValue) }
        element.text(4, node.name)
        if !isLeaf { element.int32(5, node.childCount) }
        guard let type = node.type else { return }
        if let converted = type.parquetConvertedType(inMicros: schema.isForTables) {
            element.int32(6, converted)
        }
        if case .decimal(let precision, let scale) = type {
            element.int32(7, scale)
            element.int32(8, precision)
        }
        type.writeLogicalType(&element, inMicros: schema.isForTables)
    }

    private func writeGroup(
        _ element: inout ThriftWriter, _ group: RowGroupRecord, _ number: Int,
        _ places: [IndexPlaces]
    ) {
        element.list(1, of: .structure, count: group.chunks.count)
        for (chunk, places) in zip(group.chunks, places) {
            element.element {
                $0.int64(2, 0)
                $0.structure(3) { writeChunk(&$0, chunk) }
                $0.int64(4, places.offset.offset)
                $0.int32(5, places.offset.length)
                if let column = places.column {
                    $0.int64(6, column.offset)
                    $0.int32(7, column.length)
                }
            }
        }
        element.int64(2, group.chunks.reduce(0) { $0 + $1.uncompressedBytes })
        element.int64(3, group.rowCount)
        element.int64(5, group.offset)
        element.int64(6, group.chunks.reduce(0) { $0 + $1.compressedBytes })
        if number <= Int(Int16.max) { element.int16(7, number) }
    }

    private func writeChunk(_ element: inout ThriftWriter, _ chunk: ChunkRecord) {
        element.int32(1, chunk.leaf.physical.rawValue)
        var encodings = Set(chunk.encodings.map(\.encoding) + [.rle])
        if chunk.dictionaryOffset != nil { encodings.insert(.plain) }
        let all = encodings.sorted { $0.rawValue < $1.rawValue }
        element.list(2, of: .int32, count: all.count)
        for encoding in all { element.element(Int64(encoding.rawValue)) }
        element.list(3, of: .binary, count: chunk.leaf.path.count)
        for name in chunk.leaf.path { element.element(name) }
        element.int32(4, codec.rawValue)
        element.int64(5, chunk.valueCount)
        element.int64(6, chunk.uncompressedBytes)
        element.int64(7, chunk.compressedBytes)
        element.int64(9, chunk.dataOffset)
        if let offset = chunk.dictionaryOffset { element.int64(11, offset) }
        element.structure(12) { writeStatistics(&$0, chunk) }
        let dictionaryPages = chunk.dictionaryOffset == nil ? 0 : 1
        element.list(13, of: .structure, count: chunk.encodings.count + dictionaryPages)
        if dictionaryPages > 0 { writeEncoding(element, pageType: 2, .plain, 1) }
        for (encoding, pages) in chunk.encodings {
            writeEncoding(element, pageType: 0, encoding, pages)
        }
        if let bloom = chunk.bloom {
            element.int64(14, bloom.offset)
            element.int32(15, bloom.length)
        }
    }

    private func writeEncoding(
        _ list: ThriftWriter, pageType: Int, _ encoding: ParquetEncoding, _ pages: Int
    ) {
        list.element {
            $0.int32(1, pageType)
            $0.int32(2, encoding.rawValue)
            $0.int32(3, pages)
        }
    }

    private func writeStatistics(_ element: inout ThriftWriter, _ chunk: ChunkRecord) {
        element.int64(3, chunk.nullCount)
        guard let bounds = chunk.bounds else { return }
        element.binary(5, bounds.greatest.encoded(chunk.leaf))
        element.binary(6, bounds.least.encoded(chunk.leaf))
        element.boolean(7, bounds.isGreatestExact)
        element.boolean(8, bounds.isLeastExact)
    }
}
