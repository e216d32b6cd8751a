// Waiting for a socket, for the two places that may: leaving at the end, and `weir check --connect`.

import Glibc

/// Waits until a socket is ready, at most so long.
func waitUntilReady(_ socket: Int32, forWriting: Bool, milliseconds: Int32) {
    var request = pollfd(fd: socket, events: Int16(POLLIN | (forWriting ? POLLOUT : 0)), revents: 0)
    poll(&request, 1, max(0, milliseconds))
}
