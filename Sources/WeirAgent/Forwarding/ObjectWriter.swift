// One object on its way: rows are encoded and compressed as they come, held in memory while they are
// few, and continued in a staging file when they are many.

import Glibc
import WeirConnectors
import WeirCore
import WeirFormats

/// Gathers the bytes of one object.
final class ObjectWriter {
    private let format: RowFormat
    private let compressor: Compressor
    private let stagingPath: String
    private let text = EncodedBytes()
    private let compressed = EncodedBytes()
    private var encoder: (any RowEncoder)?
    private var descriptor: Int32 = -1
    private var fileLength = 0
    /// Objects up to this stay in memory.
    private static let memoryBytesMax = 4 << 20
    private static let encodedRowsMax = 4096

    init(format: OutputFormat, compression: OutputCompression, stagingPath: String) {
        self.format = format.rowFormat
        compressor = Compressor(compression.algorithm)
        self.stagingPath = stagingPath
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(stagingPath)
    }

    /// Adds rows `rows` of `batch`; all batches of an object have one schema.
    func append(_ batch: Batch, _ rows: Range<Int>) throws(Failure) {
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = min(rows.upperBound, start + Self.encodedRowsMax)
            encoder(for: batch.schema).append(batch, rows: start..<end, to: text)
            try compress()
            start = end
        }
    }

    /// The finished object; its file lives as long as this writer.
    func finish() throws(Failure) -> ObjectBody {
        try compress()
        compressor.finish(to: compressed)
        guard descriptor >= 0 else { return .bytes(Array(compressed.bytes)) }
        try spill()
        return .file(path: stagingPath, length: fileLength)
    }

    private func encoder(for schema: Schema) -> any RowEncoder {
        if let encoder { return encoder }
        let made = format.makeEncoder(schema)
        made.appendHeader(to: text)
        encoder = made
        return made
    }

    private func compress() throws(Failure) {
        compressor.append(text.bytes, to: compressed)
        text.removeAll()
        if compressed.count > Self.memoryBytesMax { try spill() }
    }

    /// Moves what is compressed into the staging file.
    private func spill() throws(Failure) {
        if descriptor < 0 {
            if let error = makeFolders(ofFile: stagingPath, mode: 0o700) {
                throw failure("making the folder of", error)
            }
            descriptor = open(stagingPath, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw failure("opening", errno) }
        }
        let (written, error) = writeAll(descriptor, compressed.bytes)
        if let error { throw failure("writing", error) }
        fileLength += written
        compressed.removeAll()
    }

    /// A full disk passes: the outbox is forwarded again after the back-off.
    private func failure(_ action: String, _ error: Int32) -> Failure {
        Failure(
            .storage, action, "the staging file \(stagingPath)", String(cString: strerror(error)),
            advice: "free space on the disk of state_dir", retry: .backoff)
    }
}

extension OutputFormat {
    /// The encoder's name for it.
    var rowFormat: RowFormat {
        switch self {
        case .ndjson: .ndjson
        case .csv: .csv
        }
    }
}

extension OutputCompression {
    /// The compressor's name for it.
    var algorithm: Compression {
        switch self {
        case .none: .none
        case .gzip: .gzip
        case .zstd: .zstd
        }
    }
}
