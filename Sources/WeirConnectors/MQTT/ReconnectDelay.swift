// How long to wait before the next attempt to connect: doubling, with jitter, so that a thousand
// gateways do not come back to a restarted broker in the same second.

/// An exponential back-off between `minimum` and `maximum` milliseconds.
struct ReconnectDelay {
    let minimumMilliseconds: Int64
    let maximumMilliseconds: Int64
    /// Attempts that failed since the last success.
    private(set) var failures = 0

    init(minimumMilliseconds: Int64, maximumMilliseconds: Int64) {
        precondition(
            0 < minimumMilliseconds && minimumMilliseconds <= maximumMilliseconds, "a back-off has bounds")
        self.minimumMilliseconds = minimumMilliseconds
        self.maximumMilliseconds = maximumMilliseconds
    }

    /// The next delay: between half and the whole of minimum × 2ⁿ, at most the maximum.
    mutating func next(using random: inout any RandomNumberGenerator) -> Int64 {
        let doubled = minimumMilliseconds << min(Int64(failures), 30)
        let whole = min(max(doubled, minimumMilliseconds), maximumMilliseconds)
        failures += 1
        return whole - Int64.random(in: 0...(whole / 2), using: &random)
    }

    /// The connection has held: start again at the minimum.
    mutating func reset() { failures = 0 }
}
