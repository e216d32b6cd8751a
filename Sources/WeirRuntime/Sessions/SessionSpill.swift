// Open sessions that memory has no room for. They leave as part of a commit and come back whole: when a
// row of their key comes, or when they are over. As a session's state comes back exactly as it was, it
// does not show in a result which sessions were here and when; memory alone decides.
//
//     tag k key               a key's sessions: the end of each
//     tag e place end key     a session: whether the key has others, its start, its aggregates
//
// `place` is that of the key's clock, 0 when the combined clock rules; `end` has its sign flipped, so that
// the sessions of a clock lie in the order in which they are over. All sessions of a key are here or none.
// What came back is deleted by the next commit; until then `gone` says not to look here for its key.

import WeirCore
import WeirStore

/// The durable sessions of one query, beside those in memory.
final class SessionSpill {
    private let tag: UInt8
    /// Set by `restore`; without one nothing can leave memory.
    private(set) var reader: (any StateReader)?
    /// Sessions that are here.
    private(set) var count = 0
    /// With the combined clock: none that is here ends before it.
    var nextEnd = Int64.max
    private var filter = KeyFilter()
    /// Keys that have come back since the last commit.
    private var gone = KeyInterner(isSingleText: false, seed: 0)
    /// The entries to be deleted with them.
    private var goneEntries = KeyInterner(isSingleText: false, seed: 0)

    private static let keyTag: UInt8 = 0x6B
    private static let entryTag: UInt8 = 0x65
    /// The bytes of an entry's key before the session's key: tag, kind, place, end.
    private static let entryHeadBytes = 14
    private static let goneCountMax = 65_536

    init(tag: UInt8) { self.tag = tag }

    /// Bytes of memory held.
    var memoryBytes: Int { filter.memoryBytes + gone.byteCount + goneEntries.byteCount }

    private func recordKey(_ key: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        [tag, Self.keyTag] + key
    }

    private func entryKey(_ place: Int32, _ end: Int64, _ key: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        entryStart(place, end) + key
    }

    private func entryStart(_ place: Int32, _ end: Int64) -> [UInt8] {
        [tag, Self.entryTag] + bigEndian(place) + bigEndian(UInt64(bitPattern: end) ^ 1 << 63)
    }

    fileprivate static func end(of entry: UnsafeRawBufferPointer) -> Int64 {
        let biased = UInt64(bigEndian: entry.loadUnaligned(fromByteOffset: 6, as: UInt64.self))
        return Int64(bitPattern: biased ^ 1 << 63)
    }

    fileprivate static func key(of entry: UnsafeRawBufferPointer) -> UnsafeBufferPointer<UInt8> {
        UnsafeRawBufferPointer(rebasing: entry[entryHeadBytes...]).bindMemory(to: UInt8.self)
    }

    // MARK: Leaving memory

    /// Writes all sessions of a key: the end of each, and what `encode` makes of it.
    func write(
        _ key: UnsafeBufferPointer<UInt8>, place: Int32, ends: [Int64],
        _ states: [ByteWriter], into writer: any StateWriter
    ) {
        var record = ByteWriter(reserving: ends.count * 8)
        for (end, state) in zip(ends, states) {
            record.write(end)
            state.bytes.withUnsafeBytes { writer.put(entryKey(place, end, key), $0) }
            nextEnd = min(nextEnd, end)
        }
        record.bytes.withUnsafeBytes { writer.put(recordKey(key), $0) }
        count += ends.count
        filter.add(key)
    }

    /// Deletes what has come back since the last commit; to be called before `write`.
    func checkpoint(into writer: any StateWriter) {
        guard gone.count > 0 else { return }
        for number in 0..<Int32(gone.count) { writer.delete(recordKey(gone.key(number))) }
        for number in 0..<Int32(goneEntries.count) { writer.delete(Array(goneEntries.key(number))) }
        gone = KeyInterner(isSingleText: false, seed: 0)
        goneEntries = KeyInterner(isSingleText: false, seed: 0)
    }

    /// Whether so many came back that a commit should delete them.
    var isCommitDue: Bool { gone.count >= Self.goneCountMax }

    // MARK: Coming back

    /// Whether sessions of `key` may be here.
    func mayHold(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        filter.mayHold(key) && !isGone(key)
    }

    fileprivate func isGone(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        gone.count > 0 && gone.find(key) != nil
    }

    /// The ends of the sessions of `key`; they are still here.
    func ends(_ key: UnsafeBufferPointer<UInt8>) throws(Failure) -> [Int64] {
        guard let record = try reader?.get(recordKey(key)) else { return [] }
        return try record.withBytes { (bytes) throws(Failure) -> [Int64] in
            var (record, ends) = (ByteReader(bytes), [Int64]())
            while !record.isAtEnd { ends.append(try record.read()) }
            return ends
        }
    }

