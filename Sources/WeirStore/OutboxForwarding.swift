// The forwarder's end of the outbox: seal, read, complete. Each step is one synced write, and
// memory follows the disk, so that a crash between any two of them is found as it was.
//
// A sink's streams are sealed and completed by one forwarder; the loop goes on appending meanwhile,
// and may give up old rows when the outbox is full (OutboxUpkeep), but never rows of a segment.

import Synchronization
import WeirCore

/// Encoded bytes that a segment should have.
public struct SegmentBytes: Sendable {
    /// A segment ends with the block that brings it to so many.
    public var wanted: Int
    /// It has no more than this, unless its first row alone has; rows of a block count in proportion.
    public var limit: Int

    public init(wanted: Int, limit: Int = .max) {
        self.wanted = wanted
        self.limit = limit
    }
}

extension Outbox {
    /// As `sealableRange(of:rowsMax:bytes:)`, without a limit.
    public func sealableRange(
        of stream: StreamID, rowsMax: UInt64 = .max, bytesMax: Int = .max
    ) -> SealableRange? {
        sealableRange(of: stream, rowsMax: rowsMax, bytes: SegmentBytes(wanted: bytesMax))
    }

    /// The oldest unsealed rows that can be one segment: of one schema, at most `rowsMax`, and not
    /// beyond `bytes`. Nil when nothing is unsealed.
    public func sealableRange(
        of stream: StreamID, rowsMax: UInt64 = .max, bytes: SegmentBytes
    ) -> SealableRange? {
        state.withLock { state in
            state.streams[stream.index].sealable(rowsMax: rowsMax, bytes: bytes).map {
                SealableRange(
                    stream: stream, first: $0.first, last: $0.last, rowCount: $0.rowCount,
                    bytes: $0.bytes)
            }
        }
    }

    /// Makes `range` a segment, durable on return. Nil when its rows have expired meanwhile.
    ///
    /// Without `isSynced` it is durable with the next synced write: a power cut may undo the seal, which is
    /// for sinks whose rows do not depend on where segments begin.
    public func seal(
        _ range: SealableRange, sealedAt: Int64, attachment: [UInt8] = [], isSynced: Bool = true
    ) throws(Failure) -> Segment? {
        let sink = state.withLock { SinkID(index: $0.streams[range.stream.index].sink) }
        return try inLane(of: sink) { () throws(Failure) in
            let (stream, number, counts) = state.withLock { state in
                (
                    state.streams[range.stream.index], state.sinks[sink.index].nextSealNumber,
                    state.counts
                )
            }
            guard stream.nextUnsealed == range.first else { return nil }
            let segment = Segment(
                sink: sink, stream: range.stream, streamName: stream.name, first: range.first,
                last: range.last, sealedAt: sealedAt, attachment: attachment, number: number,
                rowCount: stream.rowCount(range.first, range.last))
            var progress = stream.progress
            progress.nextUnsealed = range.last + 1
            let taken = stream.account.taken(counts)
            var account = stream.account
            account.seal(at: taken)
            let batch = database.makeBatch()
            batch.put(segment)
            batch.put(taken, of: range.stream.index, first: range.first)
            if !taken.isEmpty { batch.put(account, of: range.stream.index) }
            batch.put(progress, of: range.stream.index)
            database.options.crashPoint.pass("seal.before-write")
            try database.write(batch, isSynced: isSynced)
            database.options.crashPoint.pass("seal.after-write")
            state.withLock { state in
                state.sinks[sink.index].nextSealNumber += 1
                state.streams[range.stream.index].seal(segment)
                state.streams[range.stream.index].account = account
            }
            return segment
        }
    }

    /// The segments of a sink that are not completed, in the order of sealing.
    public func segments(of sink: SinkID) -> [Segment] {
        state.withLock { state in
            state.streams.filter { $0.sink == sink.index }.flatMap(\.segments)
                .sorted { $0.number < $1.number }
        }
    }

    /// Replaces what is kept with an uncompleted segment, durable on return; returns it as it is
    /// now.
    public func attach(_ attachment: [UInt8], to segment: Segment) throws(Failure) -> Segment {
        try inLane(of: segment.sink) { () throws(Failure) in
            var changed = segment
            changed.attachment = attachment
            let batch = database.makeBatch()
            batch.put(changed)
            database.options.crashPoint.pass("attach.before-write")
            try database.write(batch, isSynced: true)
            database.options.crashPoint.pass("attach.after-write")
            state.withLock { $0.streams[segment.stream.index].replace(changed) }
            return changed
        }
    }

