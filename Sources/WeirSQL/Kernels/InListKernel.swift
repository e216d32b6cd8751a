// value IN (list) over constants. NULL in, or no match and a NULL in the list, gives NULL.
//
// Up to eight numbers are compared one after the other over the whole column, which vector units do
// faster than any lookup; longer lists and texts go through a flat table with open addressing.
// Lists with elements that are not constants are bound to = and OR by the compiler and do not come
// here.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Membership in a list of constants.
final class InListKernel: Kernel {
    private let value: Kernel
    private let hasNull: Bool
    private let isNegated: Bool
    /// The constants without NULLs, one a row.
    private let members: Column
    /// Row numbers of `members` by hash, -1 where free; a power of two, at most half full. Empty
    /// for short lists of numbers.
    private let table: [Int32]

    private static let scanMax = 8

    /// `members` holds the constants in the layout of `value`'s type.
    init(_ value: Kernel, members: Column, hasNull: Bool, isNegated: Bool) {
        precondition(members.physical == value.type.physical && value.type.isScalar)
        self.value = value
        self.members = members
        self.hasNull = hasNull
        self.isNegated = isNegated
        let isScanned = members.count <= Self.scanMax && members.physical != .string
        table = isScanned ? [] : Self.makeTable(members)
        super.init(type: .boolean, canFail: value.canFail)
    }

    private static func makeTable(_ members: Column) -> [Int32] {
        var size = 16
        while size < members.count * 2 { size *= 2 }
        var table = [Int32](repeating: -1, count: size)
        for row in 0..<members.count {
            var slot = Int(truncatingIfNeeded: hash(members, row)) & (size - 1)
            while table[slot] >= 0 { slot = (slot + 1) & (size - 1) }
            table[slot] = Int32(row)
        }
        return table
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let operand = value.operand(input)
        let rows = input.rowCount
        let result = Column.filled(.boolean, rows)
        memset(result.bools, 0, rows)
        if table.isEmpty {
            scan(operand, result.bools, rows)
        } else {
            lookUp(operand, result.bools, rows)
        }
        result.makeNull(where: [operand])
        if hasNull {
            let validity = result.materializeValidity()
            for row in 0..<rows { validity[row] &= result.bools[row] }
        }
        if isNegated { mapRows(result.bools, 1, result.bools, rows) { $0 ^ 1 } }
        result.clearNullSlots()
        return result
    }

    private func scan(_ operand: Operand, _ out: UnsafeMutablePointer<UInt8>, _ rows: Int) {
        for member in 0..<members.count {
            switch members.physical {
            case .bool: add(operand.column.bools, operand.step, members.bools[member], out, rows)
            case .int64: add(operand.column.ints, operand.step, members.ints[member], out, rows)
            case .double: add(operand.column.doubles, operand.step, members.doubles[member], out, rows)
            case .int128: add(operand.column.wides, operand.step, members.wides[member], out, rows)
            case .string, .array, .row: break
            }
        }
    }

    @inline(__always)
    private func add<Value: Equatable>(
        _ values: UnsafeMutablePointer<Value>, _ step: Int, _ member: Value,
        _ out: UnsafeMutablePointer<UInt8>, _ rows: Int
    ) {
        zipRows(values, step, out, 1, out, rows) { $1 | ($0 == member ? 1 : 0) }
    }

    private func lookUp(_ operand: Operand, _ out: UnsafeMutablePointer<UInt8>, _ rows: Int) {
        let mask = table.count - 1
        let column = operand.column
        table.withUnsafeBufferPointer { table in
            for row in 0..<rows {
                let source = row * operand.step
                var slot = Int(truncatingIfNeeded: Self.hash(column, source)) & mask
                while table[slot] >= 0 {
                    if isEqual(column, source, Int(table[slot])) {
                        out[row] = 1
                        break
                    }
                    slot = (slot + 1) & mask
                }
            }
        }
    }

    @inline(__always)
    private func isEqual(_ column: Column, _ row: Int, _ member: Int) -> Bool {
        switch members.physical {
        case .int64: column.ints[row] == members.ints[member]
        case .double: column.doubles[row] == members.doubles[member]
        case .string: textsEqual(column.text(row), members.text(member))
        case .bool: column.bools[row] == members.bools[member]
        case .int128: column.wides[row] == members.wides[member]
        case .array, .row: false
        }
    }

    /// Equal values hash alike: 0.0 and -0.0 do, and NaN is equal to nothing.
    @inline(__always)
    private static func hash(_ column: Column, _ row: Int) -> UInt64 {
        switch column.physical {
        case .int64: return mix(UInt64(bitPattern: column.ints[row]))
        case .double: return mix((column.doubles[row] + 0).bitPattern)
        case .bool: return UInt64(column.bools[row])
        case .int128:
            let value = UInt128(bitPattern: column.wides[row])
            return mix(UInt64(truncatingIfNeeded: value) ^ mix(UInt64(value >> 64)))
        case .array, .row: return 0
        case .string:
            let text = column.text(row)
            var hash = UInt64(truncatingIfNeeded: text.count)
            var at = 0
            if let base = UnsafeRawPointer(text.baseAddress) {
                while at + 8 <= text.count {
                    hash = mix(hash ^ base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                    at += 8
                }
            }
            while at < text.count {
                hash = mix(hash ^ UInt64(text[at]))
                at += 1
            }
            return hash
        }
    }

    /// A multiplication and two shifts (the finalizer of MurmurHash3 shortened).
    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ (value >> 32)) &* 0xFF51_AFD7_ED55_8CCD
        return product ^ (product >> 29)
    }
}
