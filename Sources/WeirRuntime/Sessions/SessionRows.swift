// Adding rows to sessions: the hot loop, and the same for keys with clocks of their own.

import WeirCore

extension SessionOperator {
    /// Adds the rows of `run`.
    func addRows(_ run: RowRun) {
        let marks = run.trace.watermarks.map { self.times.marks(of: $0) }
        let (times, numbers) = (rows.times, rows.numbers.base)
        let (toRows, toSlots) = (rows.collectedRows.base, rows.collectedSlots.base)
        var filled = 0
        for row in 0..<run.batch.rowCount {
            let mark = if let marks { marks[run.origin(row)] } else { closedThrough }
            let slot = session(numbers[row], times[row], mark, run, &filled)
            guard slot >= 0 else {
                rows.noteLate(row)
                continue
            }
            toRows[filled] = Int32(truncatingIfNeeded: row)
            toSlots[filled] = slot
            filled += 1
        }
        rows.apply(filled, to: store.accumulators, run)
    }

    /// As `addRows`, each row by its key's clock.
    func addKeyedRows(_ run: RowRun) {
        guard let keyed, let moves = run.trace.keys else {
            preconditionFailure("rows without their keys' clocks")
        }
        keyed.follow(moves.clocks)
        var filled = 0
        for row in 0..<run.batch.rowCount {
            let source = run.origin(row)
            let place = moves.places[source]
            let mark = max(times.mark(moves.before[source]), keyed.fired[Int(place)])
            let known = store.liveCount
            let slot = session(rows.numbers.base[row], rows.times[row], mark, run, &filled)
            guard slot >= 0 else {
                rows.noteLate(row)
                continue
            }
            if store.liveCount > known {
                keyed.link(slot, to: place, capacity: store.sessions.capacity)
                keyed.nextDue[Int(place)] = min(
                    keyed.nextDue[Int(place)], store.sessions.base[Int(slot)].end - 1)
            }
            rows.collectedRows.base[filled] = Int32(row)
            rows.collectedSlots.base[filled] = slot
            filled += 1
        }
        rows.apply(filled, to: store.accumulators, run)
    }

    /// The session that a row of key `number` belongs to, prolonged or made for it; -1 when it is late.
    /// `filled` rows have been collected and not yet applied.
    @inline(__always)
    private func session(
        _ number: Int32, _ time: Int64, _ mark: Int64, _ run: RowRun, _ filled: inout Int
    ) -> Int32 {
        let end = time + store.gap
        let sessions = store.sessions.base
        var found: Int32 = -1
        var slot = store.head(number)
        while slot >= 0 {
            let session = sessions[Int(slot)]
            let following = session.next
            if session.end - 1 > mark, session.start <= end, session.end >= time {
                if found < 0 {
                    found = slot
                    if time < session.start { sessions[Int(slot)].start = time }
                    if end > session.end { sessions[Int(slot)].end = end }
                    store.noteChange(slot)
                } else {
                    found = merge(found, slot, run, &filled)
                }
            }
            slot = following
        }
        if found >= 0 { return found }
        if end - 1 <= mark { return -1 }
        found = store.open(number, start: time, end: end)
        rows.noteNew(found)
        return found
    }

    /// Makes one session of two: the later one is added to the earlier one.
    private func merge(
        _ one: Int32, _ other: Int32, _ run: RowRun, _ filled: inout Int
    ) -> Int32 {
        rows.apply(filled, to: store.accumulators, run)
        filled = 0
        let sessions = store.sessions.base
        // `one` has been prolonged by the row: which was first is told by where the other lies.
        let isOtherFirst = sessions[Int(other)].start < sessions[Int(one)].start
        let (kept, gone) = isOtherFirst ? (other, one) : (one, other)
        for accumulator in store.accumulators {
            withUnsafePointer(to: kept) { into in
                withUnsafePointer(to: gone) { from in
                    accumulator.merge(into: into, from: from, count: 1)
                }
            }
        }
        sessions[Int(kept)].start = min(sessions[Int(one)].start, sessions[Int(other)].start)
        sessions[Int(kept)].end = max(sessions[Int(one)].end, sessions[Int(other)].end)
        store.noteChange(kept)
        store.close(gone)
        if let keyed {
            keyed.unlink([gone])
            store.recycle(gone)
        }
        return kept
    }
}
