// What an agent says of itself at one moment: the ledger, the outbox, the connections. `/v1/status`
// serves it as JSON, `weir status` prints it, `/metrics` is written from it. Counters of rows are the
// durable ledger's; counters of things done (messages, uploads) begin with the process.

import WeirCore

/// An agent's state at one moment.
public struct StatusSnapshot: Codable, Sendable, Equatable {
    /// `agent.id`.
    public var agent = ""
    /// weir's own.
    public var version = ""
    /// starting, running, paused or stopping.
    public var phase = "starting"
    /// Why intake is paused; empty when it is not.
    public var pauseReason = ""
    /// Milliseconds since the epoch.
    public var startedAt: Int64 = 0
    /// When the figures were taken, ms since the epoch.
    public var writtenAt: Int64 = 0
    /// `[[source]]`, in the order of the configuration, as are all lists here.
    public var sources: [SourceStatus] = []
    /// `[[query]]`.
    public var queries: [QueryStatus] = []
    /// `[[table]]`.
    public var tables: [TableStatus] = []
    /// `[[sink]]`.
    public var sinks: [SinkStatus] = []
    /// What sinks share; nil without `[uplink]`.
    public var uplink: UplinkStatus?
    /// How often and how fast the state was made durable.
    public var commits = CommitStatus()
    /// Disk and memory.
    public var storage = StorageStatus()
    /// Whether every identity of the ledger holds (docs/delivery.md).
    public var isLedgerBalanced = true

    public init() {}

    /// A source: received = decoded + rejected.
    public struct SourceStatus: Codable, Sendable, Equatable {
        /// `source.name`.
        public var name = ""
        /// Whether messages can come; of a file, whether it is open.
        public var isConnected = false
        /// A sentence on the connection.
        public var state = ""
        /// What became of its rows, by the durable ledger.
        public var rows = Rows()
        /// Why the last rejected row since the start was; nil when there was none.
        public var lastRejection: String?
        /// Messages taken in since the process started.
        public var messages: UInt64 = 0
        /// Bytes of their payloads.
        public var bytes: UInt64 = 0
        /// Redeliveries that were recognised and dropped since the process started.
        public var duplicates: UInt64 = 0
        /// Times that the connection was lost since the process started.
        public var reconnects: UInt64 = 0
        /// Messages taken in and not yet committed.
        public var unacknowledged = 0
        /// The source's watermark, ms since the epoch; nil before the first row.
        public var watermark: Int64?

        /// What became of a source's rows; counted in the ledger.
        public struct Rows: Codable, Sendable, Equatable {
            /// Rows that came, one for each message, or for each element of an array or line of a
            /// payload.
            public var received: UInt64 = 0
            /// Rows that queries got.
            public var decoded: UInt64 = 0
            /// Rows that went to the rejected output, with a reason.
            public var rejected: UInt64 = 0
            public init() {}
        }

        public init() {}
    }

    /// A query: in = used + filtered + late.
    public struct QueryStatus: Codable, Sendable, Equatable {
        /// `query.name`.
        public var name = ""
        /// The sources that it reads.
        public var source = ""
        /// What became of its rows, by the durable ledger.
        public var rows = Rows()
        /// Values that an expression could not compute and gave NULL for.
        public var evaluationErrors: UInt64 = 0
        /// Bytes of window state in memory.
        public var stateBytes = 0
        /// Groups and rows of state that are in RocksDB alone, because memory has no room for them.
        public var spilled = 0
        /// What limits of state have left out since the process started, such as partial matches.
        public var dropped: UInt64 = 0

        /// What became of a query's rows; counted in the ledger.
        public struct Rows: Codable, Sendable, Equatable {
            /// Rows of its sources, each once.
            public var `in`: UInt64 = 0
            /// Rows that had their effect.
            public var used: UInt64 = 0
            /// Rows that a condition left out.
            public var filtered: UInt64 = 0
            /// Rows that came after all their windows had closed.
            public var late: UInt64 = 0
            /// Rows of the result.
            public var emitted: UInt64 = 0
            public init() {}
        }

        public init() {}
    }

    /// A table of a file.
    public struct TableStatus: Codable, Sendable, Equatable {
        /// `table.name`.
        public var name = ""
        /// Rows in force.
        public var rows = 0
        /// Length of the file that they came from.
        public var fileBytes = 0
        /// Bytes of its rows in memory; the joins that read it hold copies beside.
        public var memoryBytes = 0
        /// Names the content of the file that is in force.
        public var version = ""
        /// When that was loaded, ms since the epoch.
        public var loadedAt: Int64 = 0
        /// Versions put into force, and files refused, since the process started.
        public var loads: UInt64 = 0
        /// Files refused since the process started.
        public var failures: UInt64 = 0
        /// Why the file is not what is in force; empty when it is.
        public var problem = ""

