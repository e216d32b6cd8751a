// One connection to a broker, from the first SYN to its end, over one handle of libmosquitto. A broken
// connection is thrown away with its handle and its queue; the next is a new object. That way no state
// of the library, half a packet say, outlives the socket it belongs to.
//
// The library is driven from the loop's thread, and nothing here waits. It is told to be "threaded",
// so that it only queues what it wants to write (PUBACKs above all); `write` is the one place where the
// queue reaches the socket, and whether it may be called is the owner's decision.

import CMosquitto
import Glibc
import WeirCore

/// A connection attempt, and the connection that comes of it.
final class MQTTConnection {
    enum Phase: Equatable {
        /// Waiting for TCP.
        case opening
        /// TLS handshake, CONNECT written, CONNACK awaited.
        case greeting
        /// The broker has accepted us.
        case active
        /// Over, and why.
        case closed(String)
    }

    private enum Property {
        static let sessionExpiry = Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue)
        static let maximumPacketSize = Int32(MQTT_PROP_MAXIMUM_PACKET_SIZE.rawValue)
        static let maximumQoS = Int32(MQTT_PROP_MAXIMUM_QOS.rawValue)
        static let serverKeepAlive = Int32(MQTT_PROP_SERVER_KEEP_ALIVE.rawValue)
    }

    /// What the broker said when it accepted us.
    struct Acceptance: Equatable {
        var sessionPresent: Bool
        /// How long it keeps the session, where that is not what we asked for.
        var sessionExpirySeconds: UInt32?
        /// 0 when it knows no QoS 1.
        var maximumQoS: UInt8?
        /// In what time it wants to hear from us, where that is not what we proposed.
        var keepAliveSeconds: UInt16?
    }

    /// Retain handling of a SUBSCRIBE: send retained messages for filters new to the session, or none.
    static let retainedForNew = Int32(MQTT_SUB_OPT_SEND_RETAIN_NEW.rawValue)
    static let retainedNever = Int32(MQTT_SUB_OPT_SEND_RETAIN_NEVER.rawValue)

    private(set) var phase = Phase.opening
    private(set) var acceptance: Acceptance?
    /// The answer to the last SUBSCRIBE, a code for each filter; taken by `takeSubscriptionReply`.
    private var subscriptionReply: [Int]?
    /// Callbacks so far: tells a read that brought something from one that found the socket dry.
    private var eventCount: UInt64 = 0
    private var errorNumber: Int32 = 0
    private var isLeaving = false
    let client: OpaquePointer
    private let tls: MQTTTLSContext?
    /// Where messages go; nil on a connection that only publishes.
    private let inbox: MQTTInbox?
    private let options: MQTTOptions
    /// Called by the CONNACK, before any message of the connection is read.
    var accepted: (Acceptance) -> Void = { _ in }
    /// Called by the PUBACK of a message of ours (at QoS 0: when it is written), with its reason code.
    var published: (_ messageID: Int32, _ reason: Int32) -> Void = { _, _ in }

    /// Begins to connect to a numeric address. Throws for settings that cannot work, never for a
    /// broker that is not there: that shows in `phase`.
    init(
        _ options: MQTTOptions, address: String, inbox: MQTTInbox?, isCleanStart: Bool = false
    ) throws(Failure) {
        mosquitto_lib_init()
        self.options = options
        self.inbox = inbox
        tls = options.address.usesTLS ? try MQTTTLSContext(options) : nil
        guard let client = mosquitto_new(options.clientID, isCleanStart, nil) else {
            throw Failure(
                .configuration, "making the MQTT client", options.clientID,
                "the client id is not usable: \(MQTTReason.system(errno))")
        }
        self.client = client
        mosquitto_user_data_set(client, Unmanaged.passUnretained(self).toOpaque())
        inbox?.connectionBegins()
        setCallbacks()
        try configure(isCleanStart: isCleanStart)
        errno = 0
        let code = mosquitto_connect_bind_async(
            client, address, Int32(options.address.port), Int32(options.keepAliveSeconds), nil)
        errorNumber = errno
        if code != 0 { close(cause(code)) }
        // A child process that inherited the socket would keep the connection open after our death.
        if socket >= 0 { _ = fcntl(socket, F_SETFD, FD_CLOEXEC) }
    }

    deinit { mosquitto_destroy(client) }

    /// The socket, or -1.
    var socket: Int32 { mosquitto_socket(client) }

    /// Whether the library has something to write.
    var wantsWrite: Bool { mosquitto_want_write(client) }

    private func configure(isCleanStart: Bool) throws(Failure) {
        let isV5 = options.protocolVersion == .v5
        var code = mosquitto_threaded_set(client, true)
        code |= mosquitto_int_option(
            client, MOSQ_OPT_PROTOCOL_VERSION, isV5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311)
        code |= mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, Int32(options.receiveMaximum))
        code |= mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, Int32(options.sendMaximum))
        if options.username != nil || options.password != nil {
            code |= mosquitto_username_pw_set(client, options.username, options.password)
        }
        if let tls { code |= tls.attach(to: client) }
        if isV5 {
            var properties: OpaquePointer?
            defer { mosquitto_property_free_all(&properties) }
            code |= mosquitto_property_add_int32(
                &properties, Property.sessionExpiry, isCleanStart ? 0 : options.sessionExpirySeconds)
            code |= mosquitto_property_add_int32(
                &properties, Property.maximumPacketSize, options.maximumPacketBytes)
            // Only the blocking call takes CONNECT properties, and it keeps them for later attempts.
            // An empty host at port 0 fails in it before any socket is made.
            _ = mosquitto_connect_bind_v5(client, "", 0, Int32(options.keepAliveSeconds), nil, properties)
        }
        if code != 0 {
            throw Failure(
                .configuration, "setting up the connection to", options.address.description,
                "libmosquitto refuses a setting: \(MQTTReason.library(code, errorNumber: errno))")
        }
    }

    private func setCallbacks() {
        mosquitto_connect_v5_callback_set(client) { _, user, code, flags, properties in
            MQTTConnection.of(user)?.answered(Int(code), flags: flags, properties)
        }
        mosquitto_disconnect_v5_callback_set(client) { _, user, code, _ in
            MQTTConnection.of(user)?.ended(code)
        }
        mosquitto_message_v5_callback_set(client) { _, user, message, properties in
            guard let connection = MQTTConnection.of(user), let message else { return }
            connection.eventCount += 1
            connection.inbox?.receive(message.pointee, properties: properties)
        }
        mosquitto_subscribe_v5_callback_set(client) { _, user, _, count, codes, _ in
            guard let connection = MQTTConnection.of(user) else { return }
            connection.eventCount += 1
            let reply = UnsafeBufferPointer(start: codes, count: Int(count))
            connection.subscriptionReply = reply.map { Int($0) }
        }
        mosquitto_publish_v5_callback_set(client) { _, user, messageID, reason, _ in
            guard let connection = MQTTConnection.of(user) else { return }
            connection.eventCount += 1
            connection.published(messageID, reason)
        }
    }

    private static func of(_ user: UnsafeMutableRawPointer?) -> MQTTConnection? {
        user.map { Unmanaged<MQTTConnection>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: What the broker says

    private func answered(_ code: Int, flags: Int32, _ properties: OpaquePointer?) {
        eventCount += 1
        guard code == 0 else {
            close(MQTTReason.refusedConnection(code, options))
            return
        }
        var acceptance = Acceptance(sessionPresent: flags & 1 == 1)
        var (expiry, quality, keepAlive) = (UInt32(0), UInt8(0), UInt16(0))
        if mosquitto_property_read_int32(properties, Property.sessionExpiry, &expiry, false) != nil {
            acceptance.sessionExpirySeconds = expiry
        }
        if mosquitto_property_read_byte(properties, Property.maximumQoS, &quality, false) != nil {
            acceptance.maximumQoS = quality
        }
        if mosquitto_property_read_int16(properties, Property.serverKeepAlive, &keepAlive, false) != nil {
            acceptance.keepAliveSeconds = keepAlive
        }
        self.acceptance = acceptance
        phase = .active
        accepted(acceptance)
    }

    /// The library has closed the socket: a DISCONNECT's reason code above 127, else its own code.
    private func ended(_ code: Int32) {
        eventCount += 1
        errorNumber = errno
        if code >= 0x80 {
            close(MQTTReason.disconnected(Int(code), options))
        } else {
            close(cause(code))
        }
    }

    /// What the broker answered to the last SUBSCRIBE, once.
    func takeSubscriptionReply() -> [Int]? {
        defer { subscriptionReply = nil }
        return subscriptionReply
    }

    // MARK: Driving

    /// Gets on with the connection before it is active: TCP, then TLS, then CONNECT and CONNACK.
    func greet() {
        if phase == .opening {
            guard let error = pendingError() else { return }
            if error != 0 {
                errorNumber = error
                return close(cause(Int32(MOSQ_ERR_ERRNO.rawValue)))
            }
            phase = .greeting
        }
        if phase == .greeting { read(while: { self.phase == .greeting }) }
        if phase == .greeting { write() }
        // OpenSSL's "system error" leaves the library waiting for a handshake that will never go on.
        if phase == .greeting, tls != nil, isHungUp { close(cause(Int32(MOSQ_ERR_CONN_LOST.rawValue))) }
    }

    /// Reads packets as long as `hasRoom` and there are any. True: the socket is dry.
    @discardableResult
    func read(while hasRoom: () -> Bool) -> Bool {
        while hasRoom() {
            let before = eventCount
            errno = 0
            let code = mosquitto_loop_read(client, 1)
            if code != 0 {
                errorNumber = errno
                close(cause(code))
            }
            if eventCount == before || isClosed { return true }
        }
        return false
    }

    /// Writes what the library has queued; the kernel sends it in as few segments as it fills.
    func write() {
        guard wantsWrite, !isClosed else { return }
        let descriptor = socket
        // A DISCONNECT closes the socket in the middle of the write: nobody would pull the cork.
        if !isLeaving { setCork(descriptor, 1) }
        errno = 0
        let code = mosquitto_loop_write(client, 1)
        if code != 0 {
            errorNumber = errno
            close(cause(code))
        } else if !isLeaving, socket == descriptor {
            setCork(descriptor, 0)
        }
    }

    /// Lets the library look after its keep-alive; a PINGREQ is only queued.
    func keepAlive() {
        let code = mosquitto_loop_misc(client)
        if code != 0 { close(cause(code)) }
    }

    /// Sends a PINGREQ around the library's queue, which must not be in the middle of a packet.
    func ping() { _ = weir_mqtt_ping(client) }

    /// Queues a SUBSCRIBE at QoS 1. On MQTT 5 `retained` says which retained messages it brings.
    func subscribe(_ filters: [String], retained: Int32 = retainedForNew) {
        let code = withCStrings(filters) {
            mosquitto_subscribe_multiple(client, nil, Int32(filters.count), $0, 1, retained, nil)
        }
        if code != 0 { close("subscribing: \(MQTTReason.library(code, errorNumber: errno))") }
    }

    /// Queues an UNSUBSCRIBE.
    func unsubscribe(_ filters: [String]) {
        let code = withCStrings(filters) {
            mosquitto_unsubscribe_multiple(client, nil, Int32(filters.count), $0, nil)
        }
        if code != 0 { close("unsubscribing: \(MQTTReason.library(code, errorNumber: errno))") }
    }

    /// Queues a DISCONNECT; the broker keeps the session.
    func leave() {
        isLeaving = true
        mosquitto_disconnect_v5(client, 0, nil)
    }

    /// Gives the connection up for a reason of the owner's. The first reason stays.
    func close(_ reason: String) {
        if !isClosed { phase = .closed(reason) }
    }

    var isClosed: Bool {
        if case .closed = phase { true } else { false }
    }

    // MARK: Causes

    private func cause(_ code: Int32) -> String {
        // After the CONNACK the handshake is long over and has no part in it.
        if acceptance == nil, let told = tls?.cause { return told }
        let reason = MQTTReason.library(code, errorNumber: errorNumber)
        let isBrokenOff =
            code != Int32(MOSQ_ERR_ERRNO.rawValue) || [ECONNRESET, EPIPE, EPROTO].contains(errorNumber)
        guard acceptance == nil, isBrokenOff else { return reason }
        let port = options.address.port
        if tls != nil { return "no TLS connection came about; does the broker speak TLS on port \(port)?" }
        return "the broker closed the connection without an answer; is port \(port) one for TLS?"
    }

    /// nil while TCP is still connecting, else its error or 0.
    private func pendingError() -> Int32? {
        var request = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        guard poll(&request, 1, 0) > 0 else { return nil }
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size)
        return error
    }

    private var isHungUp: Bool {
        var byte: UInt8 = 0
        let count = recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
    }

    private func setCork(_ descriptor: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// Calls `body` with the strings as C strings.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies)
}
