// The durable form of a side's rows in memory: a commit appends the rows that are new as one block and
// deletes the blocks of which all rows have left. Which rows matched is a bit a row beside the block,
// written again when it changed.
//
//   [tag, 0x20 + side] ordinal of the first row     the rows
//   [tag, 0x30 + side] the same                     a bit for each row, 1 = matched

import WeirCore
import WeirStore

/// The saved blocks of one side.
final class JoinBlocks {
    private struct Block {
        let start: Int64
        let end: Int64
        var hasNewMatches: Bool
    }

    private let rowPrefix: [UInt8]
    private let matchPrefix: [UInt8]
    private var blocks: [Block] = []
    /// Rows from this one on are in no block.
    private var savedEnd: Int64 = 0
    private let encoder = BatchEncoder()

    init(stateTag: UInt8, side: UInt8) {
        rowPrefix = [stateTag, 0x20 + side]
        matchPrefix = [stateTag, 0x30 + side]
    }

    var isEmpty: Bool { blocks.isEmpty }

    /// Notes that the row `ordinal` matched.
    func noteMatch(_ ordinal: Int64) {
        guard ordinal < savedEnd else { return }
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].end <= ordinal { low = middle + 1 } else { high = middle }
        }
        if low < blocks.count, blocks[low].start <= ordinal { blocks[low].hasNewMatches = true }
    }

    /// Writes what changed since the last commit.
    func checkpoint(_ side: JoinSide, into writer: any StateWriter) {
        let gone = blocks.prefix { $0.end <= side.first }.count
        for block in blocks.prefix(gone) { delete(block, writer) }
        blocks.removeFirst(gone)
        for index in blocks.indices where blocks[index].hasNewMatches {
            putMatches(blocks[index], side, writer)
            blocks[index].hasNewMatches = false
        }
        let start = max(savedEnd, side.first)
        if start < side.end {
            let rows = Int(side.position(start))..<Int(side.position(side.end))
            let batch = Batch(
                schema: side.schema, columns: side.columns.map { $0.slice(rows) },
                rowCount: rows.count)
            encoder.encode(batch).withUnsafeBytes { writer.put(rowPrefix + bigEndian(start), $0) }
            let block = Block(start: start, end: side.end, hasNewMatches: false)
            if (start..<side.end).contains(where: { side.flag($0) == JoinSide.Flag.matched }) {
                putMatches(block, side, writer)
            }
            blocks.append(block)
        }
        savedEnd = side.end
    }

    /// Gives up the oldest block, as part of a commit: its rows are written elsewhere. Returns those of
    /// its rows that have not left.
    func giveUpOldest(_ side: JoinSide, into writer: any StateWriter) -> Range<Int64> {
        let block = blocks.removeFirst()
        delete(block, writer)
        return max(block.start, side.first)..<block.end
    }

    private func delete(_ block: Block, _ writer: any StateWriter) {
        writer.delete(rowPrefix + bigEndian(block.start))
        writer.delete(matchPrefix + bigEndian(block.start))
    }

    private func putMatches(_ block: Block, _ side: JoinSide, _ writer: any StateWriter) {
        var bits = [UInt8](repeating: 0, count: Int(block.end - block.start + 7) / 8)
        for ordinal in max(block.start, side.first)..<block.end
        where side.flag(ordinal) == JoinSide.Flag.matched {
            let index = Int(ordinal - block.start)
            bits[index >> 3] |= 1 << UInt8(index & 7)
        }
        bits.withUnsafeBytes { writer.put(matchPrefix + bigEndian(block.start), $0) }
    }

    /// Takes back the rows from `first` on. `add` adds a block's rows to the side and to their chains;
    /// `match` notes one that had matched.
    func restore(
        from reader: any StateReader, schema: Schema, first: Int64,
        add: (Batch) -> Void, match: (Int64) -> Void
    ) throws(Failure) {
        let decoder = BatchDecoder()
        var matches: [Int64: [UInt8]] = [:]
        try reader.scan(matchPrefix, JoinBlocks.after(matchPrefix)) {
            (key, value) throws(Failure) in
            matches[try Self.ordinal(key)] = Array(value)
            return true
        }
        try reader.scan(rowPrefix, JoinBlocks.after(rowPrefix)) { (key, value) throws(Failure) in
            let start = try Self.ordinal(key)
            let batch = try decoder.decode(value)
            let end = start + Int64(batch.rowCount)
            guard batch.schema == schema, end > first else { throw ByteReader.damaged }
            let skipped = Int(max(0, first - start))
            add(skipped == 0 ? batch : batch.slice(skipped..<batch.rowCount))
            if let bits = matches[start] {
                for index in skipped..<batch.rowCount
                where bits.count > index >> 3 && bits[index >> 3] >> UInt8(index & 7) & 1 != 0 {
                    match(start + Int64(index))
                }
            }
            blocks.append(Block(start: start, end: end, hasNewMatches: false))
            savedEnd = end
            return true
        }
        savedEnd = max(savedEnd, first)
    }

    private static func ordinal(_ key: UnsafeRawBufferPointer) throws(Failure) -> Int64 {
        guard key.count == 10 else { throw ByteReader.damaged }
        return Int64(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int64.self))
    }

    /// The first key behind all that begin with `prefix`, whose last byte is not the greatest.
    private static func after(_ prefix: [UInt8]) -> [UInt8] {
        Array(prefix.dropLast()) + [(prefix.last ?? 0) + 1]
    }
}
