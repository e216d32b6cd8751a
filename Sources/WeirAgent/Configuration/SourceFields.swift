// The keys of [[source]] and of its columns.

import WeirCore

/// The kinds of sources.
enum SourceType: String, Sendable, CaseIterable {
    case mqtt, file
}

/// How payloads are written.
enum InputFormat: String, Sendable, CaseIterable {
    case json
}

/// The keys of `[[source]]`.
enum SourceFields {
    private static let mqtt = ["mqtt"]

    static let name = Setting.text("name", .name, .required, "The table's name in SQL.")
    static let type: Setting<SourceType> = .choice(
        "type", .required,
        "`mqtt` subscribes to a broker; `file` reads newline-delimited JSON from a file, once, to its end."
    )
    static let url = Setting.text(
        "url", .brokerURL, .required, for: mqtt,
        "The broker: `mqtt://host[:1883]`, or `mqtts://host[:8883]` for TLS.")
    static let topics = Setting.texts(
        "topics", .topicFilter, .required, for: mqtt,
        "Topic filters, with `+`, `#` and `$share/GROUP/FILTER`. No two may match the same topic.")
    static let qos = Setting.integer(
        "qos", .default("1"), in: 1...1,
        why: "QoS 0 loses messages, and QoS 2 keeps messages under way in memory only; "
            + "publishers may still use QoS 2",
        for: mqtt,
        "Quality of service of the subscription; 1 is the only one that can be made safe. "
            + "Publishers may use QoS 2.")
    static let clientID = Setting.text(
        "client_id", .any, .optional, for: mqtt,
        "The session's name at the broker, which must stay the same and be used once. "
            + "Default: `weir-AGENT-SOURCE`.")
    static let username = Setting.text(
        "username", .any, .optional, for: mqtt, "User at the broker.")
    static let password = Setting.secret(
        "password", for: mqtt, "Password at the broker; needs `username`.")
    static let protocolVersion: Setting<MQTTConfiguration.ProtocolVersion> = .choice(
        "protocol", .default("5"), for: mqtt,
        "Version of MQTT. With 3.1.1 the broker alone bounds how much is in flight.")
    static let sessionExpiry = Setting.duration(
        "session_expiry", .default("7d"), from: "1m", to: "365d", for: mqtt,
        "How long the broker keeps the session, and with it what was published, while weir is away (MQTT 5)."
    )
    static let keepAlive = Setting.duration(
        "keep_alive", .default("30s"), from: "5s", to: "18h", for: mqtt,
        "Longest silence on the connection before it is checked.")
    static let receiveMaximum = Setting.integer(
        "receive_maximum", .optional, in: 1...30_000,
        why: "with more in flight a redelivery could not be told from a new message", for: mqtt,
        "Unacknowledged messages that the broker may have under way; half of it bounds a commit. "
            + "With 3.1.1 it must be the broker's `max_inflight_messages`. "
            + "Default: 10000, or 20 (mosquitto's) with 3.1.1.")
    static let packetMax = Setting.size(
        "max_packet_size", .default("16MB"), from: "1KB", to: "256MB", for: mqtt,
        "Largest packet the broker may send (MQTT 5); it drops larger messages. With 3.1.1 set the broker's "
            + "`message_size_limit`.")
    static let path = Setting.text(
        "path", .path, .required, for: ["file"],
        "The file. Relative paths start at the working directory.")
    static let format: Setting<InputFormat> = .choice(
        "format", .default("json"),
        "Payloads: one JSON object, an array of objects, or newline-delimited JSON.")
    static let onTypeError: Setting<TypeErrorPolicy> = .choice(
        "on_type_error", .default("reject"),
        "A value of another type than its column: `reject` sends the row to the rejected output, `null` makes "
            + "the value NULL.")
    static let depthMax = Setting.integer(
        "max_depth", .default("64"), in: 1...1000,
        "Nesting of objects and arrays in a payload; deeper is rejected.")
    static let payloadMax = Setting.size(
        "max_payload", .default("1MB"), from: "64B", to: "256MB",
        "Largest payload; larger ones are rejected.")
    static let columns = FieldDeclaration.columns(
        "columns",
        "The schema: `NAME = \"TYPE\"`, or `NAME = { type = …, path = …, from = … }`. "
            + "What is not listed is not read."
    )

