// A window some of whose groups are spilled: a merge of sorted sources, which needs memory for one
// chunk of each run and for the groups handed out, however large the window is.
//
// Groups of one key are added in the order of time: pane by pane, in a pane run by run and then
// memory. MemoryMerge adds the panes in the same order, so it does not show whether a pane was
// spilled before.

import WeirCore
import WeirStore

/// A window put together from runs and memory.
final class SpilledMerge: WindowMerge {
    private let store: GroupStore
    /// In the order in which groups of one key are added.
    private var sources: [any GroupSource] = []
    /// Sources by key, then by order.
    private var heap = BinaryHeap<Int>()
    private var targets: [Int32] = []
    /// Groups handed out whose state is empty yet, and additions not made yet.
    private var fresh: [Int32] = []
    private var into: [Int32] = []
    private var from: [Int32] = []
    private let keyBytes = Buffer<UInt8>()
    private var keyEnds: [Int] = []

    /// `parts` are the slots in memory of each of `panes`; `prefix` picks the groups of one clock.
    init(
        panes: [Pane], parts: [[Int32]], prefix: [UInt8], isLastWindow: (Pane) -> Bool,
        store: GroupStore, scratch: MergeScratch, keyspace: WindowKeyspace, reader: any StateReader,
        after lastKey: [UInt8]?
    ) throws(Failure) {
        self.store = store
        for (pane, part) in zip(panes, parts) {
            // With clocks of their own, groups leave a pane one by one; the last one out drops it.
            let usesUp = !prefix.isEmpty && isLastWindow(pane)
            for index in pane.runs.indices {
                sources.append(
                    try RunSource(
                        store, reader, runPrefix: keyspace.run(pane.start, pane.runs[index].number),
                        prefix: prefix, after: lastKey,
                        consume: {
                            guard usesUp else { return }
                            pane.runs[index].groupCount -= 1
                            pane.isRunListChanged = true
                        }))
            }
            sources.append(
                MemorySource(store.sortedSlots(part, scratch), store, after: lastKey))
        }
        for index in sources.indices where sources[index].isValid {
            heap.push(index, by: isBefore)
        }
    }

    func next(_ count: Int) throws(Failure) -> MergedGroups {
        keyEnds.removeAll(keepingCapacity: true)
        var end = 0
        while keyEnds.count < count, let first = heap.first {
            if keyEnds.count == targets.count { targets.append(store.makeTemporary(-1)) }
            let target = targets[keyEnds.count]
            fresh.append(target)
            let start = end
            end += sources[first].key.count
            keyBytes.reserve(end)
            for (index, byte) in sources[first].key.enumerated() {
                keyBytes.base[start + index] = byte
            }
            keyEnds.append(end)
            try addAll(
                with: UnsafeBufferPointer(start: keyBytes.base + start, count: end - start),
                to: target)
        }
        flush()
        var groups = MergedGroups(slots: Array(targets[..<keyEnds.count]), keys: [])
        var start = 0
        for end in keyEnds {
            groups.keys.append(
                UnsafeBufferPointer(start: keyBytes.base + start, count: end - start))
            start = end
        }
        return groups
    }

    /// Adds the groups of `key` from all sources that have it.
    private func addAll(with key: UnsafeBufferPointer<UInt8>, to target: Int32) throws(Failure) {
        while let first = heap.first, KeyBytes.compare(sources[first].key, key) == 0 {
            let source = sources[first]
            into.append(target)
            from.append(source.slot)
            if source.isAtLastOfChunk { flush() }
            heap.removeFirst(by: isBefore)
            try source.advance()
            if source.isValid { heap.push(first, by: isBefore) }
        }
    }

    private func flush() {
        store.mergeGroups(clearing: fresh, into: into, from: from)
        fresh.removeAll(keepingCapacity: true)
        into.removeAll(keepingCapacity: true)
        from.removeAll(keepingCapacity: true)
    }

    func finish() {
        for source in sources { source.finish() }
        targets.withUnsafeBufferPointer { store.releaseSlots($0) }
        sources = []
        targets = []
        heap.removeAll()
    }

    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        let order = KeyBytes.compare(sources[a].key, sources[b].key)
        return order != 0 ? order < 0 : a < b
    }
}
