// The rows of one input that wait for the watermark to pass their event time.
//
// Rows are kept as they came, a chunk a batch, each chunk in the order of (event time, arrival), with a
// cursor behind what has been taken. As chunks are in order of arrival, (event time, chunk, place in the
// chunk) is (event time, arrival): the order in which rows are taken, wherever batches were cut.
//
// Durable: a chunk that is left over at a commit is written once, as a block, and deleted when its last
// row has been taken. Which of its rows are gone already follows from the event time up to which rows
// have been taken, which the operator keeps. A chunk that has been written can leave memory; it is read
// again when its rows are due. Of rows in windows, which have few event times, it is known without
// reading which of them are due.

import WeirCore
import WeirStore

/// Waiting rows of one input.
final class WaitingRows {
    let schema: Schema
    let timeColumn: Int
    private let keyPrefix: [UInt8]
    var chunks: [WaitingChunk] = []
    var nextNumber: UInt64 = 0
    /// Saved chunks that are gone.
    var retired: [UInt64] = []
    /// Says which rows must be kept, where some may be dropped while they wait.
    var needed: ((Batch) -> [Int32]?)?
    private let encoder = BatchEncoder()
    private let decoder = BatchDecoder()
    private var reader: (any StateReader)?

    init(schema: Schema, timeColumn: Int, keyPrefix: [UInt8]) {
        self.schema = schema
        self.timeColumn = timeColumn
        self.keyPrefix = keyPrefix
    }

    /// Bytes of memory held.
    var memoryBytes: Int { chunks.reduce(0) { $0 + ($1.batch?.memoryBytes ?? 0) } }

    /// Rows that are in durable state alone.
    var spilledCount: Int { chunks.reduce(0) { $0 + ($1.batch == nil ? $1.rowCount - $1.taken : 0) } }

    /// The least event time that waits; nil when nothing does.
    var firstTime: Int64? { chunks.lazy.map(\.firstTime).min() }

    /// The greatest event time that waits; nil when nothing does.
    var lastTime: Int64? { chunks.lazy.map(\.lastTime).max() }

    /// How many rows wait that are at or before `time`.
    func count(through time: Int64) throws(Failure) -> Int {
        var count = 0
        for chunk in chunks { count += try self.count(chunk, through: time) }
        return count
    }

    private func count(_ chunk: WaitingChunk, through time: Int64) throws(Failure) -> Int {
        if time < chunk.firstTime { return 0 }
        if time >= chunk.lastTime { return chunk.rowCount - chunk.taken }
        if let end = chunk.times.end(through: time) { return end - chunk.taken }
        let times = try rows(of: chunk).columns[timeColumn].ints
        var (low, high) = (chunk.taken, chunk.rowCount)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return low - chunk.taken
    }

    /// The chunk's rows, read again if they had left memory.
    private func rows(of chunk: WaitingChunk) throws(Failure) -> Batch {
        if let batch = chunk.batch { return batch }
        let batch = try read(chunk)
        chunk.batch = batch
        return batch
    }

    /// The chunk's rows, which are not kept in memory if they were not.
    private func read(_ chunk: WaitingChunk) throws(Failure) -> Batch {
        if let batch = chunk.batch { return batch }
        guard let block = try reader?.get(key(chunk.number)) else { throw ByteReader.damaged }
        let batch = try decoder.decode(block)
        guard batch.schema == schema, batch.rowCount == chunk.rowCount else {
            throw ByteReader.damaged
        }
        return batch
    }

    /// Adds rows, which have event times.
    func append(_ batch: Batch) {
        guard batch.rowCount > 0 else { return }
        add(Self.inOrder(batch, timeColumn))
        if needed != nil, unsavedRows >= Self.unsavedRowsMax { dropWhatIsNotNeeded() }
    }

    /// Adds a chunk of rows in order.
    func add(_ batch: Batch) {
        chunks.append(WaitingChunk(number: nextNumber, batch: batch, timeColumn: timeColumn))
        nextNumber += 1
    }

    /// `batch` in the order of its event times, rows of one time as they are.
    private static func inOrder(_ batch: Batch, _ timeColumn: Int) -> Batch {
        let times = UnsafePointer(batch.columns[timeColumn].ints)
        guard let order = TimeOrder.order(times, count: batch.rowCount) else { return batch }
        return order.withUnsafeBufferPointer { batch.gather($0) }
    }

    /// Takes all rows at or before `time`, in order.
    func take(through time: Int64) throws(Failure) -> Batch {
        var parts: [Part] = []
        for chunk in chunks {
            let count = try self.count(chunk, through: time)
            guard count > 0 else { continue }
            let batch = chunk.times.isKnown ? try read(chunk) : try rows(of: chunk)
            parts.append(Part(batch: batch, rows: chunk.taken..<chunk.taken + count))
            chunk.take(count, batch.columns[timeColumn].ints)
        }
        removeEmptyChunks()
        return joined(parts)
    }

