// A sorted sequence of groups that a merge reads: a run in durable storage, chunk by chunk, or a
// pane's groups in memory.

import WeirCore
import WeirStore

/// Groups in key order, one at a time.
protocol GroupSource: AnyObject {
    /// Whether there is a current group.
    var isValid: Bool { get }
    /// The current group's key; valid until `advance`.
    var key: UnsafeBufferPointer<UInt8> { get }
    /// The slot with the current group's state.
    var slot: Int32 { get }
    /// Whether the next `advance` reuses slots that were handed out.
    var isAtLastOfChunk: Bool { get }
    func advance() throws(Failure)
    /// Gives temporary slots back.
    func finish()
}

/// Groups in memory.
final class MemorySource: GroupSource {
    private let store: GroupStore
    private let slots: [Int32]
    private var position = 0

    /// `slots` in key order; starts behind `lastKey`.
    init(_ slots: [Int32], _ store: GroupStore, after lastKey: [UInt8]?) {
        self.store = store
        self.slots = slots
        lastKey?.withUnsafeBufferPointer { last in
            while isValid, KeyBytes.compare(key, last) <= 0 { position += 1 }
        }
    }

    var isValid: Bool { position < slots.count }
    var key: UnsafeBufferPointer<UInt8> { store.keys.key(store.keyOf.base[Int(slots[position])]) }
    var slot: Int32 { slots[position] }
    var isAtLastOfChunk: Bool { false }
    func advance() { position += 1 }
    func finish() {}
}

/// A spilled run.
final class RunSource: GroupSource {
    private let store: GroupStore
    private let cursor: any StateCursor
    /// Only keys of one clock: they start with this (or, being of one column, are this).
    private let prefix: [UInt8]
    /// Called for each group that is passed by `advance`.
    private let consume: () -> Void
    private var keys: [UnsafeBufferPointer<UInt8>] = []
    private var slots: [Int32] = []
    private var position = 0
    private(set) var isValid = true

    /// Reads the run whose chunks' keys start with `runPrefix`, from the first key behind
    /// `lastKey`.
    init(
        _ store: GroupStore, _ reader: any StateReader, runPrefix: [UInt8], prefix: [UInt8],
        after lastKey: [UInt8]?, consume: @escaping () -> Void
    ) throws(Failure) {
        self.store = store
        self.prefix = prefix
        self.consume = consume
        // All runs of a query have numbers below 2^32 - 1, so there is a prefix behind this one.
        var end = runPrefix
        for index in end.indices.reversed() {
            end[index] &+= 1
            if end[index] != 0 { break }
        }
        let start = lastKey ?? prefix
        cursor = reader.cursor(runPrefix + start, end)
        try loadChunk()
        while isValid, isBefore(start, lastKey != nil) { try step() }
        checkPrefix()
    }

    private func isBefore(_ start: [UInt8], _ includesEqual: Bool) -> Bool {
        start.withUnsafeBufferPointer {
            let order = KeyBytes.compare(key, $0)
            return order < 0 || (includesEqual && order == 0)
        }
    }

    var key: UnsafeBufferPointer<UInt8> { keys[position] }
    var slot: Int32 { slots[position] }
    var isAtLastOfChunk: Bool { position + 1 == keys.count }

    func advance() throws(Failure) {
        consume()
        try step()
        checkPrefix()
    }

    private func step() throws(Failure) {
        position += 1
        if position == keys.count {
            try cursor.advance()
            try loadChunk()
        }
    }

    private func checkPrefix() {
        guard isValid, !prefix.isEmpty else { return }
        let isOther =
            store.encoder.types.count == 1
            ? !key.elementsEqual(prefix) : !key.starts(with: prefix)
        if isOther { isValid = false }
    }

    private func loadChunk() throws(Failure) {
        position = 0
        guard cursor.isValid else {
            isValid = false
            return
        }
        var chunk = ByteReader(cursor.value)
        let count = try chunk.readCount()
        guard count > 0 else { throw ByteReader.damaged }
        keys = try GroupStore.readKeys(count: count, from: &chunk)
        while slots.count < count { slots.append(store.makeTemporary(-1)) }
        try store.readState(Array(slots[..<count]), from: &chunk)
        guard chunk.isAtEnd else { throw ByteReader.damaged }
    }

    func finish() {
        slots.withUnsafeBufferPointer { store.releaseSlots($0) }
        slots = []
    }
}