    /// Hands over a segment's rows in order, a block at a time, without hidden columns.
    ///
    /// Holds one block in memory. The segment's rows must be in blocks. Throws `.state` when a row is missing or a block is damaged.
    public func readRows(
        of segment: Segment, _ body: (Batch) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(segment.staged == nil, "the rows of a segment at rest are in its files")
        try database.checkUsable()
        let index = segment.stream.index
        // A sealed block stays where it is until its segments are completed.
        let blocks = state.withLock { state in
            let stream = state.streams[index]
            return stream.blocks[stream.index(ofBlockAt: segment.first)...]
                .prefix { $0.first <= segment.last }
        }
        let decoder = BatchDecoder()
        var next = segment.first
        for block in blocks {
            guard block.first <= next else { break }
            let batch = try read(block, of: index, by: decoder)
            let end = min(segment.last, block.lastRow) + 1
            if next < end {
                let rows = Int(next - block.first)..<Int(end - block.first)
                let taken = rows.count == batch.rowCount ? batch : batch.slice(rows)
                try body(taken.withoutHiddenColumns)
            }
            next = min(segment.last, block.last) + 1
        }
        guard next == segment.last + 1 else {
            throw Failure(
                .state, "reading the outbox in", database.directory.path,
                "row \(next) of \(segment.streamName) is missing",
                advice: "restore the state directory from a backup, or move it away to start empty")
        }
    }

    /// The segment's objects are stored: its rows are forwarded, and go. Durable on return.
    ///
    /// - Parameters:
    ///   - refusedRowCount: how many of its rows the other side has refused for good; they count as expired.
    ///   - isSynced: without it, a power cut may undo the completion and the segment is delivered again.
    public func complete(
        _ segment: Segment, refusedRowCount: UInt64 = 0, isSynced: Bool = true
    ) throws(Failure) {
        precondition(refusedRowCount <= segment.rowCount, "no more rows are refused than there are")
        let index = segment.stream.index
        try inLane(of: segment.sink) { () throws(Failure) in
            let stream = state.withLock { $0.streams[index] }
            precondition(
                stream.segments.contains {
                    $0.number == segment.number && $0.staged == segment.staged
                }, "completed twice, or as it was before it was staged")
            let ending = try SegmentEnding(segment, of: self, in: stream)
            var progress = stream.progress
            progress.forwarded += segment.rowCount - refusedRowCount
            progress.expired += refusedRowCount
            let batch = database.makeBatch()
            ending.delete(in: batch, stream)
            batch.put(progress, of: index)
            database.options.crashPoint.pass("trim.before-write")
            try database.write(batch, isSynced: isSynced)
            database.options.crashPoint.pass("trim.after-write")
            state.withLock { state in
                state.streams[index].complete(
                    segment, refused: refusedRowCount, freed: ending.freed)
                state.sinks[segment.sink.index].trimmedBytes += stream.bytes(of: ending.freed)
            }
            folder.remove(ending.files)
        }
        try reclaimSpace(of: segment.sink)
    }

    /// The rows of a block, with hidden columns.
    func read(
        _ block: OutboxBlock, of stream: Int, by decoder: BatchDecoder
    ) throws(Failure) -> Batch {
        let bytes = try OutboxKey.block(stream, block).withBytes { (key) throws(Failure) in
            try database.get(.outbox, key)
        }
        guard let bytes else {
            throw Failure(
                .state, "reading the outbox in", database.directory.path,
                "a block that begins with row \(block.first) is missing",
                advice: "restore the state directory from a backup, or move it away to start empty")
        }
        let batch = try decoder.decode(bytes)
        guard batch.rowCount == Int(block.rowCount) else {
            throw Failure(
                .state, "reading the outbox in", database.directory.path,
                "a block that begins with row \(block.first) has \(batch.rowCount) rows, "
                    + "not \(block.rowCount)",
                advice: "restore the state directory from a backup, or move it away to start empty")
        }
        return batch
    }
}

extension Batch {
    /// The batch without the columns that only weir itself reads.
    var withoutHiddenColumns: Batch {
        guard schema.fields.contains(where: \.isHidden) else { return self }
        let shown = schema.fields.indices.filter { !schema[$0].isHidden }
        return Batch(
            schema: Schema(shown.map { schema[$0] }), columns: shown.map { columns[$0] },
            rowCount: rowCount)
    }
}

extension Outbox {
    /// The uplink's records in the same database.
    public var uplinkRecords: UplinkRecords { UplinkRecords(database) }
}
