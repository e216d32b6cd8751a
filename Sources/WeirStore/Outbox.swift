// The outbox: rows that are committed and wait to be forwarded, in order, counted from 1.
//
// A stream is what one sink gets of one result: a query's name, `_late/<query>` or `_rejected/
// <source>`. Its rows are numbered densely, and a number means the same row for ever, because
// object names are made of them. Rows lie in blocks, compressed batches of a few hundred KiB at
// most, keyed by stream and first number. A block comes with the group commit (OutboxAppender);
// from then on it belongs to the sink's forwarder, which seals a range of rows into a segment,
// reads it, and deletes it when the object is stored, each step one synced write of its own
// (OutboxForwarding).
//
// Rows can be merged into fewer, coarser ones (OutboxRewriting); those take the first numbers of what
// they stand for, and the other numbers have no row any more.
//
// Always true, also after any crash, and checked at every start: appended + made = forwarded + pending +
// expired + merged, and every pending row is in a block.
//
// Locks: `state` guards what is known of streams and is held for memory work only. Each sink's
// `lane` makes the writes about its streams come one after the other and is held across them; so
// what is planned under it stays true until it is written, except that the loop adds blocks at the
// end. A lane is taken before `state`, never after it. Nothing else here changes, hence Sendable.

import Synchronization
import WeirCore

/// A sink's number in an open outbox.
public struct SinkID: Hashable, Sendable {
    let index: Int
}

/// A stream's number in an open outbox: one sink's rows of one result.
public struct StreamID: Hashable, Sendable {
    let index: Int
}

/// What waits in a stream or in all streams of a sink.
public struct OutboxPending: Hashable, Sendable {
    /// Rows not forwarded yet, sealed or not.
    public internal(set) var rows: UInt64 = 0
    /// Bytes that they take in the outbox: encoded blocks, and files.
    public internal(set) var bytes = 0
    /// Of the bytes, those of files.
    public internal(set) var fileBytes = 0
    /// Files that segments are at rest in.
    public internal(set) var fileCount = 0
    /// When the oldest of them was committed, ms since the epoch; nil when there is none.
    public internal(set) var oldestAppendedAt: Int64?
    /// Of the rows, those that no segment holds yet.
    public internal(set) var unsealedRows: UInt64 = 0
    /// Bytes of the unsealed rows; a block that is sealed in part counts whole.
    public internal(set) var unsealedBytes = 0
    /// When the oldest unsealed row was committed; nil when there is none.
    public internal(set) var oldestUnsealedAt: Int64?

    /// Nothing waits.
    public init() {}
}

/// A stream and what became of its rows: appended + made = forwarded + pending + expired + merged.
public struct OutboxStreamReport: Sendable {
    /// The stream, for calls that want one.
    public let stream: StreamID
    /// The sink that its rows go to.
    public let sinkName: String
    /// A query, `_late/<query>` or `_rejected/<source>`.
    public let streamName: String
    /// The number of the last row; also how many there ever were.
    public let appended: UInt64
    /// Rows that the sink has.
    public let forwarded: UInt64
    /// Rows that were given up.
    public let expired: UInt64
    /// Rows that went into coarser ones.
    public let merged: UInt64
    /// Coarser rows that were made of them.
    public let made: UInt64
    /// Rows that wait.
    public let pending: OutboxPending
}

/// The outbox of an agent, shared by the loop and the forwarders.
public final class Outbox: Sendable {
    struct Sink: Sendable {
        let name: String
        /// Held across every write about the sink's streams.
        let lane = Lane()
        var nextSealNumber: UInt64 = 1
        /// Bytes of blocks deleted since RocksDB was last asked to give their space back.
        var trimmedBytes = 0
        /// The number of the segment that the forwarder is at work on.
        var claimed: UInt64?
    }

    struct State: Sendable {
        var sinks: [Sink] = []
        var streams: [OutboxStream] = []
        /// The ledger's counts as they were settled with the newest rows; empty before the first commit.
        var counts: [UInt64] = []
    }

