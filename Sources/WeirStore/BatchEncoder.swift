// Batches as compact bytes, for the outbox and for state (the layout is in BlockFormat.swift).
//
// Integers and timestamps are stored as distances from their least value in as few bytes as that
// needs, which alone shrinks most columns by half or more; blocks above half a KiB are then
// compressed by zstd at its fastest level. The encoder keeps its memory from block to block.

import CZstd
import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Encodes batches. Owned by one thread.
public final class BatchEncoder {
    private let context: OpaquePointer
    private var body = ByteBuffer()
    /// Bodies shorter than this are stored as they are.
    private static let compressedBytesMin = 512
    private static let level: Int32 = 1

    public init() { context = ZSTD_createCCtx() }

    deinit { ZSTD_freeCCtx(context) }

    /// `batch` as a block; its watermarks only if `keepsWatermarks`.
    public func encode(_ batch: Batch, keepsWatermarks: Bool = false) -> [UInt8] {
        encode(
            batch.schema, batch.columns, rows: 0..<batch.rowCount,
            watermarks: keepsWatermarks ? batch.watermarks : nil)
    }

    /// Rows `rows` of `columns` as a block.
    func encode(
        _ schema: Schema, _ columns: [Column], rows: Range<Int>, watermarks: Column? = nil
    ) -> [UInt8] {
        body.removeAll()
        putSchema(schema, rowCount: rows.count)
        for column in columns { put(column, rows) }
        if let watermarks { put(watermarks, rows) }
        precondition(body.count <= BlockFormat.bodyBytesMax, "a block of more than 1 GiB")
        return finish(flags: watermarks == nil ? 0 : BlockFormat.watermarksFlag)
    }

    private func finish(flags: UInt8) -> [UInt8] {
        let header = BlockFormat.headerBytes
        let source = body.count
        let capacity = source < Self.compressedBytesMin ? 0 : ZSTD_compressBound(source)
        return [UInt8](unsafeUninitializedCapacity: header + max(capacity, source)) {
            block, count in
            let bytes = UnsafeMutableRawBufferPointer(block)
            guard let start = bytes.baseAddress else { return }
            var (flags, size) = (flags, source)
            if capacity > 0 {
                let packed = ZSTD_compressCCtx(
                    context, start + header, capacity, body.base, source, Self.level)
                if ZSTD_isError(packed) == 0, packed < source {
                    size = packed
                    flags |= BlockFormat.compressedFlag
                }
            }
            if flags & BlockFormat.compressedFlag == 0 { memcpy(start + header, body.base, source) }
            start.storeBytes(of: BlockFormat.version, toByteOffset: 4, as: UInt8.self)
            start.storeBytes(of: flags, toByteOffset: 5, as: UInt8.self)
            start.storeBytes(of: UInt32(source).littleEndian, toByteOffset: 6, as: UInt32.self)
            let covered = UnsafeRawBufferPointer(start: start + 4, count: header - 4 + size)
            start.storeBytes(of: crc32c(covered).littleEndian, as: UInt32.self)
            count = header + size
        }
    }

    private func putSchema(_ schema: Schema, rowCount: Int) {
        var fields = ByteWriter()
        fields.put(UInt32(rowCount))
        fields.put(UInt16(schema.count))
        for field in schema.fields {
            fields.put(field.name)
            for tag in field.type.tags { fields.put(tag) }
        }
        fields.bytes.withUnsafeBytes { body.append($0) }
    }

