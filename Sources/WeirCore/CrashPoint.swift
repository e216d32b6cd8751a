// Named places at which a test can kill the process, on both sides of every step that matters for
// exactly-once (docs/delivery.md). Without WEIR_CRASH_POINT in the environment each is one comparison.

#if canImport(Glibc)
import Glibc
#endif

/// Where and when a crash test wants the process to die.
public struct CrashPoint: Sendable {
    private let name: String?
    private let countdown: Countdown?

    /// Never crashes.
    public static let none = CrashPoint(nil)

    /// `specification` is `name` or `name:n`: die by SIGKILL at the n-th passing (default: the first).
    public init(_ specification: String?) {
        guard let specification, !specification.isEmpty else {
            name = nil
            countdown = nil
            return
        }
        let parts = specification.split(separator: ":")
        name = parts.first.map(String.init)
        countdown = Countdown(parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
    }

    /// Dies here, as by `kill -9`, if this is the place and the time.
    @inline(__always)
    public func pass(_ place: StaticString) {
        if name != nil { dieIfMeant(place) }
    }

    private func dieIfMeant(_ place: StaticString) {
        guard let name, let countdown, name == place.description, countdown.reachesZero() else { return }
        kill(getpid(), SIGKILL)
        // SIGKILL needs a moment to be delivered; nothing more may happen meanwhile.
        while true { pause() }
    }

    /// Counts down once a passing. The loop and the forwarders pass different places by name, and only
    /// the named place counts, so one thread at a time touches it; a lost count would only shift a test.
    private final class Countdown: @unchecked Sendable {
        private var left: Int
        init(_ count: Int) { left = count }
        func reachesZero() -> Bool {
            left -= 1
            return left == 0
        }
    }
}
