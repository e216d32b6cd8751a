// Group keys as bytes. The columns of a key are written one after another so that comparing the
// bytes compares the key column by column, NULL first: one form serves the hash table, the order of
// results, sorted runs on disk and prefix scans.
//
// A column is a marker (0 = NULL, 1 = a value) and then the value: integers and timestamps
// big-endian with the sign flipped (long decimals in 16 bytes), doubles by their total order (all
// NaN as one), booleans as one byte, text as it is. Text that is not the last column has 0x00
// written as 00 FF and ends with 00 00.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Encodes and decodes keys of fixed column types.
final class KeyEncoder {
    let types: [DataType]
    private let starts = Buffer<Int32>()
    private let cursors = Buffer<Int32>()
    private let bytes = Buffer<UInt8>()

    init(types: [DataType]) { self.types = types }

    /// A key of one text column can be hashed where it lies.
    private var isSingleText: Bool { types.count == 1 && types[0].physical == .string }

    /// Calls `body` with the keys of `rowCount` rows. The keys point into the columns and into the
    /// encoder, and hold in `body` alone: an array does not keep its columns alive after its last
    /// use.
    func withKeys<Result>(
        of columns: [Column], rowCount: Int, _ body: (EncodedKeys) -> Result
    ) -> Result {
        withExtendedLifetime(columns) { body(encode(columns, rowCount)) }
    }

    private func encode(_ columns: [Column], _ rowCount: Int) -> EncodedKeys {
        if isSingleText {
            let column = columns[0]
            return EncodedKeys(
                bytes: column.bytes, starts: column.offsets, count: rowCount, isMarkerImplied: true,
                validity: column.validity)
        }
        layOut(columns, rowCount)
        for (index, column) in columns.enumerated() {
            let isLast = index == columns.count - 1
            switch column.physical {
            case .bool, .int64, .double: writeFixed(column, rowCount)
            case .string: writeText(column, rowCount, isLast: isLast)
            case .int128: writeWide(column, rowCount)
            case .array, .row: preconditionFailure("arrays and rows are not group keys")
            }
        }
        return EncodedKeys(
            bytes: bytes.base, starts: starts.base, count: rowCount, isMarkerImplied: false,
            validity: nil)
    }

    /// Sizes first: where each row's key starts.
    private func layOut(_ columns: [Column], _ rowCount: Int) {
        starts.reserve(rowCount + 1)
        cursors.reserve(rowCount + 1)
        let sizes = cursors.base
        for row in 0..<rowCount { sizes[row] = Int32(columns.count) }
        for (index, column) in columns.enumerated() {
            switch column.physical {
            case .bool:
                for row in 0..<rowCount where !column.isNull(row) { sizes[row] += 1 }
            case .int64, .double:
                for row in 0..<rowCount where !column.isNull(row) { sizes[row] += 8 }
            case .string:
                let isLast = index == columns.count - 1
                for row in 0..<rowCount where !column.isNull(row) {
                    let text = column.text(row)
                    sizes[row] += Int32(text.count)
                    if !isLast { sizes[row] += Int32(2 + text.count(where: { $0 == 0 })) }
                }
            case .int128:
                for row in 0..<rowCount where !column.isNull(row) { sizes[row] += 16 }
            case .array, .row: break
            }
        }
        var total = 0
        for row in 0..<rowCount {
            starts.base[row] = Int32(total)
            total += Int(sizes[row])
            precondition(total <= Int(Int32.max), "the keys of a batch exceed 2 GiB")
            sizes[row] = starts.base[row]
        }
        starts.base[rowCount] = Int32(total)
        bytes.reserve(total)
    }

    private func writeFixed(_ column: Column, _ rowCount: Int) {
        let (to, cursor) = (bytes.base, cursors.base)
        for row in 0..<rowCount {
            let at = Int(cursor[row])
            if column.isNull(row) {
                to[at] = 0
                cursor[row] += 1
                continue
            }
            to[at] = 1
            if column.physical == .bool {
                to[at + 1] = column.bools[row]
                cursor[row] += 2
                continue
            }
            let word =
                column.physical == .double
                ? Self.ordered(column.doubles[row])
                : UInt64(bitPattern: column.ints[row]) ^ (1 << 63)
            UnsafeMutableRawPointer(to + at + 1).storeBytes(of: word.bigEndian, as: UInt64.self)
            cursor[row] += 9
        }
    }

    private func writeWide(_ column: Column, _ rowCount: Int) {
        let (to, cursor) = (bytes.base, cursors.base)
        for row in 0..<rowCount {
            let at = Int(cursor[row])
            to[at] = column.isNull(row) ? 0 : 1
            cursor[row] += 1
            if column.isNull(row) { continue }
            let word = UInt128(bitPattern: column.wides[row]) ^ (1 << 127)
            withUnsafeBytes(of: word.bigEndian) { source in
                UnsafeMutableRawBufferPointer(start: to + at + 1, count: 16).copyMemory(from: source)
            }
            cursor[row] += 16
        }
    }

    private func writeText(_ column: Column, _ rowCount: Int, isLast: Bool) {
        let (to, cursor) = (bytes.base, cursors.base)
        for row in 0..<rowCount {
            var at = Int(cursor[row])
            let isNull = column.isNull(row)
            to[at] = isNull ? 0 : 1
            at += 1
            if !isNull {
                let text = column.text(row)
                if isLast {
                    if let base = text.baseAddress { memcpy(to + at, base, text.count) }
                    at += text.count
                } else {
                    at = Self.writeEscaped(text, to, at)
                }
            }
            cursor[row] = Int32(at)
        }
    }

