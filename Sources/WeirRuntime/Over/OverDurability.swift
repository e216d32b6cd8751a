// What a commit holds of an OVER: each partition that changed since the last one, under its key.
//
//   [tag, 0x20] key                 how many rows there were, the newest one's time, running values, and
//                                   its rows, or those behind the last full block
//   [tag, 0x21] length key number   64 rows, of partitions with more than 64; written once
//   [tag, 0x22] length key number   what sets and lists of it gained in one commit
//   [tag, 0x10]                     how many partitions are saved
//
// A frame of a thousand rows thus costs a commit no more than one of sixty-four. Memory is a cache: when
// it is full the partitions that have been silent longest leave it, and come back when a row of theirs
// comes. After a restart all of them come back that way.
//
// Partitions whose frame has ended are deleted, those in memory at commits, the others by a walk through
// them that goes on a little with each commit. No result depends on when. What is saved beside the record of
// one that starts over (`state_ttl`) is deleted by the next commit, which writes it anew.

import WeirCore
import WeirSQL
import WeirStore

/// The durable form of an OVER's partitions.
final class OverDurability {
    /// Partitions that are in durable state alone.
    private(set) var spilledCount = 0
    private var savedCount = 0
    private let recordPrefix: [UInt8]
    private let blockPrefix: [UInt8]
    private let changePrefix: [UInt8]
    private let progressKey: [UInt8]
    private let memoryBudgetBytes: Int
    private let rowSchema: Schema
    private var savedProgress: [UInt8] = []
    private var reader: (any StateReader)?
    private let encoder = BatchEncoder()
    private let decoder = BatchDecoder()
    /// Event time from which partitions in memory are looked through again.
    private var nextExpiry = Watermark.none
    /// Where the walk through saved partitions goes on.
    private var cursor: [UInt8]
    private var mayWalk = true
    /// Saved partitions that have ended, and their blocks.
    private var ended: [(key: [UInt8], blocks: Range<Int64>)] = []
    /// Blocks and changes of partitions that have started over.
    private var discarded: [(key: [UInt8], blocks: Range<Int64>, changes: Range<Int64>)] = []
    private var changedCount = 0

    private static let blockRows: Int64 = 64
    private static let walkedMin = 256
    private static let changeBytesMin: Int64 = 4_096

    /// The head of a saved partition.
    private struct Header {
        var taken: Int64
        var time: Int64
        var length: Int32
        var blocks: Range<Int64>

        init(_ entry: OverKeys.Entry, blocks: Range<Int64>) {
            (taken, time, length) = (entry.taken, entry.time, entry.length)
            self.blocks = blocks
        }

        init(from reader: inout ByteReader) throws(Failure) {
            taken = try reader.read()
            time = try reader.read()
            length = try reader.read()
            let first: Int64 = try reader.read()
            let end: Int64 = try reader.read()
            guard length >= 0, Int64(length) <= taken, first <= end else { throw ByteReader.damaged }
            blocks = first..<end
        }

        func write(into writer: inout ByteWriter) {
            writer.write(taken)
            writer.write(time)
            writer.write(length)
            writer.write(blocks.lowerBound)
            writer.write(blocks.upperBound)
        }
    }

    /// - Parameters:
    ///   - stateTag: the first byte of all keys.
    ///   - rows: the columns of kept rows; nil where none are.
    init(stateTag: UInt8, memoryBudgetBytes: Int, rows: Schema?) {
        recordPrefix = [stateTag, 0x20]
        blockPrefix = [stateTag, 0x21]
        changePrefix = [stateTag, 0x22]
        progressKey = [stateTag, 0x10]
        self.memoryBudgetBytes = memoryBudgetBytes
        rowSchema = rows ?? Schema([])
        cursor = recordPrefix
    }

    private func blockKey(_ key: [UInt8], _ number: Int64) -> [UInt8] {
        blockPrefix + bigEndian(UInt32(key.count)) + key + bigEndian(number)
    }

    private func changeKey(_ key: [UInt8], _ number: Int64) -> [UInt8] {
        changePrefix + bigEndian(UInt32(key.count)) + key + bigEndian(number)
    }

    // MARK: Reading

