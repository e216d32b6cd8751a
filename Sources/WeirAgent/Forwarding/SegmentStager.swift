// Putting segments to rest: what cannot go out now is written once, in its final form, to files in the
// state directory, and leaves RocksDB (WeirStore/StagedFile.swift says what is durable when). From then
// on a try costs no rendering and no memory, and the rows no more flash.
//
// A segment that can go at once does not take this way: the few megabytes of it are rendered in memory,
// and its rows are written to flash no more often than they were (docs/delivery.md has the figures).

import Glibc
import Logging
import WeirConnectors
import WeirCore
import WeirFormats
import WeirStore

/// Stages the segments of one sink. Belongs to the sink's thread.
final class SegmentStager {
    private let sink: SinkID
    private let settings: ForwarderSettings
    private let outbox: Outbox
    private let writer: SegmentWriter
    private let control: ForwarderControl
    private let clock: any MachineClock
    private let crashPoint: CrashPoint
    private let logger: Logger
    /// After a failure, when staging is tried again, monotonic.
    private var nextTry: Int64 = .min
    private var lastProblem = ""
    /// Told, of each segment that came to rest, its stream, its bytes in blocks, and those of its files.
    var onStaged: ((String, Int, Int) throws(Failure) -> Void)?

    /// Segments of more bytes than this in blocks go to files before their first try.
    private static let memoryBytesMax = 4 << 20
    private static let pauseNanoseconds: Int64 = 10_000_000_000

    init(
        sink: SinkID, settings: ForwarderSettings, outbox: Outbox, writer: SegmentWriter,
        environment: ForwarderEnvironment
    ) {
        self.sink = sink
        self.settings = settings
        self.outbox = outbox
        self.writer = writer
        control = environment.control
        clock = environment.clock
        crashPoint = environment.crashPoint
        logger = environment.logger
    }

    /// The segment as it should be delivered: in files if it is large. The caller has claimed it.
    func prepared(_ segment: Segment) throws(Failure) -> Segment {
        guard segment.staged == nil,
            settings.outbox.files == .always || outbox.byteCount(of: segment) > Self.memoryBytesMax
        else { return segment }
        do throws(Failure) {
            return try stage(segment)
        } catch where error.retry != .never {
            // Without room for files, sending is what makes room.
            note(error)
            return segment
        }
    }

    /// Rows that cannot go now come to rest: seals what fills a file, and stages what is sealed. Does
    /// nothing most of the time; a full disk is noted, and left for a while.
    ///
    /// - Parameter pieceBytes: the outbox's bytes that fill a file of a stream.
    func keepAtRest(pieceBytes: (String) throws(Failure) -> SegmentBytes) throws(Failure) {
        guard clock.monotonicNanoseconds() >= nextTry else { return }
        do throws(Failure) {
            try sealFullPieces(pieceBytes)
            for segment in outbox.segments(of: sink) where segment.staged == nil {
                guard control.mode != .stopping, outbox.claim(segment) else { continue }
                defer { outbox.release(segment) }
                _ = try stage(segment)
            }
            lastProblem = ""
        } catch where error.retry != .never {
            note(error)
        }
    }

    /// During an outage rows are sealed when they fill a file of the size that the sink asks for, not by
    /// the schedule: days of it become files of that size. Rows that can be merged when the outbox is full
    /// stay as they are, since sealed ones are not.
    private func sealFullPieces(
        _ pieceBytes: (String) throws(Failure) -> SegmentBytes
    ) throws(Failure) {
        for (stream, name) in outbox.streams(of: sink) where settings.coarsening?.plans[name] == nil {
            let bytes = try pieceBytes(name)
            while control.mode != .stopping,
                outbox.pending(of: sink).bytes < Int(clamping: settings.outbox.bytesMax)
            {
                let pending = outbox.pending(of: stream)
                guard
                    pending.unsealedRows >= UInt64(settings.seal.rowsMax)
                        || pending.unsealedBytes >= bytes.wanted,
                    let range = outbox.sealableRange(
                        of: stream, rowsMax: UInt64(settings.seal.rowsMax), bytes: bytes),
                    let segment = try outbox.seal(range, sealedAt: clock.nowMilliseconds()),
                    outbox.claim(segment)
                else { break }
                defer { outbox.release(segment) }
                _ = try stage(segment)
            }
        }
    }

