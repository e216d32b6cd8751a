// The loop's end of the outbox: rows come in as batches of any size and go into the group commit as
// blocks of a useful size, numbered on the way.
//
// Small batches of one schema are collected, large ones are cut. What `flush` has put into a commit
// becomes visible to forwarders with `didCommit`, that is when it is durable; if the process dies
// before, the rows and their numbers have never existed.

import Synchronization
import WeirCore

/// Appends rows to an outbox. Owned by the loop's thread; there is one for an outbox.
public final class OutboxAppender {
    let outbox: Outbox
    private let encoder = BatchEncoder()
    private var inputs: [StreamInput] = []
    /// Streams whose names are not in a commit yet.
    private var unnamed: [Int] = []
    private var uncommitted: [(stream: Int, block: OutboxBlock)] = []
    private var flushedHours: [(stream: Int, hours: StreamHours)] = []
    /// Streams that other counters tell of than a commit says (OutboxAccounts.swift).
    var changedAccounts: Set<Int> = []
    /// Blocks are cut at about twice this, and collected rows become a block at this, in bytes of
    /// memory.
    private static let blockBytes = 128 << 10

    public init(_ outbox: Outbox) {
        self.outbox = outbox
        outbox.state.withLock { state in
            inputs = state.streams.map {
                StreamInput(next: $0.appended + 1, closedUpTo: $0.hours.closedUpTo)
            }
        }
    }

    /// The stream that carries rows of `stream` (a query, `_late/<query>`, `_rejected/<source>`) to
    /// the sink `sink`; made if it never was, and then numbered from 1.
    public func register(sink: String, stream: String) -> StreamID {
        let (index, isNew) = outbox.state.withLock { state in
            let sink = state.indexOfSink(named: sink)
            if let known = state.streams.firstIndex(where: { $0.sink == sink && $0.name == stream })
            {
                return (known, false)
            }
            state.streams.append(OutboxStream(sink: sink, name: stream))
            return (state.streams.count - 1, true)
        }
        if isNew {
            inputs.append(StreamInput(next: 1))
            unnamed.append(index)
        }
        return StreamID(index: index)
    }

    /// Takes in the rows of `batch`, behind those that came before.
    public func append(_ stream: StreamID, _ batch: Batch) {
        guard batch.rowCount > 0 else { return }
        let bytes = batch.rowBytes
        if inputs[stream.index].rowCount > 0 {
            // What becomes blocks of its own must not overtake what was collected.
            let fits = bytes < Self.blockBytes
            if !fits || inputs[stream.index].schema != batch.schema { closeBlock(stream.index) }
        }
        guard bytes >= Self.blockBytes else {
            inputs[stream.index].collect(batch, bytes: bytes)
            if inputs[stream.index].byteCount >= Self.blockBytes { closeBlock(stream.index) }
            return
        }
        let pieces = min(batch.rowCount, bytes / Self.blockBytes)
        for piece in 0..<pieces {
            let rows = batch.rowCount * piece / pieces..<batch.rowCount * (piece + 1) / pieces
            let block = encoder.encode(batch.schema, batch.columns, rows: rows)
            inputs[stream.index].add(block, rowCount: rows.count, batch.schema)
        }
    }

    /// Rows taken in since the last flush fall in these hours (their beginnings, ms since the epoch).
    public func note(hours: Set<Int64>, of stream: StreamID) {
        inputs[stream.index].hours.formUnion(hours)
    }

    /// No row that is still to come falls before `instant`. Part of the next commit once it reaches another
    /// hour.
    public func close(_ stream: StreamID, upTo instant: Int64) {
        let hour = StreamHours.hour(of: instant)
        if hour > inputs[stream.index].closedUpTo ?? .min { inputs[stream.index].closing = hour }
    }

    /// Whether an hour has closed that no commit tells of yet.
    public var isClosing: Bool { inputs.contains { $0.closing != nil } }

    /// Bytes that are taken in and not in a commit yet: encoded blocks and collected rows.
    public var byteCount: Int { inputs.reduce(0) { $0 + $1.byteCount + $1.encodedByteCount } }

    /// Puts all rows taken in since the last call into `commit`. `appendedAt` (ms since the epoch)
    /// is kept with the rows, as what their age is counted from.
    public func flush(into commit: Commit, appendedAt: Int64) {
        precondition(uncommitted.isEmpty, "didCommit is called between two flushes")
        putNames(into: commit.batch)
        putAccounts(into: commit.batch)
        for index in inputs.indices {
            closeBlock(index)
            flushHours(of: index, into: commit.batch)
            guard !inputs[index].blocks.isEmpty else { continue }
            for (bytes, rowCount, schemaHash) in inputs[index].blocks {
                let block = OutboxBlock(
                    first: inputs[index].next, rowCount: UInt32(rowCount),
                    byteCount: UInt32(bytes.count), appendedAt: appendedAt, schemaHash: schemaHash)
                commit.batch.put(block, of: index, bytes)
                uncommitted.append((index, block))
                inputs[index].next = block.last + 1
            }
            inputs[index].removeBlocks()
            var fields = ByteWriter()
            fields.put(inputs[index].next - 1)
            commit.batch.put(.outbox, OutboxKey.appended(index), fields.bytes)
        }
    }