    /// Takes note of what an earlier run saved.
    func restore(from reader: any StateReader) throws(Failure) {
        self.reader = reader
        guard let saved = try reader.get(progressKey) else { return }
        savedProgress = saved
        savedCount = try saved.withBytes { (bytes) throws(Failure) in
            var progress = ByteReader(bytes)
            return Int(try progress.read(Int64.self))
        }
        spilledCount = savedCount
    }

    /// Takes back a partition that was just opened, if it is saved.
    func load(_ slot: Int32, of over: OverProcessor) throws(Failure) {
        guard spilledCount > 0, let reader else { return }
        let key = over.keys.bytes(over.keys[slot].number)
        guard let saved = try reader.get(recordPrefix + key) else { return }
        spilledCount -= 1
        try saved.withBytes { (bytes) throws(Failure) in
            var record = ByteReader(bytes)
            let header = try Header(from: &record)
            over.keys[slot].taken = header.taken
            over.keys[slot].time = header.time
            over.keys[slot].blocks = header.blocks
            over.keys[slot].isSaved = true
            for column in over.recorded { try column.load(slot, from: &record) }
            if !over.gathering.isEmpty { try loadChanges(slot, of: over, key, &record, reader) }
            guard let rows = over.rows, header.length > 0 else { return }
            let first = Int32(rows.count)
            try loadRows(header, key, &record, reader, into: rows)
            guard rows.count == Int(first) + Int(header.length) else { throw ByteReader.damaged }
            for place in Int(first)..<rows.count {
                rows.next[place] = Int32(place + 1)
                rows.previous[place] = Int32(place - 1)
            }
            over.keys[slot].first = first
            over.keys[slot].last = Int32(rows.count - 1)
            over.keys[slot].length = header.length
            over.liveRows += Int(header.length)
            over.rebuild(slot)
        }
    }

    private func loadRows(
        _ header: Header, _ key: [UInt8], _ record: inout ByteReader, _ reader: any StateReader,
        into rows: OverRows
    ) throws(Failure) {
        if rowSchema.fields.isEmpty {
            _ = rows.append([], rowCount: Int(header.length))
            return
        }
        let oldest = header.taken - Int64(header.length)
        for number in header.blocks {
            guard let block = try reader.get(blockKey(key, number)) else { throw ByteReader.damaged }
            try block.withBytes { (bytes) throws(Failure) in
                var fields = ByteReader(bytes)
                let start: Int64 = try fields.read()
                let batch = try self.batch(try fields.rest())
                let skipped = Int(max(0, oldest - start))
                guard skipped < batch.rowCount else { throw ByteReader.damaged }
                let part = skipped == 0 ? batch : batch.slice(skipped..<batch.rowCount)
                _ = rows.append(part.columns, rowCount: part.rowCount)
            }
        }
        if record.isAtEnd { return }
        let batch = try self.batch(try record.rest())
        _ = rows.append(batch.columns, rowCount: batch.rowCount)
    }

    private func loadChanges(
        _ slot: Int32, of over: OverProcessor, _ key: [UInt8], _ record: inout ByteReader,
        _ reader: any StateReader
    ) throws(Failure) {
        let first: Int64 = try record.read()
        let end: Int64 = try record.read()
        over.keys[slot].changeBytes = try record.read()
        guard first <= end else { throw ByteReader.damaged }
        over.keys[slot].changes = first..<end
        var next = first
        try reader.scan(changeKey(key, first), changeKey(key, end)) {
            (_, value) throws(Failure) in
            var change = ByteReader(value)
            for column in over.gathering { try column.loadChanges(slot, from: &change) }
            next += 1
            return true
        }
        guard next == end else { throw ByteReader.damaged }
    }

