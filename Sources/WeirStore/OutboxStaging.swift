// Segments at rest: rows leave their blocks for files that are synced already, and files go when
// their segment is stored or given up. And the two ways in which somebody who looks after a device
// gives rows up: a segment, or the oldest rows that no segment holds.
//
// A segment that somebody is at work on (rendering its files, sending them) is claimed, so that
// nobody gives it up meanwhile.

import Synchronization
import WeirCore

extension Outbox {
    /// Claims a segment for work that takes time, until `release`. False when it is gone.
    public func claim(_ segment: Segment) -> Bool {
        state.withLock { state in
            let stream = state.streams[segment.stream.index]
            guard stream.segments.contains(where: { $0.number == segment.number }) else {
                return false
            }
            precondition(
                state.sinks[segment.sink.index].claimed == nil, "a forwarder does one thing at a time")
            state.sinks[segment.sink.index].claimed = segment.number
            return true
        }
    }

    /// Ends what `claim` began.
    public func release(_ segment: Segment) {
        state.withLock { $0.sinks[segment.sink.index].claimed = nil }
    }

    /// The bytes that a segment's rows take, as blocks or in files. Of a block that it shares with others,
    /// its rows' part.
    public func byteCount(of segment: Segment) -> Int {
        if let staged = segment.staged { return staged.byteCount }
        return state.withLock { state in
            let stream = state.streams[segment.stream.index]
            return stream.blocks[stream.blocks(overlapping: segment)].reduce(0) {
                $0 + $1.bytes(ofRows: segment.first, segment.last)
            }
        }
    }

    /// Puts a segment to rest: its rows are in `files`, which are synced, and leave their blocks.
    /// Durable on return; returns the segment as it is now.
    public func stage(_ segment: Segment, as files: [StagedFile]) throws(Failure) -> Segment {
        let index = segment.stream.index
        let staged = try inLane(of: segment.sink) { () throws(Failure) in
            let stream = state.withLock { $0.streams[index] }
            precondition(
                stream.segments.contains { $0.number == segment.number && $0.staged == nil },
                "only a segment in blocks is staged")
            let blocks = stream.blocks[stream.blocks(overlapping: segment)]
            var changed = segment
            changed.staged = StagedSummary(
                files: files, oldestAppendedAt: blocks.first?.appendedAt ?? segment.sealedAt,
                newestAppendedAt: blocks.last?.appendedAt ?? segment.sealedAt)
            let freed = stream.blocksFreed(byRemoving: segment.first, segment.last, of: segment)
            let batch = database.makeBatch()
            batch.put(changed)
            batch.putManifest(files, of: segment)
            batch.delete(stream.blocks[freed], of: index)
            database.options.crashPoint.pass("stage.before-record")
            try database.write(batch, isSynced: true)
            database.options.crashPoint.pass("stage.after-record")
            state.withLock { state in
                state.streams[index].stage(changed, freed: freed)
                state.sinks[segment.sink.index].trimmedBytes += stream.bytes(of: freed)
            }
            return changed
        }
        try reclaimSpace(of: segment.sink)
        return staged
    }

    /// The files of a segment at rest, in their order; none for one in blocks.
    public func files(of segment: Segment) throws(Failure) -> [StagedFile] {
        guard segment.staged != nil else { return [] }
        let key = OutboxKey.manifest(segment.stream.index, segment.first)
        let record = try key.withBytes { (key) throws(Failure) in try database.get(.outbox, key) }
        guard let record else {
            throw Failure(
                .state, "reading the outbox in", database.directory.path,
                "rows \(segment.first)–\(segment.last) of \(segment.streamName) have no list of files",
                advice: "restore the state directory from a backup, or move it away to start empty")
        }
        return try record.withBytes { (record) throws(Failure) in
            try reading("the outbox", in: database.directory, record) {
                (fields) throws(Malformed) in try [StagedFile](from: &fields)
            }
        }
    }

    // MARK: Giving up by hand

    /// Gives up a segment, its files and its rows; counted as expired. Durable on return.
    ///
    /// Nil when it is gone already. Throws when it is being delivered just now.
    public func discard(_ segment: Segment) throws(Failure) -> ExpiredRange? {
        try discard([segment]).first
    }

