// One object on its way: rows are written in the sink's format as they come, held in memory while they
// are few, and continued in a file when they are many. An object that is to rest until it can be sent
// ends in a file in any case, synced and with the hash of its bytes.

import Glibc
import WeirConnectors
import WeirCore
import WeirFormats

/// Gathers the bytes of one object.
final class ObjectWriter {
    /// Where bytes go that do not stay in memory.
    enum Place {
        /// A file that goes with the writer.
        case temporary(path: String)
        /// A file that stays when it is finished. `checkSpace` is asked before each write to it.
        case resting(path: String, checkSpace: () throws(Failure) -> Void)

        fileprivate var path: String {
            switch self {
            case .temporary(let path), .resting(let path, _): path
            }
        }
    }

    private let format: FileFormat
    private let metadata: [(key: String, value: String)]
    private let place: Place
    private let memoryBytesMax: Int
    private let written = EncodedBytes()
    private var writer: (any FileWriter)?
    private var descriptor: Int32 = -1
    private var fileLength = 0
    private var digest = ObjectDigest()
    private var isKept = false
    /// Rows appended so far.
    private(set) var rowCount = 0
    private static let appendedRowsMax = 4096

    /// `metadata` is what a file says of itself, where its format has a place for that; up to
    /// `memoryBytesMax` bytes are held in memory.
    init(
        format: FileFormat, metadata: [(key: String, value: String)], place: Place,
        memoryBytesMax: Int = 4 << 20
    ) {
        self.format = format
        self.metadata = metadata
        self.place = place
        self.memoryBytesMax = memoryBytesMax
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        if !isKept { unlink(place.path) }
    }

    /// Adds rows `rows` of `batch`; all batches of an object have one schema.
    func append(_ batch: Batch, _ rows: Range<Int>) throws(Failure) {
        let writer = writer(for: batch.schema)
        rowCount += rows.count
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = min(rows.upperBound, start + Self.appendedRowsMax)
            writer.append(batch, rows: start..<end, to: written)
            if written.count > memoryBytesMax { try spill() }
            start = end
        }
    }

    /// Adds to what the file says of itself; once there are rows, and before its end.
    func add(metadata: [(key: String, value: String)]) { writer?.add(metadata: metadata) }

    /// What a table's log says of the object; once it is finished, and only for tables.
    var tableFacts: TableFileFacts? { writer?.tableFacts }

    /// The finished object; a temporary file lives as long as this writer.
    func finish() throws(Failure) -> ObjectBody {
        writer?.finish(to: written)
        if case .temporary(let path) = place {
            guard descriptor >= 0 || written.count > memoryBytesMax else {
                return .bytes(Array(written.bytes))
            }
            try spill()
            return .file(path: path, length: fileLength)
        }
        try spill()
        guard fsync(descriptor) == 0 else { throw failure("syncing", errno) }
        isKept = true
        return .file(path: place.path, length: fileLength, sha256: digest.finish())
    }

    private func writer(for schema: Schema) -> any FileWriter {
        if let writer { return writer }
        let made = format.makeWriter(schema, metadata: metadata)
        writer = made
        return made
    }

    /// Moves what is written into the file.
    private func spill() throws(Failure) {
        if case .resting(_, let checkSpace) = place { try checkSpace() }
        if descriptor < 0 {
            if let error = makeFolders(ofFile: place.path, mode: 0o700) {
                throw failure("making the folder of", error)
            }
            descriptor = open(place.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw failure("opening", errno) }
        }
        let (length, error) = writeAll(descriptor, written.bytes)
        if let error { throw failure("writing", error) }
        if case .resting = place { digest.update(written.bytes) }
        fileLength += length
        written.removeAll()
    }

    /// A full disk passes: the outbox is forwarded again after the back-off.
    private func failure(_ action: String, _ error: Int32) -> Failure {
        Failure(
            .storage, action, "the staging file \(place.path)", String(cString: strerror(error)),
            advice: "free space on the disk of state_dir", retry: .backoff)
    }
}
