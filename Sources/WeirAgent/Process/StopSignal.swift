// SIGTERM and SIGINT as a readable descriptor, so that the loop sees them at its own wait and nothing
// runs in a signal handler.

import CLinux
import Glibc
import WeirCore

/// The request to end the process.
public final class StopSignal {
    /// Readable once a stop was requested; for poll(2).
    public let fileDescriptor: Int32
    private var isReceived = false

    /// Blocks SIGTERM, SIGINT and SIGPIPE for this thread and all it starts, so it must be made first.
    public init() throws(Failure) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        fileDescriptor = signalfd(-1, &signals, Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC))
        guard fileDescriptor >= 0 else {
            throw Failure(
                .internalError, "creating", "a signal descriptor", String(cString: strerror(errno)))
        }
    }

    deinit { close(fileDescriptor) }

    /// Whether a stop was requested so far.
    public func isRequested() -> Bool {
        if isReceived { return true }
        var information = signalfd_siginfo()
        isReceived = read(fileDescriptor, &information, MemoryLayout<signalfd_siginfo>.size) > 0
        return isReceived
    }
}
