// The rows of open sessions as they came, a chunk a batch, each row with the watermark before it. A chunk is
// written once, with the first commit behind it, and deleted when its last row has come out; in between it
// can leave memory, those that came last first.

import WeirCore
import WeirStore

/// Rows that wait for the end of their sessions.
final class SessionRowChunks {
    private final class Chunk {
        /// nil while the rows are in durable state alone.
        var batch: Batch?
        let bytes: Int
        /// Rows that wait.
        var waiting: Int
        var isSaved = false

        init(_ batch: Batch) {
            self.batch = batch
            bytes = batch.memoryBytes
            waiting = batch.rowCount
        }
    }

    private let schema: Schema
    private let keyPrefix: [UInt8]
    private var chunks: [UInt64: Chunk] = [:]
    private var unsaved: [UInt64] = []
    private var emptied: [UInt64] = []
    private var retired: [UInt64] = []
    private(set) var nextNumber: UInt64 = 0
    private var heldBytes = 0
    private let encoder = BatchEncoder()
    private let decoder = BatchDecoder()
    private var reader: (any StateReader)?

    init(schema: Schema, keyPrefix: [UInt8]) { (self.schema, self.keyPrefix) = (schema, keyPrefix) }

    var memoryBytes: Int { heldBytes + chunks.count * 96 }
    /// Rows that are in durable state alone.
    var spilledCount: Int { chunks.values.reduce(0) { $0 + ($1.batch == nil ? $1.waiting : 0) } }

    /// Adds rows with the watermarks before them, as chunk `nextNumber`.
    func add(_ rows: Batch, _ marks: Column) {
        let batch = Batch(
            schema: rows.schema, columns: rows.columns, rowCount: rows.rowCount, watermarks: marks)
        chunks[nextNumber] = Chunk(batch)
        heldBytes += batch.memoryBytes
        unsaved.append(nextNumber)
        nextNumber += 1
    }

    /// Appends rows, which are in the order of arrival, to `columns`, and counts them as gone.
    func take(
        _ rows: [(chunk: UInt64, row: Int32)], into columns: ArraySlice<Column>
    ) throws(Failure) {
        var first = 0
        while first < rows.count {
            let number = rows[first].chunk
            var end = first + 1
            while end < rows.count, rows[end].chunk == number { end += 1 }
            guard let chunk = chunks[number] else { preconditionFailure("rows without a chunk") }
            let batch = try self.batch(of: chunk, number)
            rows[first..<end].map(\.row).withUnsafeBufferPointer { rows in
                for (column, from) in zip(columns, batch.columns) {
                    column.append(from: from.gather(rows), range: 0..<rows.count)
                }
            }
            chunk.waiting -= end - first
            if chunk.waiting == 0 { emptied.append(number) }
            first = end
        }
    }

    private func batch(of chunk: Chunk, _ number: UInt64) throws(Failure) -> Batch {
        if let batch = chunk.batch { return batch }
        guard let block = try reader?.get(key(number)) else { throw ByteReader.damaged }
        let batch = try decoder.decode(block)
        guard batch.schema == schema else { throw ByteReader.damaged }
        chunk.batch = batch
        heldBytes += chunk.bytes
        return batch
    }

    /// Forgets chunks of which no row waits any more.
    func dropEmpty() {
        for number in emptied { drop(number) }
        emptied.removeAll(keepingCapacity: true)
    }

    private func drop(_ number: UInt64) {
        guard let chunk = chunks.removeValue(forKey: number) else { return }
        if chunk.batch != nil { heldBytes -= chunk.bytes }
        if chunk.isSaved { retired.append(number) }
    }

    // MARK: Durable state

    private func key(_ number: UInt64) -> [UInt8] {
        keyPrefix + withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    /// Lets rows that a commit has made durable leave memory until no more than `bytesMax` are held.
    func shrink(to bytesMax: Int) {
        guard heldBytes > bytesMax, reader != nil else { return }
        for number in chunks.keys.sorted(by: >) where heldBytes > bytesMax {
            guard let chunk = chunks[number], chunk.isSaved, chunk.batch != nil else { continue }
            chunk.batch = nil
            heldBytes -= chunk.bytes
        }
    }

    func checkpoint(into writer: any StateWriter) {
        for number in retired { writer.delete(key(number)) }
        retired.removeAll(keepingCapacity: true)
        for number in unsaved {
            guard let chunk = chunks[number], let batch = chunk.batch else { continue }
            encoder.encode(batch, keepsWatermarks: true).withUnsafeBytes { writer.put(key(number), $0) }
            chunk.isSaved = true
        }
        unsaved.removeAll(keepingCapacity: true)
    }

    /// Takes back the rows of an earlier run and calls `body` with each chunk; at most `bytesMax` stay in
    /// memory.
    func restore(
        from reader: any StateReader, bytesMax: Int,
        _ body: (_ number: UInt64, _ rows: Batch, _ marks: UnsafePointer<Int64>) -> Void
    ) throws(Failure) {
        self.reader = reader
        let end = keyPrefix.dropLast() + [(keyPrefix.last ?? 0) + 1]
        try reader.scan(keyPrefix, Array(end)) { key, value throws(Failure) in
            guard key.count == keyPrefix.count + 8 else { throw ByteReader.damaged }
            let number = UInt64(
                bigEndian: key.loadUnaligned(fromByteOffset: keyPrefix.count, as: UInt64.self))
            let batch = try decoder.decode(value)
            guard batch.schema == schema, let marks = batch.watermarks else { throw ByteReader.damaged }
            let chunk = Chunk(batch)
            chunk.isSaved = true
            chunks[number] = chunk
            nextNumber = number + 1
            body(number, batch, UnsafePointer(marks.ints))
            if heldBytes + chunk.bytes > bytesMax { chunk.batch = nil } else { heldBytes += chunk.bytes }
            return true
        }
    }

    /// Only the rows of these sessions wait; all others have come out.
    func keep(_ sessions: some Sequence<SessionRowSet.Session>) {
        var waiting: [UInt64: Int] = [:]
        for session in sessions { for row in session.rows { waiting[row.chunk, default: 0] += 1 } }
        for (number, chunk) in chunks {
            chunk.waiting = waiting[number] ?? 0
            if chunk.waiting == 0 { drop(number) }
        }
    }
}
