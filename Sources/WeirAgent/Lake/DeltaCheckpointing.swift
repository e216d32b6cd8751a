// Checkpoints of a table: read instead of the log's beginning, and written every so many commits.
//
// A new checkpoint is the last one with what has happened since: the old one's actions stream through, those
// that newer entries replace left out, and the newer ones follow. So the memory that it takes follows from
// the entries between two checkpoints, not from the files of the table, of which there may be millions.
//
// A checkpoint adds nothing to what the log says. It may be missing, written twice, or written by two agents
// at once; a crash at any place leaves the log, the old checkpoint, or both.

import WeirConnectors
import WeirCore
import WeirFormats

/// What a checkpoint came to.
struct WrittenCheckpoint {
    let version: Int64
    let fileCount: Int
    let actionCount: Int
    /// Bytes.
    let length: Int
}

extension DeltaLog {
    /// Roughly the bytes of actions with which a checkpoint is made, and that one entry may bring.
    private static let heldBytesWanted = 16 << 20
    private static let heldBytesMax = 48 << 20
    /// Actions that are made rows at a time.
    private static let blockActions = 1024

    // MARK: Reading

    /// Hands the actions of a checkpoint to `body`; false when a file of it is missing or not of a form that
    /// weir reads, after none or some of the actions.
    func forEachAction(
        of checkpoint: Checkpoint, includingFiles: Bool,
        _ body: (DeltaAction) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        for name in checkpoint.names {
            guard let source = try parquet(name) else { return false }
            var isReadable = true
            do throws(Failure) {
                try DeltaCheckpoint.forEachAction(in: source, includingFiles: includingFiles, body)
            } catch {
                guard error.domain == .input else { throw error }
                isReadable = false
            }
            guard try source.isUnchanged() else {
                throw Failure(
                    .external, "reading", source.name, "it was written anew meanwhile", retry: .backoff)
            }
            guard isReadable else { return false }
        }
        return true
    }

    /// Fills an empty `snapshot` from a checkpoint; false, and it stays empty, when it cannot be read.
    func read(
        _ checkpoint: Checkpoint, into snapshot: inout DeltaSnapshot
    ) throws(Failure) -> Bool {
        var read = snapshot
        let keepsFiles = snapshot.keepsFiles
        let isRead = try forEachAction(of: checkpoint, includingFiles: keepsFiles) {
            (action) throws(Failure) in
            read.apply(action)
            try checkSize(read)
        }
        guard isRead, read.versions != nil, read.metadata != nil else { return false }
        read.version = checkpoint.version
        snapshot = read
        return true
    }

    /// Stops where a table has more files than there should be memory for.
    func checkSize(_ snapshot: DeltaSnapshot) throws(Failure) {
        guard snapshot.heldBytes > Self.heldBytesMax else { return }
        throw Failure(
            .external, "reading", location,
            "what its log says of files takes more than \(Self.heldBytesMax >> 20) MB of memory",
            advice: "let another writer make a checkpoint of it", retry: .backoff)
    }

    // MARK: Writing

    /// Writes the checkpoint of `version`, whose entry is the newest that is used. Nil when the log from the
    /// last checkpoint on is not there. Tombstones stay for the table's retention, and at least
    /// `tombstonesKeptMilliseconds`.
    ///
    /// `beforePut` is told the bytes of each file before it is sent. Where more has happened since the last
    /// checkpoint than should be held, there are others on the way.
    func writeCheckpoint(
        _ version: Int64, now: Int64, tombstonesKeptMilliseconds: Int64, stagingPath: String,
        beforePut: (Int) throws(Failure) -> Void = { _ in }
    ) throws(Failure) -> WrittenCheckpoint? {
        var last = try lastCheckpoint().flatMap { $0.version < version ? $0 : nil }
        while true {
            var newer = DeltaSnapshot()
            newer.version = last?.version ?? -1
            repeat {
                let before = newer.version
                try advance(&newer, upTo: before + 1)
                guard newer.version > before else { return nil }
            } while newer.version < version && newer.heldBytes < Self.heldBytesWanted
            // Snappy and plain numbers are what every reader has.
            let format = FileFormat.parquet(
                ParquetOptions(compression: .snappy, usesDeltas: false, rowGroupBytesMax: 4 << 20))
            let rows = CheckpointRows(
                ObjectWriter(format: format, metadata: [], place: .temporary(path: stagingPath)), newer,
                now: now, keptMin: tombstonesKeptMilliseconds)
            let written = try write(rows, after: last, version: newer.version, beforePut)
            guard let written, written.version < version else { return written }
            try point(to: written)
            last = Checkpoint(version: written.version, parts: nil)
        }
    }

