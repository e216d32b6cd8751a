// Single values as bytes, the form in which lists and sets of a group hold them: numbers as eight
// bytes (long decimals sixteen), booleans as one, text as it is. Equal values have equal bytes, so all
// NaN are one; -0 and 0 are two, as they are to Flink's DISTINCT.

import WeirCore

enum ValueBytes {
    /// Calls `body` with the bytes of a row that is not NULL; they hold in `body` alone.
    @inline(__always)
    static func with<Result>(
        _ column: Column, _ row: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        switch column.physical {
        case .bool: return body(UnsafeRawBufferPointer(start: column.bools + row, count: 1))
        case .int64: return body(UnsafeRawBufferPointer(start: column.ints + row, count: 8))
        case .int128: return body(UnsafeRawBufferPointer(start: column.wides + row, count: 16))
        case .double:
            let value = column.doubles[row]
            let bits = value.isNaN ? Double.nan.bitPattern : value.bitPattern
            return withUnsafeBytes(of: bits) { body($0) }
        case .string: return body(UnsafeRawBufferPointer(column.text(row)))
        case .array, .row: preconditionFailure("only single values are aggregated")
        }
    }

    /// Appends a value, or NULL for nil, to a column of the type that it came from.
    static func append(_ bytes: UnsafeRawBufferPointer?, to column: Column) {
        guard let bytes else {
            column.appendNull()
            return
        }
        switch column.physical {
        case .bool: column.append(bytes[0] != 0)
        case .int64: column.append(bytes.loadUnaligned(as: Int64.self))
        case .int128: column.append(bytes.loadUnaligned(as: Int128.self))
        case .double: column.append(bytes.loadUnaligned(as: Double.self))
        case .string: column.append(bytes.bindMemory(to: UInt8.self))
        case .array, .row: preconditionFailure("only single values are aggregated")
        }
    }

    /// A 64-bit hash with good bits throughout that is the same for ever: sketches are saved.
    static func stableHash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0x2545_F491_4F6C_DD1D ^ UInt64(bytes.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            hash = scrambled(hash ^ word)
            offset += 8
        }
        if offset < bytes.count {
            var word: UInt64 = 0
            for byte in bytes[offset...] { word = word << 8 | UInt64(byte) }
            hash = scrambled(hash ^ word)
        }
        return hash
    }

    /// A bijection in which each bit of the result depends on all bits of the word.
    @inline(__always)
    private static func scrambled(_ word: UInt64) -> UInt64 {
        var word = word &+ 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// What a group may hold at most; values beyond are left out and counted as evaluation errors.
enum GroupLimits {
    /// Values in a list or a set.
    static let valuesMax = 1_000_000
    /// Their bytes.
    static let bytesMax = 16 << 20
}
