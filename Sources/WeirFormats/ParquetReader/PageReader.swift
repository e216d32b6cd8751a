// The pages of one chunk, one after the other: bytes are read a window at a time, a page is decompressed and
// its levels and values decoded, the dictionary is kept. Data pages of both versions.

import WeirCore

/// A data page that has been decoded.
struct DecodedPage {
    /// One of each for a value or NULL; empty where the greatest level is 0.
    var definitions: [UInt8] = []
    var repetitions: [UInt8] = []
    /// How many levels there are.
    var levelCount = 0
    /// The values that are there, or the dictionary's and which of them.
    var values = StoredValues.words([])
    var indices: [UInt32]?
}

/// Reads the pages of one chunk.
final class PageReader {
    private let source: any ParquetSource
    private let leaf: ReadLeaf
    private let decompressor: PageDecompressor
    private var position: Int
    private let end: Int
    private var levelsLeft: Int
    private var dictionary: StoredValues?
    private var window: [UInt8] = []
    private var windowStart = 0

    /// Bytes that are read at a time, unless a page has more.
    private static let windowBytes = 256 << 10

    init(
        _ source: any ParquetSource, _ chunk: FooterChunk, _ leaf: ReadLeaf
    ) throws(ParquetFault) {
        guard chunk.type == leaf.physical else {
            throw .broken("column \(leaf.path) is of one type in its schema and of another in a row group")
        }
        self.source = source
        self.leaf = leaf
        decompressor = try PageDecompressor(codec: chunk.codec)
        position = chunk.range.lowerBound
        end = chunk.range.upperBound
        levelsLeft = chunk.valueCount
    }

    // MARK: Bytes

    /// Bytes `range` of the file, which lie in the chunk.
    private func bytes(_ range: Range<Int>) throws(ParquetFault) -> [UInt8] {
        guard range.upperBound <= end else { throw .truncated }
        if range.lowerBound < windowStart || range.upperBound > windowStart + window.count {
            let length = min(max(range.count, Self.windowBytes), end - range.lowerBound)
            window = try WeirFormats.bytes(of: source, range.lowerBound..<range.lowerBound + length)
            windowStart = range.lowerBound
        }
        let start = range.lowerBound - windowStart
        return Array(window[start..<start + range.count])
    }

    /// What the header of a page says.
    private struct Header {
        var type = -1
        var length = -1
        var compressedLength = -1
        var checksum: Int32?
        var levelCount = 0
        var encoding = -1
        var definitionEncoding = 3
        var repetitionEncoding = 3
        /// Of pages of version 2.
        var definitionBytes = 0
        var repetitionBytes = 0
        var isCompressed = true
    }

    /// The next page's header; moves behind it.
    private func header() throws(ParquetFault) -> Header {
        var size = 4 << 10
        while true {
            let wanted = min(size, end - position)
            var reader = ThriftReader(try bytes(position..<position + wanted))
            do throws(ParquetFault) {
                let header = try Self.header(&reader)
                position += reader.position
                return header
            } catch {
                // Statistics can make a header long.
                guard case .truncated = error, wanted == size,
                    size < ParquetReadLimits.headerBytesMax
                else { throw error }
                size *= 8
            }
        }
    }

    private static func header(_ reader: inout ThriftReader) throws(ParquetFault) -> Header {
        var header = Header()
        try reader.structure { (reader, field, kind) throws(ParquetFault) in
            switch field {
            case 1: header.type = try reader.integer(kind)
            case 2: header.length = try reader.size(kind)
            case 3: header.compressedLength = try reader.size(kind)
            case 4: header.checksum = Int32(truncatingIfNeeded: try reader.integer(kind))
            case 5, 7, 8:
                let version = field
                try reader.structure(kind) { (reader, field, kind) throws(ParquetFault) in
                    switch (version, field) {
                    case (_, 1): header.levelCount = try reader.size(kind)
                    case (5, 2), (7, 2), (8, 4): header.encoding = try reader.integer(kind)
                    case (5, 3): header.definitionEncoding = try reader.integer(kind)
                    case (5, 4): header.repetitionEncoding = try reader.integer(kind)
                    case (8, 5): header.definitionBytes = try reader.size(kind)
                    case (8, 6): header.repetitionBytes = try reader.size(kind)
                    case (8, 7): header.isCompressed = try reader.boolean(kind)
                    default: try reader.skip(kind)
                    }
                }
            default: try reader.skip(kind)
            }
        }
        guard header.length >= 0, header.compressedLength >= 0 else {
            throw .broken("a page does not say how long it is")
        }
        guard header.length <= ParquetReadLimits.pageBytesMax,
            header.compressedLength <= ParquetReadLimits.pageBytesMax,
            header.levelCount <= ParquetReadLimits.pageLevelsMax
        else {
            throw .broken("a page has more bytes or values than weir reads")
        }
        return header
    }

    // MARK: Pages

