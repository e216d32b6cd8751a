// A table at one version: what its log comes to when the actions are applied in order. Whoever only
// appends keeps the head of it (protocol, metadata and one transaction) and forgets the files; a
// checkpoint and a compaction need the files, too, and hold them for as long as they work.
//
// Memory: a file is its path, its partition and its statistics, some 600 bytes for ten columns, so the
// files are bounded and a table with more is left to readers with more memory.

/// The state of a table after all actions so far.
public struct DeltaSnapshot: Sendable {
    /// The version of the last entry that was applied; -1 before the first.
    public var version: Int64
    /// The table's protocol; nil before the first entry.
    public private(set) var versions: DeltaProtocol?
    /// The table's columns and settings; nil before the first entry.
    public private(set) var metadata: DeltaMetadata?
    /// Live files by path; empty when they are not kept.
    public private(set) var files: [String: DeltaAdd] = [:]
    /// Files removed, by path; empty when files are not kept.
    public private(set) var tombstones: [String: DeltaRemove] = [:]
    /// By application.
    public private(set) var transactions: [String: DeltaTransaction] = [:]
    /// Whether files are kept; where not, only transactions of `application` are.
    public let keepsFiles: Bool
    private let application: String?
    /// Roughly the bytes that files and tombstones take.
    public private(set) var heldBytes = 0

    /// A table before its first entry, whose files are kept.
    public init() {
        version = -1
        keepsFiles = true
        application = nil
    }

    /// The same without files, and without the transactions of anybody but `application`.
    public init(headFor application: String) {
        version = -1
        keepsFiles = false
        self.application = application
    }

    /// Takes in one action of the entry, or the checkpoint, that comes next.
    public mutating func apply(_ action: DeltaAction) {
        switch action {
        case .versions(let versions): self.versions = versions
        case .metadata(let metadata): self.metadata = metadata
        case .transaction(let transaction):
            guard application == nil || application == transaction.appId else { return }
            transactions[transaction.appId] = transaction
        case .add(let add):
            guard keepsFiles else { return }
            if let old = files.updateValue(add, forKey: add.path) { heldBytes -= old.heldBytes }
            heldBytes += add.heldBytes
            if let tombstone = tombstones.removeValue(forKey: add.path) {
                heldBytes -= tombstone.heldBytes
            }
        case .remove(let remove):
            guard keepsFiles else { return }
            if let old = files.removeValue(forKey: remove.path) { heldBytes -= old.heldBytes }
            if let old = tombstones.updateValue(remove, forKey: remove.path) {
                heldBytes -= old.heldBytes
            }
            heldBytes += remove.heldBytes
        }
    }

    /// The actions that a checkpoint of this version holds, in a fixed order; tombstones older than
    /// `expiry` (ms since the epoch) are left out, as the protocol has it.
    public func checkpointActions(tombstonesAfter expiry: Int64) -> [DeltaAction] {
        var actions: [DeltaAction] = []
        if let versions { actions.append(.versions(versions)) }
        if let metadata { actions.append(.metadata(metadata)) }
        for key in transactions.keys.sorted() {
            if let transaction = transactions[key] { actions.append(.transaction(transaction)) }
        }
        for key in files.keys.sorted() {
            guard var add = files[key] else { continue }
            add.dataChange = false
            actions.append(.add(add))
        }
        for key in tombstones.keys.sorted() {
            guard var remove = tombstones[key], remove.deletionTimestamp ?? 0 > expiry else { continue }
            remove.dataChange = false
            actions.append(.remove(remove))
        }
        return actions
    }
}

extension DeltaAdd {
    /// Roughly the bytes that it takes in memory.
    fileprivate var heldBytes: Int { 250 + 2 * path.utf8.count + (stats?.utf8.count ?? 0) }
}

extension DeltaRemove {
    fileprivate var heldBytes: Int { 200 + 2 * path.utf8.count }
}
