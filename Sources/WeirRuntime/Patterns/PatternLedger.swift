// The durable form of patterns. Matches are small and change with every row, so the matches of a key that
// has changed are written anew at each commit; rows are large and never change, so they are written once,
// in blocks of the rows that have come since the last commit. A block goes when no row of it is needed.
//
//   tag 0x10 key      the key's kept rows by number, its partial and complete matches
//   tag 0x11 block    which rows of which keys, then the rows
//   tag 0x12          how many rows have been taken
//
// Row numbers of a key never come twice, even if the key has been gone in between: they follow the count
// of all rows taken.

import WeirCore
import WeirStore

/// What is saved of a pattern processor, and what has changed since.
final class PatternLedger {
    private unowned let owner: PatternProcessor
    private var touched: [PatternKey] = []
    private var retired: [[UInt8]] = []
    /// Rows that are still needed, by block.
    private var needed: [Int32: Int] = [:]
    private var emptied: [Int32] = []
    private var nextBlock: Int32 = 1
    /// Rows in saved blocks, and how many of them are needed.
    private var savedRowCount = 0
    private var neededRowCount = 0
    private var blockSizes: [Int32: Int] = [:]
    private var savedTakenCount: Int64 = 0
    private let encoder = BatchEncoder()

    /// Saved rows that may be kept for nothing beyond three times those needed.
    private static let wastedRowsMax = 65_536

    init(_ owner: PatternProcessor) { self.owner = owner }

    /// `key` will change.
    func touch(_ key: PatternKey) {
        if key.isDirty { return }
        key.isDirty = true
        touched.append(key)
    }

    /// A saved key is gone.
    func retire(_ key: [UInt8]) { retired.append(key) }

    /// A row of `block` is no longer needed.
    func forget(_ block: Int32) {
        neededRowCount -= 1
        guard let left = needed[block] else { return }
        if left > 1 {
            needed[block] = left - 1
        } else {
            needed[block] = nil
            emptied.append(block)
        }
    }

    // MARK: Writing

    func checkpoint(into writer: any StateWriter, tag: UInt8) {
        if savedRowCount > 4 * neededRowCount + Self.wastedRowsMax { forgetAllBlocks() }
        for key in retired { writer.delete([tag, 0x10] + key) }
        retired.removeAll(keepingCapacity: true)
        saveRows(into: writer, tag: tag)
        for block in emptied {
            writer.delete(Self.blockKey(tag, block))
            savedRowCount -= blockSizes.removeValue(forKey: block) ?? 0
        }
        emptied.removeAll(keepingCapacity: true)
        for key in touched {
            key.isDirty = false
            guard key.isLive else { continue }
            let record = record(of: key)
            record.withUnsafeBytes { writer.put([tag, 0x10] + owner.bytes(of: key), $0) }
            key.isSaved = true
        }
        touched.removeAll(keepingCapacity: true)
        if owner.takenCount != savedTakenCount {
            savedTakenCount = owner.takenCount
            withUnsafeBytes(of: savedTakenCount.littleEndian) { writer.put([tag, 0x12], $0) }
        }
    }

    private static func blockKey(_ tag: UInt8, _ block: Int32) -> [UInt8] {
        [tag, 0x11] + withUnsafeBytes(of: UInt32(block).bigEndian) { Array($0) }
    }

    /// Makes all rows unsaved, because most rows in the blocks are not needed any more.
    private func forgetAllBlocks() {
        for key in owner.liveKeys {
            touch(key)
            for index in key.keptRange { key.blocks[index] = 0 }
        }
        emptied += needed.keys
        needed.removeAll()
        neededRowCount = 0
    }

    /// Writes the rows that are in no block yet.
    private func saveRows(into writer: any StateWriter, tag: UInt8) {
        var head = ByteWriter()
        var places: [Int32] = []
        var runCount: UInt32 = 0
        for key in touched where key.isLive {
            // Rows are dropped at one end and added at the other, so those not saved are a run.
            guard let first = key.keptRange.first(where: { key.blocks[$0] == 0 }) else { continue }
            let run = first..<key.keptRange.upperBound
            head.writeString(owner.bytes(of: key))
            head.write(key.firstRow + Int64(first))
            head.write(UInt32(run.count))
            places += key.places[run]
            for index in run { key.blocks[index] = nextBlock }
            runCount += 1
        }
        guard runCount > 0 else { return }
        var value = ByteWriter()
        value.write(runCount)
        head.bytes.withUnsafeBytes { value.write($0) }
        encoder.encode(owner.rows.gather(places)).withUnsafeBytes { value.write($0) }
        value.bytes.withUnsafeBytes { writer.put(Self.blockKey(tag, nextBlock), $0) }
        needed[nextBlock] = places.count
        blockSizes[nextBlock] = places.count
        savedRowCount += places.count
        neededRowCount += places.count
        nextBlock += 1
    }

