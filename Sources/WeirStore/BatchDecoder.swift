// Blocks back into batches. The bytes come from a disk, so nothing in them is believed: the
// checksum is looked at first, and then every length, offset and type again on its own, so that a
// block which is wrong in any way is an error and never a crash or a wild allocation.

import CZstd
import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Decodes what `BatchEncoder` made. Owned by one thread.
public final class BatchDecoder {
    private let context: OpaquePointer

    public init() { context = ZSTD_createDCtx() }

    deinit { ZSTD_freeDCtx(context) }

    /// The batch in `block`; throws `.state` if it is damaged.
    public func decode(_ block: UnsafeRawBufferPointer) throws(Failure) -> Batch {
        do throws(Malformed) {
            return try batch(in: block)
        } catch {
            throw Failure(.state, "reading", "a block of rows", "it is damaged: \(error.reason)")
        }
    }

    /// The batch in `block`; throws `.state` if it is damaged.
    public func decode(_ block: [UInt8]) throws(Failure) -> Batch {
        try block.withBytes { (block) throws(Failure) in try decode(block) }
    }

    func batch(in block: UnsafeRawBufferPointer) throws(Malformed) -> Batch {
        var header = ByteReader(block)
        let checksum = try header.get(UInt32.self)
        let covered = UnsafeRawBufferPointer(rebasing: block[4...])
        guard crc32c(covered) == checksum else { throw Malformed("its checksum does not match") }
        guard try header.get(UInt8.self) == BlockFormat.version else {
            throw Malformed("it has a format that this weir does not know")
        }
        let flags = try header.get(UInt8.self)
        let size = Int(try header.get(UInt32.self))
        let packed = try header.take(header.remaining)
        let hasWatermarks = flags & BlockFormat.watermarksFlag != 0
        guard flags & BlockFormat.compressedFlag != 0 else {
            guard packed.count == size else { throw Malformed("its length is wrong") }
            return try batch(inBody: packed, hasWatermarks: hasWatermarks)
        }
        guard size <= BlockFormat.bodyBytesMax,
            ZSTD_getFrameContentSize(packed.baseAddress, packed.count) == UInt64(size)
        else { throw Malformed("its length is wrong") }
        let body = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 16)
        defer { body.deallocate() }
        let count = ZSTD_decompressDCtx(
            context, body.baseAddress, size, packed.baseAddress, packed.count)
        guard ZSTD_isError(count) == 0, count == size else {
            throw Malformed("it cannot be decompressed")
        }
        let bytes = UnsafeRawBufferPointer(rebasing: body[..<size])
        return try batch(inBody: bytes, hasWatermarks: hasWatermarks)
    }

    private func batch(
        inBody bytes: UnsafeRawBufferPointer, hasWatermarks: Bool
    ) throws(Malformed) -> Batch {
        var fields = ByteReader(bytes)
        let rowCount = Int(try fields.get(UInt32.self))
        let fieldCount = Int(try fields.get(UInt16.self))
        var schema: [Field] = []
        for _ in 0..<fieldCount {
            let name = try fields.getString()
            schema.append(Field(name, try DataType(from: &fields)))
        }
        var columns: [Column] = []
        for field in schema {
            let column = Column(field.type)
            try fill(column, rowCount, from: &fields)
            columns.append(column)
        }
        var watermarks: Column?
        if hasWatermarks {
            let column = Column(.bigint)
            try fill(column, rowCount, from: &fields)
            watermarks = column
        }
        try fields.expectEnd()
        return Batch(
            schema: Schema(schema), columns: columns, rowCount: rowCount, watermarks: watermarks)
    }

    private func fill(
        _ column: Column, _ count: Int, from fields: inout ByteReader
    ) throws(Malformed) {
        var validity: UnsafeRawBufferPointer?
        switch try fields.get(UInt8.self) {
        case 0: break
        case 1: validity = try fields.take((count + 7) / 8)
        default: throw Malformed("a column is marked neither with nor without NULLs")
        }
        // The values' bytes are taken before memory is, so that a wrong count costs nothing.
        switch column.physical {
        case .bool:
            let bits = try fields.take((count + 7) / 8)
            column.reserve(rows: count)
            unpack(bits, count, to: column.bools)
        case .int64:
            let values = try Distances(count, from: &fields)
            column.reserve(rows: count)
            values.store(to: column.ints)
        case .double:
            let values = try fields.take(count * 8)
            column.reserve(rows: count)
            if let start = values.baseAddress { memcpy(column.doubles, start, values.count) }
        case .int128:
            let values = try fields.take(count * 16)
            column.reserve(rows: count)
            if let start = values.baseAddress { memcpy(column.wides, start, values.count) }
        case .row:
            for field in column.fields { try fill(field, count, from: &fields) }
            column.reserve(rows: count)
        case .string:
            let total = try fillOffsets(of: column, count, from: &fields)
            let text = try fields.take(total)
            column.reserve(bytes: total)
            if let start = text.baseAddress { memcpy(column.bytes, start, total) }
            column.setByteCount(total)
        case .array:
            let total = try fillOffsets(of: column, count, from: &fields)
            guard let child = column.child else { preconditionFailure("array without child") }
            try fill(child, total, from: &fields)
        }
        column.setCount(count)
        if let validity { unpack(validity, count, to: column.materializeValidity()) }
    }

    /// Fills in offsets from lengths; returns the last one.
    private func fillOffsets(
        of column: Column, _ count: Int, from fields: inout ByteReader
    ) throws(Malformed) -> Int {
        let lengths = try Distances(count, from: &fields)
        column.reserve(rows: count)
        let offsets = column.offsets
        var end: Int64 = 0
        for i in 0..<count {
            let length = lengths[i]
            guard length >= 0, length <= Int64(Int32.max) - end else {
                throw Malformed("a length is not possible")
            }
            end += length
            offsets[i + 1] = Int32(end)
        }
        return Int(end)
    }

    private func unpack(
        _ bits: UnsafeRawBufferPointer, _ count: Int, to flags: UnsafeMutablePointer<UInt8>
    ) {
        for i in 0..<count { flags[i] = bits[i >> 3] >> UInt8(i & 7) & 1 }
    }
}