    /// Takes a session out and calls `body` with its state. All others of its key must be taken, too.
    func take(
        _ key: UnsafeBufferPointer<UInt8>, place: Int32, end: Int64,
        _ body: (_ state: inout ByteReader) throws(Failure) -> Void
    ) throws(Failure) {
        guard let value = try reader?.get(entryKey(place, end, key)) else {
            throw ByteReader.damaged
        }
        try value.withBytes { (bytes) throws(Failure) in
            var state = ByteReader(bytes)
            _ = try state.read(UInt8.self)
            try body(&state)
        }
        noteGone(key, place, end)
    }

    /// A session of `key` has come back.
    fileprivate func noteGone(_ key: UnsafeBufferPointer<UInt8>, _ place: Int32, _ end: Int64) {
        _ = gone.intern(key)
        entryKey(place, end, key).withUnsafeBufferPointer { _ = goneEntries.intern($0) }
        count -= 1
        if count == 0 {
            filter = KeyFilter()
            nextEnd = .max
        }
    }

    /// The sessions of a clock that end at or after `end` and are over at `mark`, in the order of their
    /// ends and keys.
    func due(_ place: Int32, from end: Int64, through mark: Int64) throws(Failure) -> DueSessions? {
        guard count > 0, let reader else { return nil }
        let behind = [tag, Self.entryTag] + bigEndian(place + 1)
        return try DueSessions(
            self, reader.cursor(entryStart(place, end), behind), place, through: mark)
    }

    /// Looks at all keys again when many have left since the filter was made; between commits' rows only.
    func renewFilter() throws(Failure) {
        guard filter.isCrowded, let reader else { return }
        var renewed = KeyFilter(keyCount: count * 2)
        try reader.scan([tag, Self.keyTag], [tag, Self.keyTag + 1]) { key, _ throws(Failure) in
            guard key.count > 2 else { throw ByteReader.damaged }
            renewed.add(UnsafeRawBufferPointer(rebasing: key[2...]).bindMemory(to: UInt8.self))
            return true
        }
        filter = renewed
    }

    // MARK: Recovery

    /// Finds what is here; `note` is called with each session's clock and end.
    func restore(
        from reader: any StateReader, _ note: (_ place: Int32, _ end: Int64) throws(Failure) -> Void
    ) throws(Failure) {
        self.reader = reader
        try reader.scan([tag, Self.entryTag], [tag, Self.entryTag + 1]) { key, _ throws(Failure) in
            guard key.count > Self.entryHeadBytes else { throw ByteReader.damaged }
            let end = Self.end(of: key)
            count += 1
            nextEnd = min(nextEnd, end)
            try note(Int32(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int32.self)), end)
            return true
        }
        filter.noteUnknown(count)
        try renewFilter()
    }
}

/// The next sessions of a clock to be over among those that left memory.
final class DueSessions {
    private let spill: SessionSpill
    private let cursor: any StateCursor
    let place: Int32
    private let mark: Int64
    /// Whether there is a current session, over at the mark.
    private(set) var isValid = false

    fileprivate init(
        _ spill: SessionSpill, _ cursor: any StateCursor, _ place: Int32, through mark: Int64
    ) throws(Failure) {
        (self.spill, self.cursor, self.place, self.mark) = (spill, cursor, place, mark)
        try settle()
    }

    /// The end of the next session, whether it is over or not; Int64.max when there is none.
    var end: Int64 { cursor.isValid ? SessionSpill.end(of: cursor.key) : .max }
    /// The current session's key; valid until `advance`.
    var key: UnsafeBufferPointer<UInt8> { SessionSpill.key(of: cursor.key) }

    /// The current session's state if its key has no others; nil if it has.
    func onlyState() throws(Failure) -> ByteReader? {
        var state = ByteReader(cursor.value)
        return try state.read(UInt8.self) == 1 ? state : nil
    }

    /// Counts the current session, the only one of its key, as taken out.
    func noteTaken() { spill.noteGone(key, place, end) }

    func advance() throws(Failure) {
        try cursor.advance()
        try settle()
    }

    /// Passes over what has come back by another way since the last commit.
    private func settle() throws(Failure) {
        while cursor.isValid, spill.isGone(key) { try cursor.advance() }
        isValid = cursor.isValid && isOver(end)
    }

    /// Whether a session that ends at `end` is over.
    func isOver(_ end: Int64) -> Bool { end - 1 <= mark }
}
