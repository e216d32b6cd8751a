// A replay's output files. They are exactly-once by the oldest means: before each commit the new bytes
// are synced, the commit records how long each file is, and a replay that goes on after a crash first
// cuts each file back to the recorded length.

import Glibc
import WeirCore
import WeirFormats
import WeirStore

/// One output file of NDJSON.
final class FileOutput: RowTarget {
    let path: String
    private let encoder = NDJSONBuffer()
    private let isSynced: Bool
    private var descriptor: Int32 = -1
    /// Bytes written so far.
    private(set) var length: Int64 = 0
    private var failure: Failure?
    private static let bufferBytesMax = 1 << 20

    /// `isSynced`: whether a commit must survive a loss of power.
    init(path: String, isSynced: Bool) {
        self.path = path
        self.isSynced = isSynced
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Opens the file and cuts it to `length` bytes.
    func open(at length: Int64) throws(Failure) {
        if makeFolders(ofFile: path, mode: 0o755) != nil { throw systemFailure("making the folder of") }
        descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemFailure("opening") }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw systemFailure("reading the size of") }
        guard Int64(information.st_size) >= length else {
            throw Failure(
                .state, "going on with", path,
                "it has \(information.st_size) bytes, and \(length) were committed",
                advice: "start again with a new state directory and output folder")
        }
        guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, off_t(length), SEEK_SET) >= 0
        else { throw systemFailure("cutting") }
        self.length = length
    }

    func append(_ rows: Batch) {
        encoder.append(rows)
        if encoder.byteCount >= Self.bufferBytesMax { write() }
    }

    /// Writes what is buffered, and syncs it where asked; throws what went wrong since the last call.
    func flush() throws(Failure) {
        write()
        if failure == nil, isSynced, fdatasync(descriptor) != 0 { failure = systemFailure("syncing") }
        if let failure { throw failure }
    }

    private func write() {
        encoder.drain { bytes in
            guard failure == nil else { return }
            let (written, error) = writeAll(descriptor, bytes)
            if error != nil { failure = systemFailure("writing") }
            length += Int64(written)
        }
    }

    private func systemFailure(_ action: String) -> Failure {
        Failure(.storage, action, path, String(cString: strerror(errno)))
    }
}

/// The output files of one replay as a part of its commits.
final class FileOutputs: CommitParticipant {
    private let outputs: [FileOutput]
    private let scope: StateScope
    private let writer: any StateWriter

    init(_ outputs: [FileOutput], storage: EngineStorage) {
        self.outputs = outputs
        scope = storage.database.metaScope("replay-outputs")
        writer = storage.commit.writer(for: scope)
    }

    func restore() throws(Failure) {
        for output in outputs {
            let saved = try scope.get(Array(output.path.utf8)) ?? []
            try output.open(at: saved.reversed().reduce(0) { $0 << 8 | Int64($1) })
        }
    }

    func prepare() throws(Failure) {
        for output in outputs {
            try output.flush()
            withUnsafeBytes(of: output.length.littleEndian) { writer.put(Array(output.path.utf8), $0) }
        }
    }
}

/// Standard output as a target; not exactly-once, since what was printed cannot be taken back.
final class StandardOutput: RowTarget, CommitParticipant {
    private let encoder = NDJSONBuffer()
    private var failure: Failure?
    private static let bufferBytesMax = 1 << 20

    func append(_ rows: Batch) {
        encoder.append(rows)
        if encoder.byteCount >= Self.bufferBytesMax { write() }
    }

    func restore() throws(Failure) {}

    func prepare() throws(Failure) {
        write()
        if let failure { throw failure }
    }

    private func write() {
        encoder.drain { bytes in
            guard failure == nil, let error = writeAll(STDOUT_FILENO, bytes).error else { return }
            failure = Failure(
                .input, "writing to", "standard output", String(cString: strerror(error)))
        }
    }
}
