// Connecting for those who may wait: a publisher on its sink's thread, and `weir check --connect`. All
// addresses of the broker are tried, one after the other, with one deadline for all.

import WeirCore

extension MQTTConnection {
    /// A connection that the broker has accepted, in a session of its own that ends with it.
    ///
    /// Throws why there is none: the last address's reason.
    static func established(
        _ options: MQTTOptions, until deadline: Int64, _ clock: any MachineClock, _ abort: AbortFlag
    ) throws(Failure) -> MQTTConnection {
        var reason = "no answer within \(options.connectTimeoutMilliseconds / 1000) s"
        let lookup = AddressLookup(host: options.address.host)
        while lookup.answer == nil, clock.monotonicNanoseconds() < deadline, !abort.isRaised {
            waitUntilReady(-1, forWriting: false, milliseconds: 10)
        }
        var addresses: [String] = []
        switch lookup.answer {
        case nil: break
        case .failed(let why): reason = why
        case .addresses(let found): addresses = found
        }
        for address in addresses {
            let connection = try MQTTConnection(options, address: address, inbox: nil, isCleanStart: true)
            while clock.monotonicNanoseconds() < deadline, !abort.isRaised {
                connection.greet()
                if connection.phase == .active { return connection }
                if connection.isClosed { break }
                waitUntilReady(
                    connection.socket, forWriting: connection.phase == .opening || connection.wantsWrite,
                    milliseconds: 50)
            }
            if case .closed(let why) = connection.phase { reason = why }
        }
        throw Failure(
            .external, "connecting to", options.address.description,
            abort.isRaised ? "weir is stopping" : reason, retry: .backoff)
    }
}

extension MQTTPublisher {
    /// Whether the broker lets a publisher with these options in. Throws why not. It does so as a client of
    /// another name, so that a running agent is not disturbed.
    public static func checkAccess(
        _ options: MQTTOptions, quality: Int, isRetained: Bool, clock: any MachineClock = SystemClock()
    ) throws(Failure) {
        var options = options
        options.clientID += "-check"
        let publisher = MQTTPublisher(options, quality: quality, isRetained: isRetained, clock: clock)
        _ = try publisher.tend()
    }
}
