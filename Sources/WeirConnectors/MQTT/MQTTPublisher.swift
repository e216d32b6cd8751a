// Publishes rows to a broker and knows which of them it has acknowledged. It runs on a sink's own thread,
// so it may wait: for a connection, for room in the window, for the last PUBACK.
//
// Always true: a message counts as sent only with its PUBACK (at QoS 0: when the socket has it), and
// `acknowledged` grows over messages in their order, without gaps. When a connection ends, whatever it had
// not acknowledged is forgotten here and must be published again, under the same ids. The session at the
// broker is a clean one: nothing of ours waits there.

import WeirCore

/// One sink's publisher; belongs to one thread.
public final class MQTTPublisher {
    /// A message that was published and is not settled.
    private struct Flight {
        let messageID: Int32
        let number: UInt64
        var isAcknowledged = false
    }

    /// A message that the broker, or MQTT itself, does not take.
    public struct Refusal {
        /// As it was published under.
        public let number: UInt64
        /// A sentence without the payload.
        public let reason: String
    }

    private let options: MQTTOptions
    private let publication: MQTTConnection.Publication
    private let clock: any MachineClock
    private let abort: AbortFlag
    private let stallMilliseconds: Int64
    private var connection: MQTTConnection?
    private var flights: [Flight] = []
    /// Flights before this one are settled.
    private var oldestFlight = 0
    private var refusal: (number: UInt64, code: Int)?
    private var lastProgressNanoseconds: Int64 = 0
    /// The number of the last message up to which all are acknowledged, of those published since `begin`.
    public private(set) var acknowledged: UInt64 = 0
    /// Messages that were refused for what they are, since `begin`, oldest first. Only when `skipsRefused`.
    public private(set) var refused: [Refusal] = []
    /// Whether a message that is refused for what it is counts as settled, instead of ending the try.
    private let skipsRefused: Bool

    /// - Parameters:
    ///   - quality: 0 or 1; at 0 nothing is ever acknowledged by the broker.
    ///   - stallMilliseconds: without an acknowledgement for so long, the connection is given up.
    ///   - abort: raised when weir stops; waiting then ends with a failure.
    public init(
        _ options: MQTTOptions, quality: Int, isRetained: Bool, skipsRefused: Bool = false,
        stallMilliseconds: Int64 = 60_000, clock: any MachineClock = SystemClock(),
        abort: AbortFlag = AbortFlag()
    ) {
        precondition((0...1).contains(quality), "QoS 0 or 1")
        self.options = options
        self.skipsRefused = skipsRefused
        publication = MQTTConnection.Publication(
            quality: Int32(quality), isRetained: isRetained,
            hasProperties: options.protocolVersion == .v5)
        self.stallMilliseconds = stallMilliseconds
        self.clock = clock
        self.abort = abort
    }

    /// Takes a clean leave of the broker, as far as that needs no waiting.
    deinit {
        guard let connection, connection.phase == .active else { return }
        connection.published = { _, _ in }
        connection.leave()
        connection.write()
    }

    /// Messages numbered from `number` on will follow, in order; all that were published before are settled.
    public func begin(at number: UInt64) {
        precondition(flights.count == oldestFlight, "a run begins when the last has ended")
        acknowledged = number - 1
        refused = []
    }

    /// Publishes one message; waits for a connection and for room in the window.
    ///
    /// Throws when the connection cannot be made or is lost, and when the broker refuses, which is of the
    /// domain `.configuration`: what is not `acknowledged` then has to be published again.
    public func publish(
        _ payload: UnsafeRawBufferPointer, to topic: String, id: String, number: UInt64
    ) throws(Failure) {
        let connection = try connected()
        while flights.count - oldestFlight >= options.sendMaximum { try turn(connection) }
        do {
            let messageID = try connection.publish(payload, to: topic, id: id, publication)
            if flights.count == oldestFlight { lastProgressNanoseconds = clock.monotonicNanoseconds() }
            flights.append(Flight(messageID: messageID, number: number))
        } catch {
            guard skipsRefused, error.isAboutTheMessage else {
                throw giveUp(
                    "\(id): \(error.reason)", error.isAboutTheMessage ? .configuration : .external)
            }
            try flush()
            acknowledged = number
            refused.append(Refusal(number: number, reason: error.reason))
        }
        // The library's queue is written in runs, so that small messages share segments and system calls.
        if flights.count % Self.writeRun == 0 { try turn(connection, mayWait: false) }
    }

