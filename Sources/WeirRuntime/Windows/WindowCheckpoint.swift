// Making windows durable. A checkpoint writes what changed since the last one, a few large values:
// for each pane that changed one delta block with the changed groups, all aggregates column by
// column. When a pane's blocks have grown to more than twice what a full copy would take, the full
// copy is written instead and the blocks before it go, in the same commit.
//
// Recovery replays a pane's blocks in order and ends with the same accumulators to the last bit.

import WeirCore
import WeirStore

extension WindowAggregateOperator {
    /// Up to so many keys are deleted one by one, which costs later reads less than a deleted
    /// range.
    private static let singleDeletesMax: UInt32 = 16

    func checkpoint(into writer: any StateWriter) {
        for retired in store.takeRetired() { delete(retired, into: writer) }
        for pane in store.panes where pane.isChanged { save(pane, into: writer) }
        keyed?.checkpoint(into: writer, keyspace)
        revisions?.checkpoint(into: writer)
        let progress = encodeProgress()
        if progress != savedProgress {
            progress.withUnsafeBytes { writer.put(keyspace.progress, $0) }
            savedProgress = progress
        }
        emittedSinceCommit = 0
        next.checkpoint(into: writer)
    }

    private func delete(_ retired: RetiredPane, into writer: any StateWriter) {
        deleteBlocks(retired.start, retired.blocks, into: writer)
        guard retired.runCount > 0 else { return }
        writer.delete(keyspace.runList(retired.start))
        writer.deleteRange(
            keyspace.run(retired.start, 0), keyspace.run(retired.start, retired.runCount))
    }

    private func deleteBlocks(_ start: Int64, _ blocks: Range<UInt32>, into writer: any StateWriter)
    {
        if blocks.isEmpty { return }
        if blocks.upperBound - blocks.lowerBound <= Self.singleDeletesMax {
            for number in blocks { writer.delete(keyspace.block(start, number)) }
        } else {
            writer.deleteRange(
                keyspace.block(start, blocks.lowerBound), keyspace.block(start, blocks.upperBound))
        }
    }

    private func save(_ pane: Pane, into writer: any StateWriter) {
        if pane.areBlocksVoid { replaceBlocks(of: pane, into: writer) }
        let isDirty = store.isDirty.base
        let changed = pane.dirty.filter { slot in
            // The list may name slots that were given to another pane since.
            guard store.paneOf.base[Int(slot)] == pane.start else { return false }
            defer { isDirty[Int(slot)] = 0 }
            return isDirty[Int(slot)] != 0
        }
        pane.dirty.removeAll(keepingCapacity: true)
        if !changed.isEmpty || !pane.removedLocals.isEmpty {
            var block = encodeBlock(pane, changed)
            if store.isWasteful(blockBytes: pane.blockBytes + block.count, of: pane) {
                replaceBlocks(of: pane, into: writer)
                for slot in pane.slots { store.localOf.base[Int(slot)] = -1 }
                store.forgetSaved(pane.slots)
                block = encodeBlock(pane, pane.slots)
            }
            let number = pane.blocks.upperBound
            block.bytes.withUnsafeBytes { writer.put(keyspace.block(pane.start, number), $0) }
            pane.blocks = pane.blocks.lowerBound..<number + 1
            pane.blockBytes += block.count
        }
        if pane.isRunListChanged {
            encodeRuns(pane).bytes.withUnsafeBytes { writer.put(keyspace.runList(pane.start), $0) }
            pane.isRunListChanged = false
        }
    }

    /// Deletes a pane's blocks; the next one starts afresh.
    private func replaceBlocks(of pane: Pane, into writer: any StateWriter) {
        deleteBlocks(pane.start, pane.blocks, into: writer)
        pane.blocks = pane.blocks.upperBound..<pane.blocks.upperBound
        pane.blockBytes = 0
        pane.localCount = 0
        pane.removedLocals.removeAll()
        pane.areBlocksVoid = false
    }

    /// Groups gone, groups changed, groups new (with keys), then the state of the latter two.
    private func encodeBlock(_ pane: Pane, _ changed: [Int32]) -> ByteWriter {
        let localOf = store.localOf.base
        let known = changed.filter { localOf[Int($0)] >= 0 }
        let new = changed.filter { localOf[Int($0)] < 0 }
        for (index, slot) in new.enumerated() {
            localOf[Int(slot)] = pane.localCount + Int32(index)
        }
        pane.localCount += Int32(new.count)
        let removed = pane.removedLocals
        pane.removedLocals.removeAll()
        var block = ByteWriter(reserving: 64 + changed.count * 64)
        block.write(UInt32(removed.count))
        block.writePacked(count: removed.count) { Int64(removed[$0]) }
        block.write(UInt32(known.count))
        block.writePacked(count: known.count) { Int64(localOf[Int(known[$0])]) }
        block.write(UInt32(new.count))
        new.withUnsafeBufferPointer { store.writeKeys($0, into: &block) }
        (known + new).withUnsafeBufferPointer { store.writeChanges($0, into: &block) }
        return block
    }

    private func encodeRuns(_ pane: Pane) -> ByteWriter {
        var list = ByteWriter()
        list.write(pane.nextRun)
        list.write(UInt32(pane.runs.count))
        for run in pane.runs {
            list.write(run.number)
            list.write(UInt64(run.groupCount))
        }
        return list
    }

    private func encodeProgress() -> [UInt8] {
        var progress = ByteWriter()
        progress.write(firedWatermark)
        progress.write(rowOrdinal)
        progress.write(UInt8(unfinished == nil ? 0 : 1))
        if let unfinished {
            progress.write(unfinished.target)
            progress.write(unfinished.windowEnd)
            progress.write(unfinished.clock ?? -1)
            progress.write(unfinished.clock.flatMap { keyed?.fired[Int($0)] } ?? firedWatermark)
            progress.write(UInt8(unfinished.lastKey == nil ? 0 : 1))
            progress.writeString(unfinished.lastKey ?? [])
        }
        return progress.bytes
    }
}
