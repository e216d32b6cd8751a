// + - * / % over DECIMAL, and over a DECIMAL and a whole number. Results are exact, then rounded half
// away from zero to the result's scale; more digits than the result's type has make NULL, as in Flink.
// A zero divisor ends a Flink job; here the row becomes NULL and is counted.
//
// Where both operands and the result take eight bytes and nothing is rounded, sums and products are
// vector loops over Int64, which cannot overflow: the result's type has room for every carry.

import WeirCore

/// Arithmetic with a decimal result.
final class DecimalArithmeticKernel: Kernel {
    enum Operation { case add, subtract, multiply, divide, remainder }

    private let operation: Operation
    private let left: Kernel
    private let right: Kernel
    private let leftScale: Int
    private let rightScale: Int
    private let scale: Int

    init(_ operation: Operation, _ left: Kernel, _ right: Kernel, type: DataType) {
        guard let a = DecimalShape(left.type), let b = DecimalShape(right.type),
            let result = DecimalShape(type)
        else { preconditionFailure("exact numbers") }
        self.operation = operation
        self.left = left
        self.right = right
        (leftScale, rightScale, scale) = (a.scale, b.scale, result.scale)
        var divides = false
        if operation == .divide || operation == .remainder {
            let divisor = right.constant.map { Operand(column: $0, step: 0) }
            divides = divisor.map { $0.isNull(0) || DecimalRows($0)[0] == 0 } ?? true
        }
        super.init(type: type, canFail: divides || left.canFail || right.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = left.operand(input)
        let b = right.operand(input)
        if let result = compact(a, b, input.rowCount) { return result }
        let (x, y) = (DecimalRows(a), DecimalRows(b))
        let (leftScale, rightScale, scale) = (leftScale, rightScale, scale)
        return buildDecimals(type, [a, b], input) { row, value in
            let result: Int128?
            switch operation {
            case .add: result = sum(x[row], y[row])
            case .subtract: result = sum(x[row], -y[row])
            case .multiply:
                result = DecimalMath.product(x[row], y[row], drop: leftScale + rightScale - scale)
            case .divide:
                if y[row] == 0 { return .failed }
                result = DecimalMath.quotient(x[row], y[row], shift: scale - leftScale + rightScale)
            case .remainder:
                if y[row] == 0 { return .failed }
                result = remainder(x[row], y[row])
            }
            guard let result else { return .null }
            value = result
            return .value
        }
    }

    /// The loops over eight-byte columns; nil where these do not do.
    private func compact(_ a: Operand, _ b: Operand, _ rows: Int) -> Column? {
        guard type.physical == .int64, a.column.physical == .int64, b.column.physical == .int64
        else { return nil }
        let isProduct = operation == .multiply && scale == leftScale + rightScale
        let isSum = operation == .add || operation == .subtract
        guard isProduct || (isSum && scale == max(leftScale, rightScale)) else { return nil }
        let result = Column.strict(type, [a, b], rows)
        let (x, y, out) = (a.column.ints, b.column.ints, result.ints)
        let p = Int64(Decimals.power(isSum ? scale - leftScale : 0))
        let q = Int64(Decimals.power(isSum ? scale - rightScale : 0))
        switch operation {
        case .add: zipRows(x, a.step, y, b.step, out, rows) { $0 &* p &+ $1 &* q }
        case .subtract: zipRows(x, a.step, y, b.step, out, rows) { $0 &* p &- $1 &* q }
        default: zipRows(x, a.step, y, b.step, out, rows) { $0 &* $1 }
        }
        result.clearNullSlots()
        return result
    }

    private func sum(_ a: Int128, _ b: Int128) -> Int128? {
        let common = max(leftScale, rightScale)
        if let x = Decimals.rescale(a, from: leftScale, to: common),
            let y = Decimals.rescale(b, from: rightScale, to: common)
        {
            let (total, overflow) = x.addingReportingOverflow(y)
            if !overflow { return Decimals.rescale(total, from: common, to: scale) }
        }
        let x = WideInteger(product: a, Decimals.power(common - leftScale))
        let y = WideInteger(product: b, Decimals.power(common - rightScale))
        return x.adding(y)?.divided(roundingBy: Decimals.power(common - scale))
    }

    /// The remainder has the dividend's sign.
    private func remainder(_ a: Int128, _ b: Int128) -> Int128? {
        let common = max(leftScale, rightScale)
        let exact: Int128
        if let y = Decimals.rescale(b, from: rightScale, to: common) {
            if let x = Decimals.rescale(a, from: leftScale, to: common) {
                exact = x % y
            } else {
                let moved = WideInteger(product: a, Decimals.power(common - leftScale))
                let rest = Int128(truncatingIfNeeded: moved.remainder(by: y.magnitude))
                exact = a < 0 ? -rest : rest
            }
        } else {
            // The divisor is beyond 38 digits at this scale, and so above the dividend.
            exact = a
        }
        return Decimals.rescale(exact, from: common, to: scale)
    }
}

/// Products and quotients of more than 128 bits on their way.
enum DecimalMath {
    /// a × b / 10^`drop`, rounded half away from zero; nil beyond 38 digits.
    @inline(__always)
    static func product(_ a: Int128, _ b: Int128, drop: Int) -> Int128? {
        let (short, overflow) = a.multipliedReportingOverflow(by: b)
        if !overflow {
            return drop == 0 ? short : Decimals.divideRounding(short, by: Decimals.power(drop))
        }
        let wide = WideInteger(product: a, b)
        return drop <= DataType.decimalPrecisionMax
            ? wide.divided(roundingBy: Decimals.power(drop)) : nil
    }

    /// a × 10^`shift` / b, rounded half away from zero; nil beyond 38 digits. `b` is not 0.
    ///
    /// Flink first rounds to 38 significant digits and then to the scale. That gives another result than
    /// rounding once only where the quotient lies below a tie by less than half a unit of the 38th digit;
    /// such quotients are rounded up as well.
    static func quotient(_ a: Int128, _ b: Int128, shift: Int) -> Int128? {
        if a == 0 { return 0 }
        let most = DataType.decimalPrecisionMax
        var dividend = WideInteger(product: a, Decimals.power(min(max(shift, 0), most)))
        if shift > most {
            guard let moved = dividend.multiplied(by: Decimals.power(shift - most)) else { return nil }
            dividend = moved
        }
        guard let (quotient, remainder) = dividend.divided(by: b.magnitude),
            quotient < UInt128(Int128.max)
        else { return nil }
        let gap = b.magnitude - remainder
        var isUp = remainder >= gap
        let isLong = quotient > UInt128(UInt64.max) || b.magnitude > UInt128(UInt64.max)
        if !isUp, isLong, quotient > 0 {
            var spare = 0
            while spare < most, Int128(quotient) < Decimals.power(most - 1 - spare) { spare += 1 }
            let (scaled, overflow) = (gap - remainder).multipliedReportingOverflow(
                by: UInt128(Decimals.power(spare)))
            isUp = spare > 0 && !overflow && scaled <= b.magnitude
        }
        let magnitude = Int128(quotient) + (isUp ? 1 : 0)
        return (a < 0) != (b < 0) ? -magnitude : magnitude
    }
}
