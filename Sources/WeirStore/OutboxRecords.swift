// The outbox's keys and records on disk, and reading all of them but the blocks at start.
//
//     'r' stream          → sink name, stream name           written by the loop, once
//     'a' stream          → last row's number                written by the loop
//     'b' stream first    → the block                        written by the loop
//     'b' stream first g  → a block of generation g > 0      written by the sink's forwarder
//     'i' stream first    → rows, bytes, time, schema        written by the loop, with the block
//     'f' stream          → next unsealed, forwarded, expired   written by the sink's forwarder
//     's' stream first    → the segment                      written by the sink's forwarder
//     'm' stream first    → the files of a segment at rest   written by the sink's forwarder
//     'c', 't'            → what was taken in (OutboxAccounts.swift)
//     'h', 'w', 'k'       → which hours are complete (OutboxClosing.swift)
//
// Numbers in keys are big endian, so that they sort. What says where blocks are is kept apart from
// the blocks, because a start would otherwise read every byte that waits.

import WeirCore

enum OutboxKey {
    static func name(_ stream: Int) -> [UInt8] { tagged("r", stream) }
    static func appended(_ stream: Int) -> [UInt8] { tagged("a", stream) }
    static func progress(_ stream: Int) -> [UInt8] { tagged("f", stream) }
    static func block(_ stream: Int, _ first: UInt64) -> [UInt8] {
        tagged("b", stream) + bigEndian(first)
    }
    /// The key of a block's bytes; a range of numbers has all of its blocks, whatever their generation.
    static func block(_ stream: Int, _ block: OutboxBlock) -> [UInt8] {
        let key = Self.block(stream, block.first)
        return block.generation == 0 ? key : key + [block.generation]
    }
    static func info(_ stream: Int, _ first: UInt64) -> [UInt8] {
        tagged("i", stream) + bigEndian(first)
    }
    static func segment(_ stream: Int, _ first: UInt64) -> [UInt8] {
        tagged("s", stream) + bigEndian(first)
    }
    static func manifest(_ stream: Int, _ first: UInt64) -> [UInt8] {
        tagged("m", stream) + bigEndian(first)
    }

    private static func tagged(_ tag: Unicode.Scalar, _ stream: Int) -> [UInt8] {
        [UInt8(ascii: tag)] + bigEndian(UInt32(stream))
    }
}

extension WriteBatch {
    func put(_ block: OutboxBlock, of stream: Int, _ bytes: [UInt8]) {
        put(.outbox, OutboxKey.block(stream, block), bytes)
        putInfo(block, of: stream)
    }

    /// What finds a block and says what is in it.
    func putInfo(_ block: OutboxBlock, of stream: Int) {
        var fields = ByteWriter()
        fields.put(block.rowCount)
        fields.put(block.byteCount)
        fields.put(block.appendedAt)
        fields.put(block.schemaHash)
        if block.voidCount > 0 || block.generation > 0 {
            fields.put(block.voidCount)
            fields.put(block.generation)
        }
        put(.outbox, OutboxKey.info(stream, block.first), fields.bytes)
    }

    func put(_ progress: OutboxStream.Progress, of stream: Int) {
        var fields = ByteWriter()
        fields.put(progress.nextUnsealed)
        fields.put(progress.forwarded)
        fields.put(progress.expired)
        if progress.merged > 0 {
            fields.put(progress.merged)
            fields.put(progress.made)
        }
        put(.outbox, OutboxKey.progress(stream), fields.bytes)
    }

    func put(_ segment: Segment) {
        var fields = ByteWriter()
        fields.put(segment.last)
        fields.put(segment.sealedAt)
        fields.put(segment.number)
        fields.put(segment.attachment)
        if segment.staged != nil || segment.rowCount != segment.last - segment.first + 1 {
            fields.put(segment.rowCount)
        }
        segment.staged?.put(to: &fields)
        put(.outbox, OutboxKey.segment(segment.stream.index, segment.first), fields.bytes)
    }

    /// Deletes blocks that follow one another.
    func delete(_ blocks: ArraySlice<OutboxBlock>, of stream: Int) {
        guard let first = blocks.first, let last = blocks.last else { return }
        deleteRange(
            .outbox, OutboxKey.block(stream, first.first), OutboxKey.block(stream, last.first + 1))
        deleteRange(
            .outbox, OutboxKey.info(stream, first.first), OutboxKey.info(stream, last.first + 1))
    }
}

/// Reads the outbox's records.
struct OutboxLoading {
    private let database: Database

    init(_ database: Database) { self.database = database }

