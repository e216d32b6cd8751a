// How a stop request reaches a transfer that is under way on another thread: the flag is raised by
// whoever shuts weir down, and libcurl's progress callback looks at it about once a second.

import Synchronization

/// A flag that is raised once and stays up; shared by the threads that raise it and those that obey.
public final class AbortFlag: Sendable {
    private let raised = Atomic<Bool>(false)

    public init() {}

    /// Asks all transfers that watch this flag to end within about a second.
    public func raise() { raised.store(true, ordering: .relaxed) }

    /// Whether it was raised.
    public var isRaised: Bool { raised.load(ordering: .relaxed) }
}
