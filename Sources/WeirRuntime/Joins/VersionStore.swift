// The newest version of each key of a table that changes.
//
// All versions are in RocksDB, each under its key, as the last commit left them; in memory are those
// that fit, and always the ones that changed since. When memory is full, all that is committed is let
// go, and comes back key by key as it is asked for.
//
//   [tag, 0x20] key     the row

import WeirCore
import WeirStore

/// Rows by key, one a key.
final class VersionStore {
    /// Position 0 is a row of NULLs: a key that has no version.
    private(set) var columns: [Column] = []
    static let absent: Int32 = 0
    /// Not in memory; there may be one in RocksDB.
    private static let unknown: Int32 = -1

    private let schema: Schema
    private let namelessSchema: Schema
    private let keys: JoinKeys
    private let prefix: [UInt8]
    private let memoryBudgetBytes: Int
    private var reader: (any StateReader)?
    /// The position of each key's version, by the key's number.
    private var current: [Int32] = []
    private var isChanged: [Bool] = []
    private var changed: [Int32] = []
    /// Keys that have a version in memory.
    private var liveCount = 0
    /// Whether there are versions that are not in memory.
    private var isPartial = false
    private let encoder = BatchEncoder()
    private let decoder = BatchDecoder()

    init(schema: Schema, keys: JoinKeys, stateTag: UInt8, memoryBudgetBytes: Int) {
        self.schema = schema
        namelessSchema = Schema(schema.fields.map { Field("", $0.type) })
        self.keys = keys
        prefix = [stateTag, 0x20]
        self.memoryBudgetBytes = memoryBudgetBytes
        columns = emptyColumns()
    }

    private func emptyColumns() -> [Column] {
        schema.fields.map { field in
            let column = Column(field.type)
            column.appendNull()
            return column
        }
    }

    private var rowCount: Int { columns.first?.count ?? 1 }

    var memoryBytes: Int {
        columns.reduce(keys.memoryBytes) { $0 + $1.memoryBytes } + current.count * 5
    }

    // MARK: Versions

    /// Adds rows that are not yet the versions of their keys; returns the first one's position.
    func append(_ batch: Batch) -> Int32 {
        defer {
            for (column, more) in zip(columns, batch.columns) {
                column.append(from: more, range: 0..<batch.rowCount)
            }
        }
        return Int32(rowCount)
    }

    /// Makes room for the numbers of all keys.
    func reserveKeys() {
        let more = keys.count - current.count
        guard more > 0 else { return }
        current += repeatElement(isPartial ? Self.unknown : Self.absent, count: more)
        isChanged += repeatElement(false, count: more)
    }

    /// Makes the row at `position` the version of `key`.
    func set(_ key: Int32, _ position: Int32) {
        let index = Int(key)
        if current[index] <= 0 { liveCount += 1 }
        current[index] = position
        if !isChanged[index] {
            isChanged[index] = true
            changed.append(key)
        }
    }

    /// The position of the version of `key`.
    func position(_ key: Int32) throws(Failure) -> Int32 {
        let known = current[Int(key)]
        if known != Self.unknown { return known }
        let saved = try reader?.get(prefix + keys.bytes(key))
        guard let saved else {
            current[Int(key)] = Self.absent
            return Self.absent
        }
        let position = append(try row(saved))
        current[Int(key)] = position
        liveCount += 1
        return position
    }

    private func row(_ block: [UInt8]) throws(Failure) -> Batch {
        let batch = try decoder.decode(block)
        guard batch.schema == namelessSchema, batch.rowCount == 1 else { throw ByteReader.damaged }
        return batch
    }

    /// Gives back the memory of versions that were replaced, and of keys without a version. Positions
    /// and numbers change.
    func compact() {
        if rowCount > 1_024 + 2 * (liveCount + 1) {
            var order: [Int32] = [0]
            for index in current.indices where current[index] > 0 {
                order.append(current[index])
                current[index] = Int32(order.count - 1)
            }
            columns = order.withUnsafeBufferPointer { order in columns.map { $0.gather(order) } }
        }
        guard current.count > 4_096, current.count > 4 * liveCount else { return }
        forgetKeys(where: { current[$0] > 0 || isChanged[$0] })
    }

    private func forgetKeys(where isLive: (Int) -> Bool) {
        let old = (current, isChanged)
        let renumbered = keys.keep(
            (0..<keys.count).map { $0 < old.0.count && isLive($0) ? 1 : 0 })
        current = []
        isChanged = []
        reserveKeys()
        for (index, number) in renumbered.enumerated() where number >= 0 {
            current[Int(number)] = old.0[index]
            isChanged[Int(number)] = old.1[index]
        }
        changed = changed.map { renumbered[Int($0)] }
    }

    // MARK: Durable state

    /// Writes the versions that changed since the last commit.
    func checkpoint(into writer: any StateWriter) {
        for key in changed {
            let position = Int(current[Int(key)])
            let row = Batch(
                schema: namelessSchema, columns: columns.map { $0.slice(position..<position + 1) },
                rowCount: 1)
            encoder.encode(row).withUnsafeBytes { writer.put(prefix + keys.bytes(key), $0) }
            isChanged[Int(key)] = false
        }
        changed.removeAll(keepingCapacity: true)
        guard memoryBytes > memoryBudgetBytes, reader != nil else { return }
        isPartial = true
        liveCount = 0
        columns = emptyColumns()
        forgetKeys(where: { _ in false })
    }

    /// Takes back versions as long as there is memory for them; the reader stays in use.
    func restore(from reader: any StateReader) throws(Failure) {
        self.reader = reader
        let end = Array(prefix.dropLast()) + [(prefix.last ?? 0) + 1]
        try reader.scan(prefix, end) { (key, value) throws(Failure) in
            if memoryBytes > memoryBudgetBytes {
                isPartial = true
                return false
            }
            let bytes = Array(key.dropFirst(prefix.count))
            let number = bytes.withUnsafeBufferPointer { keys.number($0) }
            reserveKeys()
            current[Int(number)] = append(try row(Array(value)))
            liveCount += 1
            return true
        }
        if isPartial {
            for index in current.indices where current[index] == Self.absent {
                current[index] = Self.unknown
            }
        }
    }
}
