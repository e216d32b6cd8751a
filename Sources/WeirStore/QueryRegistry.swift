// Which query owns which numbered state, and whether it still is the query that wrote it.
//
// A query's state is found again by its name and kept only if the fingerprint of its plan is the
// same. A changed query gets a fresh number, so that old and new state can never mix, and numbers
// are never used twice, so that what a crash left behind under one can never be taken for
// another's.

import WeirCore

/// The queries that have state, by name. Owned by the loop's thread.
public final class QueryRegistry {
    /// What is known of a query when it is configured again.
    public enum Resolution: Hashable, Sendable {
        /// The same plan as before: its state goes on.
        case unchanged(id: UInt32)
        /// Never seen under this name.
        case new(id: UInt32)
        /// Another plan under the same name: it starts empty as `id`; what the old one kept lies
        /// under `previousID` until it is deleted.
        case changed(id: UInt32, previousFingerprint: [UInt8], previousID: UInt32)
    }

    /// A registered query.
    public struct Entry: Hashable, Sendable {
        /// The query's name in the configuration.
        public let name: String
        /// What its state lies under; never given out twice.
        public let id: UInt32
        /// Of its plan: another one means other state.
        public let fingerprint: [UInt8]
    }

    private let scope: StateScope
    private var entries: [String: Entry] = [:]
    private var nextID: UInt32 = 1
    private var resolved: Set<String> = []
    private var changed: Set<String> = []
    private static let nextIDKey: [UInt8] = [0]
    private static let entryTag: UInt8 = 1

    /// Reads what is registered.
    public init(_ database: Database) throws(Failure) {
        scope = database.metaScope("queries")
        var entries: [String: Entry] = [:]
        var nextID: UInt32 = 1
        try scope.scan([], []) { (key, value) throws(Failure) in
            if Array(key) == Self.nextIDKey {
                nextID = try reading("the query registry", in: database.directory, value) {
                    (fields) throws(Malformed) in try fields.get()
                }
                return true
            }
            let name = String(decoding: key.dropFirst(), as: UTF8.self)
            entries[name] = try reading("the query registry", in: database.directory, value) {
                (fields) throws(Malformed) in
                Entry(name: name, id: try fields.get(), fingerprint: try fields.getBytes())
            }
            return true
        }
        self.entries = entries
        self.nextID = nextID
    }

    /// Says what becomes of the state of query `name`, whose plan has this fingerprint.
    ///
    /// The answer must be committed (`flush`) before anything is written under a new number.
    public func resolve(name: String, fingerprint: [UInt8]) -> Resolution {
        resolved.insert(name)
        let known = entries[name]
        if let known, known.fingerprint == fingerprint { return .unchanged(id: known.id) }
        let id = nextID
        nextID += 1
        entries[name] = Entry(name: name, id: id, fingerprint: fingerprint)
        changed.insert(name)
        guard let known else { return .new(id: id) }
        return .changed(id: id, previousFingerprint: known.fingerprint, previousID: known.id)
    }

    /// Registered queries that were not resolved since: no longer configured. By name.
    public var removed: [Entry] {
        entries.values.filter { !resolved.contains($0.name) }.sorted { $0.name < $1.name }
    }

    /// Forgets a query; the caller deletes its state in the same commit.
    public func forget(name: String) {
        entries[name] = nil
        changed.insert(name)
    }

    /// Puts what changed since the last call into `commit`.
    public func flush(into commit: Commit) {
        guard !changed.isEmpty else { return }
        let writer = commit.writer(for: scope)
        for name in changed.sorted() {
            let key = [Self.entryTag] + name.utf8
            guard let entry = entries[name] else {
                writer.delete(key)
                continue
            }
            var fields = ByteWriter()
            fields.put(entry.id)
            fields.put(entry.fingerprint)
            fields.bytes.withUnsafeBytes { writer.put(key, $0) }
        }
        bytes(of: nextID).withUnsafeBytes { writer.put(Self.nextIDKey, $0) }
        changed.removeAll()
    }

    private func bytes(of id: UInt32) -> [UInt8] {
        var fields = ByteWriter()
        fields.put(id)
        return fields.bytes
    }
}