    static let caFile = Setting.text(
        "tls.ca_file", .path, .optional, for: mqtt, "CAs to trust (PEM). Default: the system's.")
    static let certificateFile = Setting.text(
        "tls.cert_file", .path, .optional, for: mqtt,
        "Client certificate (PEM).")
    static let keyFile = Setting.text(
        "tls.key_file", .path, .optional, for: mqtt,
        "Key of the client certificate (PEM), unless `tls.cert_file` holds it too.")

    static let timeColumn = Setting.text(
        "time.column", .name, .required,
        "The event-time column, of type TIMESTAMP_LTZ(3) or TIMESTAMP(3). "
            + "Without `[source.time]` rows get their arrival time."
    )
    static let watermarkDelay = Setting.duration(
        "time.watermark_delay", .default("0s"), from: "0s", to: "30d",
        "How far rows may be out of order: the watermark is the greatest event time seen minus this."
    )
    static let watermarkBy = Setting.text(
        "time.watermark_by", .name, .optional,
        "A column whose values (devices, say) have a watermark each, so that none makes another's rows late."
    )
    static let maxAhead = Setting.duration(
        "time.max_ahead", .optional, from: "1s", to: "365d",
        "Rows further ahead of the machine's clock are rejected. Default: no bound.")
    static let idleTimeout = Setting.duration(
        "time.idle_timeout", .optional, from: "1s", to: "30d",
        "Silence after which the source (or key) no longer holds windows open. Default: never.")

    static let section = SectionDeclaration(
        "source", isList: true, "Where rows come from; a table in SQL.",
        fields: [
            name.declaration, type.declaration, url.declaration, topics.declaration,
            qos.declaration,
            clientID.declaration, username.declaration, password.declaration,
            protocolVersion.declaration, sessionExpiry.declaration, keepAlive.declaration,
            receiveMaximum.declaration, packetMax.declaration, path.declaration, format.declaration,
            onTypeError.declaration, depthMax.declaration, payloadMax.declaration, columns,
            caFile.declaration, certificateFile.declaration, keyFile.declaration,
            timeColumn.declaration, watermarkDelay.declaration, watermarkBy.declaration,
            maxAhead.declaration, idleTimeout.declaration,
        ],
        refusals: TLSRefusals.all.merging([
            "tls.server_name":
                "libmosquitto checks the name in url; use the broker's real name there"
        ]) { $1 })
}

/// Ways to switch certificate checks off, by the names they have elsewhere.
enum TLSRefusals {
    private static let reason =
        "certificates are always checked; name the CA that signed the server's by tls.ca_file"
    static let all = [
        "tls.insecure": reason, "tls.verify": reason, "tls.skip_verify": reason,
        "tls.insecure_skip_verify": reason, "insecure": reason, "verify": reason,
    ]
}

/// The keys of one column's table.
enum ColumnFields {
    static let type = Setting.text(
        "type", .columnType, .required,
        "BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p, s), STRING, BYTES, DATE, TIME, "
            + "TIMESTAMP(3), TIMESTAMP_LTZ(3), or ARRAY<…>, MAP<STRING, …>, ROW<name …> of such (docs/types.md).")
    static let path = Setting.text(
        "path", .pointer, .optional,
        "JSON pointer to the value; for an array `*` stands for each element. Default: `/NAME`.")
    static let from = Setting.text(
        "from", .columnOrigin, .optional,
        "For timestamps how they are written: `epoch_s`, `epoch_ms`, `epoch_us` or `rfc3339`. "
            + "Or where else the value comes from: `topic[N]` (level N, from 0), `$topic`, `$received_at`, "
            + "`$retain`, `$property.NAME` (MQTT 5 user property).")
    static let onTypeError: Setting<TypeErrorPolicy> = .choice(
        "on_type_error", .optional, "As the source's, for this column.")

    static let section = SectionDeclaration(
        "source.columns.NAME", isList: false,
        "A column in full. A missing value is NULL.",
        fields: [type.declaration, path.declaration, from.declaration, onTypeError.declaration])
}
