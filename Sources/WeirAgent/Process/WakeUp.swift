// A way for one thread to end another's wait: an eventfd, which can stand beside sockets in poll(2).

import CLinux
import Glibc
import WeirCore

/// Wakes a waiting thread; any thread may signal, one thread waits.
///
/// Sendable because the descriptor never changes and the kernel orders reads and writes of an eventfd.
public final class WakeUp: Sendable {
    /// Readable when signalled; for poll(2).
    public let fileDescriptor: Int32

    /// Throws when the process is out of file descriptors.
    public init() throws(Failure) {
        fileDescriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard fileDescriptor >= 0 else {
            throw Failure(
                .internalError, "creating", "an event descriptor", String(cString: strerror(errno)))
        }
    }

    deinit { close(fileDescriptor) }

    /// Ends the current or the next wait.
    public func signal() {
        var one: UInt64 = 1
        write(fileDescriptor, &one, 8)
    }

    /// Forgets signals so far.
    public func clear() {
        var count: UInt64 = 0
        read(fileDescriptor, &count, 8)
    }

    /// Waits for a signal for at most `milliseconds`, and forgets it.
    public func wait(milliseconds: Int) {
        var entry = pollfd(fd: fileDescriptor, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, Int32(clamping: max(0, milliseconds)))
        clear()
    }
}
