// What an agent says of itself at one moment: the ledger, the outbox, the connections. `/v1/status`
// serves it as JSON, `weir status` prints it, `/metrics` is written from it. Counters of rows are the
// durable ledger's; counters of things done (messages, uploads) begin with the process.

import WeirCore

/// An agent's state at one moment.
public struct StatusSnapshot: Codable, Sendable, Equatable {
    /// `agent.id`.
    public var agent = ""
    public var version = ""
    /// starting, running, paused or stopping.
    public var phase = "starting"
    /// Why intake is paused; empty when it is not.
    public var pauseReason = ""
    /// Milliseconds since the epoch.
    public var startedAt: Int64 = 0
    public var writtenAt: Int64 = 0
    public var sources: [SourceStatus] = []
    public var queries: [QueryStatus] = []
    public var tables: [TableStatus] = []
    public var sinks: [SinkStatus] = []
    /// What sinks share; nil without `[uplink]`.
    public var uplink: UplinkStatus?
    public var commits = CommitStatus()
    public var storage = StorageStatus()
    /// Whether every identity of the ledger holds (docs/delivery.md).
    public var isLedgerBalanced = true

    public init() {}

    /// A source: received = decoded + rejected.
    public struct SourceStatus: Codable, Sendable, Equatable {
        public var name = ""
        public var isConnected = false
        /// A sentence on the connection.
        public var state = ""
        public var rows = Rows()
        /// Why the last rejected row since the start was; nil when there was none.
        public var lastRejection: String?
        public var messages: UInt64 = 0
        public var bytes: UInt64 = 0
        public var duplicates: UInt64 = 0
        public var reconnects: UInt64 = 0
        public var unacknowledged = 0
        /// The source's watermark, ms since the epoch; nil before the first row.
        public var watermark: Int64?

        public struct Rows: Codable, Sendable, Equatable {
            public var received: UInt64 = 0
            public var decoded: UInt64 = 0
            public var rejected: UInt64 = 0
            public init() {}
        }

        public init() {}
    }

    /// A query: in = used + filtered + late.
    public struct QueryStatus: Codable, Sendable, Equatable {
        public var name = ""
        public var source = ""
        public var rows = Rows()
        /// Values that an expression could not compute and gave NULL for.
        public var evaluationErrors: UInt64 = 0
        /// Bytes of window state in memory.
        public var stateBytes = 0
        /// Groups and rows of state that are in RocksDB alone, because memory has no room for them.
        public var spilled = 0
        /// What limits of state have left out since the process started, such as partial matches.
        public var dropped: UInt64 = 0

        public struct Rows: Codable, Sendable, Equatable {
            public var `in`: UInt64 = 0
            public var used: UInt64 = 0
            public var filtered: UInt64 = 0
            public var late: UInt64 = 0
            public var emitted: UInt64 = 0
            public init() {}
        }

        public init() {}
    }

    /// A table of a file.
    public struct TableStatus: Codable, Sendable, Equatable {
        public var name = ""
        public var rows = 0
        public var fileBytes = 0
        /// Bytes of its rows in memory; the joins that read it hold copies beside.
        public var memoryBytes = 0
        /// Names the content of the file that is in force.
        public var version = ""
        /// When that was loaded, ms since the epoch.
        public var loadedAt: Int64 = 0
        /// Versions put into force, and files refused, since the process started.
        public var loads: UInt64 = 0
        public var failures: UInt64 = 0
        /// Why the file is not what is in force; empty when it is.
        public var problem = ""

        public init() {}
    }

