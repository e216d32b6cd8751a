// `[[sink]]` of the types that take rows, after checking.

import WeirCore

/// Where rows go as they come, and in what portions.
public struct RowSinkConfiguration: Sendable {
    enum Receiver: Sendable {
        case mqtt(MQTTConfiguration, topic: TopicTemplate, quality: Int, isRetained: Bool)
        case webhook(WebhookConfiguration)
        case influx(InfluxConfiguration)
    }

    let receiver: Receiver
    /// nil for rows without one.
    let idColumn: String?
    let onReject: RejectPolicy
    let lingerMilliseconds: Int64
    let batchRowsMax: Int
    let batchBytesMax: Int
    /// Times, proxy and TLS; of MQTT only the times hold.
    let transfer: TransferConfiguration

    var type: SinkType {
        switch receiver {
        case .mqtt: .mqtt
        case .webhook: .http
        case .influx: .influxdb
        }
    }
}

/// How weir says who it is to an HTTP receiver.
enum PostCredentials: Sendable {
    case none
    case basic(user: String, password: Secret?)
    case bearer(Secret)
    /// InfluxDB's own word.
    case token(Secret)
}

/// A webhook.
struct WebhookConfiguration: Sendable {
    let url: String
    let body: WebhookBody
    let headers: [(name: String, value: String)]
    let credentials: PostCredentials
    let signingSecret: Secret?
    let isCompressed: Bool
}

/// A bucket or a database of InfluxDB.
struct InfluxConfiguration: Sendable {
    enum Place: Sendable {
        case bucket(String, org: String?)
        case database(String, retentionPolicy: String?)
    }

    /// `http://host:port`, perhaps with a path before the API's.
    let url: String
    let place: Place
    let credentials: PostCredentials
    let isCompressed: Bool
    let measurement: String?
    let tags: [String]
    let timeColumn: String
}