    private func write(
        _ rows: CheckpointRows, after last: Checkpoint?, version: Int64,
        _ beforePut: (Int) throws(Failure) -> Void
    ) throws(Failure) -> WrittenCheckpoint? {
        if let last {
            let isRead = try forEachAction(of: last, includingFiles: true) { (action) throws(Failure) in
                try rows.addOld(action)
            }
            guard isRead else { return nil }
        }
        let body = try rows.finish()
        try beforePut(body.length)
        try put("\(Self.number(version)).checkpoint.parquet", body)
        return WrittenCheckpoint(
            version: version, fileCount: rows.fileCount, actionCount: rows.actionCount,
            length: body.length)
    }

    /// Tells readers of a checkpoint, unless they know of a newer one.
    func point(to checkpoint: WrittenCheckpoint) throws(Failure) {
        if let known = try lastCheckpoint(), known.version > checkpoint.version { return }
        let json = JSONValue.object([
            ("version", .integer(checkpoint.version)), ("size", .integer(Int64(checkpoint.actionCount))),
            ("sizeInBytes", .integer(Int64(checkpoint.length))),
            ("numOfAddFiles", .integer(Int64(checkpoint.fileCount))),
        ])
        try put("_last_checkpoint", .bytes(Array(json.text.utf8)))
    }

    /// The rows of a checkpoint on their way to its file.
    private final class CheckpointRows {
        private let object: ObjectWriter
        private let newer: DeltaSnapshot
        /// Tombstones of this time and older are left out.
        private var expiry: Int64
        private let now: Int64
        private let keptMin: Int64
        private var block: [DeltaAction] = []
        private(set) var fileCount = 0
        private(set) var actionCount = 0

        init(_ object: ObjectWriter, _ newer: DeltaSnapshot, now: Int64, keptMin: Int64) {
            self.object = object
            self.newer = newer
            self.now = now
            self.keptMin = keptMin
            let retention =
                newer.metadata?.deletedFileRetentionMilliseconds
                ?? DeltaMetadata.deletedFileRetentionMillisecondsDefault
            expiry = now - max(keptMin, retention)
        }

        /// Takes an action of the last checkpoint, unless a newer one stands in its place.
        func addOld(_ action: DeltaAction) throws(Failure) {
            switch action {
            case .versions where newer.versions != nil, .metadata where newer.metadata != nil: return
            case .versions: break
            case .metadata(let metadata):
                expiry = now - max(keptMin, metadata.deletedFileRetentionMilliseconds)
            case .transaction(let transaction):
                if newer.transactions[transaction.appId] != nil { return }
            case .add(let add): if isReplaced(add.path) { return }
            case .remove(let remove):
                if isReplaced(remove.path) || remove.deletionTimestamp ?? 0 <= expiry { return }
            }
            try add(action)
        }

        private func isReplaced(_ path: String) -> Bool {
            newer.files[path] != nil || newer.tombstones[path] != nil
        }

        private func add(_ action: DeltaAction) throws(Failure) {
            if case .add = action { fileCount += 1 }
            actionCount += 1
            block.append(action)
            if block.count == DeltaLog.blockActions { try write() }
        }

        private func write() throws(Failure) {
            let batch = DeltaCheckpoint.batch(of: block)
            try object.append(batch, 0..<batch.rowCount)
            block.removeAll(keepingCapacity: true)
        }

        /// The file, behind the newer actions; it lives as long as this.
        func finish() throws(Failure) -> ObjectBody {
            for action in newer.checkpointActions(tombstonesAfter: expiry) { try add(action) }
            try write()
            return try object.finish()
        }
    }
}
