// The outgoing side of a connection: one PUBLISH, queued in the library with the id of its row in a user
// property. What the library has queued counts for nothing; only the PUBACK does, and the queue goes with
// the connection.

import CMosquitto
import Glibc

extension MQTTConnection {
    /// What a PUBLISH is sent with, the same for all messages of a publisher.
    struct Publication {
        /// 0 or 1.
        var quality: Int32 = 1
        var isRetained = false
        /// Whether the protocol has properties (MQTT 5).
        var hasProperties = true
        /// The media type of payloads, as a property of MQTT 5.
        var contentType = "application/json"
    }

    /// Why a message could not be queued.
    struct Rejection: Error {
        let reason: String
        /// Whether other messages may still pass.
        let isAboutTheMessage: Bool
    }

    /// The user property that carries the id of a message.
    static let idProperty = "weir-id"

    /// Queues a PUBLISH and returns its packet id, by which `published` will speak of it.
    func publish(
        _ payload: UnsafeRawBufferPointer, to topic: String, id: String, _ publication: Publication
    ) throws(Rejection) -> Int32 {
        var properties: OpaquePointer?
        defer { mosquitto_property_free_all(&properties) }
        var code: Int32 = 0
        if publication.hasProperties {
            code |= mosquitto_property_add_string(
                &properties, Int32(MQTT_PROP_CONTENT_TYPE.rawValue), publication.contentType)
            code |= mosquitto_property_add_string_pair(
                &properties, Int32(MQTT_PROP_USER_PROPERTY.rawValue), Self.idProperty, id)
        }
        var messageID: Int32 = 0
        if code == 0 {
            code = mosquitto_publish_v5(
                client, &messageID, topic, Int32(payload.count), payload.baseAddress,
                publication.quality, publication.isRetained, properties)
        }
        guard code != 0 else { return messageID }
        switch code {
        case Int32(MOSQ_ERR_OVERSIZE_PACKET.rawValue), Int32(MOSQ_ERR_PAYLOAD_SIZE.rawValue):
            throw Rejection(
                reason: "the message (\(payload.count) bytes) is longer than the broker takes",
                isAboutTheMessage: true)
        case Int32(MOSQ_ERR_INVAL.rawValue), Int32(MOSQ_ERR_MALFORMED_UTF8.rawValue):
            throw Rejection(reason: "its topic is none that MQTT allows", isAboutTheMessage: true)
        case Int32(MOSQ_ERR_RETAIN_NOT_SUPPORTED.rawValue):
            throw Rejection(
                reason: "the broker keeps no retained messages; set retain = false", isAboutTheMessage: false)
        case Int32(MOSQ_ERR_QOS_NOT_SUPPORTED.rawValue):
            throw Rejection(
                reason: "the broker knows no QoS 1, so nothing would be acknowledged; qos = 0 sends without",
                isAboutTheMessage: false)
        default:
            throw Rejection(
                reason: MQTTReason.library(code, errorNumber: errno), isAboutTheMessage: false)
        }
    }
}