    private func put(_ column: Column, _ rows: Range<Int>) {
        putValidity(column, rows)
        switch column.physical {
        case .bool: putBits(column.bools + rows.lowerBound, rows.count)
        case .int64: putInts(rows.count) { [values = column.ints + rows.lowerBound] in values[$0] }
        case .double:
            body.append(
                UnsafeRawBufferPointer(
                    start: column.doubles + rows.lowerBound, count: rows.count * 8))
        case .int128:
            body.append(
                UnsafeRawBufferPointer(
                    start: column.wides + rows.lowerBound, count: rows.count * 16))
        case .row: for field in column.fields { put(field, rows) }
        case .string:
            let offsets = column.offsets + rows.lowerBound
            putInts(rows.count) { Int64(offsets[$0 + 1] &- offsets[$0]) }
            let text = Int(offsets[0])..<Int(offsets[rows.count])
            body.append(
                UnsafeRawBufferPointer(start: column.bytes + text.lowerBound, count: text.count))
        case .array:
            let offsets = column.offsets + rows.lowerBound
            putInts(rows.count) { Int64(offsets[$0 + 1] &- offsets[$0]) }
            guard let child = column.child else { preconditionFailure("array without child") }
            put(child, Int(offsets[0])..<Int(offsets[rows.count]))
        }
    }

    private func putValidity(_ column: Column, _ rows: Range<Int>) {
        guard let flags = column.validity.map({ $0 + rows.lowerBound }),
            memchr(flags, 0, rows.count) != nil
        else { return body.append(UInt8(0)) }
        body.append(UInt8(1))
        putBits(flags, rows.count)
    }

    /// One bit a 0/1 byte, the first in the lowest bit.
    private func putBits(_ flags: UnsafePointer<UInt8>, _ count: Int) {
        let bits = body.extend((count + 7) / 8)
        for byte in 0..<(count + 7) / 8 {
            var packed: UInt8 = 0
            for bit in 0..<min(8, count - byte * 8) { packed |= (flags[byte * 8 + bit] & 1) << bit }
            bits.storeBytes(of: packed, toByteOffset: byte, as: UInt8.self)
        }
    }

    /// Integers as distances from the least of them.
    @inline(__always)
    private func putInts(_ count: Int, _ value: (Int) -> Int64) {
        var (least, greatest) = count == 0 ? (Int64(0), Int64(0)) : (Int64.max, Int64.min)
        for i in 0..<count {
            least = min(least, value(i))
            greatest = max(greatest, value(i))
        }
        let span = UInt64(bitPattern: greatest &- least)
        let width = span < 1 << 8 ? 1 : span < 1 << 16 ? 2 : span < 1 << 32 ? 4 : 8
        body.append(UInt8(width))
        body.append(least)
        let to = body.extend(count * width)
        switch width {
        case 1: store(count, to, UInt8.self) { value($0) &- least }
        case 2: store(count, to, UInt16.self) { value($0) &- least }
        case 4: store(count, to, UInt32.self) { value($0) &- least }
        default: store(count, to, UInt64.self) { value($0) &- least }
        }
    }

    @inline(__always)
    private func store<Integer: FixedWidthInteger>(
        _ count: Int, _ to: UnsafeMutableRawPointer, _ type: Integer.Type, _ value: (Int) -> Int64
    ) {
        for i in 0..<count {
            to.storeBytes(
                of: Integer(truncatingIfNeeded: value(i)).littleEndian,
                toByteOffset: i * MemoryLayout<Integer>.size, as: Integer.self)
        }
    }
}

/// Growing memory without initialisation, kept from block to block up to a few blocks' size.
struct ByteBuffer: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity = 4096
    /// Memory grown beyond this by a giant row is given back.
    private static let keptBytesMax = 1 << 20

    init() { base = .allocate(byteCount: capacity, alignment: 16) }

    deinit { base.deallocate() }

    mutating func removeAll() {
        count = 0
        guard capacity > Self.keptBytesMax else { return }
        base.deallocate()
        capacity = 4096
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Room for `size` more bytes, which the caller fills.
    mutating func extend(_ size: Int) -> UnsafeMutableRawPointer {
        if count + size > capacity {
            capacity = max(capacity * 2, count + size)
            let grown = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            grown.copyMemory(from: base, byteCount: count)
            base.deallocate()
            base = grown
        }
        defer { count += size }
        return base + count
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        extend(bytes.count).copyMemory(from: start, byteCount: bytes.count)
    }

    mutating func append<Integer: FixedWidthInteger>(_ value: Integer) {
        extend(MemoryLayout<Integer>.size).storeBytes(of: value.littleEndian, as: Integer.self)
    }
}
