// Functions of one number, and POWER: ABS, FLOOR, CEIL, SIGN, SQRT, EXP, LN, LOG10, LOG2. Results
// outside of the reals are NaN or infinite as in IEEE 754, never errors; ABS of the least integer
// wraps to itself, as in Java. LOG2 is ln x / ln 2, as Flink computes it.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// A function of one INT, BIGINT or DOUBLE.
final class MathKernel: Kernel {
    enum Function { case abs, floor, ceil, sign, sqrt, exp, ln, log10, log2 }

    private let function: Function
    private let argument: Kernel

    init(_ function: Function, _ argument: Kernel) {
        self.function = function
        self.argument = argument
        super.init(type: argument.type, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let result = Column.strict(type, [a], input.rowCount)
        if type.isApproximate {
            compute(a.column.doubles, a.step, result.doubles, input.rowCount)
        } else {
            compute(a.column.ints, a.step, result.ints, input.rowCount)
        }
        result.clearNullSlots()
        return result
    }

    private func compute(
        _ from: UnsafeMutablePointer<Double>, _ step: Int, _ to: UnsafeMutablePointer<Double>,
        _ rows: Int
    ) {
        switch function {
        case .abs: mapRows(from, step, to, rows) { $0.magnitude }
        case .floor: mapRows(from, step, to, rows) { $0.rounded(.down) }
        case .ceil: mapRows(from, step, to, rows) { $0.rounded(.up) }
        // The sign of zero and NaN stays.
        case .sign: mapRows(from, step, to, rows) { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
        case .sqrt: mapRows(from, step, to, rows) { $0.squareRoot() }
        case .exp: mapRows(from, step, to, rows) { Glibc.exp($0) }
        case .ln: mapRows(from, step, to, rows) { Glibc.log($0) }
        case .log10: mapRows(from, step, to, rows) { Glibc.log10($0) }
        case .log2:
            let unit = Glibc.log(2.0)
            mapRows(from, step, to, rows) { Glibc.log($0) / unit }
        }
    }

    private func compute(
        _ from: UnsafeMutablePointer<Int64>, _ step: Int, _ to: UnsafeMutablePointer<Int64>,
        _ rows: Int
    ) {
        switch function {
        case .abs where type.integerBits < 64:
            let bits = type.integerBits
            mapRows(from, step, to, rows) { wrapped($0 < 0 ? 0 &- $0 : $0, bits: bits) }
        case .abs: mapRows(from, step, to, rows) { $0 < 0 ? 0 &- $0 : $0 }
        case .sign: mapRows(from, step, to, rows) { $0.signum() }
        // Whole numbers are their own floor and ceiling; the others take doubles only.
        default: mapRows(from, step, to, rows) { $0 }
        }
    }
}

/// POWER, with Java's two exceptions from C: one to the power of NaN, and plus or minus one to an
/// infinite power, are NaN.
final class PowerKernel: Kernel {
    private let base: Kernel
    private let exponent: Kernel

    init(_ base: Kernel, _ exponent: Kernel) {
        self.base = base
        self.exponent = exponent
        super.init(type: .double, canFail: base.canFail || exponent.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = base.operand(input)
        let b = exponent.operand(input)
        let result = Column.strict(.double, [a, b], input.rowCount)
        let (x, y) = (a.column.doubles, b.column.doubles)
        zipRows(x, a.step, y, b.step, result.doubles, input.rowCount) { base, exponent in
            if exponent.isNaN || (base.magnitude == 1 && exponent.isInfinite) { return .nan }
            return pow(base, exponent)
        }
        result.clearNullSlots()
        return result
    }
}
