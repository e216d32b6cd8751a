// Where the library's callbacks put what arrives: messages into the batch, past the redelivery filter,
// and the counters that say what may be acknowledged. Lives as long as the source, over all of its
// connections, because the filter and the promise behind it do.
//
// Always true: as long as `mayWrite` is false, the library's queue holds a PUBACK of a message that is
// not committed, and nothing of that queue may be written.

import CMosquitto
import Glibc
import WeirCore

/// The receiving end of an MQTT source.
final class MQTTInbox {
    var filter: RedeliveryFilter
    /// Where messages go during a poll; nil while none may arrive.
    var batch: MessageBatch?
    private(set) var messageCount: UInt64 = 0
    private(set) var byteCount: UInt64 = 0
    private(set) var duplicateCount: UInt64 = 0
    /// Messages handed over since the last acknowledgement.
    private(set) var uncommittedCount = 0
    /// Whether the queue of the present connection holds nothing that has to wait for a commit.
    private(set) var mayWrite = true
    private let clock: any MachineClock
    private let payloadBytesMax: Int

    /// Of a payload longer than `payloadBytesMax` one byte more than that is handed over: enough to be
    /// seen as too long, and rejected, without one more copy of all of it.
    init(filter: RedeliveryFilter, clock: any MachineClock, payloadBytesMax: Int = .max) {
        self.filter = filter
        self.clock = clock
        self.payloadBytesMax = payloadBytesMax
    }

    /// A new connection has an empty queue.
    func connectionBegins() { mayWrite = true }

    /// All that was handed over is durable.
    func committed() {
        uncommittedCount = 0
        mayWrite = true
    }

    /// One PUBLISH.
    func receive(_ message: mosquitto_message, properties: OpaquePointer?) {
        guard let batch, let name = message.topic else {
            preconditionFailure("messages are read only during a poll")
        }
        var topicLength = 0
        while name[topicLength] != 0 { topicLength += 1 }
        let topic = UnsafeRawBufferPointer(start: name, count: topicLength)
        let payload = UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen))
        if message.qos > 0 {
            let hash = RedeliveryFilter.hash(topic, payload)
            guard filter.admits(packetID: Int(message.mid), hash: hash) else {
                duplicateCount += 1
                // Its first delivery may not be committed yet.
                if uncommittedCount > 0 { mayWrite = false }
                return
            }
            mayWrite = false
        }
        uncommittedCount += 1
        messageCount += 1
        byteCount += UInt64(payload.count)
        let isTooLong = payload.count > payloadBytesMax
        batch.append(
            payload: isTooLong ? UnsafeRawBufferPointer(rebasing: payload[...payloadBytesMax]) : payload,
            topic: topic.bindMemory(to: UInt8.self),
            receivedAt: clock.nowMilliseconds(), retained: message.retain,
            userProperties: properties.map(Self.userProperties) ?? [])
    }

    private static func userProperties(_ list: OpaquePointer) -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        var name: UnsafeMutablePointer<CChar>?
        var value: UnsafeMutablePointer<CChar>?
        var next = mosquitto_property_read_string_pair(
            list, Int32(MQTT_PROP_USER_PROPERTY.rawValue), &name, &value, false)
        while let current = next, let foundName = name, let foundValue = value {
            found.append((String(cString: foundName), String(cString: foundValue)))
            free(foundName)
            free(foundValue)
            (name, value) = (nil, nil)
            next = mosquitto_property_read_string_pair(
                current, Int32(MQTT_PROP_USER_PROPERTY.rawValue), &name, &value, true)
        }
        return found
    }
}
