// What systemd wants to hear from a service of Type=notify: that it is ready, what it is doing, that it
// stops, and, from the loop itself, that it is alive. The protocol is a datagram of NAME=value lines to
// the socket named in NOTIFY_SOCKET (sd_notify(3)); without that variable all of this does nothing.

import Glibc

/// The connection to the service manager.
public final class ServiceManager {
    private let socketPath: String?
    /// Half of WatchdogSec, in nanoseconds; nil when no watchdog is set.
    public let watchdogIntervalNanoseconds: Int64?
    private var lastBeatNanoseconds: Int64 = .min
    private var lastStatus = ""

    public init(environment: [String: String]) {
        socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let isForUs = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
        if isForUs, let microseconds = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), microseconds > 0 {
            watchdogIntervalNanoseconds = microseconds * 1000 / 2
        } else {
            watchdogIntervalNanoseconds = nil
        }
    }

    public func ready() { send("READY=1\n") }

    public func stopping() { send("STOPPING=1\n") }

    /// One line for `systemctl status`; sent when it changes.
    public func status(_ line: String) {
        guard line != lastStatus else { return }
        lastStatus = line
        send("STATUS=\(line)\n")
    }

    /// Called by the loop on every turn: a loop that hangs stops calling, and systemd restarts it.
    public func beat(now nanoseconds: Int64) {
        guard let interval = watchdogIntervalNanoseconds else { return }
        guard lastBeatNanoseconds == .min || nanoseconds - lastBeatNanoseconds >= interval / 2 else { return }
        lastBeatNanoseconds = nanoseconds
        send("WATCHDOG=1\n")
    }

    private func send(_ message: String) {
        guard let socketPath else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array(socketPath.utf8)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { room in
            room.copyBytes(from: path)
            // An abstract socket is written with @ and addressed with a leading NUL.
            if path.first == UInt8(ascii: "@") { room[0] = 0 }
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let bytes = Array(message.utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