    private func record(of key: PatternKey) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(key.keptFrom)
        writer.write(UInt32(key.keptRange.count))
        for queue in [key.partial, key.complete] {
            writer.write(UInt32(queue.matches.count))
            for match in queue.matches {
                writer.write(match.start)
                if match.id < 0 { continue }
                writer.write(Int32(owner.pool.state(match.id)))
                writer.write(owner.pool.startTime(match.id))
                for variable in 0..<owner.pool.variableCount {
                    writer.write(owner.pool.count(match.id, variable))
                }
                owner.accumulators.save(match.id, into: &writer)
            }
        }
        return writer.bytes
    }

    // MARK: Reading

    /// A saved row.
    private struct SavedRow {
        let number: Int64
        let place: Int32
        let block: Int32
    }

    func restore(from reader: any StateReader, tag: UInt8) throws(Failure) {
        if let saved = try reader.get([tag, 0x12]) {
            let count = saved.withUnsafeBytes { bytes in
                bytes.count == 8 ? bytes.loadUnaligned(as: Int64.self) : nil
            }
            guard let count else { throw ByteReader.damaged }
            owner.takenCount = Int64(littleEndian: count)
            savedTakenCount = owner.takenCount
        }
        var rows: [[UInt8]: [SavedRow]] = [:]
        try reader.scan([tag, 0x11], [tag, 0x12]) { key, value throws(Failure) in
            guard key.count == 6 else { throw ByteReader.damaged }
            let number = key.loadUnaligned(fromByteOffset: 2, as: UInt32.self)
            try restoreBlock(Int32(UInt32(bigEndian: number)), value, into: &rows)
            return true
        }
        try reader.scan([tag, 0x10], [tag, 0x11]) { key, value throws(Failure) in
            let bytes = Array(key.dropFirst(2))
            try restoreKey(bytes, value, rows[bytes] ?? [])
            return true
        }
        for block in blockSizes.keys where needed[block] == nil { emptied.append(block) }
    }

    private func restoreBlock(
        _ block: Int32, _ value: UnsafeRawBufferPointer, into rows: inout [[UInt8]: [SavedRow]]
    ) throws(Failure) {
        var reader = ByteReader(value)
        var runs: [(key: [UInt8], first: Int64, count: Int)] = []
        for _ in 0..<(try reader.readCount(bytesEach: 16)) {
            let key = Array(try reader.readString())
            runs.append((key, try reader.read(), Int(try reader.read(UInt32.self))))
        }
        let rest = try reader.take(value.count - reader.position)
        let batch = try BatchDecoder().decode(rest)
        let total = runs.reduce(0) { $0 + $1.count }
        guard batch.schema == owner.rows.schema, batch.rowCount == total else {
            throw ByteReader.damaged
        }
        var place = Int32(owner.rows.append(batch.columns, rowCount: batch.rowCount))
        for run in runs {
            for offset in 0..<run.count {
                rows[run.key, default: []].append(
                    SavedRow(number: run.first + Int64(offset), place: place, block: block))
                place += 1
            }
        }
        blockSizes[block] = total
        savedRowCount += total
        nextBlock = max(nextBlock, block + 1)
    }

    private func restoreKey(
        _ bytes: [UInt8], _ value: UnsafeRawBufferPointer, _ saved: [SavedRow]
    ) throws(Failure) {
        var reader = ByteReader(value)
        let first = try reader.read(Int64.self)
        let count = Int64(try reader.read(UInt32.self))
        let key = PatternKey(number: owner.number(of: bytes), firstRow: first)
        let rows = saved.filter { first..<first + count ~= $0.number }
            .sorted { $0.number < $1.number }
        guard rows.count == Int(count) else { throw ByteReader.damaged }
        for row in rows {
            key.append(row.place, block: row.block)
            needed[row.block, default: 0] += 1
        }
        neededRowCount += rows.count
        key.partial.restore(try restoreQueue(&reader))
        key.complete.restore(try restoreQueue(&reader))
        key.isSaved = true
        owner.add(key)
    }

    private func restoreQueue(_ reader: inout ByteReader) throws(Failure) -> [QueuedMatch] {
        var matches: [QueuedMatch] = []
        for _ in 0..<(try reader.readCount(bytesEach: 8)) {
            let start = try reader.read(Int64.self)
            if start == QueuedMatch.entry.start {
                matches.append(.entry)
                continue
            }
            let state = Int(try reader.read(Int32.self))
            let id = owner.pool.make(state: state, startTime: try reader.read())
            for variable in 0..<owner.pool.variableCount {
                owner.pool.setCount(id, variable, try reader.read())
            }
            try owner.accumulators.load(id, from: &reader)
            matches.append(QueuedMatch(id: id, start: start))
        }
        return matches
    }
}