    func load() throws(Failure) -> Outbox.State {
        var state = Outbox.State()
        let names = try records("r") { (fields) throws(Malformed) in
            (sink: try fields.getString(), stream: try fields.getString())
        }
        let appended = try records("a") { (fields) throws(Malformed) in try fields.getRowNumber() }
        let progress = try records("f") { (fields) throws(Malformed) in
            var progress = OutboxStream.Progress(
                nextUnsealed: try fields.getRowNumber(), forwarded: try fields.getRowNumber(),
                expired: try fields.getRowNumber())
            if fields.remaining > 0 {
                progress.merged = try fields.getRowNumber()
                progress.made = try fields.getRowNumber()
            }
            return progress
        }
        let sealed = try records("s") { (fields) throws(Malformed) in
            (
                last: try fields.getRowNumber(), sealedAt: try fields.get(Int64.self),
                number: try fields.get(UInt64.self), attachment: try fields.getBytes(),
                rowCount: fields.remaining > 0 ? try fields.getRowNumber() : nil,
                staged: fields.remaining > 0 ? try StagedSummary(from: &fields) : nil
            )
        }
        let infos = try records("i") { (fields) throws(Malformed) in
            var info = OutboxBlock(
                first: 0, rowCount: try fields.get(UInt32.self),
                byteCount: try fields.get(UInt32.self), appendedAt: try fields.get(Int64.self),
                schemaHash: try fields.get(UInt64.self))
            if fields.remaining > 0 {
                info.voidCount = try fields.get(UInt32.self)
                info.generation = try fields.get(UInt8.self)
            }
            guard info.rowCount > 0 else { throw Malformed("a block has no rows") }
            return info
        }
        let blocks = Dictionary(grouping: infos, by: \.stream)
        let hours = try HoursLoading(database: database).load()
        let accounts = try records("c") { (fields) throws(Malformed) in
            try StreamAccount(from: &fields)
        }
        for (index, name) in names.enumerated() {
            guard name.stream == index else { throw damaged("stream \(index) has no name") }
            let sink = state.indexOfSink(named: name.record.sink)
            let segments = sealed.filter { $0.stream == index }
                .map {
                    Segment(
                        sink: SinkID(index: sink), stream: StreamID(index: index),
                        streamName: name.record.stream, first: $0.first, last: $0.record.last,
                        sealedAt: $0.record.sealedAt, attachment: $0.record.attachment,
                        staged: $0.record.staged, number: $0.record.number,
                        rowCount: $0.record.rowCount ?? $0.record.last &- $0.first &+ 1)
                }
                .sorted { $0.number < $1.number }
            var stream = OutboxStream(
                sink: sink, name: name.record.stream,
                appended: appended.first { $0.stream == index }?.record ?? 0,
                progress: progress.first { $0.stream == index }?.record ?? .init(),
                blocks: (blocks[index] ?? []).map { $0.record.beginning(with: $0.first) },
                segments: segments)
            stream.hours = hours[index] ?? StreamHours()
            stream.account = accounts.first { $0.stream == index }?.record ?? StreamAccount()
            try check(stream, of: name.record.sink)
            let number = segments.last.map { $0.number + 1 } ?? 1
            state.sinks[sink].nextSealNumber = max(state.sinks[sink].nextSealNumber, number)
            state.streams.append(stream)
        }
        return state
    }

    /// The names of all files at rest.
    func fileNames() throws(Failure) -> Set<String> {
        let manifests = try records("m") { (fields) throws(Malformed) in
            try [StagedFile](from: &fields).map(\.name)
        }
        return Set(manifests.flatMap(\.record))
    }

    private func check(_ stream: OutboxStream, of sink: String) throws(Failure) {
        guard stream.isConsistent else {
            throw damaged("the counts of \(stream.name) for sink \(sink) do not add up")
        }
        if let row = stream.firstMissingRow {
            throw damaged("row \(row) of \(stream.name) for sink \(sink) is missing")
        }
    }

    private func damaged(_ reason: String) -> Failure {
        Failure(
            .state, "reading the outbox in", database.directory.path, reason,
            advice: "restore the state directory from a backup, or move it away to start empty")
    }

    /// All records under a tag in the order of their keys; `first` is 0 where the key has none.
    private func records<Record>(
        _ tag: Unicode.Scalar, _ read: (inout ByteReader) throws(Malformed) -> Record
    ) throws(Failure) -> [(stream: Int, first: UInt64, record: Record)] {
        let scope = StateScope(database, .outbox, prefix: [UInt8(ascii: tag)])
        var records: [(stream: Int, first: UInt64, record: Record)] = []
        try scope.scan([], []) { (key, value) throws(Failure) in
            let (stream, first) = try reading("the outbox", in: database.directory, key) {
                (fields) throws(Malformed) -> (Int, UInt64) in
                let stream = try fields.get(UInt32.self).byteSwapped
                guard fields.remaining > 0 else { return (Int(stream), 0) }
                let first = try fields.get(UInt64.self).byteSwapped
                guard first > 0, first <= UInt64(Int64.max) else {
                    throw Malformed("a row number is not possible")
                }
                return (Int(stream), first)
            }
            let record = try reading("the outbox", in: database.directory, value, read)
            records.append((stream, first, record))
            return true
        }
        return records
    }
}

extension OutboxBlock {
    /// The same block of other numbers.
    fileprivate func beginning(with first: UInt64) -> OutboxBlock {
        OutboxBlock(
            first: first, rowCount: rowCount, byteCount: byteCount, appendedAt: appendedAt,
            schemaHash: schemaHash, voidCount: voidCount, generation: generation)
    }
}

extension ByteReader {
    /// A row's number or a count of rows; what no stream ever reaches is damage.
    fileprivate mutating func getRowNumber() throws(Malformed) -> UInt64 {
        let number = try get(UInt64.self)
        guard number <= UInt64(Int64.max) else { throw Malformed("a row number is not possible") }
        return number
    }
}

extension Outbox.State {
    /// The sink of this name, made if there is none.
    mutating func indexOfSink(named name: String) -> Int {
        if let known = sinks.firstIndex(where: { $0.name == name }) { return known }
        sinks.append(Outbox.Sink(name: name))
        return sinks.count - 1
    }
}
