// The footer of a Parquet file, as far as its rows are to be read: schema, row groups, metadata. What it
// says is checked here against the file's length, so that those who follow it stay within the file.

import WeirCore

/// A node of the schema as the footer lists it.
struct FooterNode {
    var name = ""
    /// Nil for groups.
    var type: Int?
    var fixedLength = 0
    /// 0 REQUIRED, 1 OPTIONAL, 2 REPEATED.
    var repetition = 0
    var childCount = 0
    var convertedType: Int?
    var scale = 0
    var precision = 0
    var logicalType: FooterLogicalType?
}

/// The annotation of a node. Members that mean nothing to us are `other`, by their number.
enum FooterLogicalType: Equatable {
    case string, map, list, date
    case decimal(scale: Int, precision: Int)
    /// How many of the unit make a millisecond, 1, 1,000 or 1,000,000.
    case time(perMillisecond: Int64)
    case timestamp(isUTC: Bool, perMillisecond: Int64)
    case integer(bits: Int, isSigned: Bool)
    case other(Int)
}

/// Where the chunk of a leaf lies.
struct FooterChunk {
    var type = -1
    var codec = 0
    var valueCount = 0
    var compressedBytes = 0
    var dataOffset = -1
    var dictionaryOffset: Int?

    /// The bytes of its pages in the file.
    var range: Range<Int> {
        let start = min(dataOffset, dictionaryOffset.flatMap { $0 > 0 ? $0 : nil } ?? dataOffset)
        return start..<start + compressedBytes
    }
}

/// What the footer says of a row group.
struct FooterGroup {
    var chunks: [FooterChunk] = []
    var rowCount = 0
}

/// A footer that has been read.
struct FileFooter {
    private(set) var nodes: [FooterNode] = []
    private(set) var groups: [FooterGroup] = []
    private(set) var metadata: [(key: String, value: String)] = []
    private(set) var writer = ""
    /// Rows of all groups, as the footer has it.
    private(set) var rowCount = -1

