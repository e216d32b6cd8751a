// What a query was given and has not finished with. It is durable only when a commit falls between
// a `.mustCommit` and its `.done`; most commits find nothing pending and write nothing here.

import WeirCore
import WeirStore

/// Rows (nil: all were processed) and movements of the clocks.
struct PendingInput {
    let source: String
    let batch: Batch?
    let trace: ClockTrace

    /// What is left from row `row` on.
    func suffix(from row: Int) -> PendingInput {
        PendingInput(
            source: source, batch: batch.map { $0.slice(row..<$0.rowCount) }, trace: trace.suffix(from: row))
    }
}

extension PendingInput {
    private static let rowsKey: [UInt8] = [0x71, 0]
    private static let movesKey: [UInt8] = [0x71, 1]
    private static let clockKey: [UInt8] = [0x71, 2]
    private static let sourceKey: [UInt8] = [0x71, 3]
    private static let endKey: [UInt8] = [0x72]
    private static let movesSchema = Schema([
        Field("place", .bigint), Field("before", .bigint), Field("after", .bigint),
    ])

    /// Saves `pending`, or deletes what was saved.
    static func save(_ pending: PendingInput?, into writer: any StateWriter, _ isSaved: inout Bool)
    {
        if isSaved { writer.deleteRange(rowsKey, endKey) }
        isSaved = pending != nil
        guard let pending else { return }
        let encoder = BatchEncoder()
        if let batch = pending.batch {
            let marked = Batch(
                schema: batch.schema, columns: batch.columns, rowCount: batch.rowCount,
                watermarks: pending.trace.watermarks)
            encoder.encode(marked, keepsWatermarks: true).withUnsafeBytes {
                writer.put(rowsKey, $0)
            }
        }
        if let keys = pending.trace.keys {
            let columns = [keys.places.map(Int64.init), keys.before, keys.after].map { values in
                let column = Column(.bigint, capacity: values.count)
                for value in values { column.append(value) }
                return column
            }
            let moves = Batch(schema: movesSchema, columns: columns, rowCount: keys.places.count)
            encoder.encode(moves).withUnsafeBytes { writer.put(movesKey, $0) }
        }
        withUnsafeBytes(of: pending.trace.watermarkAfter.littleEndian) { writer.put(clockKey, $0) }
        Array(pending.source.utf8).withUnsafeBytes { writer.put(sourceKey, $0) }
    }

    /// What was saved, or nil.
    static func load(
        from reader: any StateReader, _ clocks: [String: WatermarkTracker]
    ) throws(Failure) -> PendingInput? {
        guard let clock = try reader.get(clockKey) else { return nil }
        guard clock.count == 8, let name = try reader.get(sourceKey) else {
            throw ByteReader.damaged
        }
        let source = String(decoding: name, as: UTF8.self)
        let watermark = clock.reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
        var batch: Batch?
        if let block = try reader.get(rowsKey) { batch = try BatchDecoder().decode(block) }
        var keys: KeyMoves?
        if let block = try reader.get(movesKey), let keyClocks = clocks[source]?.keyClocks {
            let moves = try BatchDecoder().decode(block)
            guard moves.schema == movesSchema else { throw ByteReader.damaged }
            var read = KeyMoves(clocks: keyClocks)
            for row in 0..<moves.rowCount {
                read.append(
                    place: Int32(truncatingIfNeeded: moves.columns[0].ints[row]),
                    before: moves.columns[1].ints[row], after: moves.columns[2].ints[row])
            }
            keys = read
        }
        return PendingInput(
            source: source, batch: batch,
            trace: ClockTrace(watermarks: batch?.watermarks, watermarkAfter: watermark, keys: keys))
    }
}
