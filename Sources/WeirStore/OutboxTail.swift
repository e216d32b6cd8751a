// The open tail of a stream: the rows that no segment holds, looked at as if they were sealed now. For those
// who read an outbox and want all that waits, a copy to carry away say, and change nothing.
//
// What is made of it holds no promise: the forwarder seals the same rows some other day in other pieces.
// That is why an open piece says so of itself, and why only its numbers tell which rows they are.

import Synchronization
import WeirCore

extension Outbox {
    /// The unsealed rows of a stream in their order, in pieces of one schema that end as segments would.
    /// `sealedAt` is when the oldest row of a piece was committed, which stays what it is while the row
    /// waits. None may be completed, staged or given up.
    ///
    /// - Parameters:
    ///   - rowsMax: the rows of a piece at most.
    ///   - bytesMax: a piece ends with the block that brings it to so many bytes.
    public func openTail(of id: StreamID, rowsMax: UInt64 = .max, bytesMax: Int = .max) -> [Segment] {
        // A copy, in which sealing goes on to the next piece and leaves the outbox as it is.
        var stream = state.withLock { $0.streams[id.index] }
        var pieces: [Segment] = []
        while let range = stream.sealable(rowsMax: rowsMax, bytes: SegmentBytes(wanted: bytesMax)) {
            let piece = Segment(
                sink: SinkID(index: stream.sink), stream: id, streamName: stream.name,
                first: range.first, last: range.last,
                sealedAt: stream.blocks[stream.indexOfUnsealed].appendedAt, attachment: [],
                number: Segment.openNumber, rowCount: range.rowCount)
            stream.seal(piece)
            pieces.append(piece)
        }
        return pieces
    }

    /// The unsealed rows of a stream up to number `last`; nil when there are none.
    public func unsealedRange(of id: StreamID, through last: UInt64) -> ExpiredRange? {
        let stream = state.withLock { $0.streams[id.index] }
        let last = stream.endOfVoids(at: min(last, stream.appended))
        guard stream.nextUnsealed <= last else { return nil }
        return ExpiredRange(
            stream: id, streamName: stream.name, first: stream.nextUnsealed, last: last,
            rowCount: stream.rowCount(stream.nextUnsealed, last))
    }
}
