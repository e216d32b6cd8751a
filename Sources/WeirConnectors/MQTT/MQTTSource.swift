// The MQTT source: a persistent session at a broker, read by the loop and acknowledged after its
// commits. It goes through idle → looking up → connected and back, on its own, and never waits: each
// poll does what can be done at once.
//
// What makes it lose nothing: libmosquitto queues a PUBACK before it hands a message over, and this
// queue is written only when everything handed over is committed (`MQTTInbox.mayWrite`). A SUBSCRIBE
// goes through the same queue and waits for the commit too; a PINGREQ goes around it when commits do
// not come or the intake is paused. While a write is unfinished, nothing is read, for the PUBACK of
// what is read would be queued right behind the committed ones.
//
// What makes it double nothing: RedeliveryFilter, saved in the same commit.

import WeirCore

/// Messages of a broker's topics.
public final class MQTTSource: Source {
    private enum Phase {
        case stopped
        /// Waiting until a moment of the monotonic clock for the next attempt.
        case idle(untilNanoseconds: Int64)
        case lookingUp(AddressLookup)
        case connected(MQTTConnection, sinceNanoseconds: Int64)
    }

    public let name: String
    private let options: MQTTOptions
    private let clock: any MachineClock
    private var random: any RandomNumberGenerator
    private let inbox: MQTTInbox
    private var phase = Phase.stopped
    private var delay: ReconnectDelay
    /// Addresses of the broker that this round of attempts has still to try.
    private var addressesLeft: [String] = []
    private var subscription: MQTTSubscription
    private var state = "not started"
    /// What to say while connected, apart from refused subscriptions.
    private var connectedState = ""
    private var lostConnectionCount: UInt64 = 0
    /// Connections in a row that were taken away at once.
    private var shortConnectionCount = 0
    /// The last poll found no room: the loop has paused the intake.
    private var isPaused = false
    private var nextPingNanoseconds: Int64 = 0
    private var pingIntervalNanoseconds: Int64 = 0

    /// `random` is for the jitter of reconnects.
    public init(
        _ options: MQTTOptions, clock: any MachineClock = SystemClock(),
        random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        precondition(
            MQTTOptions.receiveMaximumBounds.contains(options.receiveMaximum), "receiveMaximum out of bounds")
        name = options.name
        self.options = options
        self.clock = clock
        self.random = random
        inbox = MQTTInbox(
            filter: RedeliveryFilter(receiveMaximum: options.receiveMaximum), clock: clock,
            payloadBytesMax: options.payloadBytesMax)
        delay = ReconnectDelay(
            minimumMilliseconds: options.reconnectMinimumMilliseconds,
            maximumMilliseconds: options.reconnectMaximumMilliseconds)
        subscription = MQTTSubscription(clientID: options.clientID, topics: options.topics)
    }

    public var unacknowledgedMax: Int { options.receiveMaximum }

    public var report: SourceReport {
        var report = SourceReport()
        if case .connected(let connection, _) = phase { report.isConnected = connection.phase == .active }
        report.state = state
        report.messages = inbox.messageCount
        report.bytes = inbox.byteCount
        report.duplicates = inbox.duplicateCount
        report.reconnects = lostConnectionCount
        report.unacknowledged = inbox.uncommittedCount
        return report
    }

    // MARK: Position

    public func restore(position: [(key: [UInt8], value: [UInt8])]) throws(Failure) {
        for pair in position where !inbox.filter.restore(key: pair.key, value: pair.value) {
            guard MQTTSubscription.owns(pair) else {
                throw Failure(
                    .state, "restoring the position of", "source \(name)", "an entry is not of a known format",
                    advice: "was the state directory written by a newer weir?")
            }
        }
        // Packet ids mean something only within one session, which the client id names.
        if !subscription.restore(position) { inbox.filter.clear() }
    }

    public func savePosition(_ put: (_ key: [UInt8], _ value: [UInt8]) -> Void) {
        subscription.save(put)
        inbox.filter.save(put)
    }

    // MARK: Life

    public func start() throws(Failure) {
        // Certificates are loaded again by each connection; a file that is wrong from the start is told now.
        if options.address.usesTLS { _ = try MQTTTLSContext(options) }
        beginAttempt()
    }

