// A checked configuration: what the agent is built from. Every name is resolved, every bound holds,
// every query has its plan; nothing here can be wrong any more. Quantities are in the unit their
// name ends with.

import WeirCore
import WeirSQL

/// Everything that one configuration file says.
public struct AgentConfiguration: Sendable {
    /// The file it came from, as it was given.
    public let path: String
    /// `[agent]`.
    public let agent: AgentSettings
    /// `[[source]]`, in the order of the file, as are all lists here; at least one.
    public let sources: [SourceConfiguration]
    /// `[[table]]`.
    public let tables: [TableConfiguration]
    /// `[[view]]`; their plans are part of those of the queries that read them.
    public let views: [Catalog.View]
    /// `[[query]]`.
    public let queries: [QueryConfiguration]
    /// `[[sink]]`.
    public let sinks: [SinkConfiguration]
    /// What sinks that send over a network share; nil when they share nothing.
    let uplink: UplinkConfiguration?
    /// What queries call that is a macro of the file; it is written out in their plans.
    public let macroNames: [String]
    /// What is allowed but probably not meant.
    public let warnings: [ConfigurationProblem]
    /// All settings that hold, defaults included, as TOML; secrets as `Secret.mask`.
    public let redactedDescription: String

    /// The tables and views that queries can read.
    public var catalog: Catalog {
        Catalog(
            tables: sources.map(\.table), views: views, lookupTables: tables.map(\.catalogTable))
    }

    /// The names of the sinks whose waiting rows are merged when the outbox is full.
    var mergingSinks: Set<String> {
        Set(sinks.filter { $0.outbox.coarsening != nil }.map(\.name))
    }
}

/// `[agent]`.
public struct AgentSettings: Sendable {
    /// Names the agent in objects, metrics and logs; unique among agents that write to one place.
    public let id: String
    /// Relative to the working directory unless absolute.
    public let stateDirectory: String
    /// How long input may gather before it is committed and acknowledged; 1 ms to 1 min, 100 ms by
    /// default.
    public let commitIntervalMilliseconds: Int64
    /// What RocksDB's caches and buffers are sized by; 16 MB to 1 TB, 256 MB by default. No
    /// ceiling: that is the service's MemoryMax.
    public let memoryLimitBytes: Int64
    /// State of all queries in memory, beyond which it goes to RocksDB; 1 MB to 1 TB and not above
    /// `memoryLimitBytes`, 64 MB by default.
    public let stateCacheBytes: Int64
    /// Intake pauses while the state directory's file system has less room than this.
    public let freeSpaceReserveBytes: Int64
    /// Where the status is served; nil for nowhere.
    public let http: HostPort?
    /// The least important messages that are logged; `.info` by default.
    public let logLevel: LogLevel
    /// The zone of schedules, upload windows and budgets that name none of their own; UTC by
    /// default.
    public let timeZone: TimeZoneRules
}

/// How much is logged; the names are swift-log's.
public enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}

/// `[[source]]`.
public struct SourceConfiguration: Sendable {
    /// Where messages come from.
    public enum Input: Sendable {
        case mqtt(MQTTConfiguration)
        /// A file of newline-delimited JSON, relative to the working directory unless absolute.
        case file(path: String)
    }

    /// The table's name in SQL, unique among sources, tables and views.
    public let name: String
    /// The broker or the file, with its own keys.
    public let input: Input
    /// The columns that queries may read, in the order of the file; at least one.
    public let columns: [ColumnConfiguration]
    /// Nesting of arrays and objects in a payload at most; deeper ones are rejected.
    public let depthMax: Int
    /// Payloads larger than this are rejected.
    public let payloadBytesMax: Int64
    /// nil when rows get the time of their arrival.
    public let time: TimeConfiguration?

    /// The columns' names and types.
    public var schema: Schema { Schema(columns.map { Field($0.name, $0.type) }) }

    /// The source as a table of the catalog.
    public var table: Catalog.Table {
        Catalog.Table(name: name, schema: schema, timeColumn: time?.column)
    }
}

/// What happens to a row in which a value has another type than its column.
public enum TypeErrorPolicy: String, Sendable, CaseIterable {
    /// The row goes to the rejected output.
    case reject
    /// The value becomes NULL.
    case null
}

