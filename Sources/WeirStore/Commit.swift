// The group commit: everything that becomes durable together, in one synced write.
//
// Source positions, operator state, watermarks, outbox blocks and ledger counters are put here by
// their owners between two commits; before `Database.commit` all of it may be redone, after it all
// of it is durable. Owned and filled by the loop's thread alone.

import WeirCore

/// Changes collected for the next group commit.
public final class Commit {
    let database: Database
    private(set) var batch: WriteBatch
    /// A batch that grew beyond this is let go after its commit instead of being kept for the next.
    private static let keptBytesMax = 1 << 20

    init(_ database: Database) {
        self.database = database
        batch = database.makeBatch()
    }

    /// Whether nothing was put.
    public var isEmpty: Bool { batch.count == 0 }

    /// Bytes that the commit will write, for the loop's limit.
    public var byteCount: Int { batch.byteCount }

    /// A writer into `scope`, good for this commit and, as the object is used again, for later
    /// ones.
    public func writer(for scope: StateScope) -> any StateWriter {
        ScopeWriter(scope) { self.batch }
    }

    /// Deletes all keys of `scope`.
    public func deleteAll(of scope: StateScope) {
        batch.deleteRange(scope.family, scope.prefix, scope.end)
    }

    func removeAll() {
        if batch.byteCount > Self.keptBytesMax {
            batch = database.makeBatch()
        } else {
            batch.clear()
        }
    }
}

/// Puts a scope's prefix in front of keys.
final class ScopeWriter: StateWriter {
    private let scope: StateScope
    private let batch: () -> WriteBatch
    private var scratch: [UInt8]

    init(_ scope: StateScope, _ batch: @escaping () -> WriteBatch) {
        self.scope = scope
        self.batch = batch
        scratch = scope.prefix
    }

    func put(_ key: [UInt8], _ value: UnsafeRawBufferPointer) {
        extend(key)
        scratch.withUnsafeBytes { batch().put(scope.family, $0, value) }
    }

    func delete(_ key: [UInt8]) {
        extend(key)
        scratch.withUnsafeBytes { batch().delete(scope.family, $0) }
    }

    func deleteRange(_ start: [UInt8], _ end: [UInt8]) {
        let end = end.isEmpty ? scope.end : scope.prefix + end
        batch().deleteRange(scope.family, scope.prefix + start, end)
    }

    private func extend(_ key: [UInt8]) {
        scratch.removeSubrange(scope.prefix.count...)
        scratch.append(contentsOf: key)
    }
}
