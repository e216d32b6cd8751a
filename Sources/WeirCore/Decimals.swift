// Decimals: exact numbers as a whole number of units of 10^-scale. Here is what every user of them
// shares: powers of ten, moving between scales (rounding half away from zero, as Flink and Java's
// HALF_UP do), text, and doubles.
//
// Values are Int128 everywhere but in columns, where up to 18 digits take eight bytes. A value that has
// more digits than its type is no value: SQL makes it NULL.

#if canImport(Glibc)
import Glibc
#endif

/// Arithmetic of decimal numbers.
public enum Decimals {
    /// 10^0 … 10^38, the most that fits.
    public static let powersOfTen: [Int128] = {
        var powers: [Int128] = [1]
        while powers.count <= DataType.decimalPrecisionMax { powers.append(powers[powers.count - 1] * 10) }
        return powers
    }()

    /// Bytes that `write` takes at most.
    public static let lengthMax = 48

    /// 10^`exponent` for exponents 0 … 38.
    @inline(__always)
    public static func power(_ exponent: Int) -> Int128 { powersOfTen[exponent] }

    /// Whether `value` has at most `precision` digits.
    @inline(__always)
    public static func fits(_ value: Int128, _ precision: Int) -> Bool {
        let bound = powersOfTen[precision]
        return value < bound && value > -bound
    }

    /// `value` of scale `from` at scale `to`, rounded half away from zero; nil beyond 38 digits.
    @inline(__always)
    public static func rescale(_ value: Int128, from: Int, to: Int) -> Int128? {
        if from == to { return value }
        if to > from {
            let (moved, overflow) = value.multipliedReportingOverflow(by: power(to - from))
            return overflow ? nil : moved
        }
        return divideRounding(value, by: power(from - to))
    }

    /// The quotient by a positive divisor, rounded half away from zero.
    @inline(__always)
    public static func divideRounding(_ value: Int128, by divisor: Int128) -> Int128 {
        if let small = Int64(exactly: value), let unit = Int64(exactly: divisor) {
            let (quotient, remainder) = small.quotientAndRemainder(dividingBy: unit)
            let isUp = remainder.magnitude >= unit.magnitude - remainder.magnitude
            return Int128(quotient) + (isUp ? (small < 0 ? -1 : 1) : 0)
        }
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        let isUp = remainder.magnitude >= divisor.magnitude - remainder.magnitude
        return quotient + (isUp ? (value < 0 ? -1 : 1) : 0)
    }

    // MARK: Text

