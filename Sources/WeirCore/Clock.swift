// The machine's time as a parameter, so that tests and the simulation decide what time it is.

#if canImport(Glibc)
import Glibc
#endif

/// A source of wall-clock and monotonic time.
public protocol MachineClock: Sendable {
    /// Milliseconds since the Unix epoch.
    func nowMilliseconds() -> Int64
    /// Nanoseconds since some fixed moment; never falls.
    func monotonicNanoseconds() -> Int64
}

/// The operating system's clocks.
public struct SystemClock: MachineClock {
    public init() {}

    public func nowMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    public func monotonicNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
