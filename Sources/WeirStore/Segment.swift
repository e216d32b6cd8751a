// A segment: a range of a stream's rows that becomes one or more objects. Its boundary is durable
// before the first byte of it is uploaded, so that a retry after a crash makes the same objects.

import WeirCore

/// Rows `first ... last` of a stream, sealed. Names of objects are made of `first`, `last` and
/// `sealedAt` and of nothing that could be different at the next try.
public struct Segment: Hashable, Sendable {
    /// The sink that it goes to.
    public let sink: SinkID
    /// Whose rows they are.
    public let stream: StreamID
    /// The stream's name: a query, `_late/<query>` or `_rejected/<source>`.
    public let streamName: String
    /// The number of its first row.
    public let first: UInt64
    /// The number of its last row, itself included.
    public let last: UInt64
    /// When it was sealed, ms since the epoch.
    public let sealedAt: Int64
    /// Whatever the forwarder wants to find again after a restart, such as the partitions' names.
    public internal(set) var attachment: [UInt8]
    /// Its files, when its rows are in files; nil while they are in blocks.
    public internal(set) var staged: StagedSummary?
    /// Orders the segments of a sink by sealing.
    let number: UInt64
    /// How many rows it has: as many as numbers, less those whose rows went into coarser ones.
    public let rowCount: UInt64

    /// Whether nobody has sealed it: rows as they lay when somebody looked (OutboxTail).
    public var isOpen: Bool { number == Self.openNumber }
    /// No sealing comes so far.
    static let openNumber = UInt64.max
}

/// Rows that may be sealed as one segment.
public struct SealableRange: Hashable, Sendable {
    /// Whose rows they are.
    public let stream: StreamID
    /// The number of the first row.
    public let first: UInt64
    /// The number of the last row, itself included.
    public let last: UInt64
    /// How many rows they are.
    public let rowCount: UInt64
    /// Their encoded size; a block at an end that is taken in part counts whole.
    public let bytes: Int
}

/// Rows that were given up because the outbox was full.
public struct ExpiredRange: Hashable, Sendable {
    /// Whose rows they were.
    public let stream: StreamID
    /// The stream's name, for the log.
    public let streamName: String
    /// The number of the first row.
    public let first: UInt64
    /// The number of the last row, itself included.
    public let last: UInt64
    /// How many rows they were.
    public let rowCount: UInt64
}
