// Putting a window together from its panes. Groups come out in the order of their keys, each with a
// slot that holds the window's value: the pane's own slot where there is only one pane, else a
// temporary one into which the panes are merged in the order of time.

import WeirCore

/// A window's groups, one after another.
protocol WindowMerge: AnyObject {
    /// The next groups in key order, at most `count`; none at the end. Valid until the next call.
    func next(_ count: Int) throws(Failure) -> MergedGroups
    /// Gives temporary slots back.
    func finish()
}

/// Groups with their keys, in key order.
struct MergedGroups {
    var slots: [Int32] = []
    var keys: [UnsafeBufferPointer<UInt8>] = []
}

/// Memory that merges use, kept from window to window.
final class MergeScratch {
    /// By key number: the slot that collects the key, or -1. All -1 between windows.
    let slotOfKey = Buffer<Int32>()
    private var keyCount = 0
    var numbers: [Int32] = []
    var into: [Int32] = []
    var from: [Int32] = []

    /// Makes room for the key numbers below `count`.
    func reserve(keyCount count: Int) {
        slotOfKey.reserve(count)
        while keyCount < slotOfKey.capacity {
            slotOfKey.base[keyCount] = -1
            keyCount += 1
        }
    }
}

/// A window whose groups are all in memory.
final class MemoryMerge: WindowMerge {
    private let store: GroupStore
    private let scratch: MergeScratch
    private var temporary: [Int32] = []
    private var position = 0
    private var groups = MergedGroups()

    /// `parts` are the slots of each pane, panes in the order of time. Starts behind `lastKey`.
    init(_ parts: [[Int32]], _ store: GroupStore, _ scratch: MergeScratch, after lastKey: [UInt8]?)
    {
        self.store = store
        self.scratch = scratch
        scratch.reserve(keyCount: store.keys.count)
        scratch.numbers.removeAll(keepingCapacity: true)
        if parts.count == 1 {
            let (keyOf, slotOfKey) = (store.keyOf.base, scratch.slotOfKey.base)
            for slot in parts[0] {
                slotOfKey[Int(keyOf[Int(slot)])] = slot
                scratch.numbers.append(keyOf[Int(slot)])
            }
        } else {
            merge(parts)
        }
        scratch.numbers.withUnsafeMutableBufferPointer { store.keys.sort($0) }
        if let lastKey { skip(through: lastKey) }
    }

    private func merge(_ parts: [[Int32]]) {
        scratch.into.removeAll(keepingCapacity: true)
        scratch.from.removeAll(keepingCapacity: true)
        let slotOfKey = scratch.slotOfKey.base
        for part in parts {
            for slot in part {
                let number = store.keyOf.base[Int(slot)]
                var target = slotOfKey[Int(number)]
                if target < 0 {
                    target = store.makeTemporary(number)
                    slotOfKey[Int(number)] = target
                    scratch.numbers.append(number)
                    temporary.append(target)
                }
                scratch.into.append(target)
                scratch.from.append(slot)
            }
        }
        store.mergeGroups(clearing: temporary, into: scratch.into, from: scratch.from)
    }

    private func skip(through lastKey: [UInt8]) {
        lastKey.withUnsafeBufferPointer { last in
            while position < scratch.numbers.count,
                KeyBytes.compare(store.keys.key(scratch.numbers[position]), last) <= 0
            {
                position += 1
            }
        }
    }

    func next(_ count: Int) -> MergedGroups {
        groups.slots.removeAll(keepingCapacity: true)
        groups.keys.removeAll(keepingCapacity: true)
        let end = min(position + count, scratch.numbers.count)
        let slotOfKey = scratch.slotOfKey.base
        while position < end {
            let number = scratch.numbers[position]
            groups.slots.append(slotOfKey[Int(number)])
            groups.keys.append(store.keys.key(number))
            position += 1
        }
        return groups
    }

    func finish() {
        for number in scratch.numbers { scratch.slotOfKey.base[Int(number)] = -1 }
        temporary.withUnsafeBufferPointer { store.releaseSlots($0) }
    }
}

extension GroupStore {
    /// Empties the groups `fresh`, then adds group `from[i]` to group `into[i]`, for each i in
    /// order.
    func mergeGroups(clearing fresh: [Int32], into: [Int32], from: [Int32]) {
        into.withUnsafeBufferPointer { into in
            from.withUnsafeBufferPointer { from in
                fresh.withUnsafeBufferPointer { fresh in
                    for accumulator in accumulators {
                        accumulator.clear(fresh)
                        guard let to = into.baseAddress, let source = from.baseAddress else {
                            continue
                        }
                        accumulator.merge(into: to, from: source, count: into.count)
                    }
                }
            }
        }
    }
}
