// The groups of one pane: which keys it has, in which slots, and what of it is durable already.
//
// The table maps a key's number to its slot by open addressing; an entry is the slot + 1, and the
// slot's key says whether it is the one looked for. The hot loop works on `PaneTable`, which is
// plain memory, so that changing from pane to pane costs no reference counting.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// What the row loop needs of a pane.
struct PaneTable {
    /// [start, end) of the pane, ms.
    let start: Int64
    let end: Int64
    /// The last window's end less 1 ms: at this watermark a row of the pane is late for everything.
    let lateAt: Int64
    /// Slot + 1, or 0; `1 << (32 - shift)` entries, at most half of them used.
    var entries: UnsafeMutablePointer<Int32>
    var shift: UInt32

    var capacity: Int { 1 << (32 - Int(shift)) }

    /// The entry of key `number`: its own, or the empty one where it belongs.
    @inline(__always)
    func place(of number: Int32, keyOf: UnsafePointer<Int32>) -> Int {
        let mask = capacity - 1
        var place = Self.home(number, shift)
        while true {
            let entry = entries[place]
            if entry == 0 || keyOf[Int(entry) - 1] == number { return place }
            place = (place + 1) & mask
        }
    }

    @inline(__always)
    static func home(_ number: Int32, _ shift: UInt32) -> Int {
        Int((UInt32(bitPattern: number) &* 2_654_435_769) >> shift)
    }
}

/// A sorted run of groups in durable storage.
struct SpilledRun {
    let number: UInt32
    /// Groups that no last window has used up yet.
    var groupCount: Int
}

/// A pane that is gone, and what durable storage still has of it.
struct RetiredPane {
    let start: Int64
    let blocks: Range<UInt32>
    /// Runs 0 ..< `runCount` may have chunks.
    let runCount: UInt32
}

/// One pane of a query's windows.
final class Pane {
    let start: Int64
    let table: UnsafeMutablePointer<PaneTable>
    /// The groups in memory, in no order that matters.
    var slots: [Int32] = []
    /// Groups changed since the last checkpoint (those whose `isDirty` is set).
    var dirty: [Int32] = []
    /// Bytes charged for the groups in memory.
    var chargedBytes = 0

    /// Spilled parts, oldest first.
    var runs: [SpilledRun] = []
    var nextRun: UInt32 = 0
    var isRunListChanged = false

    /// Delta blocks that are durable, and their bytes.
    var blocks: Range<UInt32> = 0..<0
    var blockBytes = 0
    /// Numbers within the pane that durable blocks use for groups.
    var localCount: Int32 = 0
    /// Numbers of groups that are gone and of which durable blocks still tell.
    var removedLocals: [Int32] = []
    /// What the blocks say is void: the groups have been spilled.
    var areBlocksVoid = false

    init(start: Int64, geometry: WindowGeometry, expectedGroups: Int) {
        self.start = start
        var shift: UInt32 = 28
        while shift > 2, 1 << (32 - Int(shift)) < expectedGroups * 2 { shift -= 1 }
        table = .allocate(capacity: 1)
        table.initialize(
            to: PaneTable(
                start: start, end: geometry.paneEnd(start),
                lateAt: geometry.lastWindowEnd(covering: start) - 1,
                entries: Self.makeEntries(shift), shift: shift))
    }

    deinit {
        table.pointee.entries.deallocate()
        table.deallocate()
    }

    /// Whether nothing is left of the pane.
    var isEmpty: Bool { slots.isEmpty && runs.allSatisfy { $0.groupCount == 0 } }
    var isChanged: Bool {
        !dirty.isEmpty || !removedLocals.isEmpty || isRunListChanged || areBlocksVoid
    }
    var memoryBytes: Int { table.pointee.capacity * 4 + (slots.capacity + dirty.capacity) * 4 }

    /// Adds a group whose key is not in the table.
    func insert(_ slot: Int32, keyOf: UnsafePointer<Int32>) {
        if (slots.count + 1) * 2 > table.pointee.capacity { grow(keyOf) }
        let place = table.pointee.place(of: keyOf[Int(slot)], keyOf: keyOf)
        precondition(table.pointee.entries[place] == 0, "a group is in its pane twice")
        table.pointee.entries[place] = slot + 1
        slots.append(slot)
    }

    /// Takes a group out of the table; entries behind it move up, so that no probe stops short.
    func removeFromTable(_ slot: Int32, keyOf: UnsafePointer<Int32>) {
        let (entries, shift, mask) = (
            table.pointee.entries, table.pointee.shift, table.pointee.capacity - 1
        )
        var hole = table.pointee.place(of: keyOf[Int(slot)], keyOf: keyOf)
        precondition(entries[hole] == slot + 1, "a group is not in its pane")
        var place = hole
        while true {
            place = (place + 1) & mask
            let entry = entries[place]
            if entry == 0 { break }
            let home = PaneTable.home(keyOf[Int(entry) - 1], shift)
            if (place - home) & mask >= (place - hole) & mask {
                entries[hole] = entry
                hole = place
            }
        }
        entries[hole] = 0
    }

    /// Empties the table and the list of groups.
    func removeAllGroups() {
        memset(table.pointee.entries, 0, table.pointee.capacity * 4)
        slots.removeAll()
        dirty.removeAll()
        chargedBytes = 0
    }

    /// Enters all groups anew after their keys were renumbered.
    func rebuildTable(keyOf: UnsafePointer<Int32>) {
        memset(table.pointee.entries, 0, table.pointee.capacity * 4)
        for slot in slots {
            table.pointee.entries[table.pointee.place(of: keyOf[Int(slot)], keyOf: keyOf)] =
                slot + 1
        }
    }

    private func grow(_ keyOf: UnsafePointer<Int32>) {
        precondition(table.pointee.shift > 2, "a pane of more than 2^29 groups")
        table.pointee.entries.deallocate()
        table.pointee.shift -= 1
        table.pointee.entries = Self.makeEntries(table.pointee.shift)
        for slot in slots {
            table.pointee.entries[table.pointee.place(of: keyOf[Int(slot)], keyOf: keyOf)] =
                slot + 1
        }
    }

    private static func makeEntries(_ shift: UInt32) -> UnsafeMutablePointer<Int32> {
        let count = 1 << (32 - Int(shift))
        let entries = UnsafeMutablePointer<Int32>.allocate(capacity: count)
        entries.initialize(repeating: 0, count: count)
        return entries
    }
}
