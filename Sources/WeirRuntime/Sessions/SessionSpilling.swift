// Which open sessions leave memory, and how they come back.
//
// When sessions take more than the budget, a commit is asked for; with it the sessions leave that end
// first, being the longest silent, a quarter of the budget at a time. They come back when a row of their
// key comes, before it is added, or when they are over, to be emitted.

import WeirCore
import WeirStore

extension SessionOperator {
    private var heldBytes: Int { store.chargedBytes + store.variableBytes }

    /// Whether sessions have to leave memory, and can.
    var isTooLarge: Bool {
        heldBytes > memoryBudgetBytes && store.liveCount > 0 && canSpill
    }

    /// A key of no columns has one session at a time, which every row would take back.
    private var canSpill: Bool { spill.reader != nil && !store.encoder.types.isEmpty }

    /// Lets sessions leave memory as part of a commit, if they take too much.
    func evictIfNeeded(into writer: any StateWriter) {
        // What is due is on its way out in any case.
        guard due.isEmpty, isTooLarge else { return }
        let target = memoryBudgetBytes / 4 * 3
        var slots: [Int32] = []
        var held = heldBytes
        while held > target, store.liveCount > 0 {
            let parts = max(1, held / (held - target))
            slots += evict(max(1, store.liveCount / parts), endingBy: store.earlyEnd(parts), writer)
            held = heldBytes
        }
        if let keyed {
            keyed.unlink(slots)
            for slot in slots { store.recycle(slot) }
        } else {
            store.purgeBuckets()
        }
        store.forgetUnusedKeys(beyond: 0)
    }

    /// Writes at least `count` sessions that end at or before `end`, if there are so many, with all
    /// others of their keys.
    private func evict(
        _ count: Int, endingBy end: Int64, _ writer: any StateWriter
    ) -> [Int32] {
        var gone: [Int32] = []
        for slot in 0..<store.slotCount where gone.count < count {
            let session = store.sessions.base[slot]
            if session.isLive, session.end <= end { write(session.key, into: writer, &gone) }
        }
        return gone
    }

    private func write(_ number: Int32, into writer: any StateWriter, _ gone: inout [Int32]) {
        let key = store.keys.key(number)
        var slots: [Int32] = []
        var slot = store.head(number)
        while slot >= 0 {
            slots.append(slot)
            slot = store.sessions.base[Int(slot)].next
        }
        var (ends, states): ([Int64], [ByteWriter]) = ([], [])
        for slot in slots {
            let session = store.sessions.base[Int(slot)]
            var state = ByteWriter(reserving: 64)
            state.write(UInt8(slots.count == 1 ? 1 : 0))
            state.write(session.start)
            withUnsafePointer(to: slot) { slot in
                let one = UnsafeBufferPointer(start: slot, count: 1)
                for accumulator in store.accumulators { accumulator.save(one, into: &state) }
            }
            ends.append(session.end)
            states.append(state)
        }
        spill.write(key, place: place(of: key), ends: ends, states, into: writer)
        for slot in slots { store.close(slot) }
        gone += slots
    }

    /// The place of a key's clock, 0 with the combined one.
    private func place(of key: UnsafeBufferPointer<UInt8>) -> Int32 {
        guard let keyed else { return 0 }
        guard let place = keyed.clocks?.place(of: store.encoder.firstColumnKey(key)) else {
            preconditionFailure("an open session without a clock")
        }
        return place
    }

    // MARK: Coming back

    /// Takes back the sessions of the keys of `run`. What is looked up lies side by side in RocksDB, first
    /// by key, then by end, so that neighbours come out of one block.
    func takeBack(_ run: RowRun) throws(Failure) {
        if let keyed, let moves = run.trace.keys { keyed.follow(moves.clocks) }
        try spill.renewFilter()
        var numbers: Set<Int32> = []
        for row in 0..<run.batch.rowCount {
            let number = rows.numbers.base[row]
            if store.head(number) < 0, spill.mayHold(store.keys.key(number)) {
                numbers.insert(number)
            }
        }
        var found: [(number: Int32, place: Int32, end: Int64)] = []
        for number in numbers.sorted(by: isBefore) {
            let key = store.keys.key(number)
            let ends = try spill.ends(key)
            if ends.isEmpty { continue }
            let place = place(of: key)
            for end in ends { found.append((number, place, end)) }
        }
        found.sort { a, b in
            if a.place != b.place { return a.place < b.place }
            return a.end != b.end ? a.end < b.end : isBefore(a.number, b.number)
        }
        for one in found { try takeBack(one.number, one.place, one.end, isOver: false) }
    }

    private func isBefore(_ one: Int32, _ other: Int32) -> Bool {
        KeyBytes.compare(store.keys.key(one), store.keys.key(other)) < 0
    }

    /// Takes back the session that `spilled` is at, and others of its key; returns its slot.
    func takeBack(_ spilled: DueSessions) throws(Failure) -> Int32 {
        let end = spilled.end
        guard var state = try spilled.onlyState() else {
            let number = intern(spilled.key)
            try takeBack(number, dueAt: spilled)
            // It is the first of those that are due.
            guard dueTaken < due.count, store.sessions.base[Int(due[dueTaken])].end == end else {
                throw ByteReader.damaged
            }
            defer { dueTaken += 1 }
            return due[dueTaken]
        }
        let slot = try open(intern(spilled.key), end: end, &state, isOver: true)
        spilled.noteTaken()
        return slot
    }

    private func intern(_ key: UnsafeBufferPointer<UInt8>) -> Int32 {
        let number = store.keys.intern(key)
        store.coverKeys()
        return number
    }

    /// Takes back all sessions of a key while those that are over are being emitted.
    private func takeBack(_ number: Int32, dueAt spilled: DueSessions) throws(Failure) {
        for end in try spill.ends(store.keys.key(number)) {
            try takeBack(number, spilled.place, end, isOver: spilled.isOver(end))
        }
    }

    /// Takes back one session; if it is over, it joins those that are due.
    private func takeBack(
        _ number: Int32, _ place: Int32, _ end: Int64, isOver: Bool
    ) throws(Failure) {
        try spill.take(store.keys.key(number), place: place, end: end) { (state) throws(Failure) in
            let slot = try open(number, end: end, &state, isOver: isOver)
            if isOver {
                insertDue(slot)
            } else if let keyed {
                keyed.link(slot, to: place, capacity: store.sessions.capacity)
                keyed.nextDue[Int(place)] = min(keyed.nextDue[Int(place)], end - 1)
            }
        }
    }

    private func open(
        _ number: Int32, end: Int64, _ state: inout ByteReader, isOver: Bool
    ) throws(Failure) -> Int32 {
        let slot = store.open(number, start: try state.read(), end: end, isOver: isOver)
        try withUnsafePointer(to: slot) { (slot) throws(Failure) in
            let one = UnsafeBufferPointer(start: slot, count: 1)
            for accumulator in store.accumulators {
                try accumulator.load(one, from: &state)
                accumulator.forgetSaved(one)
            }
        }
        guard state.isAtEnd else { throw ByteReader.damaged }
        return slot
    }

    /// Puts a session in its place among those that are yet to be emitted.
    private func insertDue(_ slot: Int32) {
        var rest = Array(due[dueTaken...])
        rest.append(slot)
        store.sort(&rest)
        due = rest
        dueTaken = 0
    }
}