    /// The next data page; nil when there is none.
    func next() throws(ParquetFault) -> DecodedPage? {
        while levelsLeft > 0, position < end {
            let header = try header()
            guard header.compressedLength <= end - position else { throw .truncated }
            let stored = try bytes(position..<position + header.compressedLength)
            position += header.compressedLength
            if let checksum = header.checksum {
                let isRight = stored.withUnsafeBytes { PageCompressor.checksum($0) == checksum }
                guard isRight else { throw .broken("a page of column \(leaf.path) is damaged: its CRC is wrong") }
            }
            switch header.type {
            case 2:
                var page = PageBytes(padded: try decompressor.decompress(stored, length: header.length))
                guard dictionary == nil, [0, 2].contains(header.encoding) else {
                    throw .broken("column \(leaf.path) has a dictionary that cannot be")
                }
                dictionary = try page.plain(
                    count: header.levelCount, physical: leaf.physical, fixedLength: leaf.fixedLength)
            case 0, 3:
                guard header.levelCount <= levelsLeft else {
                    throw .broken("column \(leaf.path) has more values than it says")
                }
                levelsLeft -= header.levelCount
                return try data(header, stored)
            default: break
            }
        }
        guard levelsLeft == 0 else { throw .broken("column \(leaf.path) has fewer values than it says") }
        return nil
    }

    private func data(_ header: Header, _ stored: [UInt8]) throws(ParquetFault) -> DecodedPage {
        let isVersion2 = header.type == 3
        var page = DecodedPage(levelCount: header.levelCount)
        let prefix = isVersion2 ? header.repetitionBytes + header.definitionBytes : 0
        var bytes = PageBytes(
            padded: try decompressor.decompress(
                stored, prefix: prefix, length: header.length,
                isCompressed: !isVersion2 || header.isCompressed))
        page.repetitions = try levels(
            &bytes, header, max: leaf.repetitionMax, encoding: header.repetitionEncoding,
            length: isVersion2 ? header.repetitionBytes : nil)
        page.definitions = try levels(
            &bytes, header, max: leaf.definitionMax, encoding: header.definitionEncoding,
            length: isVersion2 ? header.definitionBytes : nil)
        let greatest = UInt8(leaf.definitionMax)
        let count =
            leaf.definitionMax == 0
            ? header.levelCount : page.definitions.reduce(0) { $0 + ($1 == greatest ? 1 : 0) }
        try decode(&bytes, header.encoding, count, into: &page)
        return page
    }

    private func levels(
        _ page: inout PageBytes, _ header: Header, max: Int, encoding: Int, length: Int?
    ) throws(ParquetFault) -> [UInt8] {
        guard max > 0 else {
            if let length { _ = try page.take(length) }
            return []
        }
        guard encoding == 3 else { throw .broken("a page packs its levels in a way long given up") }
        let size: Int
        if let length { size = length } else { size = try page.uint32() }
        var bytes = try page.take(size)
        return try bytes.hybrid(count: header.levelCount, width: bitWidth(of: max), below: max + 1)
            .map { UInt8($0) }
    }

    private func decode(
        _ bytes: inout PageBytes, _ encoding: Int, _ count: Int, into page: inout DecodedPage
    ) throws(ParquetFault) {
        let (physical, fixedLength) = (leaf.physical, leaf.fixedLength)
        let isText = physical == 6
        let isWhole = physical == 1 || physical == 2
        switch encoding {
        case 0: page.values = try bytes.plain(count: count, physical: physical, fixedLength: fixedLength)
        case 2, 8:
            guard let dictionary else {
                guard count == 0 else { throw .broken("column \(leaf.path) lacks its dictionary") }
                return
            }
            page.values = dictionary
            guard count > 0 else {
                page.indices = []
                return
            }
            let width = Int(try bytes.byte())
            page.indices = try bytes.hybrid(count: count, width: width, below: dictionary.count)
        case 3 where physical == 0:
            var run = try bytes.take(try bytes.uint32())
            page.values = .words(try run.hybrid(count: count, width: 1, below: 2).map { Int64($0) })
        case 5 where isWhole:
            page.values = .words(try bytes.deltas(count: count, isNarrow: physical == 1))
        case 6 where isText: page.values = try bytes.textsByLength(count: count)
        case 7 where isText || physical == 7:
            page.values = try bytes.textsByPrefix(count: count)
            guard isText || hasFixedLengths(page.values) else {
                throw .broken("a value of column \(leaf.path) has not the length of its type")
            }
        case 9 where physical != 0 && !isText:
            page.values = try bytes.split(count: count, physical: physical, fixedLength: fixedLength)
        default: throw .broken("column \(leaf.path) is encoded in a way that weir does not read")
        }
        guard page.indices != nil || page.values.count >= count else { throw .broken("a page ends before its values do") }
    }

    private func hasFixedLengths(_ values: StoredValues) -> Bool {
        guard case .texts(_, let ends) = values else { return false }
        return zip(ends, ends.dropFirst()).allSatisfy { $1 - $0 == leaf.fixedLength }
    }
}
