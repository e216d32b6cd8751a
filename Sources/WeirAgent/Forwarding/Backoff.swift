// How long to wait between tries: twice as long each time up to a ceiling, with jitter, so that a
// fleet that lost its network together does not come back together.

import WeirCore

/// Exponential back-off with jitter ("equal jitter": between half and all of the step).
public struct Backoff: Sendable {
    /// The first wait, above 0.
    public let minimumMilliseconds: Int64
    /// The longest wait, not below the first.
    public let maximumMilliseconds: Int64
    private var step: Int64 = 0

    public init(minimumMilliseconds: Int64, maximumMilliseconds: Int64) {
        precondition(minimumMilliseconds > 0 && maximumMilliseconds >= minimumMilliseconds)
        self.minimumMilliseconds = minimumMilliseconds
        self.maximumMilliseconds = maximumMilliseconds
    }

    /// The wait after one more failure, ms; at least what the other side asked for.
    public mutating func next(
        after retry: Failure.Retry, using random: inout some RandomNumberGenerator
    ) -> Int64 {
        step = step == 0 ? minimumMilliseconds : min(maximumMilliseconds, step * 2)
        let jittered = step / 2 + Int64.random(in: 0...(step - step / 2), using: &random)
        if case .after(let milliseconds) = retry { return max(jittered, milliseconds) }
        return jittered
    }

    /// Forgets failures, after a success.
    public mutating func reset() { step = 0 }
}