    /// Reads the footer of `source`.
    init(_ source: any ParquetSource) throws(ParquetFault) {
        let length = source.length
        guard length >= 12 else { throw .broken("it is too short for a Parquet file") }
        let tail = try bytes(of: source, length - 8..<length)
        guard tail[4...] == Array("PAR1".utf8)[...] else {
            throw .broken("it does not end as a Parquet file does")
        }
        let size = tail[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard size <= length - 12 else { throw .truncated }
        guard size <= ParquetReadLimits.footerBytesMax else {
            throw .broken("its footer has \(size) bytes, and at most \(ParquetReadLimits.footerBytesMax) are read")
        }
        var reader = ThriftReader(try bytes(of: source, length - 8 - size..<length - 8))
        try readFile(&reader)
        // Some writers give chunks without values no place.
        for group in groups where group.rowCount > 0 {
            for chunk in group.chunks where chunk.dataOffset < 4 || chunk.range.upperBound > length - 8 {
                throw .broken("a column's place is outside of it")
            }
        }
    }

    private mutating func readFile(_ reader: inout ThriftReader) throws(ParquetFault) {
        var (nodes, groups): ([FooterNode], [FooterGroup]) = ([], [])
        var (metadata, writer): ([(key: String, value: String)], String) = ([], "")
        var rowCount = -1
        // Of a field that comes twice the last counts, as Thrift has it.
        try reader.structure { (reader, field, kind) throws(ParquetFault) in
            switch field {
            case 2:
                nodes = []
                try reader.list(kind) { (reader, kind) throws(ParquetFault) in
                    guard nodes.count < ParquetReadLimits.schemaNodesMax else {
                        throw .broken("its schema has more than \(ParquetReadLimits.schemaNodesMax) nodes")
                    }
                    nodes.append(try Self.node(&reader, kind))
                }
            case 3: rowCount = try reader.size(kind)
            case 4:
                groups = []
                try reader.list(kind) { (reader, kind) throws(ParquetFault) in
                    groups.append(try Self.group(&reader, kind))
                }
            case 5:
                metadata = []
                try reader.list(kind) { (reader, kind) throws(ParquetFault) in
                    metadata.append(try Self.pair(&reader, kind))
                }
            case 6: writer = try reader.text(kind)
            case 8: throw .broken("it is encrypted, which weir does not read")
            default: try reader.skip(kind)
            }
        }
        (self.nodes, self.groups, self.rowCount) = (nodes, groups, rowCount)
        (self.metadata, self.writer) = (metadata, writer)
    }

    private static func pair(
        _ reader: inout ThriftReader, _ kind: ThriftReader.Kind
    ) throws(ParquetFault) -> (key: String, value: String) {
        var pair = (key: "", value: "")
        try reader.structure(kind) { (reader, field, kind) throws(ParquetFault) in
            switch field {
            case 1: pair.key = try reader.text(kind)
            case 2: pair.value = try reader.text(kind)
            default: try reader.skip(kind)
            }
        }
        return pair
    }

    // MARK: Schema

    private static func node(
        _ reader: inout ThriftReader, _ kind: ThriftReader.Kind
    ) throws(ParquetFault) -> FooterNode {
        var node = FooterNode()
        try reader.structure(kind) { (reader, field, kind) throws(ParquetFault) in
            switch field {
            case 1: node.type = try reader.integer(kind)
            case 2: node.fixedLength = try reader.size(kind)
            case 3: node.repetition = try reader.integer(kind)
            case 4: node.name = try reader.text(kind)
            case 5: node.childCount = try reader.size(kind)
            case 6: node.convertedType = try reader.integer(kind)
            case 7: node.scale = try reader.integer(kind)
            case 8: node.precision = try reader.integer(kind)
            case 10: node.logicalType = try logicalType(&reader, kind)
            default: try reader.skip(kind)
            }
        }
        return node
    }

    private static func logicalType(
        _ reader: inout ThriftReader, _ kind: ThriftReader.Kind
    ) throws(ParquetFault) -> FooterLogicalType {
        // One that we do not know is one, too: it says that the older annotation is not to be followed.
        var found = FooterLogicalType.other(0)
        try reader.structure(kind) { (reader, member, kind) throws(ParquetFault) in
            var numbers: [Int: Int] = [:]
            var unit: Int64 = 0
            try reader.structure(kind) { (reader, field, kind) throws(ParquetFault) in
                switch (member, field) {
                case (7, 1), (8, 1), (10, 2): numbers[field] = try reader.boolean(kind) ? 1 : 0
                case (7, 2), (8, 2):
                    try reader.structure(kind) { (reader, unitMember, kind) throws(ParquetFault) in
                        unit = unitMember == 1 ? 1 : unitMember == 2 ? 1000 : 1_000_000
                        try reader.skip(kind)
                    }
                case (5, 1), (5, 2), (10, 1): numbers[field] = try reader.integer(kind)
                default: try reader.skip(kind)
                }
            }
            switch member {
            case 1: found = .string
            case 2: found = .map
            case 3: found = .list
            case 5: found = .decimal(scale: numbers[1] ?? 0, precision: numbers[2] ?? 0)
            case 6: found = .date
            case 7 where unit > 0: found = .time(perMillisecond: unit)
            case 8 where unit > 0: found = .timestamp(isUTC: numbers[1] == 1, perMillisecond: unit)
            case 10: found = .integer(bits: numbers[1] ?? 0, isSigned: numbers[2] == 1)
            default: found = .other(member)
            }
        }
        return found
    }

    // MARK: Row groups

    private static func group(
        _ reader: inout ThriftReader, _ kind: ThriftReader.Kind
    ) throws(ParquetFault) -> FooterGroup {
        var group = FooterGroup()
        try reader.structure(kind) { (reader, field, kind) throws(ParquetFault) in
            switch field {
            case 1:
                group.chunks = []
                try reader.list(kind) { (reader, kind) throws(ParquetFault) in
                    group.chunks.append(try chunk(&reader, kind))
                }
            case 3: group.rowCount = try reader.size(kind)
            default: try reader.skip(kind)
            }
        }
        return group
    }

    private static func chunk(
        _ reader: inout ThriftReader, _ kind: ThriftReader.Kind
    ) throws(ParquetFault) -> FooterChunk {
        var chunk = FooterChunk()
        try reader.structure(kind) { (reader, field, kind) throws(ParquetFault) in
            switch field {
            case 1: throw .broken("its columns lie in other files")
            case 3:
                try reader.structure(kind) { (reader, field, kind) throws(ParquetFault) in
                    switch field {
                    case 1: chunk.type = try reader.integer(kind)
                    case 4: chunk.codec = try reader.integer(kind)
                    case 5: chunk.valueCount = try reader.size(kind)
                    case 7: chunk.compressedBytes = try reader.size(kind)
                    case 9: chunk.dataOffset = try reader.size(kind)
                    case 11: chunk.dictionaryOffset = try reader.size(kind)
                    default: try reader.skip(kind)
                    }
                }
            case 8, 9: throw .broken("its columns are encrypted, which weir does not read")
            default: try reader.skip(kind)
            }
        }
        let largest = Int(Int64.max / 4)
        guard chunk.dataOffset >= 0, chunk.dataOffset < largest, chunk.compressedBytes < largest else {
            throw .broken("a column has no place in it")
        }
        return chunk
    }
}

/// The bytes of `range`.
func bytes(of source: any ParquetSource, _ range: Range<Int>) throws(ParquetFault) -> [UInt8] {
    do throws(Failure) {
        let bytes = try source.read(range)
        guard bytes.count == range.count else { throw ParquetFault.truncated.failure(source.name) }
        return bytes
    } catch {
        throw .source(error)
    }
}