    /// The commit that was flushed into is durable: forwarders may see its rows.
    ///
    /// - Parameter counts: the ledger's counts that were settled with it; nil when none were.
    public func didCommit(counts: [UInt64]? = nil) {
        guard counts != nil || !uncommitted.isEmpty || !flushedHours.isEmpty else { return }
        outbox.state.withLock { state in
            if let counts { state.counts = counts }
            for (stream, block) in uncommitted { state.streams[stream].append(block) }
            for (stream, hours) in flushedHours {
                state.streams[stream].hours.lastRows.merge(hours.lastRows) { $1 }
                if let closed = hours.closedUpTo { state.streams[stream].hours.closedUpTo = closed }
            }
        }
        flushedHours.removeAll()
        uncommitted.removeAll(keepingCapacity: true)
    }

    private func putAccounts(into batch: WriteBatch) {
        guard !changedAccounts.isEmpty else { return }
        let streams = outbox.state.withLock { $0.streams }
        for index in changedAccounts { batch.put(streams[index].account, of: index) }
        changedAccounts.removeAll()
    }

    private func putNames(into batch: WriteBatch) {
        guard !unnamed.isEmpty else { return }
        let names = outbox.state.withLock { state in
            unnamed.map {
                (index: $0, state.sinks[state.streams[$0].sink].name, state.streams[$0].name)
            }
        }
        for (index, sink, stream) in names {
            var fields = ByteWriter()
            fields.put(sink)
            fields.put(stream)
            batch.put(.outbox, OutboxKey.name(index), fields.bytes)
        }
        unnamed.removeAll()
    }

    /// Puts what is new of a stream's hours, after its rows were made into blocks.
    private func flushHours(of index: Int, into batch: WriteBatch) {
        guard !inputs[index].hours.isEmpty || inputs[index].closing != nil else { return }
        var hours = StreamHours()
        let last = inputs[index].next + inputs[index].encodedRowCount - 1
        for hour in inputs[index].hours {
            hours.lastRows[hour] = last
            batch.putLastRow(last, ofHour: hour, of: index)
        }
        if let closing = inputs[index].closing {
            hours.closedUpTo = closing
            batch.putClosed(closing, of: index)
            inputs[index].closedUpTo = closing
        }
        inputs[index].hours.removeAll(keepingCapacity: true)
        inputs[index].closing = nil
        flushedHours.append((index, hours))
    }

    /// Makes a block of the collected rows.
    private func closeBlock(_ index: Int) {
        guard inputs[index].rowCount > 0 else { return }
        let (schema, columns) = (inputs[index].schema, inputs[index].columns)
        let block = encoder.encode(schema, columns, rows: 0..<inputs[index].rowCount)
        inputs[index].add(block, rowCount: inputs[index].rowCount, schema)
        inputs[index].forgetCollected()
    }
}

/// Rows of one stream between two commits.
private struct StreamInput {
    /// The number of the next row to be put into a commit.
    var next: UInt64
    /// Finished blocks.
    private(set) var blocks: [(bytes: [UInt8], rowCount: Int, schemaHash: UInt64)] = []
    private(set) var encodedByteCount = 0
    /// Rows that are not in a block yet.
    private(set) var schema = Schema([])
    private(set) var columns: [Column] = []
    private(set) var rowCount = 0
    private(set) var byteCount = 0
    private var lastHash: (schema: Schema, hash: UInt64)?
    /// Hours that rows since the last flush fall in, the hour up to which a commit says that they are
    /// closed, and the one up to which they are now.
    var hours: Set<Int64> = []
    var closedUpTo: Int64?
    var closing: Int64?

    init(next: UInt64, closedUpTo: Int64? = nil) {
        self.next = next
        self.closedUpTo = closedUpTo
    }

    /// Rows in finished blocks.
    var encodedRowCount: UInt64 { blocks.reduce(0) { $0 + UInt64($1.rowCount) } }

    mutating func collect(_ batch: Batch, bytes: Int) {
        if rowCount == 0 {
            schema = batch.schema
            columns = batch.schema.fields.map { Column($0.type) }
        }
        for (column, from) in zip(columns, batch.columns) {
            column.append(from: from, range: 0..<batch.rowCount)
        }
        rowCount += batch.rowCount
        byteCount += bytes
    }

    mutating func forgetCollected() {
        columns = []
        rowCount = 0
        byteCount = 0
    }

    mutating func add(_ block: [UInt8], rowCount: Int, _ schema: Schema) {
        if lastHash?.schema != schema { lastHash = (schema, schema.stableHash) }
        blocks.append((block, rowCount, lastHash?.hash ?? 0))
        encodedByteCount += block.count
    }

    mutating func removeBlocks() {
        blocks.removeAll(keepingCapacity: true)
        encodedByteCount = 0
    }
}

extension Schema {
    /// Equal for equal schemas, in every process: FNV-1a (Fowler, Noll, Vo) of names and types.
    var stableHash: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for field in fields {
            for byte in lengthPrefixed(field.name) + field.type.tags {
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
            }
        }
        return hash
    }
}

extension Batch {
    /// Bytes of memory that the rows use, without what is reserved.
    var rowBytes: Int { columns.reduce(0) { $0 + $1.usedBytes } }
}

extension Column {
    fileprivate var usedBytes: Int {
        switch physical {
        case .bool: count
        case .int64, .double: 8 * count
        case .int128: 16 * count
        case .row: fields.reduce(0) { $0 + $1.usedBytes }
        case .string: 4 * count + byteCount
        case .array: 4 * count + (child?.usedBytes ?? 0)
        }
    }
}
