// SESSION as a table function: rows wait until their session is over and then come with its bounds, in
// the order of (end of the session, key), the rows of a session in the order of their times.
//
// A session is over when a row comes that is later than its end, or time has passed the end: a row at the
// very end still belongs to it. Rows that wait are durable as they came; which sessions they form is
// worked out again from them, and `closedThrough` says which sessions have been handed on.

import WeirCore
import WeirSQL
import WeirStore

/// Puts rows into their sessions.
final class SessionAssignProcessor: OrderedProcessor {
    private let gap: Int64
    private let timeColumn: Int
    private let keyColumns: [Int]
    private let output: Schema
    private let keyPrefix: [UInt8]
    private let wallClock: WallClock?
    private let encoder: KeyEncoder
    private let keys: KeyInterner
    private let numbers = Buffer<Int32>()

    /// Rows that came together.
    private final class Chunk {
        let batch: Batch
        /// Rows that wait.
        var waiting = 0
        var isSaved = false

        init(_ batch: Batch) { self.batch = batch }
    }

    /// An open session and where its rows are.
    private struct OpenSession {
        let start: Int64
        var end: Int64
        var rows: [(chunk: UInt64, row: Int32)]
    }

    private var chunks: [UInt64: Chunk] = [:]
    private var nextChunk: UInt64 = 0
    private var retired: [UInt64] = []
    private var sessions: [Int32: OpenSession] = [:]
    /// The least end of an open session, or a time before it.
    private var nextEnd = Int64.max
    /// All sessions that end at or before it have been handed on.
    private var closedThrough = Int64.min
    private var savedProgress: [UInt8] = []

    /// - Parameter keyPrefix: what the keys of its durable state begin with.
    init(
        _ window: WindowSpec, input: Schema, output: Schema, keyPrefix: [UInt8], seed: UInt64
    ) throws(Failure) {
        guard case .session(let gap, let keyColumns) = window.shape else {
            preconditionFailure("not a session")
        }
        self.gap = gap
        self.keyColumns = keyColumns
        self.output = output
        self.keyPrefix = keyPrefix
        timeColumn = window.timeColumn
        wallClock = if let zone = window.zone { try WallClock(zone: zone) } else { nil }
        encoder = KeyEncoder(types: keyColumns.map { input[$0].type })
        keys = KeyInterner(
            isSingleText: keyColumns.count == 1
                && input[keyColumns[0]].type.physical == .string, seed: seed)
    }

    /// A result's window_time is one less than the end at which it comes.
    var outputDelay: Int64 { 1 }
    var firstDue: Int64 { sessions.isEmpty ? .max : nextEnd }
    var lastDue: Int64 { sessions.values.reduce(.min) { max($0, $1.end) } }
    var memoryBytes: Int {
        chunks.values.reduce(keys.byteCount) { $0 + $1.batch.memoryBytes + $1.batch.rowCount * 16 }
    }

    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure) {
        let batch = slice.batches[0]
        let number = nextChunk
        nextChunk += 1
        let chunk = Chunk(batch)
        chunks[number] = chunk
        intern(batch)
        let times = slice.times(0)
        for row in 0..<batch.rowCount {
            if times[row] > nextEnd { try closeSessions(endingBefore: times[row], into: output) }
            add(row, of: chunk, number, time: times[row])
        }
        if let last = batch.rowCount > 0 ? times[batch.rowCount - 1] : nil {
            closedThrough = max(closedThrough, last - 1)
        }
        dropEmptyChunks()
    }

    func close(through watermark: Int64, into output: OrderedOutput) throws(Failure) {
        if watermark >= nextEnd {
            try closeSessions(
                endingBefore: watermark == .max ? .max : watermark + 1, into: output)
        }
        closedThrough = max(closedThrough, watermark)
        dropEmptyChunks()
    }

    private func intern(_ batch: Batch) {
        numbers.reserve(batch.rowCount)
        encoder.withKeys(of: keyColumns.map { batch.columns[$0] }, rowCount: batch.rowCount) {
            keys.intern($0, into: numbers.base)
        }
    }

    private func add(_ row: Int, of chunk: Chunk, _ number: UInt64, time: Int64) {
        chunk.waiting += 1
        let key = numbers.base[row]
        let end = time + gap
        if sessions[key]?.rows.append((number, Int32(row))) == nil {
            sessions[key] = OpenSession(start: time, end: end, rows: [(number, Int32(row))])
            nextEnd = min(nextEnd, end)
        } else {
            sessions[key]?.end = end
        }
    }

    // MARK: Results

    private func closeSessions(
        endingBefore limit: Int64, into output: OrderedOutput
    ) throws(Failure) {
        var over = sessions.filter { $0.value.end < limit }.map { ($0.key, $0.value) }
        nextEnd = sessions.values.reduce(.max) { least, session in
            session.end < limit ? least : min(least, session.end)
        }
        over.sort { a, b in
            a.1.end != b.1.end
                ? a.1.end < b.1.end : KeyBytes.compare(keys.key(a.0), keys.key(b.0)) < 0
        }
        for (key, session) in over {
            sessions[key] = nil
            try output.emit(rows(of: session))
        }
    }

    /// Forgets chunks of which no row waits any more.
    private func dropEmptyChunks() {
        for number in chunks.keys.sorted() {
            guard let chunk = chunks[number], chunk.waiting == 0 else { continue }
            if chunk.isSaved { retired.append(number) }
            chunks[number] = nil
        }
    }

    private func rows(of session: OpenSession) -> Batch {
        let columns = output.fields.map { Column($0.type, capacity: session.rows.count) }
        let width = columns.count - 3
        var first = 0
        while first < session.rows.count {
            let number = session.rows[first].chunk
            let end =
                session.rows[first...].firstIndex { $0.chunk != number } ?? session.rows.count
            guard let chunk = chunks[number] else { preconditionFailure("rows without a chunk") }
            session.rows[first..<end].map(\.row).withUnsafeBufferPointer { rows in
                for index in 0..<width {
                    let part = chunk.batch.columns[index].gather(rows)
                    columns[index].append(from: part, range: 0..<rows.count)
                }
            }
            chunk.waiting -= end - first
            first = end
        }
        let local = { (time: Int64) in self.wallClock?.local(time) ?? time }
        for _ in session.rows {
            columns[width].append(local(session.start))
            columns[width + 1].append(local(session.end))
            columns[width + 2].append(session.end - 1)
        }
        return Batch(schema: output, columns: columns, rowCount: session.rows.count)
    }
}

