// = <> < <= > >= and IS [NOT] DISTINCT FROM. Numbers compare by value (NaN equals nothing, not even
// itself, as in Java and so in Flink), text by its UTF-8 bytes, FALSE comes before TRUE.
//
// > and >= are < and <= with their sides swapped, so four comparisons times four layouts of fixed
// width remain, each with loops of its own for columns and constants.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Compares two values of one type.
final class ComparisonKernel: Kernel {
    enum Operation { case equal, notEqual, less, lessOrEqual }
    enum NullRule {
        /// NULL where a side is NULL.
        case unknown
        /// NULL is a value like others (for IS DISTINCT FROM: the operation is `notEqual`).
        case distinct
        /// The opposite (IS NOT DISTINCT FROM; the operation is `equal`).
        case notDistinct
    }

    private let operation: Operation
    private let nulls: NullRule
    private let left: Kernel
    private let right: Kernel

    init(_ operation: Operation, _ left: Kernel, _ right: Kernel, nulls: NullRule = .unknown) {
        precondition(left.type.physical == right.type.physical, "sides of one layout")
        self.operation = operation
        self.nulls = nulls
        self.left = left
        self.right = right
        super.init(type: .boolean, canFail: left.canFail || right.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = left.operand(input)
        let b = right.operand(input)
        let result = Column.filled(.boolean, input.rowCount)
        switch left.type.physical {
        case .bool:
            compare(a.column.bools, a.step, b.column.bools, b.step, result.bools, input.rowCount)
        case .int64:
            compare(a.column.ints, a.step, b.column.ints, b.step, result.bools, input.rowCount)
        case .double:
            compare(a.column.doubles, a.step, b.column.doubles, b.step, result.bools, input.rowCount)
        case .string: compareTexts(a, b, result.bools, input.rowCount)
        case .int128:
            compare(a.column.wides, a.step, b.column.wides, b.step, result.bools, input.rowCount)
        case .array, .row: preconditionFailure("arrays and rows are not compared")
        }
        Self.applyNulls(nulls, a, b, result)
        return result
    }

    /// Turns the outcome for the slots of two operands into that for their values.
    static func applyNulls(_ rule: NullRule, _ a: Operand, _ b: Operand, _ result: Column) {
        if rule == .unknown {
            result.makeNull(where: [a, b])
            result.clearNullSlots()
        } else if a.column.validity != nil || b.column.validity != nil {
            // Slots of NULL rows are 0 on both sides, so two NULLs came out as equal; what is left
            // is a NULL against a value whose slot happens to be the same.
            for row in 0..<result.count where a.isNull(row) != b.isNull(row) {
                result.bools[row] = rule == .distinct ? 1 : 0
            }
        }
    }

    @inline(__always)
    private func compare<Value: Comparable>(
        _ a: UnsafeMutablePointer<Value>, _ aStep: Int, _ b: UnsafeMutablePointer<Value>, _ bStep: Int,
        _ out: UnsafeMutablePointer<UInt8>, _ rowCount: Int
    ) {
        switch operation {
        case .equal: zipRows(a, aStep, b, bStep, out, rowCount) { $0 == $1 ? 1 : 0 }
        case .notEqual: zipRows(a, aStep, b, bStep, out, rowCount) { $0 == $1 ? 0 : 1 }
        case .less: zipRows(a, aStep, b, bStep, out, rowCount) { $0 < $1 ? 1 : 0 }
        case .lessOrEqual: zipRows(a, aStep, b, bStep, out, rowCount) { $0 <= $1 ? 1 : 0 }
        }
    }

    private func compareTexts(
        _ a: Operand, _ b: Operand, _ out: UnsafeMutablePointer<UInt8>, _ rowCount: Int
    ) {
        let x = TextRows(a)
        let y = TextRows(b)
        switch operation {
        case .equal:
            for row in 0..<rowCount { out[row] = textsEqual(x[row], y[row]) ? 1 : 0 }
        case .notEqual:
            for row in 0..<rowCount { out[row] = textsEqual(x[row], y[row]) ? 0 : 1 }
        case .less:
            for row in 0..<rowCount { out[row] = textOrder(x[row], y[row]) < 0 ? 1 : 0 }
        case .lessOrEqual:
            for row in 0..<rowCount { out[row] = textOrder(x[row], y[row]) <= 0 ? 1 : 0 }
        }
    }
}

/// Whether two texts have the same bytes.
@inline(__always)
func textsEqual(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    guard let x = a.baseAddress, let y = b.baseAddress, a.count > 0 else { return true }
    return memcmp(x, y, a.count) == 0
}

/// Negative, zero or positive as `a` comes before, equals or comes after `b` bytewise.
@inline(__always)
func textOrder(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
    let common = min(a.count, b.count)
    if common > 0, let x = a.baseAddress, let y = b.baseAddress {
        let order = memcmp(x, y, common)
        if order != 0 { return Int(order) }
    }
    return a.count - b.count
}
