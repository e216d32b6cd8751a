// Putting fewer, coarser rows in the place of waiting ones.
//
// What is rewritten is a range of unsealed rows, from any row of a block through any row of another.
// The new rows take the first numbers of the range; the numbers that are left over have no row from
// then on, and are counted: appended + made = forwarded + pending + expired + merged.
//
// A range can be larger than memory. So new blocks are written as they become full, under keys of a
// generation that the range has not had yet, where nobody finds them; one synced write then deletes
// the old blocks and says where the new ones are. A crash before it leaves the old rows, and bytes
// that go with the range's numbers when its rows are forwarded; a crash after it leaves the new rows.

import Synchronization
import WeirCore

/// A row of some blocks: the block's place among them, and the row in it.
public struct OutboxPlace: Hashable, Comparable, Sendable {
    /// From 0.
    public var block: Int
    /// From 0.
    public var row: Int

    public init(block: Int, row: Int) {
        self.block = block
        self.row = row
    }

    /// In the order of the rows' numbers.
    public static func < (a: OutboxPlace, b: OutboxPlace) -> Bool {
        (a.block, a.row) < (b.block, b.row)
    }
}

/// The blocks of a stream none of whose rows is sealed, as they were at one moment.
public struct UnsealedBlocks: Sendable {
    /// Whose they are.
    public let stream: StreamID
    /// Whether no row of the stream ever came before the first one here.
    public let beginsWithFirstRow: Bool
    let sink: SinkID
    let blocks: [OutboxBlock]

    /// Blocks.
    public var count: Int { blocks.count }
    /// The number of the first row of block `index`.
    public func first(of index: Int) -> UInt64 { blocks[index].first }
    /// How many rows block `index` has.
    public func rowCount(of index: Int) -> Int { Int(blocks[index].rowCount) }
    /// The encoded size of block `index`.
    public func bytes(of index: Int) -> Int { Int(blocks[index].byteCount) }

    /// The first block with a row of number `row` or a greater one; `count` when there is none.
    public func index(at row: UInt64) -> Int { blocks.firstIndex { $0.last >= row } ?? blocks.count }

    /// How many rows lie in `start ..< end`.
    func rowCount(_ start: OutboxPlace, _ end: OutboxPlace) -> UInt64 {
        if start.block == end.block { return UInt64(end.row - start.row) }
        let between = blocks[start.block + 1..<end.block].reduce(0) { $0 + Int($1.rowCount) }
        return UInt64(rowCount(of: start.block) - start.row + between + end.row)
    }
}

extension Outbox {
    /// The blocks of `stream` that can be rewritten now.
    public func unsealedBlocks(of stream: StreamID) -> UnsealedBlocks {
        state.withLock { state in
            let known = state.streams[stream.index]
            var start = known.indexOfUnsealed
            // A block that is sealed in part stays as it is.
            if start < known.blocks.count, known.blocks[start].first < known.nextUnsealed {
                start += 1
            }
            return UnsealedBlocks(
                stream: stream,
                beginsWithFirstRow: start == 0 && known.blocks.first?.first == 1,
                sink: SinkID(index: known.sink), blocks: Array(known.blocks[start...]))
        }
    }

    /// The rows of block `index`, with hidden columns.
    public func readBlock(
        _ index: Int, of blocks: UnsealedBlocks, by decoder: BatchDecoder
    ) throws(Failure) -> Batch {
        try read(blocks.blocks[index], of: blocks.stream.index, by: decoder)
    }
}

/// Writes the rows that take the place of others. Owned by the thread of the sink's forwarder, which
/// alone seals and gives up rows of the sink.
public final class OutboxRewriting {
    private let outbox: Outbox
    private let blocks: UnsealedBlocks
    /// The rows in `start ..< end` are replaced.
    private let start: OutboxPlace
    private let end: OutboxPlace
    private let generation: UInt8
    private let firstNumber: UInt64
    private let lastNumber: UInt64
    private let encoder = BatchEncoder()
    private var schema = Schema([])
    private var columns: [Column] = []
    private var rowCount = 0
    private var byteCount = 0
    private var written: [OutboxBlock] = []
    /// The number of the last of the new rows, when they are in place.
    public private(set) var lastRowNumber: UInt64 = 0
    /// Collected rows become a block at this, in bytes of memory.
    private static let blockBytes = 128 << 10

    /// Prepares to replace the rows in `start ..< end`, which are at least one. Nil when they have been
    /// rewritten too often already, which takes more levels than anybody has.
    public init?(
        _ outbox: Outbox, _ blocks: UnsealedBlocks, from start: OutboxPlace, to end: OutboxPlace
    ) {
        // A place behind a block's last row is that block's, not the next one's first.
        precondition(start < end && end.row > 0, "a range of rows")
        let old = blocks.blocks[start.block...end.block]
        let generation = old.reduce(0) { max($0, $1.generation) }
        if generation == .max { return nil }
        self.outbox = outbox
        self.blocks = blocks
        self.start = start
        self.end = end
        self.generation = generation + 1
        let lastBlock = blocks.blocks[end.block]
        firstNumber = blocks.blocks[start.block].first + UInt64(start.row)
        lastNumber =
            end.row == Int(lastBlock.rowCount)
            ? lastBlock.last : lastBlock.first + UInt64(end.row) - 1
    }

    /// Takes rows, behind those that came before.
    public func append(_ batch: Batch) throws(Failure) {
        if rowCount == 0 {
            schema = batch.schema
            columns = schema.fields.map { Column($0.type) }
        }
        precondition(batch.schema == schema, "coarser rows of one schema")
        for (column, from) in zip(columns, batch.columns) {
            column.append(from: from, range: 0..<batch.rowCount)
        }
        rowCount += batch.rowCount
        byteCount += batch.rowBytes
        if byteCount >= Self.blockBytes { try closeBlock() }
    }

