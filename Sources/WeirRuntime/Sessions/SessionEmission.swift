// Emitting the sessions that are over, in the order of (end, key): those in memory, which were put into
// order, and those that have left it, which lie in that order, merged. It goes on piece by piece, so that
// any number of sessions may be over at once.

import WeirCore

extension SessionOperator {
    /// Result rows handed on at a time.
    private static let resultRowsMax = 4096
    /// Keys of sessions that came back and are gone, while others come back.
    private static let unusedKeysMax = 65_536

    /// Emits all sessions that are over at `mark` (combined clock). False when a commit must come first.
    func fire(through mark: Int64) throws(Failure) -> Bool {
        closedThrough = max(closedThrough, mark)
        if due.isEmpty { due = store.takeDue(closedThrough) }
        var spilled: DueSessions?
        if spill.nextEnd < .max, spill.nextEnd - 1 <= closedThrough {
            spilled = try spill.due(0, from: spill.nextEnd, through: closedThrough)
        }
        let isThrough = try emitDue(spilled, canStop: true)
        if let spilled { spill.nextEnd = spilled.end }
        return isThrough
    }

    /// Follows the keys' clocks: emits what is over, clock by clock. False when a commit must come
    /// first; the clocks followed so far have then nothing left.
    func advanceKeyed(_ moves: KeyMoves) throws(Failure) -> Bool {
        guard let keyed else { preconditionFailure("no clocks to follow") }
        keyed.follow(moves.clocks)
        for (place, watermark) in zip(moves.places, moves.after) {
            let mark = times.mark(watermark)
            if mark == Watermark.none {
                keyed.setFired(place, Watermark.none, isAhead: false)
                continue
            }
            if mark != Watermark.end, mark >= keyed.fired[Int(place)], keyed.ahead.contains(place) {
                keyed.setFired(place, mark, isAhead: false)
            }
            guard mark >= keyed.nextDue[Int(place)], keyed.nextDue[Int(place)] < .max else {
                continue
            }
            if emittedSinceCommit >= emittedRowsMax || spill.isCommitDue { return false }
            try closeSessions(of: place, through: mark, keyed)
        }
        return true
    }

    private func closeSessions(
        of place: Int32, through mark: Int64, _ keyed: KeyedWindows
    ) throws(Failure) {
        let spilled = try spill.due(place, from: keyed.nextDue[Int(place)] + 1, through: mark)
        var nextDue = Int64.max
        keyed.filterSlots(of: place) { slot in
            let end = store.sessions.base[Int(slot)].end
            if end - 1 > mark {
                nextDue = min(nextDue, end - 1)
                return true
            }
            due.append(slot)
            return false
        }
        keyed.nextDue[Int(place)] = nextDue
        store.sort(&due)
        let isAny = !due.isEmpty || spilled?.isValid == true
        lastEnd = .min
        _ = try emitDue(spilled, canStop: false)
        if let spilled, spilled.end < .max {
            keyed.nextDue[Int(place)] = min(keyed.nextDue[Int(place)], spilled.end - 1)
        }
        if mark == Watermark.end, isAny {
            // The key is idle, or the input has ended: sessions close although the clock has not come
            // so far.
            keyed.setFired(place, max(keyed.fired[Int(place)], lastEnd - 1), isAhead: true)
        }
    }

    /// Emits what is due in memory, and `spilled` between it. False when a commit must come before more.
    private func emitDue(_ spilled: DueSessions?, canStop: Bool) throws(Failure) -> Bool {
        while dueTaken < due.count || spilled?.isValid == true {
            let room = canStop ? emittedRowsMax - emittedSinceCommit : .max
            if canStop, room <= 0 || spill.isCommitDue { return false }
            var piece: [Int32] = []
            while piece.count < min(room, Self.resultRowsMax), let slot = try takeNext(spilled) {
                piece.append(slot)
            }
            try emit(piece)
            // Those that came back brought their keys.
            if spilled != nil { store.forgetUnusedKeys(beyond: Self.unusedKeysMax) }
        }
        due.removeAll(keepingCapacity: true)
        dueTaken = 0
        return true
    }

    /// The next session that is over; nil when there is none.
    private func takeNext(_ spilled: DueSessions?) throws(Failure) -> Int32? {
        if let spilled, spilled.isValid, !isMemoryFirst(spilled) {
            let slot = try takeBack(spilled)
            try spilled.advance()
            return slot
        }
        guard dueTaken < due.count else { return nil }
        defer { dueTaken += 1 }
        return due[dueTaken]
    }

    private func isMemoryFirst(_ spilled: DueSessions) -> Bool {
        guard dueTaken < due.count else { return false }
        let session = store.sessions.base[Int(due[dueTaken])]
        if session.end != spilled.end { return session.end < spilled.end }
        return KeyBytes.compare(store.keys.key(session.key), spilled.key) < 0
    }

    /// Emits sessions and closes them.
    private func emit(_ slots: [Int32]) throws(Failure) {
        var groups = MergedGroups()
        var windows: [WindowBounds] = []
        groups.slots = slots
        for slot in slots {
            let session = store.sessions.base[Int(slot)]
            groups.keys.append(store.keys.key(session.key))
            windows.append(
                WindowBounds(
                    start: session.start, end: session.end,
                    time: times.windowTime(endingAt: session.end)))
            lastEnd = session.end
        }
        results.append(groups, windows: windows)
        for slot in slots {
            store.close(slot)
            store.recycle(slot)
        }
        emittedSinceCommit += slots.count
        if results.rowCount >= Self.resultRowsMax { try sendResults() }
    }

    /// Hands on what has been emitted.
    func sendResults() throws(Failure) {
        guard let batch = results.take() else { return }
        let trace = ClockTrace(watermarks: nil, watermarkAfter: Watermark.none, keys: nil)
        _ = try next.process(
            RowRun(batch: batch, origins: nil, sourceRows: 0..<0, trace: trace, outcomes: nil))
    }
}
