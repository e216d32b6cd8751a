// Numbers with twice the digits of a double, as the sum of two: what sums over frames are checked against
// and variances are computed with. (Dekker, 1971; Knuth's two-sum; products by fused multiplication.)

/// A number in two doubles, the second less than a digit of the first.
struct WideDouble {
    private var high = 0.0
    private var low = 0.0

    init() {}

    private init(_ high: Double, _ low: Double) {
        self.high = high + low
        self.low = low - (self.high - high)
    }

    /// The nearest double.
    var value: Double { high }

    /// Adds a number.
    @inline(__always)
    mutating func add(_ value: Double) {
        let sum = high + value
        let part = sum - high
        let error = (high - (sum - part)) + (value - part)
        self = WideDouble(sum, low + error)
    }

    /// Adds the square of a number, or takes it away.
    @inline(__always)
    mutating func addSquare(_ value: Double, sign: Double) {
        let square = value * value
        let rest = (-square).addingProduct(value, value)
        add(sign * square)
        add(sign * rest)
    }

    /// This less the square of `other` by `count`.
    func minusSquare(of other: WideDouble, by count: Double) -> WideDouble {
        let square = other.high * other.high
        let rest = (-square).addingProduct(other.high, other.high) + 2 * other.high * other.low
        let quotient = square / count
        let remainder = (square.addingProduct(-quotient, count) + rest) / count
        var result = self
        result.add(-quotient)
        result.add(-remainder)
        return result
    }
}
