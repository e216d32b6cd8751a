// The oldest rows of a side, in RocksDB instead of memory, one pair of keys a row:
//
//   [tag, 0x40 + side] length key ordinal    the row, for those who look for its key
//   [tag, 0x50 + side] ordinal               its time, whether it matched, and its key: when it leaves
//
// Rows go out and leave as part of commits, so what is found here is always what the last commit says;
// what happened since is kept in memory: which rows left, and which matched.

import WeirCore
import WeirStore

/// Rows of one side that were written out.
final class SpilledRows {
    /// A row at its turn to leave.
    struct Entry {
        let ordinal: Int64
        let time: Int64
        var hasMatched: Bool
        /// Its key; nil for one that matches nothing.
        let key: [UInt8]?
    }

    /// The oldest that has not left, and behind the youngest.
    private(set) var first: Int64 = 0
    private(set) var end: Int64 = 0
    private let schema: Schema
    private let rowPrefix: [UInt8]
    private let orderPrefix: [UInt8]
    private var reader: (any StateReader)?
    private let encoder = BatchEncoder()
    private let decoder = BatchDecoder()
    /// The next rows to leave, oldest first; those before `taken` have left.
    private var front: [Entry] = []
    private var taken = 0
    private var left: [Entry] = []
    /// Rows that matched since the last commit, by ordinal.
    private var matched: [Int64: Entry] = [:]
    /// Bits of the keys' hashes: a key without its bit is not here.
    private var filter = [UInt64](repeating: 0, count: filterWords)

    private static let filterWords = 4_096
    private static let frontRows = 512

    init(schema: Schema, stateTag: UInt8, side: UInt8) {
        // Names and nesting of the names do not matter to a row alone.
        self.schema = Schema(schema.fields.map { Field("", $0.type) })
        rowPrefix = [stateTag, 0x40 + side]
        orderPrefix = [stateTag, 0x50 + side]
    }

    var isEmpty: Bool { first == end }
    var count: Int { Int(end - first) }
    /// Whether rows can be written out at all.
    var isUsable: Bool { reader != nil }

    /// Takes back where rows were, after a restart.
    func restore(from reader: any StateReader, first: Int64, end: Int64) {
        (self.reader, self.first, self.end) = (reader, first, end)
        // Which keys there are is not known any more.
        if !isEmpty { filter = [UInt64](repeating: .max, count: Self.filterWords) }
    }

    // MARK: Leaving

    /// The oldest row; nil when there is none.
    func oldest() throws(Failure) -> Entry? {
        if isEmpty { return nil }
        if taken == front.count { try loadFront() }
        precondition(taken < front.count, "a row that was written out is gone")
        var entry = front[taken]
        if matched[entry.ordinal] != nil { entry.hasMatched = true }
        return entry
    }

    /// Lets the oldest row leave.
    func removeOldest() {
        left.append(front[taken])
        taken += 1
        first += 1
        if isEmpty { filter = [UInt64](repeating: 0, count: Self.filterWords) }
    }

