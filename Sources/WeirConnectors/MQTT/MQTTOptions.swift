// The settings of an MQTT source, as plain values: the configuration fills them in, and nothing here
// knows TOML. The defaults are the ones that DESIGN's measurements ask for: MQTT 5, a session that
// outlives the connection, and an in-flight window wide enough for group commits.

import CMosquitto

/// Where a broker listens.
public struct MQTTAddress: Sendable, Hashable, CustomStringConvertible {
    /// A name or a numeric address, IPv6 without brackets.
    public var host: String
    /// 1 to 65,535.
    public var port: Int
    /// Whether the connection is encrypted and the broker's certificate verified.
    public var usesTLS: Bool

    public init(host: String, port: Int, usesTLS: Bool) {
        self.host = host
        self.port = port
        self.usesTLS = usesTLS
    }

    /// From `mqtt://host[:port]` (1883) or `mqtts://host[:port]` (8883), IPv6 addresses in brackets;
    /// nil for anything else.
    public init?(url: String) {
        let rest: Substring
        if url.hasPrefix("mqtt://") {
            (rest, usesTLS) = (url.dropFirst(7), false)
        } else if url.hasPrefix("mqtts://") {
            (rest, usesTLS) = (url.dropFirst(8), true)
        } else {
            return nil
        }
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        var port = usesTLS ? "8883" : "1883"
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            let tail = authority[authority.index(after: end)...]
            if tail.hasPrefix(":") {
                port = String(tail.dropFirst())
            } else if !tail.isEmpty {
                return nil
            }
        } else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { return nil }
            host = String(parts[0])
            if parts.count == 2 { port = String(parts[1]) }
        }
        guard let number = Int(port), (1...65_535).contains(number), !host.isEmpty, host.utf8.count < 254,
            !host.utf8.contains(where: { "/?#@ ".utf8.contains($0) })
        else { return nil }
        self.port = number
    }

    /// As it is written in the configuration.
    public var description: String {
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return "\(usesTLS ? "mqtts" : "mqtt")://\(name):\(port)"
    }
}

/// Settings of an MQTTSource.
public struct MQTTOptions: Sendable {
    /// The version of the protocol spoken.
    public enum ProtocolVersion: String, Sendable, CaseIterable {
        case v5 = "5"
        case v311 = "3.1.1"
    }

    /// The source's name in the configuration.
    public var name: String
    /// Where the broker listens.
    public var address: MQTTAddress
    /// Topic filters, wildcards and `$share/group/…` allowed; subscribed at QoS 1.
    public var topics: [String]
    /// Names the session at the broker; must stay the same over restarts and be nobody else's.
    public var clientID: String
    /// The user at the broker; nil for none.
    public var username: String?
    /// The password; nil for none, and always without `username`.
    public var password: String?
    /// The authorities to trust (PEM); nil for the system's.
    public var caFile: String?
    /// The client's certificate (PEM); nil for none.
    public var certFile: String?
    /// The key of `certFile` (PEM); nil when that holds it too.
    public var keyFile: String?
    /// The version that is spoken; MQTT 5 by default.
    public var protocolVersion: ProtocolVersion = .v5
    /// A PINGREQ goes out after so long a silence; the connection is given up after twice that.
    public var keepAliveSeconds = 30
    /// MQTT 5: how long the broker keeps the session and its queue while weir is away.
    public var sessionExpirySeconds: UInt32 = 7 * 86_400
    /// Messages that the broker may send ahead of our acknowledgement. MQTT 5 announces it. On 3.1.1
    /// it must be what the broker has as max_inflight_messages (mosquitto's default is 20).
    public var receiveMaximum: Int
    /// Messages of ours that may be on their way without the broker's acknowledgement. A broker of
    /// MQTT 5 may allow fewer.
    public var sendMaximum = 500
    /// MQTT 5: the broker drops larger packets instead of sending them. 3.1.1 cannot announce it: there
    /// the broker's message_size_limit has to bound the payload.
    public var maximumPacketBytes: UInt32 = 16 << 20
    /// Of a longer payload so much and one byte more is handed over, to be rejected for its length.
    public var payloadBytesMax = Int.max
    /// The first pause between attempts to connect; it doubles with each.
    public var reconnectMinimumMilliseconds: Int64 = 500
    /// The longest pause between attempts to connect.
    public var reconnectMaximumMilliseconds: Int64 = 60_000
    /// An attempt that has not been answered with a CONNACK by then is given up.
    public var connectTimeoutMilliseconds: Int64 = 15_000

    public init(
        name: String, address: MQTTAddress, topics: [String], clientID: String,
        protocolVersion: ProtocolVersion = .v5
    ) {
        self.name = name
        self.address = address
        self.topics = topics
        self.clientID = clientID
        self.protocolVersion = protocolVersion
        receiveMaximum = Self.defaultReceiveMaximum(protocolVersion)
    }

    /// 10,000 on MQTT 5; 20 on 3.1.1, where the broker's setting rules and 20 is mosquitto's default.
    public static func defaultReceiveMaximum(_ version: ProtocolVersion) -> Int {
        version == .v5 ? 10_000 : 20
    }

    /// The bounds of `receiveMaximum`: packet ids are 16 bits wide, and a redelivery can be told from
    /// a new message of the same id and payload only while less than half of the ids are in flight.
    public static let receiveMaximumBounds = 1...30_000
}