    public func stop() {
        defer { phase = .stopped }
        guard case .connected(let connection, _) = phase, connection.phase == .active else { return }
        state = "stopped"
        // Messages that were not committed must not be acknowledged: then the connection just breaks off.
        guard inbox.mayWrite else { return }
        connection.leave()
        let deadline = clock.monotonicNanoseconds() + 1_000_000_000
        connection.write()
        while connection.wantsWrite, !connection.isClosed {
            let left = (deadline - clock.monotonicNanoseconds()) / 1_000_000
            if left <= 0 { return }
            waitUntilReady(connection.socket, forWriting: true, milliseconds: Int32(left))
            connection.write()
        }
    }

    private func beginAttempt() {
        state = "connecting to \(options.address)"
        if addressesLeft.isEmpty {
            phase = .lookingUp(AddressLookup(host: options.address.host))
        } else {
            connect(to: addressesLeft.removeFirst())
        }
    }

    private func connect(to address: String) {
        do {
            let connection = try MQTTConnection(options, address: address, inbox: inbox)
            connection.accepted = { [unowned self, unowned connection] acceptance in
                brokerAccepted(acceptance, connection)
            }
            phase = .connected(connection, sinceNanoseconds: clock.monotonicNanoseconds())
        } catch {
            retryLater(error.reason)
        }
    }

    /// The session's state decides what comes next; called before any of its messages is read.
    private func brokerAccepted(_ acceptance: MQTTConnection.Acceptance, _ connection: MQTTConnection) {
        var notes = [acceptance.sessionPresent ? "session present" : "new session"]
        if acceptance.sessionPresent {
            inbox.filter.beginReplay()
        } else {
            if subscription.sessionIsLost() {
                notes = ["the broker has lost the session and the messages that waited in it"]
            }
            inbox.filter.clear()
        }
        if let expiry = acceptance.sessionExpirySeconds, expiry < options.sessionExpirySeconds {
            notes.append("the broker keeps the session for only \(expiry) s")
        }
        if acceptance.maximumQoS == 0 {
            notes.append("the broker knows no QoS 1: messages can be lost")
        }
        subscription.request(on: connection)
        connectedState = "connected to \(options.address), \(notes.joined(separator: ", "))"
        state = connectedState
        pingIntervalNanoseconds =
            Int64(acceptance.keepAliveSeconds.map(Int.init) ?? options.keepAliveSeconds) * 500_000_000
        nextPingNanoseconds = clock.monotonicNanoseconds() + pingIntervalNanoseconds
    }

    /// The connection, or the attempt, has failed.
    private func connectionEnded(_ connection: MQTTConnection, since: Int64, _ reason: String) {
        let now = clock.monotonicNanoseconds()
        var reason = reason
        if connection.acceptance != nil {
            lostConnectionCount += 1
            // A connection that is taken away at once, by a second client of the same id say, is a failure.
            let wasShort = now - since <= 10_000_000_000
            shortConnectionCount = wasShort ? shortConnectionCount + 1 : 0
            if !wasShort { delay.reset() }
            if shortConnectionCount > 1, reason == MQTTReason.closedConnection {
                reason += " again; is there another client with the client id \(options.clientID)?"
            }
            addressesLeft = []
        } else if let next = addressesLeft.first {
            addressesLeft.removeFirst()
            return connect(to: next)
        }
        retryLater(reason)
    }

    private func retryLater(_ reason: String) {
        addressesLeft = []
        let milliseconds = delay.next(using: &random)
        let seconds = (milliseconds + 999) / 1000
        state = "not connected to \(options.address): \(reason); next attempt in \(seconds) s"
        phase = .idle(untilNanoseconds: clock.monotonicNanoseconds() + milliseconds * 1_000_000)
    }

    // MARK: Polling

