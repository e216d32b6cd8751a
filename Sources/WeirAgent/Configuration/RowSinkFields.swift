// The keys of [[sink]] for sinks that take rows as they come: a broker, a webhook, InfluxDB. They are part
// of that section; what the kinds share with stores (url, tls, timeouts, outbox) is declared there.

import WeirCore

/// The keys of sinks that take rows.
enum RowSinkFields {
    private static let mqtt = ["mqtt"]
    private static let http = ["http"]
    private static let influx = ["influxdb"]

    static let topic = Setting.text(
        "topic", .topicTemplate, .required, for: mqtt,
        "Where rows are published; `{column}` stands for the row's value, `{agent}` and `{stream}` for the agent's id "
            + "and the query's name: `alerts/{line}/{device}`.")
    static let quality = Setting.integer(
        "qos", .default("1"), in: 0...1,
        why: "QoS 2 cannot be made safe across restarts here; receivers drop repeats by the row's id", for: mqtt,
        "1: a row counts as sent with the broker's acknowledgement. 0: as soon as it is written; it can be lost.")
    static let retain = Setting.boolean(
        "retain", .default("false"), for: mqtt, "Whether the broker keeps the last message of each topic.")
    static let protocolVersion: Setting<MQTTConfiguration.ProtocolVersion> = .choice(
        "protocol", .default("5"), for: mqtt,
        "Version of MQTT. With 3.1.1 the id of a row is in its payload alone, and a broker that refuses a message "
            + "cannot say so.")
    static let keepAlive = Setting.duration(
        "keep_alive", .default("30s"), from: "5s", to: "18h", for: mqtt,
        "Longest silence on the connection before it is checked.")
    static let inflightMax = Setting.integer(
        "max_inflight", .default("500"), in: 1...30_000, for: mqtt,
        "Messages that may be on their way without an acknowledgement; a broker of MQTT 5 may allow fewer.")
    static let username = Setting.text(
        "username", .any, .optional, for: mqtt + http + influx,
        "User at the broker, or of HTTP basic authentication.")
    static let password = Setting.secret(
        "password", for: mqtt + http + influx, "Password; needs `username`.")
    static let idColumn = Setting.text(
        "id_column", .name, .default("row_id"), for: mqtt + http,
        "The member of each row that holds its id, `AGENT/SINK/QUERY/NUMBER`; `off` for none. MQTT 5 has it in the "
            + "user property `weir-id` as well.")

    static let body: Setting<WebhookBody> = .choice(
        "body", .default("array"), for: http,
        "What a request holds: a JSON `array` of rows, NDJSON `lines`, or a `single` row.")
    static let headers = Setting.texts(
        "headers", .httpHeader, .optional, for: http,
        "Further headers, each as `\"Name: value\"`. They are no place for secrets. Default: none.")
    static let signingSecret = Setting.secret(
        "signing_secret", for: http,
        "Signs each body: the header `Weir-Signature: t=SECONDS,v1=HMAC-SHA256`.")
    static let bearerToken = Setting.secret(
        "bearer_token", for: http, "Sent as `Authorization: Bearer …`.")

    static let token = Setting.secret(
        "token", for: influx, "API token of InfluxDB 2; needs `bucket`.")
    static let org = Setting.text(
        "org", .any, .optional, for: influx, "Organisation (name or id) of the bucket; needs `bucket`.")
    static let bucket = Setting.text(
        "bucket", .any, .optional, for: influx, "Bucket of InfluxDB 2. Either this or `database` is needed.")
    static let database = Setting.text(
        "database", .any, .optional, for: influx, "Database of InfluxDB 1.")
    static let retentionPolicy = Setting.text(
        "retention_policy", .any, .optional, for: influx,
        "Retention policy of InfluxDB 1. Default: the database's own.")
    static let measurement = Setting.text(
        "measurement", .any, .optional, for: influx, "Measurement of all rows. Default: the query's name.")
    static let tags = Setting.texts(
        "tags", .name, .optional, for: influx,
        "Columns that are tags, beside `agent`; all other columns are fields. Together with the time they must tell "
            + "rows apart: points with the same tags and time overwrite each other. Default: none.")
    static let timeColumn = Setting.text(
        "time_column", .name, .required, for: influx,
        "The timestamp column of every query of this sink that is the points' time.")

    static let linger = Setting.duration(
        "linger", .default("0ms"), from: "0ms", to: "1h", for: mqtt + http + influx,
        "How long the oldest row may wait for others before it is sent. At 0 rows leave with the commit that "
            + "made them.")
    static let batchRows = Setting.integer(
        "batch_rows", .default("1000"), in: 1...100_000, for: mqtt + http + influx,
        "Rows of a request at most, and of what is taken out of the outbox at once.")
    static let batchBytes = Setting.size(
        "batch_bytes", .default("1MB"), from: "1KB", to: "64MB", for: http + influx,
        "Bytes of a request's body at most, before compression; one row may be longer.")
    static let onReject: Setting<RejectPolicy> = .choice(
        "on_reject", .default("wait"), for: mqtt + http + influx,
        "When the receiver refuses rows for what they are (HTTP 400, 413, 422; an impossible topic): `wait` says so "
            + "and tries again, which holds up the rows behind; `drop` gives up those rows alone, counts them as "
            + "expired and logs each.")

    static let declarations = [
        topic.declaration, quality.declaration, retain.declaration, protocolVersion.declaration,
        keepAlive.declaration, inflightMax.declaration, username.declaration, password.declaration,
        idColumn.declaration, body.declaration, headers.declaration, signingSecret.declaration,
        bearerToken.declaration, token.declaration, org.declaration, bucket.declaration,
        database.declaration, retentionPolicy.declaration, measurement.declaration, tags.declaration,
        timeColumn.declaration, linger.declaration, batchRows.declaration, batchBytes.declaration,
        onReject.declaration,
    ]
}

/// What happens to rows that a receiver refuses for what they are.
enum RejectPolicy: String, Sendable, CaseIterable {
    case wait, drop
}

extension TextFormat {
    /// A topic with columns in braces.
    static let topicTemplate = TextFormat("topic", parse: TopicTemplate.parse)

    /// A header of HTTP.
    static let httpHeader = TextFormat("header", parse: HeaderLine.parse)
}

/// `Name: value`.
enum HeaderLine {
    /// Headers that weir sets itself.
    private static let own = [
        "authorization", "content-encoding", "content-length", "content-type", "host", "idempotency-key",
        "transfer-encoding", "weir-signature",
    ]

    static func parse(_ text: String) -> Result<(name: String, value: String), Complaint> {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let isToken = { (byte: UInt8) in isIdentifierByte(byte) || "-!#$%&'*+.^`|~".utf8.contains(byte) }
        guard parts.count == 2, let name = parts.first, !name.isEmpty, name.utf8.allSatisfy(isToken) else {
            return .failure(Complaint("must be \"Name: value\", not \(quoted(text))"))
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            return .failure(Complaint("has control characters"))
        }
        if own.contains(name.lowercased()) {
            return .failure(Complaint("sets \(name), which weir sets itself"))
        }
        let value = parts[1].drop { $0 == " " }
        return .success((String(name), String(value)))
    }
}
