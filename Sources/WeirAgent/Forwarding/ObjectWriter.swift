// One object on its way: rows are written in the sink's format as they come, held in memory while they
// are few, and continued in a staging file when they are many.

import Glibc
import WeirConnectors
import WeirCore
import WeirFormats

/// Gathers the bytes of one object.
final class ObjectWriter {
    private let format: FileFormat
    private let metadata: [(key: String, value: String)]
    private let stagingPath: String
    private let written = EncodedBytes()
    private var writer: (any FileWriter)?
    private var descriptor: Int32 = -1
    private var fileLength = 0
    /// Rows appended so far.
    private(set) var rowCount = 0
    /// Objects up to this stay in memory.
    private static let memoryBytesMax = 4 << 20
    private static let appendedRowsMax = 4096

    /// `metadata` is what a file says of itself, where its format has a place for that.
    init(format: FileFormat, metadata: [(key: String, value: String)], stagingPath: String) {
        self.format = format
        self.metadata = metadata
        self.stagingPath = stagingPath
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(stagingPath)
    }

    /// Adds rows `rows` of `batch`; all batches of an object have one schema.
    func append(_ batch: Batch, _ rows: Range<Int>) throws(Failure) {
        let writer = writer(for: batch.schema)
        rowCount += rows.count
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = min(rows.upperBound, start + Self.appendedRowsMax)
            writer.append(batch, rows: start..<end, to: written)
            if written.count > Self.memoryBytesMax { try spill() }
            start = end
        }
    }

    /// What a table's log says of the object; once it is finished, and only for tables.
    var tableFacts: TableFileFacts? { writer?.tableFacts }

    /// The finished object; its file lives as long as this writer.
    func finish() throws(Failure) -> ObjectBody {
        writer?.finish(to: written)
        guard descriptor >= 0 || written.count > Self.memoryBytesMax else {
            return .bytes(Array(written.bytes))
        }
        try spill()
        return .file(path: stagingPath, length: fileLength)
    }

    private func writer(for schema: Schema) -> any FileWriter {
        if let writer { return writer }
        let made = format.makeWriter(schema, metadata: metadata)
        writer = made
        return made
    }

    /// Moves what is written into the staging file.
    private func spill() throws(Failure) {
        if descriptor < 0 {
            if let error = makeFolders(ofFile: stagingPath, mode: 0o700) {
                throw failure("making the folder of", error)
            }
            descriptor = open(stagingPath, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw failure("opening", errno) }
        }
        let (length, error) = writeAll(descriptor, written.bytes)
        if let error { throw failure("writing", error) }
        fileLength += length
        written.removeAll()
    }

    /// A full disk passes: the outbox is forwarded again after the back-off.
    private func failure(_ action: String, _ error: Int32) -> Failure {
        Failure(
            .storage, action, "the staging file \(stagingPath)", String(cString: strerror(error)),
            advice: "free space on the disk of state_dir", retry: .backoff)
    }
}
