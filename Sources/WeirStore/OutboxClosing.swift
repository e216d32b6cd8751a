// Which hours of a stream are complete: for sinks that lay rows out by the hours of a timestamp column and
// tell readers, by a marker, when nothing more can come for an hour.
//
//     'h' stream hour     → the last row that may fall in the hour     written by the loop, with the rows
//     'w' stream          → the hours before it are closed             written by the loop, with the rows
//     'k' stream          → the hours before it have their marker      written by the sink's forwarder
//
// An hour is closed when the query's committed watermark says that no row of it can come any more, and
// complete when, besides, no row of it waits. Both are known from the commit that holds the rows, so that a
// marker can never come before the last row of its hour.

import Synchronization
import WeirCore

/// What is known in memory of a stream's hours. Hours are named by their beginnings, ms since the epoch.
struct StreamHours: Sendable {
    static let length: Int64 = 3_600_000
    /// Hours without rows get markers too, unless there are more of them in a row than this.
    static let emptyHoursMax: Int64 = 168

    /// The last row that may fall in each hour whose marker is not written.
    var lastRows: [Int64: UInt64] = [:]
    /// No row of an hour before this will come.
    var closedUpTo: Int64?
    /// The hours before this have their markers.
    var markedUpTo: Int64?

    static func hour(of instant: Int64) -> Int64 {
        instant - CivilCalendar.floorModulo(instant, by: length)
    }

    /// The next hour that is complete, if rows before `firstPending` are gone; nil when there is none.
    func complete(firstPending: UInt64) -> Int64? {
        guard let closedUpTo, var hour = markedUpTo ?? lastRows.keys.min() else { return nil }
        let next = lastRows.keys.filter { $0 >= hour }.min() ?? closedUpTo
        if next - hour > Self.emptyHoursMax * Self.length { hour = next }
        guard hour + Self.length <= closedUpTo, lastRows[hour, default: 0] < firstPending else {
            return nil
        }
        return hour
    }

    /// Rows that came for hours that have their marker already.
    var stragglers: [Int64] {
        guard let markedUpTo else { return [] }
        return lastRows.keys.filter { $0 < markedUpTo }.sorted()
    }
}

extension OutboxKey {
    static func hour(_ stream: Int, _ hour: Int64) -> [UInt8] {
        [UInt8(ascii: "h")] + bigEndian(UInt32(stream)) + bigEndian(hour ^ Int64.min)
    }
    static func closed(_ stream: Int) -> [UInt8] { [UInt8(ascii: "w")] + bigEndian(UInt32(stream)) }
    static func marked(_ stream: Int) -> [UInt8] { [UInt8(ascii: "k")] + bigEndian(UInt32(stream)) }
}

extension WriteBatch {
    func putLastRow(_ row: UInt64, ofHour hour: Int64, of stream: Int) {
        put(.outbox, OutboxKey.hour(stream, hour), bigEndian(row))
    }

    func putClosed(_ instant: Int64, of stream: Int) {
        put(.outbox, OutboxKey.closed(stream), bigEndian(instant))
    }
}

extension Outbox {
    /// The next hour of a stream whose marker is due: closed, and with no row of it waiting.
    public func completeHour(of stream: StreamID) -> Int64? {
        state.withLock { state in
            let stream = state.streams[stream.index]
            return stream.hours.complete(firstPending: stream.firstPendingRow)
        }
    }

    /// Whether a marker of the stream is due, or rows have come behind one.
    public func hasNewsOfHours(of stream: StreamID) -> Bool {
        state.withLock { state in
            let stream = state.streams[stream.index]
            return stream.hours.complete(firstPending: stream.firstPendingRow) != nil
                || !stream.hours.stragglers.isEmpty
        }
    }

    /// The marker of `hour` is there; durable on return.
    public func didMark(_ hour: Int64, of stream: StreamID, sink: SinkID) throws(Failure) {
        try inLane(of: sink) { () throws(Failure) in
            let batch = database.makeBatch()
            batch.delete(.outbox, OutboxKey.hour(stream.index, hour))
            batch.put(
                .outbox, OutboxKey.marked(stream.index), bigEndian(hour + StreamHours.length))
            database.options.crashPoint.pass("mark.before-write")
            try database.write(batch, isSynced: true)
            database.options.crashPoint.pass("mark.after-write")
            state.withLock { state in
                state.streams[stream.index].hours.lastRows[hour] = nil
                state.streams[stream.index].hours.markedUpTo = hour + StreamHours.length
            }
        }
    }

    /// Forgets hours for which rows have come behind their marker; returns their beginnings, for the log.
    public func takeStragglers(of stream: StreamID, sink: SinkID) throws(Failure) -> [Int64] {
        let hours = state.withLock { $0.streams[stream.index].hours.stragglers }
        guard !hours.isEmpty else { return [] }
        try inLane(of: sink) { () throws(Failure) in
            let batch = database.makeBatch()
            for hour in hours { batch.delete(.outbox, OutboxKey.hour(stream.index, hour)) }
            try database.write(batch, isSynced: false)
            state.withLock { state in
                for hour in hours { state.streams[stream.index].hours.lastRows[hour] = nil }
            }
        }
        return hours
    }
}

extension OutboxStream {
    /// The first row that is neither forwarded nor given up.
    var firstPendingRow: UInt64 {
        segments.reduce(nextUnsealed) { min($0, $1.first) }
    }
}

/// Reads what is known of all streams' hours.
struct HoursLoading {
    let database: Database

    /// The hours by stream.
    func load() throws(Failure) -> [Int: StreamHours] {
        var found: [Int: StreamHours] = [:]
        try scan("h", keyBytes: 12) { stream, key, value in
            found[stream, default: StreamHours()].lastRows[key ^ Int64.min] = UInt64(bitPattern: value)
        }
        try scan("w", keyBytes: 4) { stream, _, value in
            found[stream, default: StreamHours()].closedUpTo = value
        }
        try scan("k", keyBytes: 4) { stream, _, value in
            found[stream, default: StreamHours()].markedUpTo = value
        }
        return found
    }

    private func scan(
        _ tag: Unicode.Scalar, keyBytes: Int, _ body: (Int, Int64, Int64) -> Void
    ) throws(Failure) {
        let scope = StateScope(database, .outbox, prefix: [UInt8(ascii: tag)])
        try scope.scan([], []) { (key, value) throws(Failure) in
            guard key.count == keyBytes, value.count == 8 else {
                throw Failure(
                    .state, "reading the outbox in", database.directory.path,
                    "what is known of a stream's hours is damaged",
                    advice: "restore the state directory from a backup, or move it away to start empty")
            }
            let stream = key.loadUnaligned(as: UInt32.self).bigEndian
            let rest = keyBytes == 12 ? key.loadUnaligned(fromByteOffset: 4, as: Int64.self).bigEndian : 0
            body(Int(stream), rest, value.loadUnaligned(as: Int64.self).bigEndian)
            return true
        }
    }
}
