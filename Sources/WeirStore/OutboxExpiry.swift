// Keeping the outbox within its bounds: giving up the oldest rows when it is full or when they have
// waited too long. What has gone to files goes by whole segments, what is in blocks and not sealed
// goes block by block. The segment of a stream that is next to be delivered is never given up: parts
// of it may have arrived. Nor is a segment that is sealed and not in files yet.

import Synchronization
import WeirCore

extension Outbox {
    /// Gives up the oldest rows of a sink until it takes at most `bytes`. Durable on return. Any
    /// thread may call it.
    ///
    /// Returns what was given up, in the order of its age, for the log.
    @discardableResult
    public func expireOldest(of sink: SinkID, untilBytes bytes: Int) throws(Failure)
        -> [ExpiredRange]
    {
        guard pending(of: sink).bytes > bytes else { return [] }
        return try expire(of: sink, untilBytes: bytes, olderThan: .min)
    }

    /// Gives up the rows of a sink that were committed before `time` (ms since the epoch): blocks
    /// whose oldest row is older, segments whose rows all are; otherwise as `expireOldest`.
    @discardableResult
    public func expireOlder(of sink: SinkID, than time: Int64) throws(Failure) -> [ExpiredRange] {
        guard let oldest = pending(of: sink).oldestAppendedAt, oldest < time else { return [] }
        return try expire(of: sink, untilBytes: .max, olderThan: time)
    }

    private func expire(
        of sink: SinkID, untilBytes: Int, olderThan time: Int64
    ) throws(Failure) -> [ExpiredRange] {
        let ranges = try inLane(of: sink) { () throws(Failure) in
            let (streams, claimed) = state.withLock { ($0.streams, $0.sinks[sink.index].claimed) }
            let plan = ExpiryPlan(
                streams, of: sink, claimed: claimed, untilBytes: untilBytes, olderThan: time)
            guard !plan.ranges.isEmpty else { return [ExpiredRange]() }
            let batch = database.makeBatch()
            var files: [StagedFile] = []
            for (index, victims) in plan.victims {
                let stream = streams[index]
                var progress = stream.progress
                for segment in victims.segments {
                    let ending = try SegmentEnding(segment, of: self, in: stream)
                    ending.delete(in: batch, stream)
                    files += ending.files
                    progress.expired += segment.rowCount
                }
                if let last = victims.last {
                    progress.expired += stream.rowCount(stream.nextUnsealed, last)
                    progress.nextUnsealed = last + 1
                    batch.delete(stream.blocks[victims.freed], of: index)
                }
                batch.put(progress, of: index)
            }
            database.options.crashPoint.pass("expire.before-write")
            try database.write(batch, isSynced: true)
            database.options.crashPoint.pass("expire.after-write")
            state.withLock { state in
                for (index, victims) in plan.victims {
                    for segment in victims.segments {
                        state.streams[index].expire(segment, freed: 0..<0)
                    }
                    guard let last = victims.last else { continue }
                    state.streams[index].expire(through: last, freed: victims.freed)
                    state.sinks[sink.index].trimmedBytes += streams[index].bytes(of: victims.freed)
                }
            }
            folder.remove(files)
            return plan.ranges
        }
        try reclaimSpace(of: sink)
        return ranges
    }
}

/// What of a sink's streams to give up: the oldest first, whatever its stream.
private struct ExpiryPlan {
    /// What goes of one stream.
    struct Victims {
        var segments: [Segment] = []
        /// The last unsealed row that goes.
        var last: UInt64?
        /// Blocks that go with the unsealed rows.
        var freed = 0..<0
    }

    /// What could go next of one stream.
    private struct Candidate {
        let stream: Int
        let oldest: Int64
        let newest: Int64
        /// Bytes that come free.
        let bytes: Int
        let segment: Segment?
        let range: ExpiredRange
    }

    private(set) var victims: [Int: Victims] = [:]
    /// In the order in which they were chosen; neighbours of one stream are one.
    private(set) var ranges: [ExpiredRange] = []

    init(
        _ streams: [OutboxStream], of sink: SinkID, claimed: UInt64?, untilBytes: Int,
        olderThan time: Int64
    ) {
        let own = streams.indices.filter { streams[$0].sink == sink.index }
        let heads = Set(own.compactMap { streams[$0].segments.first?.number })
        var segments = streams.map { stream in
            stream.sink == sink.index
                ? stream.segments.filter {
                    $0.staged != nil && !heads.contains($0.number) && $0.number != claimed
                }[...] : []
        }
        var blocks = streams.map(\.indexOfUnsealed)
        var bytes = own.reduce(0) { $0 + streams[$1].pending.bytes }
        while true {
            let oldest = own.compactMap {
                Self.candidate($0, streams[$0], segments[$0].first, block: blocks[$0])
            }.min { $0.oldest < $1.oldest }
            guard let oldest, bytes > untilBytes || oldest.newest < time else { break }
            bytes -= oldest.bytes
            if let segment = oldest.segment {
                segments[oldest.stream].removeFirst()
                victims[oldest.stream, default: Victims()].segments.append(segment)
            } else {
                blocks[oldest.stream] += 1
                victims[oldest.stream, default: Victims()].last = oldest.range.last
            }
            note(oldest.range)
        }
        for (index, found) in victims {
            guard let last = found.last else { continue }
            victims[index]?.freed = streams[index].blocksFreed(
                byRemoving: streams[index].nextUnsealed, last, of: nil)
        }
    }

    private static func candidate(
        _ index: Int, _ stream: OutboxStream, _ segment: Segment?, block: Int
    ) -> Candidate? {
        if let segment, let staged = segment.staged {
            return Candidate(
                stream: index, oldest: staged.oldestAppendedAt, newest: staged.newestAppendedAt,
                bytes: staged.byteCount, segment: segment, range: ExpiredRange(segment))
        }
        guard block < stream.blocks.count else { return nil }
        let found = stream.blocks[block]
        return Candidate(
            stream: index, oldest: found.appendedAt, newest: found.appendedAt,
            bytes: stream.isSealedInPart(found) ? 0 : Int(found.byteCount), segment: nil,
            range: ExpiredRange(
                stream: StreamID(index: index), streamName: stream.name,
                first: max(found.first, stream.nextUnsealed), last: found.last,
                rowCount: stream.rowCount(max(found.first, stream.nextUnsealed), found.last)))
    }

    private mutating func note(_ range: ExpiredRange) {
        if let index = ranges.lastIndex(where: { $0.stream == range.stream }),
            ranges[index].last + 1 == range.first
        {
            ranges[index] = ExpiredRange(
                stream: range.stream, streamName: range.streamName, first: ranges[index].first,
                last: range.last, rowCount: ranges[index].rowCount + range.rowCount)
        } else {
            ranges.append(range)
        }
    }
}

extension OutboxStream {
    /// Whether a segment in flight needs rows of this block.
    fileprivate func isSealedInPart(_ block: OutboxBlock) -> Bool {
        block.first < nextUnsealed
            && segments.contains {
                $0.staged == nil && $0.first <= block.last && $0.last >= block.first
            }
    }
}