    private func closeBlock() throws(Failure) {
        guard rowCount > 0 else { return }
        let bytes = encoder.encode(schema, columns, rows: 0..<rowCount)
        let old = blocks.blocks[start.block]
        let block = OutboxBlock(
            first: written.last.map { $0.last + 1 } ?? firstNumber, rowCount: UInt32(rowCount),
            byteCount: UInt32(bytes.count), appendedAt: old.appendedAt,
            schemaHash: schema.stableHash, generation: generation)
        precondition(block.last <= lastNumber, "coarser rows are no more than what they stand for")
        written.append(block)
        (columns, rowCount, byteCount) = ([], 0, 0)
        let batch = outbox.database.makeBatch()
        batch.put(.outbox, OutboxKey.block(blocks.stream.index, block), bytes)
        // Durable with the write that tells of it.
        try outbox.database.write(batch, isSynced: false)
        outbox.database.options.crashPoint.pass("coarsen.staged")
    }

    /// Puts the rows in place, durable on return. False when the old rows are not as they were, and
    /// nothing was changed.
    public func finish() throws(Failure) -> Bool {
        try closeBlock()
        guard let last = written.popLast() else { preconditionFailure("coarser rows are some rows") }
        let made = written.reduce(UInt64(last.rowCount)) { $0 + UInt64($1.rowCount) }
        written.append(
            OutboxBlock(
                first: last.first, rowCount: last.rowCount, byteCount: last.byteCount,
                appendedAt: last.appendedAt, schemaHash: last.schemaHash,
                voidCount: UInt32(lastNumber - last.last), generation: last.generation))
        lastRowNumber = last.lastRow
        let index = blocks.stream.index
        let merged = blocks.rowCount(start, end)
        let isDone = try outbox.inLane(of: blocks.sink) { () throws(Failure) in
            let stream = outbox.state.withLock { $0.streams[index] }
            let old = blocks.blocks[start.block...end.block]
            let place = stream.index(ofBlockAt: blocks.blocks[start.block].first)
            let range = place..<place + old.count
            guard range.upperBound <= stream.blocks.count, stream.blocks[range].elementsEqual(old),
                blocks.blocks[start.block].first >= stream.nextUnsealed
            else { return false }
            let batch = outbox.database.makeBatch()
            for block in old {
                batch.delete(.outbox, OutboxKey.block(index, block))
                batch.delete(.outbox, OutboxKey.info(index, block.first))
            }
            for block in written { batch.putInfo(block, of: index) }
            let fresh = try putEnds(around: written, into: batch)
            var progress = stream.progress
            progress.merged += merged
            progress.made += made
            batch.put(progress, of: index)
            outbox.database.options.crashPoint.pass("coarsen.before-write")
            try outbox.database.write(batch, isSynced: true)
            outbox.database.options.crashPoint.pass("coarsen.after-write")
            outbox.state.withLock { state in
                state.sinks[blocks.sink.index].trimmedBytes += stream.bytes(of: range)
                state.streams[index].rewrite(range, with: fresh, mergedRows: merged, madeRows: made)
            }
            return true
        }
        if isDone { try outbox.reclaimSpace(of: blocks.sink) }
        return isDone
    }

    /// Gives the attempt up: what was written for it goes, and the old rows stay. Returns how many bytes it
    /// took.
    public func abandon() throws(Failure) -> Int {
        let bytes = written.reduce(0) { $0 + Int($1.byteCount) }
        guard bytes > 0 else { return 0 }
        let batch = outbox.database.makeBatch()
        for block in written { batch.delete(.outbox, OutboxKey.block(blocks.stream.index, block)) }
        written.removeAll()
        // Not synced: what a crash brings back nobody finds, and the next attempt writes over it.
        try outbox.database.write(batch, isSynced: false)
        outbox.state.withLock { $0.sinks[blocks.sink.index].trimmedBytes += bytes }
        try outbox.reclaimSpace(of: blocks.sink)
        return bytes
    }

    /// Puts what is left of the blocks at both ends beside the new ones; returns all, in order.
    private func putEnds(
        around blocks: [OutboxBlock], into batch: WriteBatch
    ) throws(Failure) -> [OutboxBlock] {
        var fresh = blocks
        let (firstBlock, lastBlock) = (self.blocks.blocks[start.block], self.blocks.blocks[end.block])
        if start.row > 0 {
            fresh.insert(try put(0..<start.row, of: firstBlock, voidCount: 0, into: batch), at: 0)
        }
        if end.row < Int(lastBlock.rowCount) {
            let rows = end.row..<Int(lastBlock.rowCount)
            fresh.append(
                try put(rows, of: lastBlock, voidCount: lastBlock.voidCount, into: batch))
        }
        return fresh
    }

    private func put(
        _ rows: Range<Int>, of block: OutboxBlock, voidCount: UInt32, into batch: WriteBatch
    ) throws(Failure) -> OutboxBlock {
        let index = blocks.stream.index
        let all = try outbox.read(block, of: index, by: BatchDecoder())
        let bytes = encoder.encode(all.schema, all.columns, rows: rows)
        let part = OutboxBlock(
            first: block.first + UInt64(rows.lowerBound), rowCount: UInt32(rows.count),
            byteCount: UInt32(bytes.count), appendedAt: block.appendedAt,
            schemaHash: block.schemaHash, voidCount: voidCount, generation: block.generation)
        batch.put(part, of: index, bytes)
        return part
    }
}
