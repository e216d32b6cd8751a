// Thrift's compact protocol, read: the other side of `ThriftWriter`. A walk over structures that asks for
// the fields it knows and passes over all others, so that newer writers may say more than we know.

import WeirCore

/// Reads structures out of bytes.
struct ThriftReader {
    private let bytes: [UInt8]
    /// The next byte.
    private(set) var position: Int
    private var depth = 0

    /// Types of fields and elements, as the protocol numbers them.
    typealias Kind = UInt8

    private static let (yes, no, byteKind): (Kind, Kind, Kind) = (1, 2, 3)
    private static let (binaryKind, listKind, setKind): (Kind, Kind, Kind) = (8, 9, 10)
    private static let (mapKind, structureKind): (Kind, Kind) = (11, 12)

    /// Begins at `position` of `bytes`.
    init(_ bytes: [UInt8], at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    // MARK: Numbers

    private mutating func byte() throws(ParquetFault) -> UInt8 {
        guard position < bytes.count else { throw .truncated }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func varint() throws(ParquetFault) -> UInt64 {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while shift < 64 {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw .broken("a number in its headers has more than 64 bits")
    }

    private mutating func zigzag() throws(ParquetFault) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    private mutating func count() throws(ParquetFault) -> Int {
        let value = try varint()
        // Every element takes a byte at least.
        guard value <= UInt64(bytes.count - position) else { throw .truncated }
        return Int(value)
    }

    // MARK: Fields

    /// Hands each field's number and kind to `field`, which must read it or skip it.
    mutating func structure(
        _ field: (inout ThriftReader, Int, Kind) throws(ParquetFault) -> Void
    ) throws(ParquetFault) {
        guard depth < ParquetReadLimits.thriftDepthMax else {
            throw .broken("its headers nest too deep")
        }
        depth += 1
        defer { depth -= 1 }
        var last = 0
        while true {
            let head = try byte()
            guard head != 0 else { return }
            if head >> 4 == 0 {
                last = Int(truncatingIfNeeded: try zigzag())
            } else {
                last &+= Int(head >> 4)
            }
            try field(&self, last, head & 0x0F)
        }
    }

    /// A structure that is a field's value.
    mutating func structure(
        _ kind: Kind, _ field: (inout ThriftReader, Int, Kind) throws(ParquetFault) -> Void
    ) throws(ParquetFault) {
        guard kind == Self.structureKind else { throw unexpected("a structure") }
        try structure(field)
    }

    /// A whole number of any width.
    mutating func integer(_ kind: Kind) throws(ParquetFault) -> Int {
        switch kind {
        case Self.byteKind: return Int(Int8(bitPattern: try byte()))
        case 4, 5, 6: return Int(try zigzag())
        default: throw unexpected("a number")
        }
    }

    /// A number that cannot be negative: a size, a count, a place.
    mutating func size(_ kind: Kind) throws(ParquetFault) -> Int {
        let value = try integer(kind)
        guard value >= 0 else { throw .broken("a size in its headers is negative") }
        return value
    }

    mutating func boolean(_ kind: Kind) throws(ParquetFault) -> Bool {
        guard kind == Self.yes || kind == Self.no else { throw unexpected("a boolean") }
        return kind == Self.yes
    }

    mutating func binary(_ kind: Kind) throws(ParquetFault) -> [UInt8] {
        guard kind == Self.binaryKind else { throw unexpected("bytes") }
        let count = try count()
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func text(_ kind: Kind) throws(ParquetFault) -> String {
        String(decoding: try binary(kind), as: UTF8.self)
    }

    /// Hands each element of a list to `element`.
    mutating func list(
        _ kind: Kind, _ element: (inout ThriftReader, Kind) throws(ParquetFault) -> Void
    ) throws(ParquetFault) {
        guard kind == Self.listKind || kind == Self.setKind else { throw unexpected("a list") }
        let head = try byte()
        let count = head >> 4 == 15 ? try count() : Int(head >> 4)
        for _ in 0..<count { try element(&self, head & 0x0F) }
    }

    // MARK: Passing over

    /// Passes over a field's value.
    mutating func skip(_ kind: Kind) throws(ParquetFault) {
        switch kind {
        case Self.yes, Self.no: break
        case Self.structureKind:
            try structure { (reader, _, kind) throws(ParquetFault) in try reader.skip(kind) }
        case Self.listKind, Self.setKind:
            try nested { (reader) throws(ParquetFault) in
                try reader.list(kind) { (reader, kind) throws(ParquetFault) in
                    try reader.skip(element: kind)
                }
            }
        case Self.mapKind:
            let count = try count()
            guard count > 0 else { return }
            let kinds = try byte()
            try nested { (reader) throws(ParquetFault) in
                for _ in 0..<count {
                    try reader.skip(element: kinds >> 4)
                    try reader.skip(element: kinds & 0x0F)
                }
            }
        default: try skip(element: kind)
        }
    }

    /// Passes over an element; booleans, which a field's kind holds, take a byte here.
    private mutating func skip(element kind: Kind) throws(ParquetFault) {
        switch kind {
        case Self.yes, Self.no, Self.byteKind: try advance(1)
        case 4, 5, 6: _ = try varint()
        case 7: try advance(8)
        case Self.binaryKind: try advance(try count())
        case Self.listKind, Self.setKind, Self.mapKind, Self.structureKind: try skip(kind)
        default: throw .broken("its headers hold a type that the format lacks")
        }
    }

    private mutating func advance(_ count: Int) throws(ParquetFault) {
        guard count <= bytes.count - position else { throw .truncated }
        position += count
    }

    private mutating func nested(
        _ body: (inout ThriftReader) throws(ParquetFault) -> Void
    ) throws(ParquetFault) {
        guard depth < ParquetReadLimits.thriftDepthMax else {
            throw .broken("its headers nest too deep")
        }
        depth += 1
        defer { depth -= 1 }
        try body(&self)
    }

    private func unexpected(_ what: String) -> ParquetFault {
        .broken("its headers hold something else where \(what) should be")
    }
}
