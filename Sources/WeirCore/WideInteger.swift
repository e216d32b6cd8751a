// Whole numbers of up to 256 bits, as far as decimals need them: the exact product of two decimals of
// 38 digits, or a decimal moved by as many places, before it is rounded back to 38 digits. Most rows
// never come here; those that do are exact.

/// A sign and a magnitude of 256 bits.
public struct WideInteger: Sendable {
    /// The sign; without meaning where the magnitude is 0.
    public let isNegative: Bool
    /// The upper 128 bits of the magnitude.
    public let high: UInt128
    /// The lower 128 bits of the magnitude.
    public let low: UInt128

    init(isNegative: Bool, high: UInt128, low: UInt128) {
        self.isNegative = isNegative
        self.high = high
        self.low = low
    }

    /// The exact product of two numbers.
    public init(product a: Int128, _ b: Int128) {
        let (high, low) = a.magnitude.multipliedFullWidth(by: b.magnitude)
        self.init(isNegative: (a < 0) != (b < 0), high: high, low: low)
    }

    /// The value in 128 bits, or nil where it does not fit.
    public var narrow: Int128? {
        guard high == 0 else { return nil }
        if isNegative { return low <= 1 << 127 ? 0 &- Int128(truncatingIfNeeded: low) : nil }
        return Int128(exactly: low)
    }

    /// The exact sum, or nil where 256 bits do not hold it.
    public func adding(_ other: WideInteger) -> WideInteger? {
        if isNegative == other.isNegative {
            let (sum, carry) = low.addingReportingOverflow(other.low)
            let (upper, overflow) = high.addingReportingOverflow(other.high)
            let (total, last) = upper.addingReportingOverflow(carry ? 1 : 0)
            if overflow || last { return nil }
            return WideInteger(isNegative: isNegative, high: total, low: sum)
        }
        let isLarger = high != other.high ? high > other.high : low >= other.low
        let (big, small) = isLarger ? (self, other) : (other, self)
        let (difference, borrow) = big.low.subtractingReportingOverflow(small.low)
        return WideInteger(
            isNegative: big.isNegative, high: big.high - small.high - (borrow ? 1 : 0),
            low: difference)
    }

    /// The exact product, or nil where 256 bits do not hold it.
    public func multiplied(by factor: Int128) -> WideInteger? {
        let (carry, lower) = low.multipliedFullWidth(by: factor.magnitude)
        let (upper, overflow) = high.multipliedReportingOverflow(by: factor.magnitude)
        let (total, last) = upper.addingReportingOverflow(carry)
        if overflow || last { return nil }
        return WideInteger(isNegative: isNegative != (factor < 0), high: total, low: lower)
    }

    /// The quotient's magnitude, cut toward zero, and the remainder's; nil where the quotient needs more
    /// than 128 bits.
    public func divided(by divisor: UInt128) -> (quotient: UInt128, remainder: UInt128)? {
        guard high < divisor else { return nil }
        return divisor.dividingFullWidth((high, low))
    }

    /// The remainder's magnitude.
    public func remainder(by divisor: UInt128) -> UInt128 {
        divisor.dividingFullWidth((high % divisor, low)).remainder
    }

    /// The quotient rounded half away from zero; nil where it needs more than 127 bits.
    public func divided(roundingBy divisor: Int128) -> Int128? {
        let unit = divisor.magnitude
        guard let (quotient, remainder) = divided(by: unit) else { return nil }
        let isUp = remainder >= unit - remainder
        guard quotient < UInt128(Int128.max) else { return nil }
        let magnitude = Int128(quotient) + (isUp ? 1 : 0)
        return isNegative != (divisor < 0) ? -magnitude : magnitude
    }
}