/// Integers stored as distances from a least one.
private struct Distances {
    private let count: Int
    private let width: Int
    private let base: Int64
    private let bytes: UnsafeRawBufferPointer

    init(_ count: Int, from fields: inout ByteReader) throws(Malformed) {
        self.count = count
        width = Int(try fields.get(UInt8.self))
        guard [1, 2, 4, 8].contains(width) else { throw Malformed("a width is not possible") }
        base = try fields.get()
        bytes = try fields.take(count * width)
    }

    subscript(index: Int) -> Int64 {
        switch width {
        case 1: base &+ Int64(bytes[index])
        case 2: base &+ load(index, UInt16.self)
        case 4: base &+ load(index, UInt32.self)
        default: base &+ load(index, UInt64.self)
        }
    }

    func store(to values: UnsafeMutablePointer<Int64>) {
        switch width {
        case 1: for i in 0..<count { values[i] = base &+ load(i, UInt8.self) }
        case 2: for i in 0..<count { values[i] = base &+ load(i, UInt16.self) }
        case 4: for i in 0..<count { values[i] = base &+ load(i, UInt32.self) }
        default: for i in 0..<count { values[i] = base &+ load(i, UInt64.self) }
        }
    }

    @inline(__always)
    private func load<Integer: FixedWidthInteger>(_ index: Int, _ type: Integer.Type) -> Int64 {
        let value = bytes.loadUnaligned(
            fromByteOffset: index * MemoryLayout<Integer>.size, as: Integer.self)
        return Int64(truncatingIfNeeded: Integer(littleEndian: value))
    }
}
