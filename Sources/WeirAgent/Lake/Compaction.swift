// Small files of one partition, all of this agent's, into one: what OPTIMIZE is elsewhere. The new file is
// put first; then one entry of the log removes the old ones and adds it, in one step, marked as no change
// of the data. A crash before the entry leaves a file that no log names, for the clean-up to find; after it
// the work is done. If any of the old files is gone by then, by whoever's hand, the round is given up.
//
// Files are read one after the other, a row group at a time, and what is written goes through a staging
// file: memory follows from row groups, not from files. Rows keep their order. The footer of the new file has
// the sum of what the old ones' said (FooterLedger).

import WeirConnectors
import WeirCore
import WeirFormats

/// Files that become one.
struct CompactionBin {
    var files: [OwnFile]

    /// Bytes of its files.
    var bytes: Int64 { files.reduce(0) { $0 + $1.size } }

    /// Files of fewer bytes are brought together to files of `targetBytes`.
    static func smallMax(targetBytes: Int64) -> Int64 { max(1, targetBytes / 2) }

    /// Which files of a table to bring together: those of one partition, in the order of their rows, up to
    /// `targetBytes`. Files of half of that stay as they are.
    static func plan(_ own: OwnFiles, targetBytes: Int64) -> [CompactionBin] {
        var partitions: [Int: [OwnFile]] = [:]
        let smallMax = smallMax(targetBytes: targetBytes)
        for file in own.files.values where file.size < smallMax {
            partitions[file.partition, default: []].append(file)
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
            format: settings.format, metadata: [],
            place: .temporary(path: "\(settings.stagingDirectory)/compaction"))
        var ledger = FooterLedger(agent: settings.agentID, stream: String(log.folder.dropLast()))
        do throws(Failure) {
            if let reason = try copy(bin, own, to: object, &ledger, &taken) {
                bin.files = []
                return .abandoned(reason)
            }
        } catch {
            // A file that is damaged is one reader's concern after the other's; here it stays as it is.
            guard error.domain == .input else { throw error }
            bin.files = []
            return .abandoned("\(error)")
        }
        bin.files.removeFirst(taken.count)
        guard let first = taken.first, let last = taken.last, taken.count > 1,
            let firstRow = own.rows(ofName: first.name)?.first, let lastRow = own.rows(ofName: last.name)?.last
        else { return .abandoned("files of different columns") }
        object.add(metadata: ledger.metadata)
        let body = try object.finish()
        let path =
            "\(first.path.dropLast(first.name.count))\(own.prefix)\(firstRow)-\(lastRow)"
            + "-c\(own.version).parquet"
        guard let key = log.objectKey(ofPath: path), let facts = object.tableFacts else {
            preconditionFailure("a table's files have names and facts")
        }
        environment.crashPoint.pass("delta.optimize.before-data")
        try store.put(key, body)
        environment.crashPoint.pass("delta.optimize.before-commit")
        let now = environment.clock.nowMilliseconds()
        let add = DeltaAdd(
            path: path, partitionValues: own.partitionValues(of: first), size: Int64(body.length),
            modificationTime: now, dataChange: false, stats: facts.statistics)
        return try commit(taken, add, now, &own)
    }

    /// Writes the rows of the bin's files, up to the first one with other columns. Returns why the bin must
    /// stay as it is, if it must.
    private func copy(
        _ bin: CompactionBin, _ own: OwnFiles, to object: ObjectWriter, _ ledger: inout FooterLedger,
        _ taken: inout [OwnFile]
    ) throws(Failure) -> String? {
        var schema: Schema?
        for file in bin.files {
            // The plan may be older than what an earlier bin's commit has found in the log.
            guard own.files[file.path] != nil, let reader = try reader(of: file) else {
                return "\(file.path) is gone or cannot be read"
            }
            guard schema == nil || schema == reader.schema else { break }
            schema = reader.schema
            while let batch = try reader.next() {
                if environment.control.mode == .stopping { return "weir is stopping" }
                try object.append(batch, 0..<batch.rowCount)
            }
            if let rows = own.rows(ofName: file.name) {
                ledger.add(reader.metadata, named: rows, rowCount: reader.rowCount)
            }
            taken.append(file)
        }
        return nil
    }

    /// Nil when the file is gone, or has what weir cannot read.
    private func reader(of file: OwnFile) throws(Failure) -> ParquetReader? {
        let line = environment.line
        guard let key = log.objectKey(ofPath: file.path),
            let source = try StoredParquet(
                store, key, length: Int(clamping: file.size), onRead: { line?.count($0) })
        else { return nil }
        let reader = try ParquetReader(source)
        return reader.unreadable.isEmpty ? reader : nil
    }

    private func commit(
        _ taken: [OwnFile], _ add: DeltaAdd, _ now: Int64, _ own: inout OwnFiles
    ) throws(Failure) -> Outcome {
        let removes = taken.map { file in
            DeltaAction.remove(
                DeltaRemove(
                    path: file.path, deletionTimestamp: now, dataChange: false,
                    extendedFileMetadata: true, partitionValues: own.partitionValues(of: file),
                    size: file.size))
        }
        let entry = DeltaLogEntry(
            timestamp: now, operation: "OPTIMIZE", operationParameters: ["predicate": "[]"],
            isBlindAppend: false,
            info: [("engineInfo", "weir/\(version)"), ("agent", settings.agentID)],
            actions: removes + [.add(add)]
        ).bytes
        let paths = Set(taken.map(\.path))
        for _ in 0..<Self.attemptsMax {
            let version = own.version + 1
            if try log.add(entry, version: version) {
                environment.crashPoint.pass("delta.optimize.after-commit")
                try own.advance(log)
                return .committed(version: version, fileCount: taken.count, bytes: add.size)
            }
            let (gone, hasChanged) = try own.advance(log, watched: paths)
            if hasChanged { return .abandoned("the table's columns or protocol have changed") }
            if let gone { return .abandoned("\(gone) was removed meanwhile") }
        }
        return .abandoned("other writers took the next version \(Self.attemptsMax) times in a row")
    }
}
