// What a table's log says of the files that this agent has written into it, and of nobody else's: all that
// compaction and clean-up may touch. A file is known by the beginning of its name, which holds the agent's id
// and the identity of its state directory.
//
// Memory is bounded and follows from what is asked. A compaction needs to know small files alone, some 300
// bytes each, and of those so many at a time that they take no more than 15 MB; what is left over comes when
// those have become large ones. A clean-up needs to know of every file only whether it is live and when it was
// removed: 8 bytes for a live one and 16 for a removed one, twice that while the tables grow.

import WeirConnectors
import WeirCore
import WeirFormats

/// A live file of this agent.
struct OwnFile {
    let path: String
    let size: Int64
    /// Which of the values of partitions that occur are the file's.
    fileprivate(set) var partition: Int

    /// What comes after the last slash.
    var name: Substring { lastSegment(path) }
}

private func lastSegment(_ path: String) -> Substring {
    path[(path.utf8.lastIndex(of: UInt8(ascii: "/")).map(path.utf8.index(after:)) ?? path.startIndex)...]
}

/// The agent's files in one table.
struct OwnFiles {
    /// What they are looked through for.
    enum Purpose {
        /// Files of fewer bytes may become part of a larger one.
        case compaction(smallMax: Int64)
        case cleanup
    }

    /// What their names begin with, as paths of the log have it.
    let prefix: String
    private let purpose: Purpose
    private(set) var version: Int64 = -1
    /// Small files by path; for a compaction.
    private(set) var files: [String: OwnFile] = [:]
    private var partitions: [[String: String?]] = []
    private var partitionPlaces: [[String: String?]: Int] = [:]
    /// Hashes of paths; for a clean-up. Two that fall together let a file stay that could go.
    private var live: Set<Int> = []
    /// When files were removed, ms since the epoch, as far as the log still knows; by hash.
    private var removed: [Int: Int64] = [:]
    private(set) var versions: DeltaProtocol?
    private(set) var metadata: DeltaMetadata?

    /// Small files that are known at a time.
    private static let smallFilesMax = 50_000
    /// Live and removed files that a clean-up can keep apart.
    private static let filesMax = 1_000_000
    private static let digits = 20

    init(prefix: String, _ purpose: Purpose) {
        self.prefix = prefix
        self.purpose = purpose
    }

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

    /// The values of a file's partition.
    func partitionValues(of file: OwnFile) -> [String: String?] { partitions[file.partition] }

    /// Whether a file is part of the table, in a clean-up.
    func isLive(_ path: String) -> Bool { live.contains(path.hashValue) }

    /// When a file was removed, ms since the epoch; nil when the log does not say.
    func removalTime(of path: String) -> Int64? { removed[path.hashValue] }

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
        case .add(let add) where isOwn(add.path): try insert(add)
        case .remove(let remove) where isOwn(remove.path):
            guard case .cleanup = purpose else {
                files[remove.path] = nil
                return
            }
            live.remove(remove.path.hashValue)
            try checkCount()
            removed[remove.path.hashValue] = remove.deletionTimestamp ?? .max
        case .add, .remove: break
        }
    }

    private mutating func insert(_ add: DeltaAdd) throws(Failure) {
        guard case .compaction(let smallMax) = purpose else {
            try checkCount()
            live.insert(add.path.hashValue)
            removed[add.path.hashValue] = nil
            return
        }
        guard add.size < smallMax, files.count < Self.smallFilesMax else { return }
        let place = partitionPlaces[add.partitionValues] ?? partitions.count
        if place == partitions.count {
            partitions.append(add.partitionValues)
            partitionPlaces[add.partitionValues] = place
        }
        files[add.path] = OwnFile(path: add.path, size: add.size, partition: place)
    }

    private func checkCount() throws(Failure) {
        guard live.count + removed.count >= Self.filesMax else { return }
        throw Failure(
            .external, "looking after", prefix,
            "a table has more than \(Self.filesMax) files of this agent, more than are held in memory",
            advice: "let another writer compact and clean up the table", retry: .backoff)
    }

    private func isOwn(_ path: String) -> Bool { rows(ofName: lastSegment(path)) != nil }

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

    /// Takes in newer entries; returns a file of `watched` that they remove, and whether they change the
    /// table's protocol or columns.
    @discardableResult
    mutating func advance(
        _ log: DeltaLog, watched: Set<String> = []
    ) throws(Failure) -> (gone: String?, hasChanged: Bool) {
        var gone: String?
        var hasChanged = false
        while true {
            let isThere = try log.forEachAction(ofEntry: version + 1, includingFiles: true) {
                (action) throws(Failure) in
                switch action {
                case .remove(let remove) where watched.contains(remove.path): gone = remove.path
                case .versions, .metadata: hasChanged = true
                case .add, .remove, .transaction: break
                }
                try apply(action)
            }
            guard isThere else { return (gone, hasChanged) }
            version += 1
        }
    }
}

extension OwnFiles {
    /// Whether others have cleaned up the log beyond what is known of it, so that what came after is not.
    func isLeftBehind(by log: DeltaLog) throws(Failure) -> Bool {
        try log.newestKnown(after: version) != version
    }
}

extension DeltaLog {
    /// The object of a file of the table, by its path in the log; nil for paths that weir does not write.
    func objectKey(ofPath path: String) -> ObjectKey? {
        // Paths are URIs, and an object's name may have a percent sign of its own.
        let name = path.split(separator: "%25", omittingEmptySubsequences: false).joined(separator: "%")
        return ObjectKey(encoded: folder + name)
    }

    /// The path in the log of an object of the table's folder.
    func path(of key: ObjectKey) -> String {
        key.text.dropFirst(folder.count).split(separator: "%", omittingEmptySubsequences: false)
            .joined(separator: "%25")
    }
}
