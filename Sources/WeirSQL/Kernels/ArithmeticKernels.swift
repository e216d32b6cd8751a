// + - * / % and unary minus. Integers wrap, at 32 bits for INT and at 64 for BIGINT, timestamps and
// intervals; division and remainder truncate toward zero and the remainder has the dividend's sign.
//
// One difference from Flink: integer division by zero ends a Flink job; here the row becomes NULL
// and is counted. Doubles follow IEEE 754 (1.0 / 0.0 is infinite), as Flink's do.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// + - * over INT, BIGINT, timestamps and intervals.
final class IntegerArithmeticKernel: Kernel {
    enum Operation { case add, subtract, multiply }

    private let operation: Operation
    private let left: Kernel
    private let right: Kernel

    init(_ operation: Operation, _ left: Kernel, _ right: Kernel, type: DataType) {
        self.operation = operation
        self.left = left
        self.right = right
        super.init(type: type, canFail: left.canFail || right.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = left.operand(input)
        let b = right.operand(input)
        let result = Column.strict(type, [a, b], input.rowCount)
        let (x, y, out) = (a.column.ints, b.column.ints, result.ints)
        let rows = input.rowCount
        switch (operation, type == .int) {
        case (.add, false): zipRows(x, a.step, y, b.step, out, rows) { $0 &+ $1 }
        case (.add, true): zipRows(x, a.step, y, b.step, out, rows) { wrapped32($0 &+ $1) }
        case (.subtract, false): zipRows(x, a.step, y, b.step, out, rows) { $0 &- $1 }
        case (.subtract, true): zipRows(x, a.step, y, b.step, out, rows) { wrapped32($0 &- $1) }
        case (.multiply, false): zipRows(x, a.step, y, b.step, out, rows) { $0 &* $1 }
        case (.multiply, true): zipRows(x, a.step, y, b.step, out, rows) { wrapped32($0 &* $1) }
        }
        result.wrapSmallIntegers()
        result.clearNullSlots()
        return result
    }
}

/// / and % over INT and BIGINT. A zero divisor makes the row NULL and counts it.
final class IntegerDivisionKernel: Kernel {
    private let left: Kernel
    private let right: Kernel
    private let wantsRemainder: Bool

    init(_ left: Kernel, _ right: Kernel, wantsRemainder: Bool, type: DataType) {
        self.left = left
        self.right = right
        self.wantsRemainder = wantsRemainder
        let isSafe = right.constant.map { !$0.isNull(0) && $0.ints[0] != 0 } ?? false
        super.init(type: type, canFail: !isSafe || left.canFail || right.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = left.operand(input)
        let b = right.operand(input)
        let result = Column.strict(type, [a, b], input.rowCount)
        let (x, y, out) = (a.column.ints, b.column.ints, result.ints)
        if b.step == 1 || y[0] == 0 { failOnZero(b, result, input) }
        // Dividing by -1 would trap on the least integer; by 0 always. Both are stepped around.
        if wantsRemainder {
            zipRows(x, a.step, y, b.step, out, input.rowCount) { dividend, divisor in
                divisor == 0 || divisor == -1 ? 0 : dividend % divisor
            }
        } else {
            let isInt = type == .int
            zipRows(x, a.step, y, b.step, out, input.rowCount) { dividend, divisor in
                if divisor == -1 { return isInt ? wrapped32(0 &- dividend) : 0 &- dividend }
                return divisor == 0 ? 0 : dividend / divisor
            }
        }
        result.wrapSmallIntegers()
        result.clearNullSlots()
        return result
    }

    private func failOnZero(_ divisor: Operand, _ result: Column, _ input: KernelInput) {
        let values = divisor.column.ints
        for row in 0..<input.rowCount where values[row &* divisor.step] == 0 {
            if result.isNull(row) { continue }
            result.materializeValidity()[row] = 0
            input.countError(row: row)
        }
    }
}

extension Column {
    /// Cuts TINYINT and SMALLINT values to their size; others are left alone.
    fileprivate func wrapSmallIntegers() {
        guard type.integerBits < 32 else { return }
        let (values, bits) = (ints, type.integerBits)
        mapRows(values, 1, values, count) { wrapped($0, bits: bits) }
    }
}

/// + - * / % over DOUBLE and FLOAT. A float's result is the double's rounded once more, which for these
/// operations is the float that a processor would give.
final class DoubleArithmeticKernel: Kernel {
    enum Operation { case add, subtract, multiply, divide, remainder }

    private let operation: Operation
    private let left: Kernel
    private let right: Kernel

    init(_ operation: Operation, _ left: Kernel, _ right: Kernel, type: DataType) {
        self.operation = operation
        self.left = left
        self.right = right
        super.init(type: type, canFail: left.canFail || right.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = left.operand(input)
        let b = right.operand(input)
        let result = Column.strict(type, [a, b], input.rowCount)
        let (x, y, out) = (a.column.doubles, b.column.doubles, result.doubles)
        let rows = input.rowCount
        switch operation {
        case .add: zipRows(x, a.step, y, b.step, out, rows) { $0 + $1 }
        case .subtract: zipRows(x, a.step, y, b.step, out, rows) { $0 - $1 }
        case .multiply: zipRows(x, a.step, y, b.step, out, rows) { $0 * $1 }
        case .divide: zipRows(x, a.step, y, b.step, out, rows) { $0 / $1 }
        case .remainder: zipRows(x, a.step, y, b.step, out, rows) { fmod($0, $1) }
        }
        if type == .float { mapRows(out, 1, out, rows) { Double(Float($0)) } }
        result.clearNullSlots()
        return result
    }
}

/// Unary minus.
final class NegationKernel: UnaryKernel {
    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let result = Column.strict(type, [a], input.rowCount)
        if type.isApproximate {
            mapRows(a.column.doubles, a.step, result.doubles, input.rowCount) { -$0 }
        } else if type.physical == .int128 {
            mapRows(a.column.wides, a.step, result.wides, input.rowCount) { -$0 }
        } else if type == .int {
            mapRows(a.column.ints, a.step, result.ints, input.rowCount) { wrapped32(0 &- $0) }
        } else {
            mapRows(a.column.ints, a.step, result.ints, input.rowCount) { 0 &- $0 }
        }
        result.wrapSmallIntegers()
        result.clearNullSlots()
        return result
    }
}