/// A column of a source.
public struct ColumnConfiguration: Sendable, Hashable {
    /// Where the column's value comes from.
    public enum Origin: Sendable, Hashable {
        case payload(JSONPointer)
        /// The level of the topic, the first is 0; NULL when the topic has fewer.
        case topicLevel(Int)
        case topic
        case receivedAt
        case retain
        /// The MQTT 5 user property of this name; NULL when the message has none.
        case userProperty(String)
    }

    /// The column's name in SQL.
    public let name: String
    /// The type that values are converted to as they are read.
    public let type: DataType
    /// A place in the payload, or something else that is known of the message.
    public let origin: Origin
    /// How timestamps of the payload are written; nil for other types and origins.
    public let timestampFormat: TimestampFormat?
    /// What a value of another type does to its row; the source's `on_type_error` by default, which
    /// is `.reject`.
    public let onTypeError: TypeErrorPolicy
}

/// `[source.time]`.
public struct TimeConfiguration: Sendable, Hashable {
    /// The event-time column.
    public let column: String
    /// How far the watermark stays behind the greatest event time; 0 (the default) to 30 days.
    public let watermarkDelayMilliseconds: Int64
    /// The column whose values have a watermark each; nil for one watermark for the source.
    public let watermarkBy: String?
    /// Rows further ahead of the machine's clock are rejected; nil for no bound.
    public let maxAheadMilliseconds: Int64?
    /// Silence after which the source no longer holds windows open; nil for never.
    public let idleTimeoutMilliseconds: Int64?
}

/// The keys of `[[source]]` that belong to MQTT.
public struct MQTTConfiguration: Sendable {
    /// Versions of MQTT, as the configuration writes them.
    public enum ProtocolVersion: String, Sendable, CaseIterable {
        case v5 = "5"
        case v311 = "3.1.1"
    }

    /// Where the broker listens; port 1883 by default, 8883 with TLS.
    public let broker: HostPort
    /// nil for a connection without TLS.
    public let tls: TLSConfiguration?
    /// Topic filters, no two of which can match one topic; empty for a sink.
    public let topics: [String]
    /// The session's name at the broker; `weir-AGENT-SOURCE` by default, of a sink
    /// `weir-AGENT-sink-SINK`.
    public let clientID: String
    /// The user at the broker; nil for none.
    public let username: String?
    /// The password at the broker; nil for none, and always without `username`.
    public let password: Secret?
    /// `.v5` by default.
    public let protocolVersion: ProtocolVersion
    /// How long the broker keeps the session while weir is away (MQTT 5); 1 min to 365 days, 7 days
    /// by default; 0 for a sink, whose session ends with its connection.
    public let sessionExpiryMilliseconds: Int64
    /// The longest silence before the connection is checked; 5 s to 18 h, 30 s by default.
    public let keepAliveMilliseconds: Int64
    /// Unacknowledged messages under way, 1 to 30,000. Of a source those of the broker: 10,000 by
    /// default, 20 with 3.1.1. Of a sink (`max_inflight`) its own: 500 by default.
    public let receiveMaximum: Int
    /// The largest packet that the broker may send (MQTT 5); 1 KB to 256 MB, 16 MB by default; 1
    /// MiB for a sink.
    public let packetBytesMax: Int64
}

/// The keys of the group `tls`; verification cannot be turned off.
public struct TLSConfiguration: Sendable, Hashable {
    /// Trusted CAs; nil for the system's.
    public let caFile: String?
    /// The client's certificate (PEM); nil for none.
    public let certificateFile: String?
    /// The certificate's key (PEM); nil when `certificateFile` holds it too.
    public let keyFile: String?
}

/// `[[query]]`.
public struct QueryConfiguration: Sendable {
    /// Names the result in objects, metrics and the status.
    public let name: String
    /// The text as it stands in the file.
    public let sql: String
    /// Names of the sinks that get the result; empty when only `weir replay` shows it.
    public let sinks: [String]
    /// What the text does not say.
    public let settings: QuerySettings
    /// The text bound to the catalog, with views and macros written out, and with `settings`.
    public let plan: QueryPlan
}
