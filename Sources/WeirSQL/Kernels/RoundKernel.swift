// ROUND and TRUNCATE to a number of decimal digits, which may be negative (tens, hundreds …).
//
// Flink rounds the decimal number that a double is printed as, half away from zero, not its binary
// value: ROUND(1.005, 2) is 1.01 though the double lies below. So for doubles: if the scaled value
// is clearly not near a tie, arithmetic decides; else the shortest decimal digits do. NaN and
// infinities, which end a Flink job, stay what they are.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// ROUND(x [, digits]) and TRUNCATE(x [, digits]).
final class RoundKernel: Kernel {
    private let argument: Kernel
    private let digits: Kernel
    private let isTruncation: Bool

    init(_ argument: Kernel, digits: Kernel, isTruncation: Bool) {
        self.argument = argument
        self.digits = digits
        self.isTruncation = isTruncation
        super.init(type: argument.type, canFail: argument.canFail || digits.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let d = digits.operand(input)
        let places = IntegerRows(d)
        let result = Column.strict(type, [a, d], input.rowCount)
        if type.isApproximate {
            let (values, out) = (a.column.doubles, result.doubles)
            for row in 0..<input.rowCount {
                out[row] = DecimalRounding.round(
                    values[row &* a.step], places: places[row], isTruncation: isTruncation)
            }
            if type == .float { mapRows(out, 1, out, input.rowCount) { Double(Float($0)) } }
        } else {
            let (values, out) = (a.column.ints, result.ints)
            let bits = type.integerBits
            for row in 0..<input.rowCount {
                let rounded = DecimalRounding.round(
                    values[row &* a.step], places: places[row], isTruncation: isTruncation)
                out[row] = wrapped(rounded, bits: bits)
            }
        }
        result.clearNullSlots()
        return result
    }
}

/// Rounding half away from zero, or toward zero, at a decimal place.
enum DecimalRounding {
    /// An integer rounded at `places` ≤ 0; beyond Int64 it wraps, as Java's BigDecimal.longValue.
    static func round(_ value: Int64, places: Int, isTruncation: Bool) -> Int64 {
        if places >= 0 { return value }
        if places < -19 { return 0 }
        if places == -19 {
            // 10^19 is no Int64; half of it is below the greatest one.
            let isUp = !isTruncation && value.magnitude >= 5_000_000_000_000_000_000
            let unit = Int64(truncatingIfNeeded: 10_000_000_000_000_000_000 as UInt64)
            return isUp ? (value < 0 ? 0 &- unit : unit) : 0
        }
        var unit: Int64 = 1
        for _ in 0..<(-places) { unit *= 10 }
        let remainder = value % unit
        var quotient = value / unit
        if !isTruncation, remainder.magnitude >= unit.magnitude - remainder.magnitude {
            quotient += value < 0 ? -1 : 1
        }
        return quotient &* unit
    }

    /// A double rounded as its shortest decimal form.
    static func round(_ value: Double, places: Int, isTruncation: Bool) -> Double {
        // Decimals have one zero, so that of the result is positive, too.
        guard value.isFinite, value != 0 else { return value == 0 ? 0 : value }
        if (0...15).contains(places) {
            let unit = NumberText.powersOfTen[places]
            let scaled = value.magnitude * unit
            // Below 2^43 the product is off by less than 2^-9, far from deciding anything but a
            // tie.
            if scaled < 0x1p43 {
                let whole = scaled.rounded(.down)
                let fraction = scaled - whole
                let isClear =
                    isTruncation
                    ? fraction > 0.01 && fraction < 0.99
                    : (fraction - 0.5).magnitude > 0.01
                if isClear {
                    let rounded = (isTruncation || fraction < 0.5 ? whole : whole + 1) / unit
                    return value < 0 && rounded > 0 ? -rounded : rounded
                }
            }
        }
        return roundDigits(value, places: places, isTruncation: isTruncation)
    }

    private static func roundDigits(_ value: Double, places: Int, isTruncation: Bool) -> Double {
        let decimal = DecimalDigits(value.magnitude)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digits in
            let count = decimal.copyDigits(to: digits)
            // Digits that stay; more than there are: nothing to round.
            let kept = decimal.pointPosition + min(max(places, -400), 400)
            if kept >= count { return value }
            if kept < 0 { return 0 }
            var mantissa: UInt64 = 0
            for index in 0..<kept { mantissa = mantissa * 10 + UInt64(digits[index] - 48) }
            if !isTruncation, digits[kept] >= UInt8(ascii: "5") { mantissa += 1 }
            let rounded = scaled(mantissa, byTenTo: decimal.pointPosition - kept)
            return value < 0 && rounded > 0 ? -rounded : rounded
        }
    }

    /// `mantissa` × 10^`exponent`, correctly rounded.
    private static func scaled(_ mantissa: UInt64, byTenTo exponent: Int) -> Double {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { text in
            guard let base = text.baseAddress else { return 0 }
            var length = NumberText.write(Int64(mantissa), to: base)
            base[length] = UInt8(ascii: "e")
            length += 1
            length += NumberText.write(Int64(exponent), to: base + length)
            return NumberText.double(UnsafeBufferPointer(start: base, count: length)) ?? 0
        }
    }
}