    /// Writes `value` with `scale` digits behind the point and returns its length.
    public static func write(
        _ value: Int128, scale: Int, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var rest = value.magnitude
        var at = 0
        if value < 0 {
            buffer[0] = UInt8(ascii: "-")
            at = 1
        }
        var digits = 0
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 48) { reversed in
            while rest > UInt128(UInt64.max) {
                reversed[digits] = UInt8(truncatingIfNeeded: 48 + rest % 10)
                rest /= 10
                digits += 1
            }
            var low = UInt64(truncatingIfNeeded: rest)
            while low > 0 || digits <= scale {
                reversed[digits] = UInt8(truncatingIfNeeded: 48 + low % 10)
                low /= 10
                digits += 1
            }
            for place in stride(from: digits - 1, through: 0, by: -1) {
                buffer[at] = reversed[place]
                at += 1
                if place == scale && scale > 0 {
                    buffer[at] = UInt8(ascii: ".")
                    at += 1
                }
            }
            return at
        }
    }

    /// `value` as text; for plans, messages and tests.
    public static func string(_ value: Int128, scale: Int) -> String {
        String(unsafeUninitializedCapacity: lengthMax) { bytes in
            bytes.baseAddress.map { write(value, scale: scale, to: $0) } ?? 0
        }
    }

    /// How a text was understood as a decimal.
    public enum Parsed: Equatable, Sendable {
        case value(Int128)
        /// A number, but of more digits than asked for.
        case outOfRange
        case notANumber
    }

    /// Reads digits with optional sign, point and exponent, rounded to `scale` half away from zero.
    public static func parse(
        _ text: UnsafeBufferPointer<UInt8>, precision: Int, scale: Int
    ) -> Parsed {
        var number = DecimalScanner(text)
        guard number.scan() else { return .notANumber }
        // The digits kept are value × 10^-places.
        var value = Int128(number.digits)
        let shift = scale - number.places
        if number.digits == 0 { return .value(0) }
        if shift > 0 {
            guard shift <= DataType.decimalPrecisionMax else { return .outOfRange }
            let (moved, overflow) = value.multipliedReportingOverflow(by: power(shift))
            if overflow { return .outOfRange }
            value = moved
        } else if shift < 0 {
            if -shift > DataType.decimalPrecisionMax { return .value(0) }
            value = divideRounding(value, by: power(-shift))
        }
        guard fits(value, precision) else { return .outOfRange }
        return .value(number.isNegative ? -value : value)
    }

    // MARK: Doubles

    /// The powers of ten that a double holds exactly.
    private static let exactPowers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    /// The nearest double.
    public static func double(_ value: Int128, scale: Int) -> Double {
        // Exact if both are: a whole number below 2^53, a power of ten up to 22.
        if value.magnitude < 1 << 53, scale < exactPowers.count {
            return Double(Int64(value)) / exactPowers[scale]
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: lengthMax + 1) { text in
            guard let base = text.baseAddress else { return 0 }
            let length = base.withMemoryRebound(to: UInt8.self, capacity: lengthMax) {
                write(value, scale: scale, to: $0)
            }
            text[length] = 0
            return strtod(base, nil)
        }
    }
}

/// Scans a decimal number: up to 38 significant digits, the rest rounded away.
private struct DecimalScanner {
    let text: UnsafeBufferPointer<UInt8>
    var isNegative = false
    var digits: UInt128 = 0
    /// How many of the digits stand behind the point; negative for a number that ends in zeros.
    var places = 0

    init(_ text: UnsafeBufferPointer<UInt8>) { self.text = text }

    /// Whether the whole text is a number.
    mutating func scan() -> Bool {
        var at = 0
        if at < text.count, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
            isNegative = text[at] == UInt8(ascii: "-")
            at += 1
        }
        var seen = 0
        var kept = 0
        var isFraction = false
        while at < text.count {
            let byte = text[at]
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte &- 48 <= 9 {
                seen += 1
                keep(byte &- 48, &kept, isFraction: isFraction)
            } else {
                break
            }
            at += 1
        }
        guard seen > 0 else { return false }
        return at == text.count || scanExponent(from: at)
    }

    private mutating func keep(_ digit: UInt8, _ kept: inout Int, isFraction: Bool) {
        if kept < DataType.decimalPrecisionMax {
            digits = digits * 10 + UInt128(digit)
            if digits > 0 { kept += 1 }
            if isFraction { places += 1 }
            return
        }
        // The first digit beyond decides the last one kept.
        if kept == DataType.decimalPrecisionMax, digit >= 5 { digits += 1 }
        kept += 1
        if !isFraction { places -= 1 }
    }

    private mutating func scanExponent(from start: Int) -> Bool {
        guard text[start] | 0x20 == UInt8(ascii: "e"), start + 1 < text.count else { return false }
        var at = start + 1
        let isMinus = text[at] == UInt8(ascii: "-")
        if isMinus || text[at] == UInt8(ascii: "+") { at += 1 }
        guard at < text.count else { return false }
        var exponent = 0
        while at < text.count {
            guard text[at] &- 48 <= 9 else { return false }
            exponent = min(exponent * 10 + Int(text[at] &- 48), 100_000)
            at += 1
        }
        places += isMinus ? exponent : -exponent
        return true
    }
}
