// A part of the key space that belongs to one owner: an operator's state under its number, a
// source's position, the ledger. Owners see only their own keys, without the prefix that keeps them
// apart.

import WeirCore

/// Keys of one owner, and reads of what is committed under them.
public final class StateScope: StateReader, Sendable {
    let database: Database
    let family: ColumnFamily
    let prefix: [UInt8]
    /// The first key behind the scope.
    let end: [UInt8]

    init(_ database: Database, _ family: ColumnFamily, prefix: [UInt8]) {
        self.database = database
        self.family = family
        self.prefix = prefix
        end = successor(of: prefix)
    }

    public func get(_ key: [UInt8]) throws(Failure) -> [UInt8]? {
        try (prefix + key).withBytes { (key) throws(Failure) in try database.get(family, key) }
    }

    public func scan(
        _ start: [UInt8], _ end: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Failure) ->
            Bool
    ) throws(Failure) {
        try database.checkUsable()
        let cursor = open(start, end)
        while cursor.isValid {
            guard try body(cursor.key, cursor.value) else { return }
            try cursor.advance()
        }
        try cursor.checkError()
    }

    public func cursor(_ start: [UInt8], _ end: [UInt8]) -> any StateCursor { open(start, end) }

    public func writeAhead(_ body: (any StateWriter) -> Void) throws(Failure) {
        let batch = database.makeBatch()
        body(ScopeWriter(self) { batch })
        if batch.count > 0 { try database.write(batch, isSynced: false) }
    }

    /// Writes what `body` puts, as one, durable on return; from any thread, beside the group commits.
    public func writeSynced(_ body: (any StateWriter) -> Void) throws(Failure) {
        let batch = database.makeBatch()
        body(ScopeWriter(self) { batch })
        if batch.count > 0 { try database.write(batch, isSynced: true) }
    }

    /// All pairs of the scope; for small ones, such as a source's position at start.
    public func pairs() throws(Failure) -> [(key: [UInt8], value: [UInt8])] {
        var pairs: [(key: [UInt8], value: [UInt8])] = []
        try scan([], []) { key, value in
            pairs.append((Array(key), Array(value)))
            return true
        }
        return pairs
    }

    private func open(_ start: [UInt8], _ end: [UInt8]) -> RocksCursor {
        RocksCursor(
            database, family, start: prefix + start, end: end.isEmpty ? self.end : prefix + end,
            prefixCount: prefix.count, fillsCache: true)
    }
}

extension Database {
    /// The operator state numbered `id`, as given out by `QueryRegistry`.
    public func stateScope(_ id: UInt32) -> StateScope {
        precondition(id < UInt32.max, "the last number has no end")
        return StateScope(self, .state, prefix: bigEndian(id))
    }

    /// What is kept beside the operators' state under a path of names such as `"positions",
    /// "sensors"`. A scope holds the keys of its own path only, not those of longer paths.
    public func metaScope(_ path: String...) -> StateScope {
        // The two last bytes are no name's length, so a key never looks like a longer path.
        StateScope(self, .meta, prefix: path.flatMap(lengthPrefixed) + [255, 255])
    }
}

/// A name in a key: its length in two bytes, then its text. Names of one length sort as texts do.
func lengthPrefixed(_ name: String) -> [UInt8] {
    precondition(name.utf8.count < 65_535, "a name of at most 65,534 bytes")
    return bigEndian(UInt16(name.utf8.count)) + name.utf8
}

/// `value` as bytes that sort as it does.
func bigEndian<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}

/// The first key that has not `prefix`; empty when there is none.
func successor(of prefix: [UInt8]) -> [UInt8] {
    var end = prefix
    while let last = end.popLast() {
        if last < 255 { return end + [last + 1] }
    }
    return end
}
