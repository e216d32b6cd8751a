// Making sessions durable: for each page that changed one delta block (sessions gone, sessions changed,
// sessions new with their keys, then bounds and aggregates of the latter two, column by column). A page
// whose blocks have grown to more than twice of a full copy gets a full copy instead. A session keeps its
// slot over a restart.
//
//     tag m                     progress: through which watermark sessions have been closed
//     tag f place               a clock whose sessions were closed ahead of it
//     tag s page number         a block of a page; all, in order, are its sessions

import WeirCore
import WeirStore

extension SessionOperator {
    /// Blocks of a page may exceed twice its size by this much before they are replaced.
    private static let blockBytesSlack = 16 << 10
    private static let blockTag: UInt8 = 0x73

    private func blockKey(_ page: Int, _ number: UInt32) -> [UInt8] {
        [keyspace.tag, Self.blockTag] + withUnsafeBytes(of: UInt32(page).bigEndian) { Array($0) }
            + withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    func checkpoint(into writer: any StateWriter) {
        spill.checkpoint(into: writer)
        evictIfNeeded(into: writer)
        for page in store.pages.takeChanged() { save(page, into: writer) }
        keyed?.checkpoint(into: writer, keyspace)
        var progress = ByteWriter()
        progress.write(closedThrough)
        if progress.bytes != savedProgress {
            progress.bytes.withUnsafeBytes { writer.put(keyspace.progress, $0) }
            savedProgress = progress.bytes
        }
        noteCommit()
        next.checkpoint(into: writer)
    }

    private func save(_ page: Int, into writer: any StateWriter) {
        let sessions = store.sessions.base
        // The list may name a slot twice that was given to another session since.
        var known: [Int32] = []
        var new: [Int32] = []
        for slot in store.pages.pages[page].dirty where sessions[Int(slot)].isDirty {
            sessions[Int(slot)].isDirty = false
            if sessions[Int(slot)].isNamed { known.append(slot) } else { new.append(slot) }
            sessions[Int(slot)].isNamed = true
        }
        let removed = store.pages.pages[page].removed
        store.pages.pages[page].dirty.removeAll(keepingCapacity: true)
        store.pages.pages[page].removed.removeAll(keepingCapacity: true)
        guard !(removed.isEmpty && known.isEmpty && new.isEmpty) else { return }
        let charged = store.pages.pages[page].chargedBytes
        if charged > 0 {
            let block = encode(removed, known, new)
            let total = store.pages.pages[page].blockBytes + block.count
            if total <= 2 * charged + Self.blockBytesSlack {
                append(block, to: page, into: writer)
                return
            }
        }
        for number in store.pages.pages[page].blocks { writer.delete(blockKey(page, number)) }
        let end = store.pages.pages[page].blocks.upperBound
        store.pages.pages[page].blocks = end..<end
        store.pages.pages[page].blockBytes = 0
        let first = page * SessionPages.slotsEach
        let all = (first..<min(first + SessionPages.slotsEach, store.slotCount))
            .filter { sessions[$0].isLive }.map { Int32($0) }
        if all.isEmpty { return }
        all.withUnsafeBufferPointer { slots in
            for accumulator in store.accumulators { accumulator.forgetSaved(slots) }
        }
        append(encode([], [], all), to: page, into: writer)
    }

    private func append(_ block: ByteWriter, to page: Int, into writer: any StateWriter) {
        let number = store.pages.pages[page].blocks.upperBound
        block.bytes.withUnsafeBytes { writer.put(blockKey(page, number), $0) }
        store.pages.noteBlock(page, number, bytes: block.count)
    }

    private func encode(_ removed: [Int32], _ known: [Int32], _ new: [Int32]) -> ByteWriter {
        let sessions = store.sessions.base
        var block = ByteWriter(reserving: 64 + (known.count + new.count) * 64)
        for list in [removed, known, new] {
            block.write(UInt32(list.count))
            block.writePacked(count: list.count) { Int64(list[$0]) }
        }
        let keys = new.map { store.keys.key(sessions[Int($0)].key) }
        block.writePacked(count: keys.count) { Int64(keys[$0].count) }
        for key in keys { block.write(UnsafeRawBufferPointer(key)) }
        let written = known + new
        block.writePacked(count: written.count) { sessions[Int(written[$0])].start }
        block.writePacked(count: written.count) { index in
            let session = sessions[Int(written[index])]
            return session.end - session.start
        }
        written.withUnsafeBufferPointer { slots in
            for accumulator in store.accumulators { accumulator.saveChanges(slots, into: &block) }
        }
        return block
    }
}

// MARK: Recovery

extension SessionOperator {
    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {
        let start = [keyspace.tag, Self.blockTag]
        try reader.scan(start, [keyspace.tag, Self.blockTag + 1]) { key, value throws(Failure) in
            guard key.count == 10 else { throw ByteReader.damaged }
            let page = Int(
                UInt32(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: UInt32.self)))
            let number = UInt32(bigEndian: key.loadUnaligned(fromByteOffset: 6, as: UInt32.self))
            var block = ByteReader(value)
            try replay(&block)
            guard block.isAtEnd else { throw ByteReader.damaged }
            store.pages.noteBlock(page, number, bytes: value.count)
            return true
        }
        store.finishRestoring()
        if let saved = try reader.get(keyspace.progress) {
            closedThrough = try saved.withBytes { (bytes) throws(Failure) -> Int64 in
                var progress = ByteReader(bytes)
                return try progress.read()
            }
            savedProgress = saved
        }
        if let keyed, let keyClocks = clocks.keyClocks {
            keyed.follow(keyClocks)
            try keyed.restoreClocks(keyClocks, pending, times, keyspace, reader)
            for slot in 0..<Int32(store.slotCount) where store.sessions.base[Int(slot)].isLive {
                let session = store.sessions.base[Int(slot)]
                let key = store.encoder.firstColumnKey(store.keys.key(session.key))
                guard let place = keyClocks.place(of: key) else { throw ByteReader.damaged }
                keyed.link(slot, to: place, capacity: store.sessions.capacity)
                keyed.nextDue[Int(place)] = min(keyed.nextDue[Int(place)], session.end - 1)
            }
        }
        try spill.restore(from: reader) { (place, end) throws(Failure) in
            guard let keyed else { return }
            guard keyed.nextDue.indices.contains(Int(place)) else { throw ByteReader.damaged }
            keyed.nextDue[Int(place)] = min(keyed.nextDue[Int(place)], end - 1)
        }
        try next.restore(from: reader, clocks: clocks, pending: pending)
    }