    public func poll(into messages: MessageBatch) throws(Failure) -> PollResult {
        inbox.batch = messages
        defer { inbox.batch = nil }
        switch phase {
        case .stopped:
            return .dry
        case .idle(let until):
            if clock.monotonicNanoseconds() >= until { beginAttempt() }
            return .dry
        case .lookingUp(let lookup):
            switch lookup.answer {
            case nil: break
            case .failed(let reason): retryLater(reason)
            case .addresses(let found):
                addressesLeft = Array(found.dropFirst())
                connect(to: found[0])
            }
            return .dry
        case .connected(let connection, let since):
            let result = drive(connection, since: since, into: messages)
            if case .closed(let reason) = connection.phase {
                connectionEnded(connection, since: since, reason)
            }
            return result
        }
    }

    /// What one poll does on a connection.
    private func drive(
        _ connection: MQTTConnection, since: Int64, into messages: MessageBatch
    ) -> PollResult {
        if connection.phase != .active {
            connection.greet()
            guard connection.phase == .active else {
                if clock.monotonicNanoseconds() - since > options.connectTimeoutMilliseconds * 1_000_000 {
                    connection.close("no answer within \(options.connectTimeoutMilliseconds / 1000) s")
                }
                return .dry
            }
        }
        if inbox.mayWrite {
            connection.write()
            if connection.wantsWrite { return .dry }
        }
        isPaused = messages.isFull
        if isPaused {
            pingAroundTheQueue(connection)
            return .dry
        }
        // A quarter of the window a poll: the loop commits at half of it, while the broker goes on sending.
        var readsLeft = min(messages.messagesMax, (options.receiveMaximum + 3) / 4)
        let isDry = connection.read {
            readsLeft -= 1
            let isWindowOpen = self.inbox.uncommittedCount < self.options.receiveMaximum
            return readsLeft >= 0 && !messages.isFull && isWindowOpen
        }
        if let reply = connection.takeSubscriptionReply() {
            let refusal = subscription.answered(reply, nowNanoseconds: clock.monotonicNanoseconds())
            state = refusal.map { "\(connectedState), but \($0)" } ?? connectedState
        }
        if isDry, !connection.isClosed {
            subscription.retry(on: connection, nowNanoseconds: clock.monotonicNanoseconds())
            if inbox.mayWrite { connection.keepAlive() } else { pingAroundTheQueue(connection) }
        }
        if inbox.mayWrite { connection.write() }
        return isDry ? .dry : .more
    }

    /// Lets the broker hear from us when the library cannot: its own PINGREQ would wait in the queue
    /// behind PUBACKs that are not committed, and while the intake is paused it would miss the PINGRESP.
    private func pingAroundTheQueue(_ connection: MQTTConnection) {
        let now = clock.monotonicNanoseconds()
        guard now >= nextPingNanoseconds else { return }
        connection.ping()
        nextPingNanoseconds = now + pingIntervalNanoseconds
    }

    public func acknowledge() throws(Failure) {
        inbox.committed()
        if case .connected(let connection, _) = phase, connection.phase == .active { connection.write() }
    }

    public func waitRequest() -> WaitRequest {
        let now = clock.monotonicNanoseconds()
        switch phase {
        case .stopped:
            return WaitRequest(timeoutMilliseconds: 1000)
        case .idle(let until):
            return WaitRequest(timeoutMilliseconds: Int(min(1000, max(0, until - now) / 1_000_000 + 1)))
        case .lookingUp:
            return WaitRequest(timeoutMilliseconds: 20)
        case .connected(let connection, _):
            switch connection.phase {
            case .closed:
                return WaitRequest(timeoutMilliseconds: 0)
            case .opening:
                return WaitRequest(
                    fileDescriptor: connection.socket, wantsWrite: true, timeoutMilliseconds: 250)
            case .greeting:
                return WaitRequest(
                    fileDescriptor: connection.socket, wantsWrite: connection.wantsWrite,
                    timeoutMilliseconds: 250)
            case .active:
                // Nothing is read while paused or while a write is stuck: waiting for input would spin.
                if isPaused { return WaitRequest(timeoutMilliseconds: 250) }
                if inbox.mayWrite, connection.wantsWrite { return WaitRequest(timeoutMilliseconds: 5) }
                return WaitRequest(fileDescriptor: connection.socket, timeoutMilliseconds: 1000)
            }
        }
    }
}
