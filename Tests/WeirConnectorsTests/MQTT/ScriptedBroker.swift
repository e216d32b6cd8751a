// A broker that says what a test wants: for the answers that mosquitto gives only under settings that
// are hard to come by, and for brokers that say nothing at all.

import Glibc
import Synchronization

/// Answers CONNECT and SUBSCRIBE as scripted, one client at a time, until it is let go of.
final class ScriptedBroker: Sendable {
    struct Script: Sendable {
        /// The bytes answered to a CONNECT; empty for silence, nil to close the connection.
        var connect: [UInt8]? = [0x20, 3, 0, 0, 0]
        /// The reason code for each filter of a SUBSCRIBE.
        var subscribe: UInt8 = 1
        /// Sent after the SUBACK.
        var afterwards: [UInt8] = []
        /// Whether it reads on after the SUBSCRIBE; if not, what is written to it gets stuck.
        var readsOn = true
        /// Whether PINGREQs are answered.
        var answersPings = true
    }

    let port: Int
    private let script: Script
    private let listener: Int32
    private let release = Release()
    /// The first bytes of all packets received.
    private let kinds = Mutex<[UInt8]>([])

    var receivedPackets: [UInt8] { kinds.withLock { $0 } }
    func count(of kind: UInt8) -> Int { receivedPackets.count { $0 == kind } }

    init(_ script: Script = Script()) {
        self.script = script
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = descriptor
        let port = freePort()
        self.port = port
        _ = withLoopbackAddress(port) { bind(descriptor, $0, $1) }
        var window: Int32 = 4096
        let size = socklen_t(MemoryLayout<Int32>.size)
        if !script.readsOn { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &window, size) }
        listen(descriptor, 8)
        runThread { [weak self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0, let broker = self else { return }
                broker.serve(client)
                close(client)
            }
        }
    }

    /// Holds a client that is not read from, until the test is over.
    private final class Release: Sendable {
        private let isOver = Mutex(false)
        func wait() { while !isOver.withLock({ $0 }) { usleep(5000) } }
        func end() { isOver.withLock { $0 = true } }
    }

    /// Lets the client go that is not read from.
    func end() { release.end() }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func serve(_ client: Int32) {
        while let packet = readPacket(client) {
            kinds.withLock { $0.append(packet.kind) }
            switch packet.kind & 0xF0 {
            case 0x10:
                guard let answer = script.connect else { return }
                send(client, answer)
            case 0x80:
                // SUBACK: packet id, no properties, one code.
                send(client, [0x90, 4, packet.body[0], packet.body[1], 0, script.subscribe] + script.afterwards)
                if !script.readsOn { return release.wait() }
            case 0xC0 where script.answersPings:
                send(client, [0xD0, 0])
            default: break
            }
        }
    }

    private func send(_ client: Int32, _ bytes: [UInt8]) {
        _ = Glibc.send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    private func readPacket(_ client: Int32) -> (kind: UInt8, body: [UInt8])? {
        guard let kind = read(client, 1)?.first else { return nil }
        var length = 0
        var shift = 0
        while true {
            guard let byte = read(client, 1)?.first else { return nil }
            length |= Int(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 { break }
        }
        return read(client, length).map { (kind, $0) }
    }

    private func read(_ client: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                recv(client, $0.baseAddress.map { $0 + filled }, count - filled, 0)
            }
            if got <= 0 { return nil }
            filled += got
        }
        return bytes
    }
}
