// The log of one Delta table in an object store: `_delta_log/00000000000000000042.json` and so on without
// a gap, each entry put only if there is none of its number, which is what makes a commit atomic among any
// number of writers.
//
// The log is never listed while there is another way: newer entries are found by asking for the next
// number until there is none, so a commit costs the same on an old table as on a new one.

import WeirConnectors
import WeirCore
import WeirFormats

/// Reads and adds to a table's log. Belongs to the sink's thread.
final class DeltaLog {
    private let store: any ObjectStore
    /// The table's folder below the sink's place, as its object keys begin.
    let folder: String
    /// Entries of other writers may be long, as a compaction names all files that it replaces: so much of
    /// one is in memory at a time, and a line, which is one file, may be so long.
    private static let pieceBytes = 1 << 20
    private static let lineBytesMax = 64 << 20
    private static let listedMax = 1000

    /// The log of the table that the stream `name` fills.
    init(store: any ObjectStore, stream name: String) {
        self.store = store
        folder = ObjectKey(path: name).text + "/"
    }

    /// The table, for people.
    var location: String { "\(store.location)/\(folder.dropLast())" }

    /// `00000000000000000042`.
    static func number(_ version: Int64, width: Int = 20) -> String {
        let digits = String(version)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// The object of a file of the log.
    func key(_ name: String) -> ObjectKey {
        guard let key = ObjectKey(encoded: "\(folder)_delta_log/\(name)") else {
            preconditionFailure("names of the log are keys")
        }
        return key
    }

    /// The object of an entry.
    func entryKey(_ version: Int64) -> ObjectKey { key("\(Self.number(version)).json") }

    // MARK: Writing

    /// Adds an entry; false when there is one of this number that is not the same.
    func add(_ entry: [UInt8], version: Int64) throws(Failure) -> Bool {
        try store.putIfAbsent(entryKey(version), .bytes(entry))
    }

    /// The newest version that is known to exist, the entry `version` having been there: itself, or that of a
    /// checkpoint where entries behind it were cleaned up; nil when neither is left.
    func newestKnown(after version: Int64) throws(Failure) -> Int64? {
        if try store.head(entryKey(version)) != nil { return version }
        guard let last = try lastCheckpoint(), last.version >= version,
            try store.head(key(last.names[0])) != nil
        else { return nil }
        return last.version
    }

    /// Puts a file of the log that is no entry, in place of one that may be there.
    func put(_ name: String, _ body: ObjectBody) throws(Failure) { try store.put(key(name), body) }

    /// A checkpoint's file; nil when there is none.
    func parquet(_ name: String) throws(Failure) -> StoredParquet? { try StoredParquet(store, key(name)) }

    // MARK: Reading

    /// Brings `snapshot` up to the newest entry, or to `last`.
    func advance(_ snapshot: inout DeltaSnapshot, upTo last: Int64 = .max) throws(Failure) {
        let keepsFiles = snapshot.keepsFiles
        while snapshot.version < last {
            // What a failure leaves half applied is applied again, which changes nothing.
            let isThere = try forEachAction(ofEntry: snapshot.version + 1, includingFiles: keepsFiles) {
                (action) throws(Failure) in
                snapshot.apply(action)
                try checkSize(snapshot)
            }
            guard isThere else { return }
            snapshot.version += 1
        }
    }

    /// Hands the actions of an entry to `body`, in their order; false when there is no such entry.
    func forEachAction(
        ofEntry version: Int64, includingFiles: Bool, _ body: (DeltaAction) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        let key = entryKey(version)
        let name = "\(store.location)/\(key)"
        guard var piece = try store.get(key, range: 0..<Self.pieceBytes) else { return false }
        var (read, lines) = (piece.count, 0)
        let length = read < Self.pieceBytes ? read : try store.head(key)?.length ?? read
        while true {
            let newline = UInt8(ascii: "\n")
            let end = read < length ? piece.lastIndex(of: newline).map { $0 + 1 } ?? 0 : piece.count
            let whole = Array(piece[..<end])
            try DeltaLogEntry.forEachAction(
                in: whole, linesBefore: lines, includingFiles: includingFiles, name: name, body)
            guard read < length else { return true }
            lines += whole.count { $0 == newline }
            piece.removeFirst(end)
            guard piece.count <= Self.lineBytesMax,
                let more = try store.get(key, range: read..<min(read + Self.pieceBytes, length)),
                !more.isEmpty
            else {
                throw Failure(
                    .external, "reading", name,
                    "it has become shorter, or has a line of more than \(Self.lineBytesMax >> 20) MB",
                    advice: "mend or restore the table's log", retry: .backoff)
            }
            read += more.count
            piece += more
        }
    }

    /// Brings an empty `snapshot` to the newest entry, or to `last`, from a checkpoint where there is one;
    /// it stays empty when there is no table.
    func load(_ snapshot: inout DeltaSnapshot, upTo last: Int64 = .max) throws(Failure) {
        let pointer = try lastCheckpoint()
        if let pointer, pointer.version <= last, try read(pointer, into: &snapshot) {
            return try advance(&snapshot, upTo: last)
        }
        try advance(&snapshot, upTo: last)
        guard snapshot.version < 0 else { return }
        // The log's beginning is gone, as readers clean it up behind checkpoints, or there is no table.
        let found = try checkpoints()
        guard found.hasFiles else { return }
        for checkpoint in found.checkpoints.reversed() where checkpoint.version <= last {
            guard try read(checkpoint, into: &snapshot) else { continue }
            return try advance(&snapshot, upTo: last)
        }
        throw Failure(
            .input, "reading the log of", location,
            "its first entry is gone and there is no checkpoint that weir can read",
            advice: "let another writer make a classic checkpoint of the table", retry: .backoff)
    }

    /// Where a checkpoint is.
    struct Checkpoint {
        let version: Int64
        /// How many files it has; nil for one without parts.
        let parts: Int?
        /// Of all of them, as far as their writer said so; else 0.
        var bytes: Int64 = 0

        /// The names of its files.
        var names: [String] {
            let head = "\(DeltaLog.number(version)).checkpoint"
            guard let parts else { return ["\(head).parquet"] }
            return (1...max(1, parts)).map { part in
                "\(head).\(DeltaLog.number(Int64(part), width: 10))."
                    + "\(DeltaLog.number(Int64(parts), width: 10)).parquet"
            }
        }
    }

    /// What `_last_checkpoint` says; nil when there is none, or none to be understood, which it is only a
    /// hint of anyway.
    func lastCheckpoint() throws(Failure) -> Checkpoint? {
        guard let bytes = try store.get(key("_last_checkpoint"), bytesMax: 16 << 20),
            let json = JSONValue(parsing: bytes), let version = json["version"]?.integer, version >= 0
        else { return nil }
        let parts = json["parts"]?.integer.map { Int(clamping: $0) }
        guard parts.map({ (1...10_000).contains($0) }) ?? true else { return nil }
        return Checkpoint(version: version, parts: parts, bytes: json["sizeInBytes"]?.integer ?? 0)
    }

    /// All complete checkpoints, by a listing; and whether the log has any file.
    private func checkpoints() throws(Failure) -> (checkpoints: [Checkpoint], hasFiles: Bool) {
        var counts: [String: (checkpoint: Checkpoint, files: Int)] = [:]
        var last: ObjectKey?
        var hasFiles = false
        while true {
            let page = try store.list(prefix: "\(folder)_delta_log/", startAfter: last, max: Self.listedMax)
            hasFiles = hasFiles || !page.isEmpty
            for info in page {
                let words = info.key.name.split(separator: ".")
                guard words.count >= 3, words[1] == "checkpoint", words.last == "parquet",
                    let version = Int64(words[0])
                else { continue }
                // A name with one word more is a newer kind of checkpoint.
                guard words.count == 3 || words.count == 5 else { continue }
                let parts = words.count == 5 ? Int(words[3]) : nil
                let name = "\(version)/\(parts ?? 0)"
                counts[name, default: (Checkpoint(version: version, parts: parts), 0)].files += 1
            }
            guard page.count == Self.listedMax else { break }
            last = page.last?.key
        }
        let complete = counts.values.filter { $0.files == $0.checkpoint.parts ?? 1 }.map(\.checkpoint)
        return (complete.sorted { $0.version < $1.version }, hasFiles)
    }
}
