// The broker's refusals as sentences: MQTT answers with a byte, and a person who reads `weir status`
// should not have to look it up. Pure functions, so that every code can be tested without a broker.

import CMosquitto
import Glibc

enum MQTTReason {
    /// Why a CONNECT was refused: a CONNACK's return code (3.1.1) or reason code (5).
    static func refusedConnection(_ code: Int, _ options: MQTTOptions) -> String {
        switch code {
        case 1, 0x84:
            options.protocolVersion == .v5
                ? "the broker does not speak MQTT 5; set protocol = \"3.1.1\""
                : "the broker does not speak MQTT 3.1.1; set protocol = \"5\""
        case 2, 0x85: "the broker does not accept the client id \(options.clientID)"
        case 3, 0x88: "the broker is not available at the moment"
        case 4, 0x86: "the broker does not accept the user name or the password"
        case 5, 0x87:
            options.username == nil
                ? "the broker refuses clients without a user name; set username and password, or let it "
                    + "allow them (mosquitto: allow_anonymous true)"
                : "the user \(options.username ?? "") is not authorised to connect"
        case 0x89: "the broker is busy"
        case 0x8A: "the broker has banned this client"
        case 0x8C: "the broker asks for another way of authentication"
        case 0x95: "the broker finds the CONNECT packet too large"
        case 0x97: "a quota of the broker is used up"
        case 0x9C, 0x9D: "the broker asks to use another server"
        case 0x9F: "too many connections are being made to the broker"
        default: "the broker refuses the connection (code \(code): \(text(code)))"
        }
    }

    /// Why a topic filter of a SUBSCRIBE was refused; nil for a granted one.
    static func refusedSubscription(_ code: Int) -> String? {
        switch code {
        case 0, 1, 2: nil
        case 0x80: "refused without a reason; most often the user may not read it"
        case 0x87: "not authorised"
        case 0x8F: "the broker does not accept this filter"
        case 0x97: "a quota of the broker is used up"
        case 0x9E: "the broker has no shared subscriptions"
        case 0xA2: "the broker has no wildcard subscriptions"
        default: "refused (code \(code): \(text(code)))"
        }
    }

    /// Why a PUBLISH was refused by its PUBACK (MQTT 5); nil for an accepted one.
    static func refusedPublication(_ code: Int) -> String? {
        switch code {
        case ..<0x80: nil
        case 0x80: "the broker refuses the message without a reason"
        case 0x83: "the broker cannot take the message"
        case 0x87: "the broker does not authorise us to publish to the topic"
        case 0x90: "the broker does not accept the name of the topic"
        case 0x97: "a quota of the broker is used up"
        case 0x99: "the broker does not accept the payload"
        default: "the broker refuses the message (code \(code): \(text(code)))"
        }
    }

    /// Whether a PUBACK's reason is about the one message and not about us or the broker.
    static func isAboutTheMessage(_ code: Int) -> Bool { [0x90, 0x95, 0x99].contains(code) }

    /// Why the broker sent a DISCONNECT (MQTT 5).
    static func disconnected(_ code: Int, _ options: MQTTOptions) -> String {
        switch code {
        case 0x87: "the broker does not authorise this client any more"
        case 0x8B: "the broker is shutting down"
        case 0x8D: "the broker heard nothing from us for longer than the keep-alive"
        case 0x8E: "another client has connected with the client id \(options.clientID)"
        case 0x93: "the broker says that receive_maximum was exceeded"
        case 0x95: "the broker says that a packet was too large"
        case 0x98: "the broker's operator has closed the connection"
        case 0x9C, 0x9D: "the broker asks to use another server"
        default: "the broker closed the connection (code \(code): \(text(code)))"
        }
    }

    private static func text(_ code: Int) -> String {
        mosquitto_reason_string(Int32(code)).map { String(cString: $0) } ?? "unknown"
    }

    /// A connection that ended without a word: what mosquitto 2.0 does to the first of two clients of one
    /// id, whom it owes the reason 0x8E.
    static let closedConnection = "the broker closed the connection"

    /// What an errno means.
    static func system(_ code: Int32) -> String { String(cString: strerror(code)) }

    /// What a return code of the library means; MOSQ_ERR_ERRNO is explained by `errorNumber`.
    static func library(_ code: Int32, errorNumber: Int32) -> String {
        switch code {
        case Int32(MOSQ_ERR_ERRNO.rawValue) where errorNumber != 0: system(errorNumber)
        case 0, Int32(MOSQ_ERR_CONN_LOST.rawValue), Int32(MOSQ_ERR_NO_CONN.rawValue): closedConnection
        case Int32(MOSQ_ERR_KEEPALIVE.rawValue): "the broker has not answered for twice the keep-alive"
        case Int32(MOSQ_ERR_PROTOCOL.rawValue): "the broker sent what MQTT does not allow"
        default: mosquitto_strerror(code).map { String(cString: $0) } ?? "error \(code)"
        }
    }
}
