// What the session at the broker is subscribed to. It is part of the saved position, so that a restart
// knows whether the broker's session still fits the configuration: a filter that was removed from it
// has to be unsubscribed, and one that is there already is not asked for again, because that makes some
// brokers send all retained messages anew.

import WeirCore

/// The topic filters wanted, and those that the broker has granted to the session.
struct MQTTSubscription {
    private static let key: [UInt8] = [UInt8(ascii: "s")]
    private static let formatVersion: UInt8 = 1
    /// How long after a refusal the broker is asked again; its operator may have changed his mind.
    private static let retryNanoseconds: Int64 = 60_000_000_000

    private let clientID: String
    private let topics: [String]
    /// Granted to the session, as far as is known.
    private var granted: [String] = []
    private var isSaved = false
    private var isRefused = false
    private var retryAtNanoseconds: Int64?

    init(clientID: String, topics: [String]) {
        self.clientID = clientID
        self.topics = topics
    }

    /// Asks for what the session lacks. The request is only queued.
    mutating func request(on connection: MQTTConnection) {
        guard Set(granted) != Set(topics) else { return }
        let superfluous = granted.filter { !topics.contains($0) }
        if !superfluous.isEmpty { connection.unsubscribe(superfluous) }
        connection.subscribe(topics)
    }

    /// Asks again for what was refused, when it is time.
    mutating func retry(on connection: MQTTConnection, nowNanoseconds: Int64) {
        guard isRefused else { return }
        guard let at = retryAtNanoseconds else {
            retryAtNanoseconds = nowNanoseconds + Self.retryNanoseconds
            return
        }
        if nowNanoseconds >= at {
            retryAtNanoseconds = nil
            isRefused = false
            connection.subscribe(topics)
        }
    }

    /// Takes the broker's answer; returns a sentence about what it refused, or nil.
    mutating func answered(_ codes: [Int]) -> String? {
        var refusals: [String] = []
        var accepted: [String] = []
        for (topic, code) in zip(topics, codes) {
            if let reason = MQTTReason.refusedSubscription(code) {
                refusals.append("the broker refuses the subscription to \(topic): \(reason)")
            } else {
                accepted.append(topic)
            }
        }
        isRefused = !refusals.isEmpty
        if granted != accepted {
            granted = accepted
            isSaved = false
        }
        return isRefused ? refusals.joined(separator: "; ") : nil
    }

    /// The broker has no session. True: it had one that we knew of.
    mutating func sessionIsLost() -> Bool {
        defer {
            if !granted.isEmpty { isSaved = false }
            granted = []
        }
        return !granted.isEmpty
    }

    // MARK: Saving

    /// Whether a saved pair is the subscription's, of a format that is known.
    static func owns(_ pair: (key: [UInt8], value: [UInt8])) -> Bool {
        pair.key == key && pair.value.first == formatVersion
    }

    /// Writes the client id and the granted filters, if they changed.
    mutating func save(_ put: (_ key: [UInt8], _ value: [UInt8]) -> Void) {
        guard !isSaved else { return }
        isSaved = true
        var value = [Self.formatVersion]
        for text in [clientID] + granted {
            let bytes = Array(text.utf8)
            value += [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
        }
        put(Self.key, value)
    }

    /// Takes back what was saved. False: it belongs to another client id's session.
    mutating func restore(_ position: [(key: [UInt8], value: [UInt8])]) -> Bool {
        guard let value = position.last(where: { $0.key == Self.key })?.value else { return true }
        var texts: [String] = []
        var rest = value.dropFirst()
        while rest.count >= 2 {
            let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            let bytes = rest.dropFirst(2).prefix(length)
            texts.append(String(decoding: bytes, as: UTF8.self))
            rest = rest.dropFirst(2 + bytes.count)
        }
        guard texts.first == clientID else { return false }
        granted = Array(texts.dropFirst())
        isSaved = true
        return true
    }
}