    final class Lane: Sendable {
        let mutex = Mutex(())
    }

    let database: Database
    let state: Mutex<State>
    /// Where the files of segments at rest lie.
    public let folder: OutboxFolder

    /// The identity of the state directory that it lies in.
    public func identity() throws(Failure) -> String { try database.directory.identity() }

    /// Takes back what is committed, and removes files that a crash left; throws `.state` when rows
    /// that should be there are not.
    public init(_ database: Database) throws(Failure) {
        self.database = database
        folder = OutboxFolder(path: "\(database.directory.path)/outbox")
        let loading = OutboxLoading(database)
        state = Mutex(try loading.load())
        if !database.isReadOnly { folder.removeStrays(except: try loading.fileNames()) }
    }

    /// Bytes that can still be written to the disk of the state directory.
    public func freeBytes() throws(Failure) -> UInt64 { try database.directory.freeBytes() }

    // MARK: Streams

    /// All sinks that rows were ever appended for, configured now or not.
    public var sinks: [(id: SinkID, name: String)] {
        state.withLock { state in
            state.sinks.enumerated().map { (SinkID(index: $0), $1.name) }
        }
    }

    /// The sink of this name, if it has a stream.
    public func sink(named name: String) -> SinkID? {
        state.withLock { state in
            state.sinks.firstIndex { $0.name == name }.map { SinkID(index: $0) }
        }
    }

    /// The streams of a sink, those of removed queries too, in the order of their making.
    public func streams(of sink: SinkID) -> [(id: StreamID, name: String)] {
        state.withLock { state in
            state.streams.enumerated().compactMap { index, stream in
                stream.sink == sink.index ? (StreamID(index: index), stream.name) : nil
            }
        }
    }

    // MARK: Figures

    /// What waits for a sink. Takes time by its streams, not by its rows.
    public func pending(of sink: SinkID) -> OutboxPending {
        state.withLock { state in
            var total = OutboxPending()
            for stream in state.streams where stream.sink == sink.index {
                total.add(stream.pending)
            }
            return total
        }
    }

    /// Rows ever appended for a sink: greater after each commit that brought it something.
    public func appendedRows(of sink: SinkID) -> UInt64 {
        state.withLock { state in
            var rows: UInt64 = 0
            for index in state.streams.indices where state.streams[index].sink == sink.index {
                rows += state.streams[index].appended
            }
            return rows
        }
    }

    /// What waits in a stream.
    public func pending(of stream: StreamID) -> OutboxPending {
        state.withLock { $0.streams[stream.index].pending }
    }

    /// All streams and their counts.
    public func reports() -> [OutboxStreamReport] {
        state.withLock { state in
            state.streams.enumerated().map { index, stream in
                OutboxStreamReport(
                    stream: StreamID(index: index), sinkName: state.sinks[stream.sink].name,
                    streamName: stream.name, appended: stream.appended, forwarded: stream.forwarded,
                    expired: stream.expired, merged: stream.merged, made: stream.made,
                    pending: stream.pending)
            }
        }
    }

    /// Runs `body` while no other write about `sink` is under way.
    func inLane<Result>(
        of sink: SinkID, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let lane = state.withLock { $0.sinks[sink.index].lane }
        return try lane.mutex.withLock { (_) throws(Failure) in try body() }
    }
}

extension OutboxPending {
    fileprivate mutating func add(_ other: OutboxPending) {
        rows += other.rows
        bytes += other.bytes
        fileBytes += other.fileBytes
        fileCount += other.fileCount
        unsealedRows += other.unsealedRows
        unsealedBytes += other.unsealedBytes
        oldestAppendedAt = [oldestAppendedAt, other.oldestAppendedAt].compactMap(\.self).min()
        oldestUnsealedAt = [oldestUnsealedAt, other.oldestUnsealedAt].compactMap(\.self).min()
    }
}