    /// A sink and its streams: appended + made = forwarded + pending + expired + merged in each.
    public struct SinkStatus: Codable, Sendable, Equatable {
        public var name = ""
        public var type = ""
        /// idle, uploading, or the sentence of the last failure and when it tries again.
        public var state = "idle"
        public var isFailing = false
        /// What keeps due rows from leaving: window, condition, budget or priority; nil when nothing does.
        public var waitingFor: String?
        /// When that is looked at again at the latest, ms since the epoch.
        public var nextLookAt: Int64?
        public var streams: [StreamStatus] = []
        /// Streams that were refused and wait alone, while others go on.
        public var held: [HeldStream] = []
        /// Upkeep of the sink's tables that is due and may not be done; nil when there is none.
        public var upkeep: UpkeepWait?
        public var uploads: UInt64 = 0
        public var uploadFailures: UInt64 = 0
        public var uploadedBytes: UInt64 = 0
        /// When the last object was finished, ms since the epoch.
        public var lastUploadAt: Int64?
        public var lastObject: String?
        /// From the oldest row's append to its object's completion, for the last segment, ms.
        public var lastEndToEndMilliseconds: Int64?

        public init() {}
    }

    /// Upkeep of tables that waits.
    public struct UpkeepWait: Codable, Sendable, Equatable {
        /// compaction, clean-up or checkpoint.
        public var what = ""
        /// Since when it is due, ms since the epoch.
        public var since: Int64 = 0
        /// What it waits for.
        public var reason = ""

        public init() {}
    }

    /// A stream of a sink that was refused: its rows, or its markers, wait until it is mended.
    public struct HeldStream: Codable, Sendable, Equatable {
        public var name = ""
        /// The sentence of the last refusal.
        public var problem = ""
        /// When it is tried again, ms since the epoch.
        public var nextTryAt: Int64 = 0
        /// The name of the marker that was refused; nil when rows were.
        public var marker: String?

        public init() {}
    }

    /// Rows of one query (or the late or rejected rows of one) on their way to one sink.
    public struct StreamStatus: Codable, Sendable, Equatable {
        public var name = ""
        public var appended: UInt64 = 0
        public var forwarded: UInt64 = 0
        public var pending: UInt64 = 0
        public var expired: UInt64 = 0
        /// Rows that went into coarser ones because the outbox was full.
        public var merged: UInt64 = 0
        /// Coarser rows that were made of them.
        public var made: UInt64 = 0
        public var pendingBytes: UInt64 = 0
        /// When the oldest pending row was appended, ms since the epoch.
        public var oldestAppendedAt: Int64?

        public init() {}
    }

    /// The shared uplink. Bytes are counted as sent when their upload begins.
    public struct UplinkStatus: Codable, Sendable, Equatable {
        public var sentToday: Int64 = 0
        public var sentThisMonth: Int64 = 0
        /// What is left of each budget; nil without one.
        public var leftToday: Int64?
        public var leftThisMonth: Int64?
        /// Bytes a second at most; nil for no bound.
        public var rateMax: Int64?

        public init() {}
    }

    /// The group commits since the process started.
    public struct CommitStatus: Codable, Sendable, Equatable {
        public var count: UInt64 = 0
        /// Upper bounds of the histogram's buckets, seconds, and commits at or below each.
        public var buckets: [Double] = []
        public var counts: [UInt64] = []
        public var sumSeconds: Double = 0

        public init() {}
    }

    /// The state directory and the process.
    public struct StorageStatus: Codable, Sendable, Equatable {
        public var freeBytes: UInt64 = 0
        public var reserveBytes: UInt64 = 0
        public var stateDirectoryBytes: UInt64 = 0
        public var residentBytes: UInt64 = 0
        public var cpuSeconds: Double = 0
        public var openFiles = 0
        /// Figures of RocksDB, by its own property names.
        public var database: [String: UInt64] = [:]

        public init() {}
    }

    /// Checks the identities of the ledger.
    public mutating func balance() {
        isLedgerBalanced =
            sources.allSatisfy { $0.rows.received == $0.rows.decoded + $0.rows.rejected }
            && queries.allSatisfy { $0.rows.in == $0.rows.used + $0.rows.filtered + $0.rows.late }
            && sinks.allSatisfy { sink in
                sink.streams.allSatisfy {
                    $0.appended + $0.made == $0.forwarded + $0.pending + $0.expired + $0.merged
                }
            }
    }
}