    private func loadFront() throws(Failure) {
        front.removeAll(keepingCapacity: true)
        taken = 0
        guard let reader else { return }
        try reader.scan(orderPrefix + bigEndian(first), orderPrefix + bigEndian(end)) {
            (key, value) throws(Failure) in
            guard key.count == 10 else { throw ByteReader.damaged }
            let ordinal = Int64(
                bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int64.self))
            var fields = ByteReader(value)
            let time = try fields.read(Int64.self)
            let flags = try fields.read(UInt8.self)
            let bytes = flags & 2 == 0 ? nil : Array(try fields.readString())
            front.append(
                Entry(ordinal: ordinal, time: time, hasMatched: flags & 1 != 0, key: bytes))
            return front.count < Self.frontRows
        }
    }

    // MARK: Looking up

    /// Calls `body` with each row of a key that is not younger than `limit`, oldest first.
    func forEach(
        _ key: UnsafeBufferPointer<UInt8>, through limit: Int64,
        _ body: (_ ordinal: Int64, _ row: Batch) -> Void
    ) throws(Failure) {
        guard !isEmpty, mayHold(key), let reader else { return }
        let prefix = rowPrefix + bigEndian(UInt32(key.count)) + key
        try reader.scan(prefix + bigEndian(first), prefix + bigEndian(end)) {
            (found, value) throws(Failure) in
            let ordinal = Int64(
                bigEndian: found.loadUnaligned(
                    fromByteOffset: prefix.count, as: Int64.self))
            var fields = ByteReader(value)
            guard try fields.read(Int64.self) <= limit else { return false }
            body(ordinal, try row(&fields))
            return true
        }
    }

    /// The columns of a row.
    func row(_ entry: Entry) throws(Failure) -> Batch {
        guard let value = try reader?.get(rowKey(entry.key, entry.ordinal)) else {
            throw ByteReader.damaged
        }
        return try value.withBytes { (value) throws(Failure) in
            var fields = ByteReader(value)
            _ = try fields.read(Int64.self)
            return try row(&fields)
        }
    }

    private func row(_ fields: inout ByteReader) throws(Failure) -> Batch {
        let batch = try decoder.decode(try fields.rest())
        guard batch.rowCount == 1, batch.schema == schema else { throw ByteReader.damaged }
        return batch
    }

    /// Notes that a row matched.
    func noteMatch(_ ordinal: Int64, time: Int64, key: [UInt8]) {
        matched[ordinal] = Entry(ordinal: ordinal, time: time, hasMatched: true, key: key)
    }

    private func mayHold(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        let bit = Self.bit(of: key)
        return filter[bit >> 6] >> UInt64(bit & 63) & 1 != 0
    }

    private static func bit(of key: UnsafeBufferPointer<UInt8>) -> Int {
        guard let base = key.baseAddress else { return 0 }
        return Int(truncatingIfNeeded: KeyBytes.hash(base, key.count, seed: 0)) & (filterWords * 64 - 1)
    }

    // MARK: Durable state

    private func rowKey(_ key: [UInt8]?, _ ordinal: Int64) -> [UInt8] {
        let named = key.map { bigEndian(UInt32($0.count)) + $0 } ?? bigEndian(UInt32.max)
        return rowPrefix + named + bigEndian(ordinal)
    }

    /// Writes out a row, the next younger one, as part of a commit.
    func append(
        _ row: Batch, ordinal: Int64, time: Int64, hasMatched: Bool, key: [UInt8]?,
        into writer: any StateWriter
    ) {
        if isEmpty { first = ordinal }
        end = ordinal + 1
        let nameless = Batch(schema: schema, columns: row.columns, rowCount: 1)
        var value = ByteWriter()
        value.write(time)
        encoder.encode(nameless).withUnsafeBytes { value.write($0) }
        value.bytes.withUnsafeBytes { writer.put(rowKey(key, ordinal), $0) }
        putOrder(
            Entry(ordinal: ordinal, time: time, hasMatched: hasMatched, key: key), into: writer)
        key?.withUnsafeBufferPointer { key in
            let bit = Self.bit(of: key)
            filter[bit >> 6] |= 1 << UInt64(bit & 63)
        }
    }

    private func putOrder(_ entry: Entry, into writer: any StateWriter) {
        var value = ByteWriter()
        value.write(entry.time)
        let flags: UInt8 = (entry.hasMatched ? 1 : 0) | (entry.key == nil ? 0 : 2)
        value.write(flags)
        if let key = entry.key { value.writeString(key) }
        value.bytes.withUnsafeBytes { writer.put(orderPrefix + bigEndian(entry.ordinal), $0) }
    }

    /// Writes what changed since the last commit: rows that left and rows that matched.
    func checkpoint(into writer: any StateWriter) {
        for entry in left {
            writer.delete(rowKey(entry.key, entry.ordinal))
            writer.delete(orderPrefix + bigEndian(entry.ordinal))
        }
        left.removeAll(keepingCapacity: true)
        for entry in matched.values where entry.ordinal >= first { putOrder(entry, into: writer) }
        for index in front.indices where matched[front[index].ordinal] != nil {
            front[index].hasMatched = true
        }
        matched.removeAll(keepingCapacity: true)
    }
}
