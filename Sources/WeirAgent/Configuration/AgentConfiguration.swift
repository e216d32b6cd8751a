// A checked configuration: what the agent is built from. Every name is resolved, every bound holds,
// every query has its plan; nothing here can be wrong any more. Quantities are in the unit their
// name ends with.

import WeirCore
import WeirSQL

/// Everything that one configuration file says.
public struct AgentConfiguration: Sendable {
    /// The file it came from, as it was given.
    public let path: String
    public let agent: AgentSettings
    public let sources: [SourceConfiguration]
    public let tables: [TableConfiguration]
    public let views: [Catalog.View]
    public let queries: [QueryConfiguration]
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
    public let id: String
    /// Relative to the working directory unless absolute.
    public let stateDirectory: String
    public let commitIntervalMilliseconds: Int64
    public let memoryLimitBytes: Int64
    public let stateCacheBytes: Int64
    /// Intake pauses while the state directory's file system has less room than this.
    public let freeSpaceReserveBytes: Int64
    /// Where the status is served; nil for nowhere.
    public let http: HostPort?
    public let logLevel: LogLevel
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

    public let name: String
    public let input: Input
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

    public let name: String
    public let type: DataType
    public let origin: Origin
    /// How timestamps of the payload are written; nil for other types and origins.
    public let timestampFormat: TimestampFormat?
    public let onTypeError: TypeErrorPolicy
}

/// `[source.time]`.
public struct TimeConfiguration: Sendable, Hashable {
    /// The event-time column.
    public let column: String
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
    public enum ProtocolVersion: String, Sendable, CaseIterable {
        case v5 = "5"
        case v311 = "3.1.1"
    }

    public let broker: HostPort
    /// nil for a connection without TLS.
    public let tls: TLSConfiguration?
    public let topics: [String]
    public let clientID: String
    public let username: String?
    public let password: Secret?
    public let protocolVersion: ProtocolVersion
    public let sessionExpiryMilliseconds: Int64
    public let keepAliveMilliseconds: Int64
    public let receiveMaximum: Int
    public let packetBytesMax: Int64
}

/// The keys of the group `tls`; verification cannot be turned off.
public struct TLSConfiguration: Sendable, Hashable {
    /// Trusted CAs; nil for the system's.
    public let caFile: String?
    public let certificateFile: String?
    public let keyFile: String?
}

/// `[[query]]`.
public struct QueryConfiguration: Sendable {
    public let name: String
    public let sql: String
    /// Names of the sinks that get the result; empty when only `weir replay` shows it.
    public let sinks: [String]
    /// What the text does not say.
    public let settings: QuerySettings
    public let plan: QueryPlan
}
