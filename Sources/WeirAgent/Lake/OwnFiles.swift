// What a table's log says of the files that this agent has written into it, and of nobody else's: all that
// compaction and clean-up may touch. A file is known by the beginning of its name, which holds the agent's id
// and the identity of its state directory.
//
// Memory follows from the agent's own files, some 200 bytes each, and is bounded.

import WeirConnectors
import WeirCore
import WeirFormats

/// A live file of this agent.
struct OwnFile {
    let path: String
    let size: Int64
    let partitionValues: [String: String?]

    /// The numbers of its first and its last row, as its name has them.
    let rows: (first: Substring, last: Substring)

    /// What comes after the last slash.
    var name: Substring { path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...] }
}

/// The agent's files in one table.
struct OwnFiles {
    /// What their names begin with, as paths of the log have it.
    let prefix: String
    private(set) var version: Int64 = -1
    private(set) var files: [String: OwnFile] = [:]
    /// When files were removed, ms since the epoch, as far as the log still knows.
    private(set) var removed: [String: Int64] = [:]
    private(set) var versions: DeltaProtocol?
    private(set) var metadata: DeltaMetadata?

    private static let filesMax = 200_000
    private static let digits = 20

    init(prefix: String) { self.prefix = prefix }

    /// The first and the last row's number in a name; nil when it is not of this agent's making.
    func rows(ofName name: Substring) -> (first: Substring, last: Substring)? {
        guard name.hasPrefix(prefix), name.hasSuffix(".parquet") else { return nil }
        let rest = name.dropFirst(prefix.count)
        let (first, last) = (rest.prefix(Self.digits), rest.dropFirst(Self.digits + 1).prefix(Self.digits))
        let isNumber = { (text: Substring) in
            text.count == Self.digits && text.utf8.allSatisfy { (48...57).contains($0) }
        }
        return isNumber(first) && isNumber(last) ? (first, last) : nil
    }

    /// Whether a compaction or a clean-up can be done here at all.
    var canBeKept: Bool {
        guard let versions, let metadata, let schema = DeltaSchema(parsing: metadata.schemaString) else {
            return false
        }
        return versions.canBeHeld && versions.refusal(metadata, schema) == nil
    }

    private mutating func apply(_ action: DeltaAction) throws(Failure) {
        switch action {
        case .versions(let versions): self.versions = versions
        case .metadata(let metadata): self.metadata = metadata
        case .transaction: break
        case .add(let add):
            let name = add.path[(add.path.lastIndex(of: "/").map(add.path.index(after:)) ?? add.path.startIndex)...]
            guard let rows = rows(ofName: name) else { return }
            guard files.count + removed.count < Self.filesMax else {
                throw Failure(
                    .external, "looking after", prefix,
                    "it has more than \(Self.filesMax) files of this agent, more than are held in memory",
                    advice: "let another writer compact the table")
            }
            files[add.path] = OwnFile(
                path: add.path, size: add.size, partitionValues: add.partitionValues, rows: rows)
            removed[add.path] = nil
        case .remove(let remove):
            guard files.removeValue(forKey: remove.path) != nil || isOwn(remove.path) else { return }
            removed[remove.path] = remove.deletionTimestamp ?? .max
        }
    }

    private func isOwn(_ path: String) -> Bool {
        rows(ofName: path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]) != nil
    }

    // MARK: Reading

    /// Reads all that `log` says; false when there is no table.
    mutating func load(_ log: DeltaLog) throws(Failure) -> Bool {
        if let last = try log.lastCheckpoint() {
            var read = self
            let isRead = try log.forEachAction(of: last, includingFiles: true) {
                (action) throws(Failure) in try read.apply(action)
            }
            if isRead {
                read.version = last.version
                self = read
            }
        }
        try advance(log)
        return version >= 0
    }

    /// Takes in newer entries; returns the paths that they remove, of whoever's files, and whether they
    /// change the table's protocol or columns.
    @discardableResult
    mutating func advance(_ log: DeltaLog) throws(Failure) -> (removed: Set<String>, hasChanged: Bool) {
        var gone: Set<String> = []
        var hasChanged = false
        while true {
            let name = "\(DeltaLog.number(version + 1)).json"
            guard let bytes = try log.get(name) else { return (gone, hasChanged) }
            var actions: [DeltaAction] = []
            try DeltaLogEntry.forEachAction(
                in: bytes, includingFiles: true, name: "\(log.location)/_delta_log/\(name)"
            ) { actions.append($0) }
            for action in actions {
                switch action {
                case .remove(let remove): gone.insert(remove.path)
                case .versions, .metadata: hasChanged = true
                case .add, .transaction: break
                }
                try apply(action)
            }
            version += 1
        }
    }
}

extension DeltaLog {
    /// The object of a file of the table, by its path in the log; nil for paths that weir does not write.
    func objectKey(ofPath path: String) -> ObjectKey? {
        // Paths are URIs, and an object's name may have a percent sign of its own.
        let name = path.split(separator: "%25", omittingEmptySubsequences: false).joined(separator: "%")
        return ObjectKey(encoded: folder + name)
    }
}
