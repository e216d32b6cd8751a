// `weir check --connect` for a broker: connects, asks for the topics, leaves, and says what was
// refused. It does so as a client of its own, with a session that ends at once, so that a running
// agent with the same configuration is not disturbed.

import WeirCore

extension MQTTSource {
    /// Whether the broker lets a client with these options in and lets it read the topics. Waits for its
    /// answers, at most `connectTimeoutMilliseconds`. Throws what was refused.
    public static func checkAccess(
        _ options: MQTTOptions, clock: any MachineClock = SystemClock()
    ) throws(Failure) {
        var options = options
        options.clientID += "-check"
        let deadline = clock.monotonicNanoseconds() + options.connectTimeoutMilliseconds * 1_000_000
        var reason = "no answer within \(options.connectTimeoutMilliseconds / 1000) s"
        let lookup = AddressLookup(host: options.address.host)
        while lookup.answer == nil, clock.monotonicNanoseconds() < deadline {
            waitUntilReady(-1, forWriting: false, milliseconds: 10)
        }
        switch lookup.answer {
        case nil: break
        case .failed(let why): reason = why
        case .addresses(let addresses):
            for address in addresses {
                guard let why = try refusal(options, address, until: deadline, clock) else { return }
                reason = why
            }
        }
        throw Failure(.external, "connecting to", options.address.description, reason, retry: .backoff)
    }

    /// Tries one address; nil when all was granted.
    private static func refusal(
        _ options: MQTTOptions, _ address: String, until deadline: Int64, _ clock: any MachineClock
    ) throws(Failure) -> String? {
        let inbox = MQTTInbox(filter: RedeliveryFilter(receiveMaximum: options.receiveMaximum), clock: clock)
        let connection = try MQTTConnection(options, address: address, inbox: inbox, isCleanStart: true)
        // A shared subscription would take messages away from the group: its topics are asked for instead.
        let topics = options.topics.map(Self.withoutShareGroup)
        var subscription = MQTTSubscription(clientID: options.clientID, topics: topics)
        connection.accepted = { [unowned connection] _ in
            connection.subscribe(topics, retained: MQTTConnection.retainedNever)
        }
        while clock.monotonicNanoseconds() < deadline {
            inbox.batch = MessageBatch(messagesMax: 64, bytesMax: 64 << 10)
            connection.greet()
            if connection.phase == .active {
                connection.write()
                connection.read { inbox.batch?.isFull == false }
            }
            if case .closed(let reason) = connection.phase { return reason }
            if let reply = connection.takeSubscriptionReply() {
                connection.leave()
                connection.write()
                return subscription.answered(reply, nowNanoseconds: clock.monotonicNanoseconds())
            }
            waitUntilReady(connection.socket, forWriting: connection.phase == .opening, milliseconds: 50)
        }
        return "no answer within \(options.connectTimeoutMilliseconds / 1000) s"
    }

    private static func withoutShareGroup(_ filter: String) -> String {
        guard filter.hasPrefix("$share/") else { return filter }
        return String(filter.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).last ?? "")
    }
}