    private func stage(_ segment: Segment) throws(Failure) -> Segment {
        crashPoint.pass("stage.before-files")
        let encodedBytes = outbox.byteCount(of: segment)
        var files: [StagedFile] = []
        do throws(Failure) {
            let place = StagingPlace(
                folder: outbox.folder, sink: ObjectKey(segments: [settings.sinkName]).text,
                fileExtension: settings.naming.fileExtension, checkSpace: checkSpace)
            try checkSpace()
            try writer.forEachRendered(of: segment, at: place) { (file, name) throws(Failure) in
                guard let staged = StagedFile(file, name: name) else { return }
                files.append(staged)
            }
            crashPoint.pass("stage.after-files")
            try syncFolders()
        } catch {
            for file in files { unlink(outbox.folder.path(of: file.name)) }
            throw error
        }
        let staged = try outbox.stage(segment, as: files)
        try onStaged?(segment.streamName, encodedBytes, outbox.byteCount(of: staged))
        return staged
    }

    /// Files must not take the room that RocksDB needs to go on.
    private func checkSpace() throws(Failure) {
        let free = try outbox.freeBytes()
        guard free < UInt64(clamping: settings.stagingReserveBytes) else { return }
        throw Failure(
            .storage, "writing waiting rows to files in", outbox.folder.path,
            "only \(free >> 20) MiB are free there", advice: "free space on the disk of state_dir",
            retry: .backoff)
    }

    /// The files' names are durable with their folder, and that with those above it.
    private func syncFolders() throws(Failure) {
        let sink = ObjectKey(segments: [settings.sinkName]).text
        let top = outbox.folder.path
        for folder in [outbox.folder.path(of: sink), top, String(top.dropLast("/outbox".count))] {
            let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            defer { if descriptor >= 0 { close(descriptor) } }
            guard descriptor >= 0, fsync(descriptor) == 0 else {
                throw Failure(
                    .storage, "syncing the folder", folder, String(cString: strerror(errno)),
                    retry: .backoff)
            }
        }
    }

    private func note(_ failure: Failure) {
        nextTry = clock.monotonicNanoseconds() + Self.pauseNanoseconds
        guard failure.description != lastProblem else { return }
        lastProblem = failure.description
        logger.warning(
            "\(failure)", metadata: ["sink": "\(settings.sinkName)", "rows": "stay in the database"])
    }
}

/// Where the files of a segment come to rest.
struct StagingPlace {
    let folder: OutboxFolder
    /// The sink's folder.
    let sink: String
    let fileExtension: String
    /// Throws when the disk has no room to spare.
    let checkSpace: () throws(Failure) -> Void
}

extension StagedFile {
    /// The record of a finished file; nil when it is not in a file with its hash known.
    init?(_ file: SegmentFile, name: String) {
        guard case .file(_, let length, let sha256?) = file.body else { return nil }
        self.init(
            name: name, key: file.key.text, length: length, sha256: sha256, partition: file.partition,
            rowCount: file.rowCount, statistics: file.tableFacts?.record ?? [])
    }
}

extension SegmentFile {
    /// A file at rest, checked: that it is there and has the bytes that were written.
    ///
    /// Throws `.state`, and trying again helps when somebody brings it back.
    init(_ staged: StagedFile, in folder: OutboxFolder) throws(Failure) {
        let path = folder.path(of: staged.name)
        guard let key = ObjectKey(encoded: staged.key) else {
            throw damagedFile(path, "its record has no possible name")
        }
        var entry = stat()
        guard stat(path, &entry) == 0 else { throw damagedFile(path, String(cString: strerror(errno))) }
        guard Int(entry.st_size) == staged.length else {
            throw damagedFile(path, "it has \(entry.st_size) bytes, and \(staged.length) were written")
        }
        let found = try ObjectBody.file(path: path, length: staged.length).sha256(0..<staged.length)
        guard found == staged.sha256 else {
            throw damagedFile(path, "its bytes are not those that were written")
        }
        self.init(
            key: key, body: .file(path: path, length: staged.length, sha256: staged.sha256),
            partition: staged.partition, rowCount: staged.rowCount,
            tableFacts: TableFileFacts(record: staged.statistics))
    }
}

extension TableFileFacts {
    /// The facts as they are kept with a file: the schema's length, the schema, the statistics.
    fileprivate var record: [UInt8] {
        let schema = Array(schemaString.utf8)
        return withUnsafeBytes(of: UInt32(schema.count).littleEndian) { Array($0) } + schema
            + statistics.utf8
    }

    /// nil when none are kept.
    fileprivate init?(record: [UInt8]) {
        let count = record.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard record.count >= 4 + count, count > 0 else { return nil }
        self.init(
            schemaString: String(decoding: record[4..<4 + count], as: UTF8.self),
            statistics: String(decoding: record[(4 + count)...], as: UTF8.self))
    }
}

private func damagedFile(_ path: String, _ reason: String) -> Failure {
    Failure(
        .state, "reading waiting rows from", path, reason,
        advice: "restore the file, or give its rows up with `weir outbox discard`", retry: .backoff)
}
