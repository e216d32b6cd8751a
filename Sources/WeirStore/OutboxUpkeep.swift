// Keeping the outbox small: merging the many small blocks of a slow stream, and giving disk space
// back.
//
// A slow stream makes a block of a few rows with each commit, a million a day; merging keeps their
// number, and the memory that knows of them, small however long a sink is away.

import Synchronization
import WeirCore

extension Outbox {
    // MARK: Merging

    /// Merges runs of small unsealed blocks. The forwarder calls it about once a second; it does
    /// nothing most of the time. Returns how many blocks became fewer.
    @discardableResult
    public func mergeSmallBlocks(of sink: SinkID) throws(Failure) -> Int {
        var saved = 0
        for (stream, _) in streams(of: sink) {
            while let count = try mergeRun(of: stream, sink) { saved += count }
        }
        return saved
    }

    private func mergeRun(of id: StreamID, _ sink: SinkID) throws(Failure) -> Int? {
        try inLane(of: sink) { () throws(Failure) in
            let stream = state.withLock { $0.streams[id.index] }
            guard let run = stream.mergeableRun() else { return nil }
            let bytes = try merged(stream.blocks[run], of: id.index)
            let old = stream.blocks[run]
            let block = OutboxBlock(
                first: stream.blocks[run.lowerBound].first,
                rowCount: old.reduce(0) { $0 + $1.rowCount }, byteCount: UInt32(bytes.count),
                appendedAt: stream.blocks[run.lowerBound].appendedAt,
                schemaHash: stream.blocks[run.lowerBound].schemaHash)
            let batch = database.makeBatch()
            batch.delete(old, of: id.index)
            batch.put(block, of: id.index, bytes)
            database.options.crashPoint.pass("merge.before-write")
            // Not synced: until something later is, a crash brings back the same rows unmerged.
            try database.write(batch, isSynced: false)
            database.options.crashPoint.pass("merge.after-write")
            state.withLock { $0.streams[id.index].merge(run, into: block) }
            return run.count - 1
        }
    }

    /// The rows of `blocks` as one block.
    private func merged(_ blocks: ArraySlice<OutboxBlock>, of stream: Int) throws(Failure)
        -> [UInt8]
    {
        let decoder = BatchDecoder()
        var schema = Schema([])
        var columns: [Column] = []
        for block in blocks {
            let batch = try read(block, of: stream, by: decoder)
            if columns.isEmpty {
                schema = batch.schema
                columns = batch.columns
                continue
            }
            for (column, from) in zip(columns, batch.columns) {
                column.append(from: from, range: 0..<batch.rowCount)
            }
        }
        return BatchEncoder().encode(schema, columns, rows: 0..<(columns.first?.count ?? 0))
    }

    // MARK: Disk space

    /// After enough was deleted, gives its disk space back; values are in blob files of their own,
    /// so this moves keys only. Were it left to RocksDB, an intake that stopped for lack of space
    /// would stay stopped with an empty outbox, because nothing is compacted while nothing is
    /// written.
    func reclaimSpace(of sink: SinkID) throws(Failure) {
        let indices: [Int] = state.withLock { state in
            let own = state.streams.indices.filter { state.streams[$0].sink == sink.index }
            let isEmpty = own.allSatisfy { state.streams[$0].pending.bytes == 0 }
            let bytesMin = isEmpty ? Self.reclaimedBytesMin / 8 : Self.reclaimedBytesMin
            guard state.sinks[sink.index].trimmedBytes >= bytesMin else { return [] }
            state.sinks[sink.index].trimmedBytes = 0
            return own
        }
        for index in indices {
            try database.reclaimSpace(
                of: .outbox, OutboxKey.block(index, 0), OutboxKey.block(index, .max))
        }
    }

    private static let reclaimedBytesMin = 8 << 20
}

extension OutboxStream {
    /// Encoded bytes of the blocks `range`.
    func bytes(of range: Range<Int>) -> Int { blocks[range].reduce(0) { $0 + Int($1.byteCount) } }

    /// How many neighbours make a merge worth its write, and how many are merged at most.
    private static let mergedBlocks = 32..<128
    /// Size classes: a row is rewritten once in each, so three times at most.
    private static let smallBytes: [UInt32] = [512, 4 << 10, 32 << 10]
    private static let mergedBytesMax = 256 << 10

    /// The first run of unsealed blocks that are small, of one schema, and many.
    func mergeableRun() -> Range<Int>? {
        var start = indexOfUnsealed
        // A block that is sealed in part stays as it is.
        if start < blocks.count, blocks[start].first < nextUnsealed { start += 1 }
        guard blocks.count - start >= Self.mergedBlocks.lowerBound else { return nil }
        for limit in Self.smallBytes {
            var run = start..<start
            var bytes = 0
            while run.upperBound < blocks.count {
                let block = blocks[run.upperBound]
                let isAlike = run.isEmpty || block.schemaHash == blocks[run.lowerBound].schemaHash
                // Coarser rows come in blocks of a useful size, and leave numbers out.
                let isSmall = block.byteCount < limit && block.generation == 0
                let fits = bytes + Int(block.byteCount) <= Self.mergedBytesMax
                if isSmall, isAlike, fits, run.count < Self.mergedBlocks.upperBound {
                    run = run.lowerBound..<run.upperBound + 1
                    bytes += Int(block.byteCount)
                    continue
                }
                if run.count >= Self.mergedBlocks.lowerBound { break }
                let next = isSmall && !run.isEmpty ? run.upperBound : run.upperBound + 1
                run = next..<next
                bytes = 0
            }
            if run.count >= Self.mergedBlocks.lowerBound { return run }
        }
        return nil
    }
}
