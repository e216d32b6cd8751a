// Writing out groups that memory has no room for. When the bytes charged exceed the budget, the
// largest panes are written as sorted runs, in chunks, and emptied; a window that is due then
// merges a pane's runs, oldest first, and what is in memory.
//
// Chunks are written ahead of the commit and unsynced. They count only once the next commit names
// their run in the pane's list; that commit also deletes the blocks that told of the same groups.
//
// A sum of doubles is added up in parts when its group was spilled, which can change its last bit.
// When to spill is therefore decided between two rows, from what is charged for groups and from
// text sizes looked at every so many rows: both follow from the rows alone, so the parts are the
// same in every run.

import WeirCore
import WeirStore

extension WindowAggregateOperator {
    /// A chunk has about so many bytes.
    private static let chunkBytes = 64 << 10
    /// Chunks are handed to the store so many at a time.
    private static let chunksEachWrite = 64

    /// Spills the largest panes until a quarter of the budget is free, if there is too much. All
    /// collected rows must have been applied.
    func spillIfNeeded() throws(Failure) {
        var held = store.chargedBytes + store.variableBytes
        guard held > memoryBudgetBytes else { return }
        while held > memoryBudgetBytes / 4 * 3 {
            guard let largest = largestPane(), let reader else { break }
            try spill(largest, reader)
            held = store.chargedBytes + store.variableBytes
        }
    }

    private func largestPane() -> Pane? {
        var largest: Pane?
        var most = 0
        for pane in store.panes {
            let bytes = store.bytes(of: pane)
            if bytes > most { (largest, most) = (pane, bytes) }
        }
        return largest
    }

    private func spill(_ pane: Pane, _ reader: any StateReader) throws(Failure) {
        let sorted = store.sortedSlots(pane.slots, scratch)
        let bytesEach = max(1, store.bytes(of: pane) / max(1, sorted.count))
        let groupsEach = max(store.hasVariableSizes ? 1 : 16, Self.chunkBytes / bytesEach)
        let prefix = keyspace.run(pane.start, pane.nextRun)
        let store = store
        var first = 0
        while first < sorted.count {
            let end = min(sorted.count, first + groupsEach * Self.chunksEachWrite)
            try reader.writeAhead { writer in
                for start in stride(from: first, to: end, by: groupsEach) {
                    let chunk = Array(sorted[start..<min(start + groupsEach, end)])
                    let last = store.keys.key(store.keyOf.base[Int(chunk[chunk.count - 1])])
                    store.encodeChunk(chunk).withUnsafeBytes { writer.put(prefix + last, $0) }
                }
            }
            first = end
        }
        pane.runs.append(SpilledRun(number: pane.nextRun, groupCount: sorted.count))
        pane.nextRun += 1
        store.noteSpill()
        pane.isRunListChanged = true
        pane.areBlocksVoid = !pane.blocks.isEmpty
        pane.localCount = 0
        pane.removedLocals.removeAll()
        keyed?.unlink(pane.slots)
        store.release(pane)
    }
}

extension GroupStore {
    /// Slots of different keys, in the order of the keys.
    func sortedSlots(_ slots: [Int32], _ scratch: MergeScratch) -> [Int32] {
        scratch.reserve(keyCount: keys.count)
        let slotOfKey = scratch.slotOfKey.base
        var numbers = slots.map { keyOf.base[Int($0)] }
        for (slot, number) in zip(slots, numbers) { slotOfKey[Int(number)] = slot }
        numbers.withUnsafeMutableBufferPointer { keys.sort($0) }
        return numbers.map { number in
            defer { slotOfKey[Int(number)] = -1 }
            return slotOfKey[Int(number)]
        }
    }

    /// A chunk: how many groups, their keys, their state.
    func encodeChunk(_ slots: [Int32]) -> [UInt8] {
        var chunk = ByteWriter(reserving: 80 << 10)
        chunk.write(UInt32(slots.count))
        slots.withUnsafeBufferPointer { slots in
            writeKeys(slots, into: &chunk)
            writeState(slots, into: &chunk)
        }
        return chunk.bytes
    }
}
