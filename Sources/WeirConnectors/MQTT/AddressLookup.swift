// A host name's addresses, asked for on a thread of its own, because getaddrinfo blocks for seconds
// when the network is down, and that is when an edge device reconnects. The loop asks for the answer
// when it comes by. A lookup that nobody waits for any more ends by itself.

import Glibc
import Synchronization

/// One lookup in progress or done.
final class AddressLookup: Sendable {
    enum Answer: Sendable, Equatable {
        /// Numeric addresses in the order of preference, at least one.
        case addresses([String])
        /// Why there are none.
        case failed(String)
    }

    private let host: String
    private let result = Mutex<Answer?>(nil)

    /// The answer, once it is there.
    var answer: Answer? { result.withLock { $0 } }

    /// Begins the lookup; a numeric address is its own answer at once.
    init(host: String) {
        self.host = host
        if Self.isNumeric(host) {
            result.withLock { $0 = .addresses([host]) }
            return
        }
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let retained = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                let lookup = Unmanaged<AddressLookup>.fromOpaque(context).takeRetainedValue()
                let answer = AddressLookup.resolve(lookup.host)
                lookup.result.withLock { $0 = answer }
                return nil
            }, retained.toOpaque())
        pthread_attr_destroy(&attributes)
        if code != 0 {
            retained.release()
            let reason = "no thread for the lookup: \(MQTTReason.system(code))"
            result.withLock { $0 = .failed(reason) }
        }
    }

    static func isNumeric(_ host: String) -> Bool {
        var bytes = in6_addr()
        return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1
    }

    private static func resolve(_ host: String) -> Answer {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else {
            return .failed("the name \(host) was not found: \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(list) }
        var found: [String] = []
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var entry = list
        while let current = entry?.pointee {
            let named = getnameinfo(
                current.ai_addr, current.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            if named == 0 {
                let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                let address = String(decoding: bytes, as: UTF8.self)
                if !found.contains(address) { found.append(address) }
            }
            entry = current.ai_next
        }
        return found.isEmpty ? .failed("the name \(host) has no address") : .addresses(found)
    }
}
