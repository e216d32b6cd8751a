// What the session at the broker is subscribed to. It is part of the saved position, so that a restart
// knows whether the broker's session still fits the configuration: a filter that was removed from it
// has to be unsubscribed, and one that is there already is not asked for again, because that makes some
// brokers send all retained messages anew.

import WeirCore

/// The topic filters wanted, and those that the broker's session has.
struct MQTTSubscription {
    private static let key: [UInt8] = [UInt8(ascii: "s")]
    private static let formatVersion: UInt8 = 1
    /// How long after a refusal the broker is asked again; its operator may have changed his mind.
    private static let retryNanoseconds: Int64 = 60_000_000_000

    private let clientID: String
    private let topics: [String]
    /// What the session may be subscribed to: all that was asked for and not yet taken back.
    private var asked: [String] = []
    /// The broker has granted `topics`, and nothing else is left in `asked`.
    private(set) var isGranted = false
    private var isSaved = false
    private var retryAtNanoseconds: Int64?

    init(clientID: String, topics: [String]) {
        self.clientID = clientID
        self.topics = topics
    }

    /// Asks for what the session lacks. The request is only queued.
    mutating func request(on connection: MQTTConnection) {
        retryAtNanoseconds = nil
        guard !isGranted || Set(asked) != Set(topics) else { return }
        let superfluous = asked.filter { !topics.contains($0) }
        if !superfluous.isEmpty { connection.unsubscribe(superfluous) }
        connection.subscribe(topics)
        isGranted = false
        asked = superfluous + topics
        isSaved = false
    }

    /// Asks again for what was refused, when it is time.
    mutating func retry(on connection: MQTTConnection, nowNanoseconds: Int64) {
        guard let at = retryAtNanoseconds, nowNanoseconds >= at else { return }
        request(on: connection)
    }

    /// Takes the broker's answer; returns a sentence about what it refused, or nil.
    mutating func answered(_ codes: [Int], nowNanoseconds: Int64) -> String? {
        let refusals = zip(topics, codes).compactMap { topic, code in
            MQTTReason.refusedSubscription(code).map { "the broker refuses the subscription to \(topic): \($0)" }
        }
        isSaved = false
        guard refusals.isEmpty else {
            retryAtNanoseconds = nowNanoseconds + Self.retryNanoseconds
            return refusals.joined(separator: "; ")
        }
        // The UNSUBSCRIBE of the others was written before, so it is done as well.
        asked = topics
        isGranted = true
        return nil
    }

    /// The broker has no session. True: it had one that we knew of.
    mutating func sessionIsLost() -> Bool {
        defer {
            asked = []
            isGranted = false
            isSaved = false
        }
        return isGranted
    }

    // MARK: Saving

    /// Whether a saved pair is the subscription's, of a format that is known.
    static func owns(_ pair: (key: [UInt8], value: [UInt8])) -> Bool {
        pair.key == key && pair.value.first == formatVersion && pair.value.count >= 2
    }

    /// Writes the client id and the session's filters, if they changed.
    mutating func save(_ put: (_ key: [UInt8], _ value: [UInt8]) -> Void) {
        guard !isSaved else { return }
        isSaved = true
        var value = [Self.formatVersion, isGranted ? 1 : 0]
        for text in [clientID] + asked {
            let bytes = Array(text.utf8)
            value += [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
        }
        put(Self.key, value)
    }

    /// Takes back what was saved. False: it belongs to another client id's session.
    mutating func restore(_ position: [(key: [UInt8], value: [UInt8])]) -> Bool {
        guard let value = position.last(where: { $0.key == Self.key })?.value, value.count >= 2 else {
            return true
        }
        var texts: [String] = []
        var rest = value.dropFirst(2)
        while rest.count >= 2 {
            let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            let bytes = rest.dropFirst(2).prefix(length)
            texts.append(String(decoding: bytes, as: UTF8.self))
            rest = rest.dropFirst(2 + bytes.count)
        }
        guard texts.first == clientID else { return false }
        asked = Array(texts.dropFirst())
        isGranted = value[1] == 1
        isSaved = true
        return true
    }
}