// MARK: Durable state

extension SessionAssignProcessor {
    private func chunkKey(_ number: UInt64) -> [UInt8] {
        keyPrefix + [1] + withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    func checkpoint(into writer: any StateWriter) {
        for number in retired { writer.delete(chunkKey(number)) }
        retired.removeAll()
        let encoder = BatchEncoder()
        for number in chunks.keys.sorted() {
            guard let chunk = chunks[number], !chunk.isSaved else { continue }
            encoder.encode(chunk.batch).withUnsafeBytes { writer.put(chunkKey(number), $0) }
            chunk.isSaved = true
        }
        var progress = ByteWriter()
        progress.write(closedThrough)
        if progress.bytes != savedProgress {
            progress.bytes.withUnsafeBytes { writer.put(keyPrefix + [0], $0) }
            savedProgress = progress.bytes
        }
    }

    func restore(from reader: any StateReader) throws(Failure) {
        guard let saved = try reader.get(keyPrefix + [0]) else { return }
        closedThrough = try saved.withBytes { (bytes) throws(Failure) -> Int64 in
            var progress = ByteReader(bytes)
            return try progress.read()
        }
        savedProgress = saved
        let decoder = BatchDecoder()
        try reader.scan(keyPrefix + [1], keyPrefix + [2]) { key, value throws(Failure) in
            guard key.count == keyPrefix.count + 9 else { throw ByteReader.damaged }
            let number = UInt64(
                bigEndian: key.loadUnaligned(
                    fromByteOffset: keyPrefix.count + 1, as: UInt64.self))
            let chunk = Chunk(try decoder.decode(value))
            chunk.isSaved = true
            chunks[number] = chunk
            nextChunk = number + 1
            readd(chunk, number)
            return true
        }
        for (key, session) in sessions where session.end <= closedThrough { drop(key, session) }
        nextEnd = sessions.values.reduce(.max) { min($0, $1.end) }
        for (number, chunk) in chunks where chunk.waiting == 0 {
            retired.append(number)
            chunks[number] = nil
        }
    }

    /// Adds the rows of a restored chunk; a session that ended before its key's next row was handed on.
    private func readd(_ chunk: Chunk, _ number: UInt64) {
        intern(chunk.batch)
        let times = chunk.batch.columns[timeColumn].ints
        for row in 0..<chunk.batch.rowCount {
            let key = numbers.base[row]
            if let session = sessions[key], session.end < times[row] { drop(key, session) }
            add(row, of: chunk, number, time: times[row])
        }
    }

    private func drop(_ key: Int32, _ session: OpenSession) {
        sessions[key] = nil
        for row in session.rows { chunks[row.chunk]?.waiting -= 1 }
    }
}
