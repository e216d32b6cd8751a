// Named places at which a test can kill the process, on both sides of every step that matters for
// exactly-once (docs/delivery.md), or stop it, so that the test can change the world around it before it
// goes on (fill the disk, say). Without WEIR_CRASH_POINT in the environment each is one comparison.

#if canImport(Glibc)
import Glibc
#endif

/// Where and when a crash test wants the process to die, or to stand still.
public struct CrashPoint: Sendable {
    private let name: String?
    private let countdown: Countdown?
    private let signal: Int32

    /// Never crashes.
    public static let none = CrashPoint(nil)

    /// `specification` is `name` or `name:n`: die by SIGKILL at the n-th passing (default: the first).
    /// `stop@name` stops all threads there by SIGSTOP, until somebody sends SIGCONT.
    public init(_ specification: String?) {
        guard let specification, !specification.isEmpty else {
            name = nil
            countdown = nil
            signal = SIGKILL
            return
        }
        let stops = specification.hasPrefix("stop@")
        signal = stops ? SIGSTOP : SIGKILL
        let parts = specification.dropFirst(stops ? 5 : 0).split(separator: ":")
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
        kill(getpid(), signal)
        if signal == SIGSTOP { return }
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