    private func replay(_ block: inout ByteReader) throws(Failure) {
        let removed = try readSlots(&block)
        let known = try readSlots(&block)
        let new = try readSlots(&block)
        let keys = try GroupStore.readKeys(count: new.count, from: &block)
        let written = known + new
        var starts: [Int64] = []
        var lengths: [Int64] = []
        try block.readPacked(count: written.count) { starts.append($1) }
        try block.readPacked(count: written.count) { lengths.append($1) }
        for slot in removed {
            guard isLive(slot) else { throw ByteReader.damaged }
            store.amend(slot, bounds: nil)
        }
        for (index, slot) in known.enumerated() {
            guard isLive(slot) else { throw ByteReader.damaged }
            store.amend(slot, bounds: (starts[index], starts[index] + lengths[index]))
        }
        for (index, slot) in new.enumerated() {
            guard !isLive(slot) else { throw ByteReader.damaged }
            let at = known.count + index
            store.restore(slot, key: keys[index], start: starts[at], end: starts[at] + lengths[at])
        }
        new.withUnsafeBufferPointer { fresh in
            for accumulator in store.accumulators { accumulator.clear(fresh) }
        }
        try written.withUnsafeBufferPointer { (slots) throws(Failure) in
            for accumulator in store.accumulators {
                try accumulator.loadChanges(slots, from: &block)
            }
        }
    }

    private func isLive(_ slot: Int32) -> Bool {
        Int(slot) < store.slotCount && store.sessions.base[Int(slot)].isLive
    }

    private func readSlots(_ block: inout ByteReader) throws(Failure) -> [Int32] {
        let count = try block.readCount()
        var slots: [Int32] = []
        var isSound = true
        try block.readPacked(count: count) { _, slot in
            isSound = isSound && (0..<1 << 30).contains(slot)
            slots.append(Int32(truncatingIfNeeded: slot))
        }
        guard isSound else { throw ByteReader.damaged }
        return slots
    }
}