    private static let writeRun = 32

    /// Waits until everything that was published is acknowledged.
    public func flush() throws(Failure) {
        guard flights.count > oldestFlight else { return }
        let connection = try connected()
        while flights.count > oldestFlight { try turn(connection) }
    }

    /// What has to be done while there is nothing to publish: connect, answer the keep-alive, notice that
    /// the broker has gone. Returns in how many ms it wants to be called again.
    public func tend() throws(Failure) -> Int64 {
        let connection = try connected()
        try turn(connection, mayWait: false)
        // Half of the keep-alive, and often enough to say within seconds that the broker is gone.
        return min(2000, Int64(options.keepAliveSeconds) * 500)
    }

    // MARK: Connecting

    private func connected() throws(Failure) -> MQTTConnection {
        if let connection {
            if case .closed(let reason) = connection.phase { throw giveUp(reason) }
            return connection
        }
        let made = try MQTTConnection.established(
            options, until: clock.monotonicNanoseconds() + options.connectTimeoutMilliseconds * 1_000_000,
            clock, abort)
        made.published = { [unowned self] messageID, reason in settle(messageID, Int(reason)) }
        lastProgressNanoseconds = clock.monotonicNanoseconds()
        connection = made
        return made
    }

    /// Ends the connection, and with it everything that is not acknowledged. A message that is refused is a
    /// failure of the domain `.configuration`: others may pass.
    private func giveUp(_ reason: String, _ domain: Failure.Domain = .external) -> Failure {
        connection = nil
        flights.removeAll(keepingCapacity: true)
        oldestFlight = 0
        refusal = nil
        // A refused message behind one that is not acknowledged will be published, and refused, again.
        refused.removeAll { $0.number > acknowledged }
        return Failure(
            domain, "publishing to", options.address.description, reason, retry: .backoff)
    }

    // MARK: Driving

    /// Writes what is queued, takes in acknowledgements, and if there was nothing to do waits a moment.
    private func turn(_ connection: MQTTConnection, mayWait: Bool = true) throws(Failure) {
        if abort.isRaised { throw giveUp("weir is stopping") }
        connection.write()
        let before = oldestFlight
        connection.read { true }
        if let refusal {
            let text = MQTTReason.refusedPublication(refusal.code) ?? ""
            throw giveUp("row \(refusal.number): \(text)", .configuration)
        }
        if case .closed(let reason) = connection.phase { throw giveUp(reason) }
        connection.keepAlive()
        if case .closed(let reason) = connection.phase { throw giveUp(reason) }
        let now = clock.monotonicNanoseconds()
        if oldestFlight > before {
            lastProgressNanoseconds = now
            compact()
        } else if flights.count > oldestFlight,
            now - lastProgressNanoseconds > stallMilliseconds * 1_000_000
        {
            throw giveUp("the broker has acknowledged nothing for \(stallMilliseconds / 1000) s")
        } else if mayWait {
            waitUntilReady(connection.socket, forWriting: connection.wantsWrite, milliseconds: 50)
        } else if connection.wantsWrite {
            connection.write()
        }
    }

    /// The broker's word on one message. Acknowledgements come in order from nearly every broker; where
    /// they do not, a later one waits for the earlier.
    private func settle(_ messageID: Int32, _ code: Int) {
        guard
            let index = flights[oldestFlight...].firstIndex(where: {
                $0.messageID == messageID && !$0.isAcknowledged
            })
        else { return }
        if let reason = MQTTReason.refusedPublication(code) {
            guard skipsRefused, MQTTReason.isAboutTheMessage(code) else {
                if refusal == nil { refusal = (flights[index].number, code) }
                return
            }
            refused.append(Refusal(number: flights[index].number, reason: reason))
        }
        flights[index].isAcknowledged = true
        while oldestFlight < flights.count, flights[oldestFlight].isAcknowledged {
            acknowledged = flights[oldestFlight].number
            oldestFlight += 1
        }
    }

    private func compact() {
        guard oldestFlight == flights.count || oldestFlight > 4096 else { return }
        flights.removeFirst(oldestFlight)
        oldestFlight = 0
    }
}
