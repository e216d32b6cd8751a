// Taking windows back after a restart: panes and their blocks, the lists of spilled runs, what has
// fired, and an emission that was under way. Chunks that were written ahead of a commit that never
// came are swept out: no list names their runs.

import WeirCore
import WeirStore

extension WindowAggregateOperator {
    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {
        self.reader = reader
        try restorePanes(reader)
        if let keyed, let keyClocks = clocks.keyClocks {
            keyed.follow(keyClocks)
            try keyed.restoreClocks(keyClocks, pending, times, keyspace, reader)
            try linkGroups(to: keyed, keyClocks)
        }
        if let progress = try reader.get(keyspace.progress) { try decodeProgress(progress) }
        try revisions?.restore(from: reader)
        findNextDue()
        if let keyed { for place in keyed.fired.indices { settleKeyed(Int32(place)) } }
        try next.restore(from: reader, clocks: clocks, pending: pending)
    }

    private func restorePanes(_ reader: any StateReader) throws(Failure) {
        var (start, end) = keyspace.allPanes
        while true {
            let cursor = reader.cursor(start, end)
            guard cursor.isValid else { return }
            guard let found = keyspace.parse(cursor.key) else { throw ByteReader.damaged }
            let pane = store.makePane(found.start)
            try restore(pane, from: cursor)
            // A pane's last entries are its chunks, which need not be read now.
            try sweepOrphans(of: pane, reader)
            if pane.isEmpty { store.drop(pane) }
            start = keyspace.paneEnd(found.start)
        }
    }

    private func restore(_ pane: Pane, from cursor: any StateCursor) throws(Failure) {
        var slots: [Int32] = []
        while cursor.isValid {
            guard let entry = keyspace.parse(cursor.key) else { throw ByteReader.damaged }
            guard entry.start == pane.start, entry.entry != .run else { break }
            var value = ByteReader(cursor.value)
            if entry.entry == .block {
                try replay(&value, into: pane, &slots)
                pane.blocks =
                    (pane.blocks.isEmpty ? entry.number : pane.blocks.lowerBound)..<entry.number + 1
                pane.blockBytes += cursor.value.count
            } else {
                try decodeRuns(&value, into: pane)
            }
            try cursor.advance()
        }
        pane.localCount = Int32(slots.count)
        for (local, slot) in slots.enumerated() where slot >= 0 {
            store.localOf.base[Int(slot)] = Int32(local)
            store.isDirty.base[Int(slot)] = 0
        }
        pane.dirty.removeAll()
    }

    /// Applies one delta block; `slots` are the slots of the pane's groups by their number in
    /// blocks.
    private func replay(
        _ block: inout ByteReader, into pane: Pane, _ slots: inout [Int32]
    ) throws(Failure) {
        for local in try Self.readNumbers(&block) {
            guard slots.indices.contains(local), slots[local] >= 0 else { throw ByteReader.damaged }
            store.removeGroup(slots[local], from: pane)
            slots[local] = -1
        }
        var changed: [Int32] = []
        for local in try Self.readNumbers(&block) {
            guard slots.indices.contains(local), slots[local] >= 0 else { throw ByteReader.damaged }
            changed.append(slots[local])
        }
        let newCount = try block.readCount()
        for key in try GroupStore.readKeys(count: newCount, from: &block) {
            let slot = store.makeGroup(store.keys.intern(key), in: pane)
            withUnsafePointer(to: slot) { slot in
                let one = UnsafeBufferPointer(start: slot, count: 1)
                for accumulator in store.accumulators { accumulator.clear(one) }
            }
            slots.append(slot)
            changed.append(slot)
        }
        try store.readChanges(changed, from: &block)
        guard block.isAtEnd else { throw ByteReader.damaged }
    }

    private static func readNumbers(_ block: inout ByteReader) throws(Failure) -> [Int] {
        let count = try block.readCount()
        var numbers: [Int] = []
        try block.readPacked(count: count) { numbers.append(Int($1)) }
        return numbers
    }

    private func decodeRuns(_ list: inout ByteReader, into pane: Pane) throws(Failure) {
        pane.nextRun = try list.read()
        for _ in 0..<(try list.readCount(bytesEach: 12)) {
            pane.runs.append(
                SpilledRun(number: try list.read(), groupCount: Int(try list.read(UInt64.self))))
            store.noteSpill()
        }
    }

    private func sweepOrphans(of pane: Pane, _ reader: any StateReader) throws(Failure) {
        let first = keyspace.run(pane.start, pane.nextRun)
        let end = keyspace.paneEnd(pane.start)
        guard reader.cursor(first, end).isValid else { return }
        try reader.writeAhead { $0.deleteRange(first, end) }
    }

    private func linkGroups(to keyed: KeyedWindows, _ clocks: KeyClocks) throws(Failure) {
        for pane in store.panes {
            for slot in pane.slots {
                let key = store.keys.key(store.keyOf.base[Int(slot)])
                guard let place = clocks.place(of: store.encoder.firstColumnKey(key)) else {
                    throw ByteReader.damaged
                }
                keyed.link(slot, to: place, capacity: store.keyOf.capacity)
            }
        }
    }

    private func decodeProgress(_ bytes: [UInt8]) throws(Failure) {
        savedProgress = bytes
        try bytes.withBytes { (bytes) throws(Failure) in
            var progress = ByteReader(bytes)
            try decodeProgress(&progress)
        }
    }

    private func decodeProgress(_ progress: inout ByteReader) throws(Failure) {
        firedWatermark = try progress.read()
        rowOrdinal = try progress.read()
        guard try progress.read(UInt8.self) == 1 else { return }
        let target: Int64 = try progress.read()
        let windowEnd: Int64 = try progress.read()
        let clock: Int32 = try progress.read()
        let fired: Int64 = try progress.read()
        let hasLastKey = try progress.read(UInt8.self) == 1
        let lastKey = Array(try progress.readString())
        unfinished = UnfinishedFiring(
            target: target, clock: clock < 0 ? nil : clock, windowEnd: windowEnd, merge: nil,
            lastKey: hasLastKey ? lastKey : nil)
        if clock >= 0, let keyed {
            guard keyed.fired.indices.contains(Int(clock)) else { throw ByteReader.damaged }
            keyed.fired[Int(clock)] = fired
        }
    }
}

extension KeyedWindows {
    /// Clocks stand where the source's do, except that windows closed early stay closed, and that
    /// what was pending at the commit has not moved its clocks yet.
    func restoreClocks(
        _ clocks: KeyClocks, _ pending: ClockTrace?, _ times: WindowTimes,
        _ keyspace: WindowKeyspace, _ reader: any StateReader
    ) throws(Failure) {
        for place in fired.indices { fired[place] = times.mark(clocks.clock(at: Int32(place))) }
        if let moves = pending?.keys {
            for (place, before) in zip(moves.places, moves.before).reversed() {
                fired[Int(place)] = times.mark(before)
            }
        }
        let (start, end) = keyspace.allAhead
        try reader.scan(start, end) { key, value throws(Failure) in
            var bytes = ByteReader(value)
            guard key.count == 6 else { throw ByteReader.damaged }
            let place = Int32(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int32.self))
            guard fired.indices.contains(Int(place)) else { throw ByteReader.damaged }
            fired[Int(place)] = max(fired[Int(place)], try bytes.read())
            ahead.insert(place)
            return true
        }
    }
}