        public init() {}
    }

    /// A sink and its streams: appended + made = forwarded + pending + expired + merged in each.
    public struct SinkStatus: Codable, Sendable, Equatable {
        /// `sink.name`.
        public var name = ""
        /// `sink.type`.
        public var type = ""
        /// idle, uploading, or the sentence of the last failure and when it tries again.
        public var state = "idle"
        /// Whether the last try failed, or a stream waits because it was refused.
        public var isFailing = false
        /// What keeps due rows from leaving: window, condition, budget or priority; nil when nothing does.
        public var waitingFor: String?
        /// When that is looked at again at the latest, ms since the epoch.
        public var nextLookAt: Int64?
        /// One for each query, and its late and rejected rows, that the sink has had rows of.
        public var streams: [StreamStatus] = []
        /// Why waiting rows that could be merged are not, though the outbox is nearly full; nil when nothing
        /// hinders that.
        public var mergingProblem: String?
        /// Streams that were refused and wait alone, while others go on.
        public var held: [HeldStream] = []
        /// Upkeep of the sink's tables that is due and may not be done; nil when there is none.
        public var upkeep: UpkeepWait?
        /// Objects written, or requests sent, since the process started.
        public var uploads: UInt64 = 0
        /// Tries that failed since the process started.
        public var uploadFailures: UInt64 = 0
        /// Bytes sent for segments that have arrived.
        public var uploadedBytes: UInt64 = 0
        /// When the last object was finished, ms since the epoch.
        public var lastUploadAt: Int64?
        /// The name of that object.
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
        /// The stream: a query, `_late/QUERY` or `_rejected/SOURCE`.
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
        /// The stream: a query, `_late/QUERY` or `_rejected/SOURCE`.
        public var name = ""
        /// Rows that came into the outbox.
        public var appended: UInt64 = 0
        /// Rows that their sink has.
        public var forwarded: UInt64 = 0
        /// Rows that wait.
        public var pending: UInt64 = 0
        /// Rows that were given up: too many, too old, refused for good, or discarded by hand.
        public var expired: UInt64 = 0
        /// Rows that went into coarser ones because the outbox was full.
        public var merged: UInt64 = 0
        /// Coarser rows that were made of them.
        public var made: UInt64 = 0
        /// Bytes of the rows that wait, in blocks and in files.
        public var pendingBytes: UInt64 = 0
        /// When the oldest pending row was appended, ms since the epoch.
        public var oldestAppendedAt: Int64?

        public init() {}
    }

    /// The shared uplink. Bytes are counted as sent when their upload begins.
    public struct UplinkStatus: Codable, Sendable, Equatable {
        /// Bytes since local midnight.
        public var sentToday: Int64 = 0
        /// Bytes since the first of the month.
        public var sentThisMonth: Int64 = 0
        /// What is left of each budget; nil without one.
        public var leftToday: Int64?
        /// Of `budget_per_month`, bytes; nil without one.
        public var leftThisMonth: Int64?
        /// Bytes a second at most; nil for no bound.
        public var rateMax: Int64?

        public init() {}
    }

    /// The group commits since the process started.
    public struct CommitStatus: Codable, Sendable, Equatable {
        /// Commits.
        public var count: UInt64 = 0
        /// Upper bounds of the histogram's buckets, seconds, and commits at or below each.
        public var buckets: [Double] = []
        /// For each bucket, commits that took no longer than its bound.
        public var counts: [UInt64] = []
        /// Seconds that all of them took.
        public var sumSeconds: Double = 0

        public init() {}
    }

    /// The state directory and the process.
    public struct StorageStatus: Codable, Sendable, Equatable {
        /// Free on the file system of the state directory.
        public var freeBytes: UInt64 = 0
        /// `free_space_reserve`: with less free than this, intake pauses.
        public var reserveBytes: UInt64 = 0
        /// RocksDB's files and write buffers.
        public var stateDirectoryBytes: UInt64 = 0
        /// The process's memory in RAM.
        public var residentBytes: UInt64 = 0
        /// CPU time of the process, user and system.
        public var cpuSeconds: Double = 0
        /// Open file descriptors.
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