    /// Gives up segments of one sink as one, their files and their rows; counted as expired. Durable on
    /// return; returns what went, neighbours as one.
    ///
    /// Throws, and gives up none, when one of them is being delivered just now.
    public func discard(_ segments: [Segment]) throws(Failure) -> [ExpiredRange] {
        guard let sink = segments.first?.sink else { return [] }
        let ranges = try inLane(of: sink) { () throws(Failure) -> [ExpiredRange] in
            let (before, claimed) = state.withLock { ($0.streams, $0.sinks[sink.index].claimed) }
            if let busy = segments.first(where: { $0.number == claimed }) {
                throw Failure(
                    .state, "discarding", "rows \(busy.first)–\(busy.last)",
                    "they are being delivered just now", advice: "try again in a moment",
                    retry: .backoff)
            }
            let present = Dictionary(
                before.flatMap { $0.sink == sink.index ? $0.segments.map { ($0.number, $0) } : [] }
            ) { $1 }
            let batch = database.makeBatch()
            var (streams, endings): ([OutboxStream], [SegmentEnding]) = (before, [])
            for known in segments.compactMap({ present[$0.number] }) {
                let index = known.stream.index
                let ending = try SegmentEnding(known, of: self, in: streams[index])
                ending.delete(in: batch, streams[index])
                streams[index].expire(known, freed: ending.freed)
                endings.append(ending)
            }
            guard !endings.isEmpty else { return [] }
            for index in Set(endings.map(\.segment.stream.index)) {
                batch.put(streams[index].progress, of: index)
            }
            database.options.crashPoint.pass("discard.before-write")
            try database.write(batch, isSynced: true)
            database.options.crashPoint.pass("discard.after-write")
            state.withLock { state in
                // In the same order, beside blocks that have come meanwhile.
                for ending in endings {
                    let index = ending.segment.stream.index
                    state.sinks[sink.index].trimmedBytes += state.streams[index].bytes(of: ending.freed)
                    state.streams[index].expire(ending.segment, freed: ending.freed)
                }
            }
            for ending in endings { folder.remove(ending.files) }
            return endings.map { ExpiredRange($0.segment) }.joiningNeighbours
        }
        try reclaimSpace(of: sink)
        return ranges
    }

    /// Gives up the rows of a stream up to `last` that no segment holds; counted as expired. Durable
    /// on return. Nil when there are none.
    public func discardUnsealed(
        of stream: StreamID, through last: UInt64
    ) throws(Failure) -> ExpiredRange? {
        let (sink, index) = (state.withLock { SinkID(index: $0.streams[stream.index].sink) }, stream.index)
        let range = try inLane(of: sink) { () throws(Failure) -> ExpiredRange? in
            let known = state.withLock { $0.streams[index] }
            guard let range = unsealedRange(of: stream, through: last) else { return nil }
            let last = range.last
            let freed = known.blocksFreed(byRemoving: known.nextUnsealed, last, of: nil)
            var progress = known.progress
            progress.expired += range.rowCount
            progress.nextUnsealed = last + 1
            let batch = database.makeBatch()
            batch.delete(known.blocks[freed], of: index)
            batch.put(progress, of: index)
            try database.write(batch, isSynced: true)
            state.withLock { state in
                state.streams[index].expire(through: last, freed: freed)
                state.sinks[sink.index].trimmedBytes += known.bytes(of: freed)
            }
            return range
        }
        try reclaimSpace(of: sink)
        return range
    }
}

/// What goes with a segment that is stored or given up.
struct SegmentEnding {
    let segment: Segment
    /// Blocks that nobody needs any more.
    let freed: Range<Int>
    /// Files to be removed when the write is through.
    let files: [StagedFile]

    init(_ segment: Segment, of outbox: Outbox, in stream: OutboxStream) throws(Failure) {
        self.segment = segment
        files = try outbox.files(of: segment)
        freed =
            segment.staged != nil
            ? 0..<0 : stream.blocksFreed(byRemoving: segment.first, segment.last, of: segment)
    }

    func delete(in batch: WriteBatch, _ stream: OutboxStream) {
        let index = segment.stream.index
        batch.delete(.outbox, OutboxKey.segment(index, segment.first))
        batch.delete(.outbox, OutboxKey.taken(index, segment.first))
        if segment.staged != nil {
            batch.delete(.outbox, OutboxKey.manifest(index, segment.first))
        }
        batch.delete(stream.blocks[freed], of: index)
    }
}

extension ExpiredRange {
    /// The rows of a segment.
    public init(_ segment: Segment) {
        self.init(
            stream: segment.stream, streamName: segment.streamName, first: segment.first,
            last: segment.last, rowCount: segment.rowCount)
    }
}

extension [ExpiredRange] {
    /// The same ranges, those that follow one another in a stream as one.
    public var joiningNeighbours: [ExpiredRange] {
        var joined: [ExpiredRange] = []
        for range in self {
            guard let last = joined.last, last.stream == range.stream, last.last + 1 == range.first else {
                joined.append(range)
                continue
            }
            joined[joined.count - 1] = ExpiredRange(
                stream: last.stream, streamName: last.streamName, first: last.first,
                last: range.last, rowCount: last.rowCount + range.rowCount)
        }
        return joined
    }
}

extension [StagedFile] {
    init(from fields: inout ByteReader) throws(Malformed) {
        self = []
        let count = try fields.get(UInt32.self)
        for _ in 0..<count { append(try StagedFile(from: &fields)) }
    }
}

extension WriteBatch {
    func putManifest(_ files: [StagedFile], of segment: Segment) {
        var fields = ByteWriter()
        fields.put(UInt32(files.count))
        for file in files { file.put(to: &fields) }
        put(.outbox, OutboxKey.manifest(segment.stream.index, segment.first), fields.bytes)
    }
}