    private func batch(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Batch {
        let batch = try decoder.decode(bytes)
        guard batch.schema == rowSchema else { throw ByteReader.damaged }
        return batch
    }

    // MARK: Writing

    /// Writes what changed since the last commit, and lets go of what memory has no room for.
    func checkpoint(_ over: OverProcessor, into writer: any StateWriter) {
        deleteDiscarded(into: writer)
        deleteEnded(over, into: writer)
        expire(over, into: writer)
        changedCount = over.keys.dirty.count
        for slot in over.keys.dirty where over.keys[slot].isDirty {
            save(slot, of: over, into: writer)
            over.keys[slot].isDirty = false
            if !over.keys[slot].isSaved { savedCount += 1 }
            over.keys[slot].isSaved = true
        }
        over.keys.forgetChanges()
        var progress = ByteWriter()
        progress.write(Int64(savedCount))
        if progress.bytes != savedProgress {
            progress.bytes.withUnsafeBytes { writer.put(progressKey, $0) }
            savedProgress = progress.bytes
        }
        makeRoom(over)
        mayWalk = true
    }

    private func save(_ slot: Int32, of over: OverProcessor, into writer: any StateWriter) {
        let entry = over.keys[slot]
        let key = over.keys.bytes(entry.number)
        let oldest = entry.taken - Int64(entry.length)
        // Rows from this one on are in the record.
        let inRecord =
            rowSchema.fields.isEmpty
            ? entry.taken
            : Int64(entry.length) <= Self.blockRows
                ? oldest : entry.taken / Self.blockRows * Self.blockRows
        let blocks =
            rowSchema.fields.isEmpty || inRecord == oldest
            ? 0..<0 : oldest / Self.blockRows..<inRecord / Self.blockRows
        for number in entry.blocks where !blocks.contains(number) {
            writer.delete(blockKey(key, number))
        }
        var record = ByteWriter()
        Header(entry, blocks: blocks).write(into: &record)
        for column in over.recorded { column.save(slot, into: &record) }
        if !over.gathering.isEmpty { saveChanges(slot, of: over, key, &record, writer) }
        let missing = blocks.first { !entry.blocks.contains($0) }
        let from = missing.map { max(oldest, $0 * Self.blockRows) } ?? inRecord
        if let rows = over.rows, from < entry.taken {
            let places = lastPlaces(Int(entry.taken - from), before: entry.last, rows)
            for number in blocks where !entry.blocks.contains(number) {
                let start = max(oldest, number * Self.blockRows)
                let end = (number + 1) * Self.blockRows
                var block = ByteWriter()
                block.write(start)
                write(rows.gather(Array(places[Int(start - from)..<Int(end - from)])), into: &block)
                block.bytes.withUnsafeBytes { writer.put(blockKey(key, number), $0) }
            }
            if inRecord < entry.taken {
                write(rows.gather(Array(places[Int(inRecord - from)...])), into: &record)
            }
        }
        over.keys[slot].blocks = blocks
        record.bytes.withUnsafeBytes { writer.put(recordPrefix + key, $0) }
    }

    /// Writes what sets and lists gained, or all of them when what is saved is mostly out of date.
    private func saveChanges(
        _ slot: Int32, of over: OverProcessor, _ key: [UInt8], _ record: inout ByteWriter,
        _ writer: any StateWriter
    ) {
        var changes = over.keys[slot].changes
        let held = over.gathering.reduce(0) { $0 + $1.variableBytes(slot) }
        let isAll = over.keys[slot].changeBytes > Self.changeBytesMin + 2 * Int64(held)
        if isAll, !changes.isEmpty {
            writer.deleteRange(changeKey(key, changes.lowerBound), changeKey(key, changes.upperBound))
            changes = changes.upperBound..<changes.upperBound
            over.keys[slot].changeBytes = 0
        }
        var change = ByteWriter()
        for column in over.gathering { column.saveChanges(slot, isAll: isAll, into: &change) }
        change.bytes.withUnsafeBytes { writer.put(changeKey(key, changes.upperBound), $0) }
        over.keys[slot].changes = changes.lowerBound..<changes.upperBound + 1
        over.keys[slot].changeBytes += Int64(change.count)
        record.write(changes.lowerBound)
        record.write(changes.upperBound + 1)
        record.write(over.keys[slot].changeBytes)
    }

    /// The places of a partition's last rows, in order.
    private func lastPlaces(_ count: Int, before last: Int32, _ rows: OverRows) -> [Int32] {
        var places = [Int32](repeating: last, count: count)
        for index in stride(from: count - 2, through: 0, by: -1) {
            places[index] = rows.previous[Int(places[index + 1])]
        }
        return places
    }

    private func write(_ batch: Batch, into writer: inout ByteWriter) {
        encoder.encode(batch).withUnsafeBytes { writer.write($0) }
    }

    private func delete(
        _ key: [UInt8], _ blocks: Range<Int64>, of over: OverProcessor, _ writer: any StateWriter
    ) {
        writer.delete(recordPrefix + key)
        for number in blocks { writer.delete(blockKey(key, number)) }
        if !over.gathering.isEmpty { writer.deleteRange(changeKey(key, 0), changeKey(key, .max)) }
        savedCount -= 1
    }

    /// Takes note that a partition starts over.
    func discardSaved(_ slot: Int32, of over: OverProcessor) {
        let entry = over.keys[slot]
        (over.keys[slot].blocks, over.keys[slot].changes, over.keys[slot].changeBytes) = (0..<0, 0..<0, 0)
        if entry.blocks.isEmpty, entry.changes.isEmpty { return }
        discarded.append((over.keys.bytes(entry.number), entry.blocks, entry.changes))
    }

    private func deleteDiscarded(into writer: any StateWriter) {
        for (key, blocks, changes) in discarded {
            for number in blocks { writer.delete(blockKey(key, number)) }
            writer.deleteRange(changeKey(key, changes.lowerBound), changeKey(key, changes.upperBound))
        }
        discarded.removeAll()
    }

    // MARK: Partitions that have ended

    /// Forgets the partitions in memory that no later row can reach, now and then.
    private func expire(_ over: OverProcessor, into writer: any StateWriter) {
        guard let reach = over.reach, over.now > nextExpiry else { return }
        let limit = over.now - reach
        nextExpiry = over.now == Watermark.end ? over.now : over.now + max(1_000, reach / 2)
        let slots = over.keys.live.filter { over.keys[$0].time <= limit }
        for slot in slots {
            let entry = over.keys[slot]
            if entry.isSaved { delete(over.keys.bytes(entry.number), entry.blocks, of: over, writer) }
            over.keys[slot].isDirty = false
        }
        if !slots.isEmpty { over.close(slots) }
    }

    /// Goes on with the walk through the saved partitions, once a commit; at the end of a bounded input
    /// through all of them.
    func findForgotten(_ over: OverProcessor) throws(Failure) {
        let isEnd = over.now == Watermark.end
        guard let reach = over.reach, spilledCount > 0, mayWalk || isEnd, let reader else { return }
        mayWalk = false
        let limit = over.now - reach
        var left = isEnd ? Int.max : max(Self.walkedMin, 2 * changedCount)
        if isEnd {
            cursor = recordPrefix
            ended.removeAll()
        }
        var last: [UInt8]?
        try reader.scan(cursor, blockPrefix) { (key, value) throws(Failure) in
            var record = ByteReader(value)
            let header = try Header(from: &record)
            if header.time <= limit {
                ended.append((Array(key.dropFirst(recordPrefix.count)), header.blocks))
            }
            last = Array(key)
            left -= 1
            return left > 0
        }
        cursor = left > 0 ? recordPrefix : last.map { $0 + [0] } ?? recordPrefix
    }

    private func deleteEnded(_ over: OverProcessor, into writer: any StateWriter) {
        for (key, blocks) in ended {
            // One that is in memory is looked after there.
            if key.withUnsafeBufferPointer({ over.keys.slot(of: $0) }) != nil { continue }
            delete(key, blocks, of: over, writer)
            spilledCount -= 1
        }
        ended.removeAll()
    }

    // MARK: Memory

    /// Lets partitions leave memory when it is full, those silent longest first, until half of it is
    /// free. All of them are saved.
    private func makeRoom(_ over: OverProcessor) {
        guard over.stateBytes > memoryBudgetBytes, reader != nil else { return }
        let perKey = over.stateful.reduce(OverKeys.bytesPerKey) { $0 + $1.bytesPerKey }
        let perRow = over.rows?.bytesPerRow ?? 0
        var held = 0
        var leaving: [Int32] = []
        for slot in over.keys.live.sorted(by: { over.keys[$0].time > over.keys[$1].time }) {
            held += perKey + Int(over.keys[slot].length) * perRow
            held += over.stateful.reduce(0) { $0 + $1.variableBytes(slot) }
            if held > memoryBudgetBytes / 2 { leaving.append(slot) }
        }
        guard !leaving.isEmpty else { return }
        spilledCount += leaving.count
        over.close(leaving)
        over.sweepRows()
    }
}
