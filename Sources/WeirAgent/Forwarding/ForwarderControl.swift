// What the loop may ask of a forwarder, across threads: look again, finish everything, stop.

import Synchronization
import WeirCore

/// The loop's hand on one forwarder.
final class ForwarderControl: Sendable {
    /// What the forwarder should be doing.
    enum Mode: UInt8, AtomicRepresentable {
        /// Seal by the schedule, upload, wait.
        case scheduled
        /// Seal everything now, and end when nothing waits (a replay's end).
        case draining
        /// End after the object under way.
        case stopping
    }

    private let wakeUp: WakeUp
    private let requested = Atomic<Mode>(.scheduled)
    private let isRetryRequested = Atomic<Bool>(false)

    init() throws(Failure) { wakeUp = try WakeUp() }

    var mode: Mode { requested.load(ordering: .acquiring) }

    /// Changes the mode; stopping is final.
    func request(_ mode: Mode) {
        if self.mode != .stopping { requested.store(mode, ordering: .releasing) }
        wakeUp.signal()
    }

    /// A pause after a failure ends now.
    func requestRetry() {
        isRetryRequested.store(true, ordering: .releasing)
        wakeUp.signal()
    }

    /// Whether there was such a request since the last call.
    func takeRetry() -> Bool { isRetryRequested.exchange(false, ordering: .acquiringAndReleasing) }

    /// There may be more to seal.
    func notify() { wakeUp.signal() }

    /// Waits for a request or a notice, at most `milliseconds`.
    func wait(milliseconds: Int64) { wakeUp.wait(milliseconds: Int(clamping: milliseconds)) }
}
