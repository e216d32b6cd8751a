// What is kept of the uplink across restarts: bytes sent by calendar day and by month, how many bytes
// each stream's rows become on the wire, and how many an upload takes beside them.
//
//     'd' day             → bytes          days since the epoch, as bytes that sort
//     'm' month           → bytes          months since the year 0
//     's' sink, stream    → bytes on the wire, bytes in the outbox
//     'h' sink            → bytes of the last upload beside its files
//
// Counts are written beside the group commits, by whichever sink's thread has something to count, each time
// as one synced write.

import WeirCore

/// The uplink's records in a state directory.
public struct UplinkRecords: Sendable {
    /// Bytes sent, by period.
    public typealias Counts = [Int: Int64]

    /// What a stream's rows took: bytes that were sent, and bytes that they had in the outbox.
    public struct Volume: Sendable, Hashable {
        /// Bytes over the wire.
        public var sent: Int64
        /// Bytes in the outbox.
        public var encoded: Int64

        public init(sent: Int64, encoded: Int64) {
            self.sent = sent
            self.encoded = encoded
        }
    }

    private let scope: StateScope

    public init(_ database: Database) { scope = database.metaScope("uplink") }

    /// The counts by day and by month, as last written.
    public func counts() throws(Failure) -> (days: Counts, months: Counts) {
        var counts: (days: Counts, months: Counts) = ([:], [:])
        for (key, value) in try scope.pairs() where key.count == 5 && value.count == 8 {
            let period = Int(Int32(truncatingIfNeeded: Self.number(key[1...]))) ^ Int(Int32.min)
            let bytes = Int64(truncatingIfNeeded: Self.number(value[...]))
            if key[0] == UInt8(ascii: "d") { counts.days[period] = bytes }
            if key[0] == UInt8(ascii: "m") { counts.months[period] = bytes }
        }
        return counts
    }

    /// Puts a day's and a month's counts, and drops those of forgotten periods; durable on return, or,
    /// without `isSynced`, with the next synced write.
    public func write(
        day: (period: Int, bytes: Int64), month: (period: Int, bytes: Int64), forgottenDays: [Int] = [],
        forgottenMonths: [Int] = [], isSynced: Bool
    ) throws(Failure) {
        let change = { (writer: any StateWriter) in
            put(writer, Self.key("d", day.period), day.bytes)
            put(writer, Self.key("m", month.period), month.bytes)
            for day in forgottenDays { writer.delete(Self.key("d", day)) }
            for month in forgottenMonths { writer.delete(Self.key("m", month)) }
        }
        if isSynced { try scope.writeSynced(change) } else { try scope.writeAhead(change) }
    }

    /// What a stream's rows have become so far; nil when none was sent.
    public func volume(sink: String, stream: String) throws(Failure) -> Volume? {
        guard let value = try scope.get(Self.key(sink, stream)), value.count == 16 else { return nil }
        return Volume(
            sent: Int64(truncatingIfNeeded: Self.number(value[..<8])),
            encoded: Int64(truncatingIfNeeded: Self.number(value[8...])))
    }

    /// Keeps a stream's volume. Not synced: a crash may bring back the one before.
    public func write(_ volume: Volume, sink: String, stream: String) throws(Failure) {
        try scope.writeAhead { writer in
            (bigEndian(volume.sent) + bigEndian(volume.encoded)).withUnsafeBytes {
                writer.put(Self.key(sink, stream), $0)
            }
        }
    }

    /// What a sink's last upload took beside its files or rows, bytes; nil when there was none.
    public func headBytes(sink: String) throws(Failure) -> Int64? {
        guard let value = try scope.get(Self.headKey(sink)), value.count == 8 else { return nil }
        return Int64(truncatingIfNeeded: Self.number(value[...]))
    }

    /// Keeps what a sink's upload took beside its files. Not synced: a crash may bring back the one before.
    public func write(headBytes: Int64, sink: String) throws(Failure) {
        try scope.writeAhead { put($0, Self.headKey(sink), headBytes) }
    }

    private func put(_ writer: any StateWriter, _ key: [UInt8], _ bytes: Int64) {
        bigEndian(bytes).withUnsafeBytes { writer.put(key, $0) }
    }

    private static func key(_ tag: Unicode.Scalar, _ period: Int) -> [UInt8] {
        [UInt8(ascii: tag)] + bigEndian(Int32(clamping: period) ^ Int32.min)
    }

    private static func key(_ sink: String, _ stream: String) -> [UInt8] {
        [UInt8(ascii: "s")] + lengthPrefixed(sink) + lengthPrefixed(stream)
    }

    private static func headKey(_ sink: String) -> [UInt8] { [UInt8(ascii: "h")] + lengthPrefixed(sink) }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
