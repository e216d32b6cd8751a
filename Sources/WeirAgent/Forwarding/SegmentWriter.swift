// From a sealed segment to the objects that hold its rows. The bytes are a function of the segment and
// the sink's settings, so a put may be repeated after any crash. Memory is bounded: rows pass through
// in blocks, and an object that grows beyond a few megabytes continues in a file. A segment at rest has
// its files already; they are checked and handed on as they are.
//
// Each row gets the agent's id in a last column `agent`, unless the query has a column of that name.

import WeirConnectors
import WeirCore
import WeirFormats
import WeirStore

/// Writes segments as files.
final class SegmentWriter {
    private let settings: ForwarderSettings
    private let outbox: Outbox
    /// Objects written at the same time; segments over more hours are read in several passes.
    private static let openObjectsMax = 16
    /// What those may hold in memory together.
    private static let memoryBytesMax = 4 << 20

    init(settings: ForwarderSettings, outbox: Outbox) {
        self.settings = settings
        self.outbox = outbox
    }

    /// Makes or finds the segment's files one after the other and hands each to `body`; a file's bytes
    /// last until `body` returns.
    func forEachFile(
        of segment: Segment, _ body: (SegmentFile) throws(Failure) -> Void
    ) throws(Failure) {
        guard segment.staged == nil else {
            for file in try outbox.files(of: segment) {
                try body(try SegmentFile(file, in: outbox.folder))
            }
            return
        }
        try forEachRendered(of: segment, at: nil) { (file, _) throws(Failure) in try body(file) }
    }

    /// Makes the files of a segment in blocks, at a place where they stay, or for as long as `body` takes.
    ///
    /// `body` gets the name that a file has at its place, too.
    func forEachRendered(
        of segment: Segment, at place: StagingPlace?,
        _ body: (SegmentFile, _ name: String) throws(Failure) -> Void
    ) throws(Failure) {
        let hours = try partitions(of: segment)
        var start = 0
        repeat {
            let group = start..<min(hours.count, start + Self.openObjectsMax)
            let files = group.map { OpenFile(index: $0, hour: hours[$0], place: place) }
            try writeGroup(files, of: segment, body)
            start += Self.openObjectsMax
        } while start < hours.count
    }

    /// A file to be written: the hour of its rows, and where it goes.
    private struct OpenFile {
        let index: Int
        let hour: Int64
        let place: StagingPlace?

        func name(of segment: Segment) -> String {
            place.map {
                OutboxFolder.name(
                    of: segment, sink: $0.sink, index: index, fileExtension: $0.fileExtension)
            } ?? ""
        }

        func place(of segment: Segment, temporaryFolder: String) -> ObjectWriter.Place {
            guard let place else {
                return .temporary(path: "\(temporaryFolder)/\(segment.first)-\(hour)")
            }
            return .resting(
                path: place.folder.path(of: name(of: segment)), checkSpace: place.checkSpace)
        }
    }

    /// The instants that folders are called after: the seal's, or each hour that the rows fall in.
    private func partitions(of segment: Segment) throws(Failure) -> [Int64] {
        guard settings.partitionBy != nil else { return [segment.sealedAt] }
        var hours: Set<Int64> = []
        try outbox.readRows(of: segment) { (batch) throws(Failure) in
            guard let column = partitionColumn(batch) else {
                hours.insert(ObjectNaming.hourStart(of: segment.sealedAt))
                return
            }
            for row in 0..<batch.rowCount { hours.insert(hour(of: row, column, segment)) }
        }
        return hours.sorted()
    }

    /// Late and rejected rows may lack the column: they are laid out by the seal.
    private func partitionColumn(_ batch: Batch) -> Column? {
        guard let name = settings.partitionBy, let index = batch.schema.index(of: name),
            batch.schema[index].type.isTimestamp
        else { return nil }
        return batch.columns[index]
    }

    private func hour(of row: Int, _ column: Column, _ segment: Segment) -> Int64 {
        ObjectNaming.hourStart(of: column.isNull(row) ? segment.sealedAt : column.ints[row])
    }

    private func writeGroup(
        _ files: [OpenFile], of segment: Segment,
        _ body: (SegmentFile, _ name: String) throws(Failure) -> Void
    ) throws(Failure) {
        var objects: [Int64: ObjectWriter] = [:]
        let format = settings.format.sharingMemory(among: files.count)
        let metadata = metadata(of: segment) + (try outbox.taken(of: segment)).metadata
        for file in files {
            objects[file.hour] = ObjectWriter(
                format: format, metadata: metadata,
                place: file.place(of: segment, temporaryFolder: settings.stagingDirectory),
                memoryBytesMax: Self.memoryBytesMax / files.count)
        }
        try outbox.readRows(of: segment) { (batch) throws(Failure) in
            let rows = withAgent(batch)
            guard settings.partitionBy != nil else {
                try objects[files[0].hour]?.append(rows, 0..<rows.rowCount)
                return
            }
            let column = partitionColumn(batch)
            try forEachRun(rows.rowCount, hourOf: { row in
                column.map { self.hour(of: row, $0, segment) }
                    ?? ObjectNaming.hourStart(of: segment.sealedAt)
            }) { (hour, run) throws(Failure) in
                try objects[hour]?.append(rows, run)
            }
        }
        for file in files {
            guard let object = objects[file.hour] else { continue }
            let bytes = try object.finish()
            let name = settings.naming.key(
                stream: segment.streamName, at: file.hour, first: segment.first, last: segment.last)
            let key = segment.isOpen ? "\(ObjectNaming.openFolder)/\(name)" : name
            try body(
                SegmentFile(
                    key: ObjectKey(path: key), body: bytes, partition: file.hour,
                    rowCount: object.rowCount, tableFacts: object.tableFacts),
                file.name(of: segment))
            objects[file.hour] = nil
        }
    }

    /// What a file tells of its segment.
    private func metadata(of segment: Segment) -> [(key: String, value: String)] {
        [
            ("weir.agent", settings.agentID), ("weir.stream", segment.streamName),
            ("weir.first", "\(segment.first)"), ("weir.last", "\(segment.last)"),
            segment.isOpen
                ? ("weir.is_open", "true")
                : ("weir.sealed_at", TimestampFormatter.isoString(segment.sealedAt)),
        ]
    }

    private func forEachRun(
        _ rowCount: Int, hourOf: (Int) -> Int64,
        _ body: (Int64, Range<Int>) throws(Failure) -> Void
    ) throws(Failure) {
        var start = 0
        while start < rowCount {
            let hour = hourOf(start)
            var end = start + 1
            while end < rowCount, hourOf(end) == hour { end += 1 }
            try body(hour, start..<end)
            start = end
        }
    }

    private func withAgent(_ batch: Batch) -> Batch {
        guard batch.schema.index(of: "agent") == nil else { return batch }
        let agent = Column(.string, capacity: batch.rowCount)
        for _ in 0..<batch.rowCount { agent.append(settings.agentID) }
        return Batch(
            schema: Schema(batch.schema.fields + [Field("agent", .string)]),
            columns: batch.columns + [agent], rowCount: batch.rowCount)
    }
}
