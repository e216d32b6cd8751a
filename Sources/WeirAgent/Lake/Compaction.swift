// Small files of one partition, all of this agent's, into one: what OPTIMIZE is elsewhere. The new file is
// put first; then one entry of the log removes the old ones and adds it, in one step, marked as no change
// of the data. A crash before the entry leaves a file that no log names, for the clean-up to find; after it
// the work is done. If any of the old files is gone by then, by whoever's hand, the round is given up.
//
// Files are read one after the other, each whole, so only files of a few megabytes are taken; what is
// written goes through a staging file. Rows keep their order.

import WeirConnectors
import WeirCore
import WeirFormats

/// Files that become one.
struct CompactionBin {
    var files: [OwnFile]

    /// Which files of a table to bring together: those of one partition, in the order of their rows, up to
    /// `targetBytes`. Files of half of that, or too long to be read whole, stay as they are.
    static func plan(_ own: OwnFiles, targetBytes: Int64) -> [CompactionBin] {
        let smallMax = min(targetBytes / 2, wholeBytesMax)
        var partitions: [[String: String?]: [OwnFile]] = [:]
        for file in own.files.values where file.size < smallMax {
            partitions[file.partitionValues, default: []].append(file)
        }
        var bins: [CompactionBin] = []
        for files in partitions.values {
            var bin = CompactionBin(files: [])
            var bytes: Int64 = 0
            for file in files.sorted(by: { $0.name < $1.name }) {
                if bytes + file.size > targetBytes || bin.files.count == filesMax {
                    bins.append(bin)
                    (bin, bytes) = (CompactionBin(files: []), 0)
                }
                bin.files.append(file)
                bytes += file.size
            }
            bins.append(bin)
        }
        return bins.filter { $0.files.count > 1 }.sorted { $0.files[0].name < $1.files[0].name }
    }

    /// Bytes of a file that is read whole.
    static let wholeBytesMax: Int64 = 16 << 20
    private static let filesMax = 1000
}

/// Compacts the files of one table.
struct Compaction {
    let log: DeltaLog
    let store: any ObjectStore
    let settings: ForwarderSettings
    let environment: ForwarderEnvironment

    /// Times that others may take the next number before the round is given up.
    private static let attemptsMax = 20

    /// What one bin came to.
    enum Outcome {
        case committed(version: Int64, fileCount: Int, bytes: Int64)
        /// Nothing was changed, for this reason.
        case abandoned(String)
    }

    /// Brings the files of `bin` together. `own` is brought up to the newest entry. Files from the first one
    /// with other columns on are left, in `bin`, for another time.
    func run(_ bin: inout CompactionBin, _ own: inout OwnFiles) throws(Failure) -> Outcome {
        var taken: [OwnFile] = []
        let object = ObjectWriter(
            format: settings.format,
            metadata: [
                ("weir.agent", settings.agentID), ("weir.stream", String(log.folder.dropLast())),
                ("weir.first", String(bin.files[0].rows.first)),
            ], place: .temporary(path: "\(settings.stagingDirectory)/compaction"))
        var schema: Schema?
        for file in bin.files {
            if environment.control.mode == .stopping { return .abandoned("weir is stopping") }
            // The plan may be older than what an earlier bin's commit has found in the log.
            guard own.files[file.path] != nil, let reader = try reader(of: file) else {
                bin.files = []
                return .abandoned("\(file.path) is gone or cannot be read")
            }
            guard schema == nil || schema == reader.schema else { break }
            schema = reader.schema
            while let batch = try reader.next() { try object.append(batch, 0..<batch.rowCount) }
            taken.append(file)
        }
        bin.files.removeFirst(taken.count)
        guard let first = taken.first, let last = taken.last, taken.count > 1 else {
            return .abandoned("files of different columns")
        }
        let body = try object.finish()
        let path =
            "\(first.path.dropLast(first.name.count))\(own.prefix)\(first.rows.first)-\(last.rows.last)"
            + "-c\(own.version).parquet"
        guard let key = log.objectKey(ofPath: path), let facts = object.tableFacts else {
            preconditionFailure("a table's files have names and facts")
        }
        environment.crashPoint.pass("delta.optimize.before-data")
        try store.put(key, body)
        environment.crashPoint.pass("delta.optimize.before-commit")
        let now = environment.clock.nowMilliseconds()
        let add = DeltaAdd(
            path: path, partitionValues: first.partitionValues, size: Int64(body.length),
            modificationTime: now, dataChange: false, stats: facts.statistics)
        return try commit(taken, add, now, &own)
    }

    /// Nil when the file is gone, or has what weir cannot read.
    private func reader(of file: OwnFile) throws(Failure) -> ParquetReader? {
        guard let key = log.objectKey(ofPath: file.path),
            let bytes = try store.get(key, bytesMax: Int(CompactionBin.wholeBytesMax)),
            bytes.count == file.size
        else { return nil }
        let reader = try ParquetReader(ParquetBytes(bytes, name: "\(store.location)/\(key)"))
        return reader.unreadable.isEmpty ? reader : nil
    }

    private func commit(
        _ taken: [OwnFile], _ add: DeltaAdd, _ now: Int64, _ own: inout OwnFiles
    ) throws(Failure) -> Outcome {
        let removes = taken.map { file in
            DeltaAction.remove(
                DeltaRemove(
                    path: file.path, deletionTimestamp: now, dataChange: false,
                    extendedFileMetadata: true, partitionValues: file.partitionValues, size: file.size))
        }
        let entry = DeltaLogEntry(
            timestamp: now, operation: "OPTIMIZE", operationParameters: ["predicate": "[]"],
            isBlindAppend: false,
            info: [("engineInfo", "weir/\(version)"), ("agent", settings.agentID)],
            actions: removes + [.add(add)]
        ).bytes
        for _ in 0..<Self.attemptsMax {
            let version = own.version + 1
            if try log.add(entry, version: version) {
                environment.crashPoint.pass("delta.optimize.after-commit")
                try own.advance(log)
                return .committed(version: version, fileCount: taken.count, bytes: add.size)
            }
            let (removed, hasChanged) = try own.advance(log)
            if hasChanged { return .abandoned("the table's columns or protocol have changed") }
            if let gone = taken.first(where: { removed.contains($0.path) }) {
                return .abandoned("\(gone.path) was removed meanwhile")
            }
        }
        return .abandoned("other writers took the next version \(Self.attemptsMax) times in a row")
    }
}
