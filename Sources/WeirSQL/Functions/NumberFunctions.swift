// Functions of numbers that MathKernels.swift does not have. They are computed by the C library, which
// may differ from Java's StrictMath in the last digit.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The functions of numbers.
let numberFunctions: [LibraryFunction] = [
    real("SIN(number)", "Sine of an angle in radians.") { Glibc.sin($0) },
    real("COS(number)", "Cosine.") { Glibc.cos($0) },
    real("TAN(number)", "Tangent.") { Glibc.tan($0) },
    real("COT(number)", "Cotangent, 1 / TAN.") { 1 / Glibc.tan($0) },
    real("ASIN(number)", "Arc sine; NaN outside of -1 … 1.") { Glibc.asin($0) },
    real("ACOS(number)", "Arc cosine; NaN outside of -1 … 1.") { Glibc.acos($0) },
    real("ATAN(number)", "Arc tangent.") { Glibc.atan($0) },
    real("SINH(number)", "Hyperbolic sine.") { Glibc.sinh($0) },
    real("COSH(number)", "Hyperbolic cosine.") { Glibc.cosh($0) },
    real("TANH(number)", "Hyperbolic tangent.") { Glibc.tanh($0) },
    real("DEGREES(number)", "Radians as degrees.") { $0 * (180 / Double.pi) },
    real("RADIANS(number)", "Degrees as radians.") { $0 * (Double.pi / 180) },
    LibraryFunction(
        "ATAN2(y, x)", .number, [.double, .double], .double, "The angle of the point (x, y)."
    ) { call in
        let (a, b) = (call.doubles(0), call.doubles(1))
        return call.buildDouble { row, value in
            value = Glibc.atan2(a[row], b[row])
            return .value
        }
    },
    LibraryFunction(
        "HEX(number or text)", .number, [.scalar],
        .derived("STRING") { $0[0].isInteger || $0[0] == .string || $0[0] == .bytes ? .string : nil },
        "In capitals: a number in base 16, negative ones in two's complement of 64 bits; a text's or bytes' bytes."
    ) { call in
        if call.operands[0].column.physical == .string {
            let texts = call.text(0)
            return call.buildText { row, builder in
                for byte in texts[row] { builder.append(hex: byte, isUpper: true) }
                return .value
            }
        }
        let numbers = call.integers(0)
        return call.buildText { row, builder in
            builder.append(String(UInt64(bitPattern: Int64(numbers[row])), radix: 16, uppercase: true))
            return .value
        }
    },
    LibraryFunction(
        "BIN(number)", .number, [.bigint], .string, "In base 2, negative ones in two's complement of 64 bits."
    ) { call in
        let numbers = call.integers(0)
        return call.buildText { row, builder in
            builder.append(String(UInt64(bitPattern: Int64(numbers[row])), radix: 2))
            return .value
        }
    },
]

private func real(
    _ form: String, _ note: String, _ compute: @escaping @Sendable (Double) -> Double
) -> LibraryFunction {
    LibraryFunction(form, .number, [.double], .double, note) { call in
        let a = call.operands[0]
        let result = Column.strict(.double, [a], call.input.rowCount)
        mapRows(a.column.doubles, a.step, result.doubles, call.input.rowCount, compute)
        result.clearNullSlots()
        return result
    }
}

extension TextBuilder {
    /// Two digits.
    @inline(__always)
    mutating func append(hex byte: UInt8, isUpper: Bool = false) {
        let letters: UInt8 = isUpper ? 0x41 - 10 : 0x61 - 10
        for digit in [byte >> 4, byte & 15] { append(digit < 10 ? digit + 0x30 : digit + letters) }
    }
}
