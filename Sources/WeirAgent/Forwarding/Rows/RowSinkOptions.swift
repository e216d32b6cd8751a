// What the delivery of a row sink is made from. A row sink sends rows as they come; what is settled about
// each of its kinds is here as plain values, so that the thread that sends makes everything itself.

import WeirConnectors
import WeirCore
import WeirFormats
import WeirStore

/// One row sink's settings.
struct RowSinkOptions: Sendable {
    /// Where rows go.
    enum Target: Sendable {
        case mqtt(MQTTOptions, topic: TopicTemplate, quality: Int, isRetained: Bool, stallMilliseconds: Int64)
        case webhook(RowPostOptions, body: WebhookBody)
        case influx(RowPostOptions, LineProtocolLayout)
    }

    let target: Target
    /// The column that carries a row's id; nil for none.
    let idColumn: String?
    /// Whether rows that are refused for what they are, are dropped and counted; else they are waited for.
    let dropsRefused: Bool
    /// Rows and bytes of a request at most.
    let batchRowsMax: Int
    let batchBytesMax: Int
    /// How long the oldest row may wait for company, ms.
    let lingerMilliseconds: Int64

    /// Whether a power cut may move the borders between segments: only where each row stands for itself.
    var sealsAreSynced: Bool { if case .mqtt = target { false } else { true } }
}

extension RowSinkOptions {
    /// The way that the sink's segments take. Throws `Failure(.configuration, …)` for settings that cannot
    /// work.
    func makeDelivery(
        _ settings: ForwarderSettings, outbox: Outbox, _ environment: ForwarderEnvironment
    ) throws(Failure) -> any SegmentDelivery {
        let texts = RowTexts(settings, self, outbox: outbox)
        switch target {
        case .mqtt(let options, let topic, let quality, let isRetained, let stall):
            let publisher = MQTTPublisher(
                options, quality: quality, isRetained: isRetained, skipsRefused: dropsRefused,
                stallMilliseconds: stall, clock: environment.clock, abort: environment.abort)
            return MQTTDelivery(publisher, topic: topic, texts: texts, settings, environment)
        case .webhook(let options, _), .influx(let options, _):
            let poster = try RowPoster(
                options, clock: environment.clock, abort: environment.abort, meter: environment.line)
            return PostDelivery(
                poster, isCompressed: options.isCompressed, texts: texts, settings, self, environment)
        }
    }

    /// Tries the way there for `weir check --connect`.
    func checkAccess() throws(Failure) -> AccessReport {
        switch target {
        case .mqtt(let options, _, let quality, let isRetained, _):
            try MQTTPublisher.checkAccess(options, quality: quality, isRetained: isRetained)
            return AccessReport(
                summary: "the broker \(options.address) lets us in; whether we may publish shows with the first "
                    + "message")
        case .webhook(let options, _), .influx(let options, _):
            return try RowPoster(options).checkAccess()
        }
    }
}

/// How the body of a webhook's request holds rows.
enum WebhookBody: String, Sendable, CaseIterable {
    /// A JSON array of objects.
    case array
    /// NDJSON.
    case lines
    /// One object; a request a row.
    case single

    /// The media type.
    var contentType: String { self == .lines ? "application/x-ndjson" : "application/json" }
}