    private static func writeEscaped(
        _ text: UnsafeBufferPointer<UInt8>, _ to: UnsafeMutablePointer<UInt8>, _ start: Int
    ) -> Int {
        var at = start
        for byte in text {
            to[at] = byte
            at += 1
            if byte == 0 {
                to[at] = 0xFF
                at += 1
            }
        }
        to[at] = 0
        to[at + 1] = 0
        return at + 2
    }

    /// Bits whose unsigned order is the numeric order, NaN last.
    private static func ordered(_ value: Double) -> UInt64 {
        let bits = value.isNaN ? 0x7FF8_0000_0000_0000 : value.bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
    }
}

/// The keys of a run of rows, back to back.
struct EncodedKeys {
    let bytes: UnsafePointer<UInt8>
    /// Key i is `starts[i] ..< starts[i + 1]`.
    let starts: UnsafePointer<Int32>
    let count: Int
    /// The bytes are bare text: each key is to be read with the marker 1 before it, or as the
    /// single byte 0 where `validity` says NULL.
    let isMarkerImplied: Bool
    let validity: UnsafePointer<UInt8>?
}

// MARK: Decoding

extension KeyEncoder {
    /// Appends the columns of each key to `columns`, one row a key.
    func decode(_ keys: [UnsafeBufferPointer<UInt8>], into columns: [Column]) {
        if types.isEmpty { return }
        if isSingleText {
            decodeTexts(keys, into: columns[0])
        } else {
            for key in keys { decode(key, into: columns) }
        }
    }

    private func decodeTexts(_ keys: [UnsafeBufferPointer<UInt8>], into column: Column) {
        let first = column.count
        var end = column.byteCount
        column.reserve(rows: first + keys.count)
        column.reserve(bytes: keys.reduce(end) { $0 + $1.count })
        var validity = column.validity
        let (offsets, bytes) = (column.offsets + first + 1, column.bytes)
        for (index, key) in keys.enumerated() {
            if key[0] == 0 {
                if validity == nil { validity = column.materializeValidity() }
                validity?[first + index] = 0
            } else {
                validity?[first + index] = 1
                if let text = key.baseAddress { memcpy(bytes + end, text + 1, key.count - 1) }
                end += key.count - 1
            }
            offsets[index] = Int32(truncatingIfNeeded: end)
        }
        column.setByteCount(end)
        column.setCount(first + keys.count)
    }

    private func decode(_ key: UnsafeBufferPointer<UInt8>, into columns: [Column]) {
        var at = 0
        for (index, column) in zip(0..., columns) {
            precondition(at < key.count, "a group key is cut short")
            let isValue = key[at] == 1
            at += 1
            guard isValue else {
                column.appendNull()
                continue
            }
            switch column.physical {
            case .bool:
                column.append(key[at] == 1)
                at += 1
            case .int64:
                column.append(Int64(bitPattern: Self.word(key, at) ^ (1 << 63)))
                at += 8
            case .double:
                let bits = Self.word(key, at)
                column.append(Double(bitPattern: bits >> 63 == 1 ? bits & ~(1 << 63) : ~bits))
                at += 8
            case .string:
                if index == types.count - 1 {
                    column.append(UnsafeBufferPointer(rebasing: key[at...]))
                    at = key.count
                } else {
                    at = Self.decodeEscaped(key, at, into: column)
                }
            case .int128:
                let (high, low) = (Self.word(key, at), Self.word(key, at + 8))
                column.append(Int128(bitPattern: (UInt128(high) << 64 | UInt128(low)) ^ (1 << 127)))
                at += 16
            case .array, .row: preconditionFailure("arrays and rows are not group keys")
            }
        }
    }

    /// How many bytes the first column of `key` takes, in a key of several columns.
    func firstColumnLength(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        if types.count == 1 || key[0] == 0 { return types.count == 1 ? key.count : 1 }
        switch types[0].physical {
        case .bool: return 2
        case .int64, .double: return 9
        case .string:
            var at = 1
            while !(key[at] == 0 && key[at + 1] == 0) { at += key[at] == 0 ? 2 : 1 }
            return at + 2
        case .int128: return 17
        case .array, .row: preconditionFailure("arrays and rows are not group keys")
        }
    }

    /// The first column of `key` as the key of that column alone.
    func firstColumnKey(_ key: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        let head = key.prefix(firstColumnLength(key))
        guard types.count > 1, types[0].physical == .string, key[0] == 1 else { return Array(head) }
        let text = Column(.string)
        _ = Self.decodeEscaped(key, 1, into: text)
        return [1] + text.text(0)
    }

    /// What all keys start with whose first column, as a key alone, is `key`.
    func prefix(firstColumnKey key: [UInt8]) -> [UInt8] {
        guard types.count > 1, types[0].physical == .string, key.first == 1 else { return key }
        var result: [UInt8] = [1]
        for byte in key.dropFirst() {
            result.append(byte)
            if byte == 0 { result.append(0xFF) }
        }
        return result + [0, 0]
    }

    private static func word(_ key: UnsafeBufferPointer<UInt8>, _ at: Int) -> UInt64 {
        precondition(at + 8 <= key.count, "a group key is cut short")
        return UInt64(
            bigEndian: UnsafeRawBufferPointer(key).loadUnaligned(
                fromByteOffset: at, as: UInt64.self))
    }

    private static func decodeEscaped(
        _ key: UnsafeBufferPointer<UInt8>, _ start: Int, into column: Column
    ) -> Int {
        var at = start
        var text: [UInt8] = []
        while !(key[at] == 0 && key[at + 1] == 0) {
            text.append(key[at])
            at += key[at] == 0 ? 2 : 1
        }
        text.withUnsafeBufferPointer { column.append($0) }
        return at + 2
    }
}
