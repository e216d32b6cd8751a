// The rows of one input that wait for the watermark to pass their event time.
//
// Rows are kept as they came, a chunk a batch, each chunk in the order of (event time, arrival), with a
// cursor behind what has been taken. As chunks are in order of arrival, (event time, chunk, place in the
// chunk) is (event time, arrival): the order in which rows are taken, wherever batches were cut.
//
// Durable: a chunk that is left over at a commit is written once, as a block, and deleted when its last
// row has been taken. Which of its rows are gone already follows from the event time up to which rows
// have been taken, which the operator keeps.

import WeirCore
import WeirStore

/// Waiting rows of one input.
final class WaitingRows {
    let schema: Schema
    let timeColumn: Int
    private let keyPrefix: [UInt8]
    private var chunks: [Chunk] = []
    private var nextNumber: UInt64 = 0
    /// Saved chunks that are gone.
    private var retired: [UInt64] = []
    private let encoder = BatchEncoder()

    /// Rows of one batch, in order; those before `taken` are gone.
    private final class Chunk {
        let number: UInt64
        let batch: Batch
        let times: UnsafePointer<Int64>
        var taken = 0
        var isSaved = false

        init(number: UInt64, batch: Batch, timeColumn: Int) {
            self.number = number
            self.batch = batch
            times = UnsafePointer(batch.columns[timeColumn].ints)
        }

        var isEmpty: Bool { taken == batch.rowCount }

        /// How many of the rows from `taken` on are at or before `time`.
        func count(through time: Int64) -> Int {
            var (low, high) = (taken, batch.rowCount)
            while low < high {
                let middle = (low + high) / 2
                if times[middle] <= time { low = middle + 1 } else { high = middle }
            }
            return low - taken
        }
    }

    init(schema: Schema, timeColumn: Int, keyPrefix: [UInt8]) {
        self.schema = schema
        self.timeColumn = timeColumn
        self.keyPrefix = keyPrefix
    }

    /// Bytes of memory held.
    var memoryBytes: Int { chunks.reduce(0) { $0 + $1.batch.memoryBytes } }

    /// The least event time that waits; nil when nothing does.
    var firstTime: Int64? {
        chunks.reduce(nil) { least, chunk in min(least ?? .max, chunk.times[chunk.taken]) }
    }

    /// How many rows wait that are at or before `time`.
    func count(through time: Int64) -> Int { chunks.reduce(0) { $0 + $1.count(through: time) } }

    /// Adds rows, which have event times.
    func append(_ batch: Batch) {
        guard batch.rowCount > 0 else { return }
        chunks.append(
            Chunk(number: nextNumber, batch: Self.inOrder(batch, timeColumn), timeColumn: timeColumn))
        nextNumber += 1
    }

    /// `batch` in the order of its event times, rows of one time as they are.
    private static func inOrder(_ batch: Batch, _ timeColumn: Int) -> Batch {
        let times = UnsafePointer(batch.columns[timeColumn].ints)
        guard let order = TimeOrder.order(times, count: batch.rowCount) else { return batch }
        return order.withUnsafeBufferPointer { batch.gather($0) }
    }

    /// Takes all rows at or before `time`, in order.
    func take(through time: Int64) -> Batch {
        let parts = chunks.compactMap { chunk -> (chunk: Chunk, count: Int)? in
            let count = chunk.count(through: time)
            return count == 0 ? nil : (chunk, count)
        }
        guard let first = parts.first else { return .empty(schema) }
        defer {
            for part in parts { part.chunk.taken += part.count }
            retired += chunks.filter { $0.isEmpty && $0.isSaved }.map(\.number)
            chunks.removeAll(where: \.isEmpty)
        }
        if parts.count == 1 {
            return first.count == first.chunk.batch.rowCount
                ? first.chunk.batch
                : first.chunk.batch.slice(first.chunk.taken..<first.chunk.taken + first.count)
        }
        let total = parts.reduce(0) { $0 + $1.count }
        let columns = schema.fields.indices.map { index -> Column in
            let column = Column(schema[index].type, capacity: total)
            for (chunk, count) in parts {
                column.append(
                    from: chunk.batch.columns[index], range: chunk.taken..<chunk.taken + count)
            }
            return column
        }
        let joined = Batch(schema: schema, columns: columns, rowCount: total)
        let order = TimeOrder.merged(parts.map(\.count), joined.columns[timeColumn].ints)
        guard let order else { return joined }
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
        for number in retired { writer.delete(key(number)) }
        retired.removeAll(keepingCapacity: true)
        for chunk in chunks where !chunk.isSaved {
            let rest = chunk.batch.slice(chunk.taken..<chunk.batch.rowCount)
            encoder.encode(rest).withUnsafeBytes { writer.put(key(chunk.number), $0) }
            chunk.isSaved = true
        }
    }

    /// Takes back the rows above `taken`, the event time up to which rows had been taken.
    func restore(from reader: any StateReader, taken: Int64) throws(Failure) {
        let decoder = BatchDecoder()
        let end = keyPrefix.dropLast() + [(keyPrefix.last ?? 0) + 1]
        try reader.scan(keyPrefix, Array(end)) { key, value throws(Failure) in
            guard key.count == keyPrefix.count + 8 else { throw ByteReader.damaged }
            let number = UInt64(
                bigEndian: key.loadUnaligned(fromByteOffset: keyPrefix.count, as: UInt64.self))
            let batch = try decoder.decode(value)
            guard batch.schema == schema, batch.rowCount > 0 else { throw ByteReader.damaged }
            let chunk = Chunk(number: number, batch: batch, timeColumn: timeColumn)
            chunk.taken = chunk.count(through: taken)
            chunk.isSaved = true
            if chunk.isEmpty { retired.append(number) } else { chunks.append(chunk) }
            nextNumber = number + 1
            return true
        }
    }
}