    /// Calls `body` with all rows at or before `time`, which are of one event time, piece by piece in the
    /// order of arrival. They stay where they are.
    func forEachPiece(
        through time: Int64, _ body: (Batch) throws(Failure) -> Void
    ) throws(Failure) {
        for chunk in chunks {
            let count = try self.count(chunk, through: time)
            guard count > 0 else { continue }
            let batch = try read(chunk)
            try body(
                count == batch.rowCount
                    ? batch : batch.slice(chunk.taken..<chunk.taken + count))
        }
    }

    /// Lets all rows at or before `time` go.
    func discard(through time: Int64) throws(Failure) {
        for chunk in chunks {
            let count = try self.count(chunk, through: time)
            guard count > 0 else { continue }
            if let next = chunk.times.time(at: chunk.taken + count) {
                chunk.take(count, next: next)
            } else if chunk.taken + count == chunk.rowCount {
                chunk.take(count, next: nil)
            } else {
                chunk.take(count, try rows(of: chunk).columns[timeColumn].ints)
            }
        }
        removeEmptyChunks()
    }

    private func removeEmptyChunks() {
        retired += chunks.filter { $0.isEmpty && $0.isSaved }.map(\.number)
        chunks.removeAll(where: \.isEmpty)
    }

    /// Some rows of a chunk.
    struct Part {
        let batch: Batch
        let rows: Range<Int>
    }

    /// The rows of all parts, which are in the order of arrival, in order.
    func joined(_ parts: [Part]) -> Batch {
        guard let first = parts.first else { return .empty(schema) }
        if parts.count == 1 {
            return first.rows.count == first.batch.rowCount
                ? first.batch : first.batch.slice(first.rows)
        }
        let total = parts.reduce(0) { $0 + $1.rows.count }
        let columns = schema.fields.indices.map { index -> Column in
            let column = Column(schema[index].type, capacity: total)
            for part in parts { column.append(from: part.batch.columns[index], range: part.rows) }
            return column
        }
        let joined = Batch(schema: schema, columns: columns, rowCount: total)
        let times = UnsafePointer(joined.columns[timeColumn].ints)
        guard let order = TimeOrder.merged(parts.map(\.rows.count), times) else { return joined }
        return order.withUnsafeBufferPointer { joined.gather($0) }
    }
}

// MARK: Durable state

extension WaitingRows {
    private func key(_ number: UInt64) -> [UInt8] {
        keyPrefix + withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    /// Writes the chunks that are new since the last call, and deletes those that are gone.
    func checkpoint(into writer: any StateWriter) {
        if needed != nil { dropWhatIsNotNeeded() }
        for number in retired { writer.delete(key(number)) }
        retired.removeAll(keepingCapacity: true)
        for chunk in chunks where !chunk.isSaved {
            guard let batch = chunk.batch else { preconditionFailure("rows that are nowhere") }
            encoder.encode(batch).withUnsafeBytes { writer.put(key(chunk.number), $0) }
            chunk.isSaved = true
        }
    }

    /// Lets rows that a commit has made durable leave memory, those that are due last first, until no
    /// more than `bytesMax` are held.
    func shrink(to bytesMax: Int) {
        var held = memoryBytes
        guard held > bytesMax, reader != nil else { return }
        let saved = chunks.filter { $0.isSaved && $0.batch != nil }
        for chunk in saved.sorted(by: { $0.firstTime > $1.firstTime }) where held > bytesMax {
            held -= chunk.batch?.memoryBytes ?? 0
            chunk.batch = nil
        }
    }

    /// Takes back the rows above `taken`, the event time up to which rows had been taken. At most
    /// `bytesMax` are held in memory; the reader stays in use for the others.
    func restore(
        from reader: any StateReader, taken: Int64, bytesMax: Int
    ) throws(Failure) {
        self.reader = reader
        var held = 0
        let end = keyPrefix.dropLast() + [(keyPrefix.last ?? 0) + 1]
        try reader.scan(keyPrefix, Array(end)) { key, value throws(Failure) in
            guard key.count == keyPrefix.count + 8 else { throw ByteReader.damaged }
            let number = UInt64(
                bigEndian: key.loadUnaligned(fromByteOffset: keyPrefix.count, as: UInt64.self))
            let batch = try decoder.decode(value)
            guard batch.schema == schema, batch.rowCount > 0 else { throw ByteReader.damaged }
            let chunk = WaitingChunk(number: number, batch: batch, timeColumn: timeColumn)
            chunk.isSaved = true
            chunk.take(try count(chunk, through: taken), batch.columns[timeColumn].ints)
            nextNumber = number + 1
            if chunk.isEmpty {
                retired.append(number)
            } else {
                chunks.append(chunk)
                held += batch.memoryBytes
                if held > bytesMax { chunk.batch = nil }
            }
            return true
        }
    }
}
