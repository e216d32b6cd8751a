// The partitions of an OVER that are in memory: for each its rows, how many it has taken, and what of it
// is saved. A partition has a slot, which is its place in the arrays here and in all accumulators; slots
// of partitions that are gone are given out again.
//
// Neither slots nor the numbers of keys reach a result or durable state.

import WeirCore

/// What is known of each partition in memory.
final class OverKeys {
    /// A partition's entries.
    struct Entry {
        /// Its key's number in the interner.
        var number: Int32
        /// The first and the last of its rows, and how many are kept; no rows where `length` is 0.
        var first: Int32 = -1
        var last: Int32 = -1
        var length: Int32 = 0
        /// The event time of its newest row.
        var time = Int64.min
        /// Rows since it came into being.
        var taken: Int64 = 0
        /// The run of rows that it last took part in.
        var wave: Int64 = 0
        private var firstBlock: Int64 = 0
        private var endBlock: Int64 = 0
        private var firstChange: Int64 = 0
        private var endChange: Int64 = 0
        /// Bytes of the saved changes.
        var changeBytes: Int64 = 0
        /// Whether the last commit holds it, and whether it has changed since.
        var isSaved = false
        var isDirty = false

        init(number: Int32 = -1) { self.number = number }

        /// The blocks of rows that are saved beside it.
        var blocks: Range<Int64> {
            get { firstBlock..<endBlock }
            set { (firstBlock, endBlock) = (newValue.lowerBound, newValue.upperBound) }
        }

        /// The changes that are saved beside it.
        var changes: Range<Int64> {
            get { firstChange..<endChange }
            set { (firstChange, endChange) = (newValue.lowerBound, newValue.upperBound) }
        }
    }

    static let bytesPerKey = MemoryLayout<Entry>.stride + 40

    private let encoder: KeyEncoder
    private let interner: KeyInterner
    private let hasColumns: Bool
    private let entries = Buffer<Entry>()
    /// The slot of each key's number; -1 where there is none.
    private let slotOf = Buffer<Int32>()
    private var numberCount = 0
    private var free: [Int32] = []
    /// Slots 0 ..< slotCount have been given out.
    private(set) var slotCount = 0
    /// Slots with changes since the last commit.
    private(set) var dirty: [Int32] = []

    init(types: [DataType], seed: UInt64) {
        encoder = KeyEncoder(types: types)
        interner = KeyInterner(
            isSingleText: types.count == 1 && types[0].physical == .string, seed: seed)
        hasColumns = !types.isEmpty
    }

    /// Partitions in memory.
    var liveCount: Int { slotCount - free.count }

    var memoryBytes: Int {
        interner.byteCount + interner.count * 24 + slotOf.capacity * 4
            + entries.capacity * MemoryLayout<Entry>.stride
    }

    /// A partition's entries, to read and to change.
    @inline(__always)
    subscript(slot: Int32) -> Entry {
        get { entries.base[Int(slot)] }
        _modify { yield &entries.base[Int(slot)] }
    }

    /// Where a partition's entries are, until the next one is opened.
    @inline(__always)
    func entry(_ slot: Int32) -> UnsafeMutablePointer<Entry> { entries.base + Int(slot) }

    /// Writes the number of each row's key.
    func number(_ columns: [Column], rowCount: Int, into numbers: UnsafeMutablePointer<Int32>) {
        if hasColumns {
            encoder.withKeys(of: columns, rowCount: rowCount) { interner.intern($0, into: numbers) }
        } else {
            let only = interner.intern(UnsafeBufferPointer(start: nil, count: 0))
            numbers.update(repeating: only, count: rowCount)
        }
        reserveNumbers()
    }

    private func reserveNumbers() {
        slotOf.reserve(interner.count)
        while numberCount < interner.count {
            slotOf.base[numberCount] = -1
            numberCount += 1
        }
    }

    /// The slot of a key's number; -1 when the partition is not in memory.
    @inline(__always)
    func slot(_ number: Int32) -> Int32 { slotOf.base[Int(number)] }

    /// The slot of a key; nil when the partition is not in memory.
    func slot(of key: UnsafeBufferPointer<UInt8>) -> Int32? {
        let number: Int32? = key.isEmpty ? (interner.count > 0 ? 0 : nil) : interner.find(key)
        guard let number, slotOf.base[Int(number)] >= 0 else { return nil }
        return slotOf.base[Int(number)]
    }

    /// The bytes of a partition's key.
    func bytes(_ number: Int32) -> [UInt8] { Array(interner.key(number)) }

    /// Gives a key a slot, whose entries are those of a partition without rows.
    func open(_ number: Int32) -> Int32 {
        let slot: Int32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = Int32(slotCount)
            slotCount += 1
            entries.reserve(slotCount)
        }
        entries.base[Int(slot)] = Entry(number: number)
        slotOf.base[Int(number)] = slot
        return slot
    }

    /// Notes that a partition has changed.
    @inline(__always)
    func touch(_ slot: Int32) {
        if entries.base[Int(slot)].isDirty { return }
        entries.base[Int(slot)].isDirty = true
        dirty.append(slot)
    }

    /// A commit holds all changes.
    func forgetChanges() { dirty.removeAll(keepingCapacity: true) }

    /// Forgets partitions. None of them may have changes.
    func close(_ slots: [Int32]) {
        for slot in slots {
            precondition(!entries.base[Int(slot)].isDirty, "a partition is forgotten unsaved")
            slotOf.base[Int(entries.base[Int(slot)].number)] = -1
            entries.base[Int(slot)] = Entry()
            free.append(slot)
        }
        guard interner.count > 4_096, interner.count > 2 * liveCount else { return }
        let isLive = (0..<interner.count).map { slotOf.base[$0] < 0 ? UInt8(0) : 1 }
        let old = (0..<interner.count).map { slotOf.base[$0] }
        let renumbered = interner.keep(isLive)
        numberCount = 0
        slotOf.shrink()
        reserveNumbers()
        for (number, slot) in zip(renumbered, old) where number >= 0 {
            slotOf.base[Int(number)] = slot
            entries.base[Int(slot)].number = number
        }
    }

    /// The slots of all partitions in memory.
    var live: [Int32] {
        (0..<Int32(slotCount)).filter { entries.base[Int($0)].number >= 0 }
    }
}
