// Windows when each key of the source has a clock of its own (`watermark_by`) and the query groups
// by that key: a window is due for a key's groups when that key's clock says so, just after the row
// that moved it.
//
// The groups of one clock are chained through their slots. `fired` says through which watermark a
// clock's windows have been emitted; it runs ahead of the clock itself only when a key fell idle
// and its open windows were closed early. That is then durable, so that no window is emitted twice
// when the key comes back: its rows are late for exactly the windows that were closed.

import WeirCore
import WeirStore

/// The clocks' side of a windowed grouping; everything is indexed by the clock's place.
final class KeyedWindows {
    /// All windows due at this watermark have been emitted for the clock's groups.
    var fired: [Int64] = []
    /// The watermark at which the clock's next window is due; Int64.max when there is none.
    var nextDue: [Int64] = []
    /// The first of the clock's groups in memory, -1 for none.
    var firstSlot: [Int32] = []
    /// By slot: the next group of the same clock, and the clock's place.
    let nextSlot = Buffer<Int32>()
    let placeOf = Buffer<Int32>()
    /// Clocks whose windows were closed ahead of the clock, and those of them not yet saved as
    /// such.
    var ahead: Set<Int32> = []
    private var changedAhead: Set<Int32> = []
    /// Whose clocks they are.
    var clocks: KeyClocks?

    /// Makes room for all of the source's clocks.
    func follow(_ clocks: KeyClocks) {
        self.clocks = clocks
        while fired.count < clocks.placeCount {
            fired.append(Watermark.none)
            nextDue.append(.max)
            firstSlot.append(-1)
        }
    }

    /// Chains a new group to its clock.
    func link(_ slot: Int32, to place: Int32, capacity: Int) {
        nextSlot.reserve(capacity)
        placeOf.reserve(capacity)
        nextSlot.base[Int(slot)] = firstSlot[Int(place)]
        placeOf.base[Int(slot)] = place
        firstSlot[Int(place)] = slot
    }

    /// Calls `body` for the slot of each of a clock's groups in memory.
    @inline(__always)
    func forEachSlot(of place: Int32, _ body: (Int32) -> Void) {
        let next = nextSlot.base
        var slot = firstSlot[Int(place)]
        while slot >= 0 {
            let following = next[Int(slot)]
            body(slot)
            slot = following
        }
    }

    /// Takes out of a clock's chain the groups for which `isKept` is false.
    @inline(__always)
    func filterSlots(of place: Int32, _ isKept: (Int32) -> Bool) {
        var (first, last) = (Int32(-1), Int32(-1))
        let next = nextSlot.base
        forEachSlot(of: place) { slot in
            guard isKept(slot) else { return }
            if last < 0 { first = slot } else { next[Int(last)] = slot }
            last = slot
        }
        if last >= 0 { next[Int(last)] = -1 }
        firstSlot[Int(place)] = first
    }

    /// Takes groups that leave memory out of their clocks' chains.
    func unlink(_ gone: [Int32]) {
        var places: Set<Int32> = []
        for slot in gone {
            places.insert(placeOf.base[Int(slot)])
            placeOf.base[Int(slot)] = -1
        }
        for place in places {
            filterSlots(of: place) { placeOf.base[Int($0)] >= 0 }
        }
    }

    /// A clock's windows were closed through `watermark`, whatever the clock says.
    func setFired(_ place: Int32, _ watermark: Int64, isAhead: Bool) {
        fired[Int(place)] = watermark
        if isAhead {
            ahead.insert(place)
            changedAhead.insert(place)
        } else if ahead.remove(place) != nil {
            changedAhead.insert(place)
        }
    }

    /// Saves which clocks' windows were closed ahead of them, as far as that changed since the last time.
    func checkpoint(into writer: any StateWriter, _ keyspace: WindowKeyspace) {
        for place in changedAhead.sorted() {
            if ahead.contains(place) {
                withUnsafeBytes(of: fired[Int(place)].littleEndian) {
                    writer.put(keyspace.ahead(place), $0)
                }
            } else {
                writer.delete(keyspace.ahead(place))
            }
        }
        changedAhead.removeAll()
    }
}

extension WindowAggregateOperator {
    /// As `addRows`, each row by its key's clock.
    func addKeyedRows(_ run: RowRun) throws(Failure) -> Int? {
        guard let keyed, let moves = run.trace.keys else {
            preconditionFailure("rows without their keys' clocks")
        }
        keyed.follow(moves.clocks)
        // Rows out of order mostly alternate between two panes.
        var (current, previous) = (store.noPane, store.noPane)
        var filled = 0
        var row = 0
        for source in run.sourceRows {
            let place = moves.places[source]
            while row < run.batch.rowCount, run.origin(row) == source {
                let mark = max(times.mark(moves.before[source]), keyed.fired[Int(place)])
                let time = rows.times[row]
                if time < current.pointee.start || time >= current.pointee.end {
                    swap(&current, &previous)
                    if time < current.pointee.start || time >= current.pointee.end {
                        current = keyedPane(row, mark) ?? store.noPane
                    }
                }
                if let slot = keyedSlot(row, mark, place, current) {
                    rows.collectedRows.base[filled] = Int32(row)
                    rows.collectedSlots.base[filled] = slot
                    filled += 1
                    if store.chargedBytes > memoryBudgetBytes
                        || (store.hasVariableSizes && isSizeCheckDue())
                    {
                        rows.apply(filled, to: store.accumulators, run)
                        filled = 0
                        (current, previous) = (store.noPane, store.noPane)
                        try spillIfNeeded()
                    }
                }
                row += 1
            }
            let after = times.mark(moves.after[source])
            if after >= keyed.nextDue[Int(place)] {
                rows.apply(filled, to: store.accumulators, run)
                filled = 0
                (current, previous) = (store.noPane, store.noPane)
                guard try fire(through: after, clock: place) else {
                    return source + 1
                }
            }
        }
        rows.apply(filled, to: store.accumulators, run)
        return nil
    }

    /// As `addKeyedRows`, of what windows below have emitted; the trace says whose clock each row went by.
    /// None is late: its time is above all that the clock had reached when these windows were last told.
    func addKeyedResults(_ run: RowRun) throws(Failure) {
        guard let keyed, let moves = run.trace.keys else {
            preconditionFailure("results without their keys' clocks")
        }
        keyed.follow(moves.clocks)
        var filled = 0
        for row in 0..<run.batch.rowCount {
            let place = moves.places[run.origin(row)]
            let start = geometry.paneStart(of: rows.times[row])
            if geometry.lastWindowEnd(covering: start) <= start { continue }
            let pane = store.makePane(start)
            let number = rows.numbers.base[row]
            let entry = pane.table.pointee.place(of: number, keyOf: store.keyOf.base)
            var slot = pane.table.pointee.entries[entry] - 1
            if slot < 0 {
                slot = addGroup(number, to: start)
                keyed.link(slot, to: place, capacity: store.keyOf.capacity)
                let due = geometry.firstWindowEnd(covering: start) - 1
                keyed.nextDue[Int(place)] = min(keyed.nextDue[Int(place)], due)
            } else if store.isDirty.base[Int(slot)] == 0 {
                store.isDirty.base[Int(slot)] = 1
                pane.dirty.append(slot)
            }
            rows.collectedRows.base[filled] = Int32(row)
            rows.collectedSlots.base[filled] = slot
            filled += 1
            if store.chargedBytes > memoryBudgetBytes || (store.hasVariableSizes && isSizeCheckDue()) {
                rows.apply(filled, to: store.accumulators, run)
                filled = 0
                try spillIfNeeded()
            }
        }
        rows.apply(filled, to: store.accumulators, run)
    }

    /// The pane of a row, made if there is none; nil when the row is late or in no window.
    private func keyedPane(_ row: Int, _ mark: Int64) -> UnsafeMutablePointer<PaneTable>? {
        let start = geometry.paneStart(of: rows.times[row])
        let last = geometry.lastWindowEnd(covering: start)
        if last <= start { return nil }
        if last - 1 > mark { return store.makePane(start).table }
        rows.noteLate(row)
        return nil
    }

    /// The slot of a row's group in a pane; nil when the row is late.
    private func keyedSlot(
        _ row: Int, _ mark: Int64, _ place: Int32, _ table: UnsafeMutablePointer<PaneTable>
    ) -> Int32? {
        if table == store.noPane { return nil }
        if table.pointee.lateAt <= mark {
            rows.noteLate(row)
            return nil
        }
        let number = rows.numbers.base[row]
        let entry = table.pointee.place(of: number, keyOf: store.keyOf.base)
        var slot = table.pointee.entries[entry] - 1
        let start = table.pointee.start
        if slot < 0 {
            slot = addGroup(number, to: start)
            keyed?.link(slot, to: place, capacity: store.keyOf.capacity)
            if let keyed, let due = geometry.firstWindowEnd(covering: start, after: mark) {
                keyed.nextDue[Int(place)] = min(keyed.nextDue[Int(place)], due - 1)
            }
        } else if store.isDirty.base[Int(slot)] == 0 {
            store.isDirty.base[Int(slot)] = 1
            store.pane(start)?.dirty.append(slot)
        }
        return slot
    }

    /// Follows the keys' clocks where there are no rows to add. False when a commit must come
    /// first.
    func advanceKeyed(_ moves: KeyMoves, isEnd: Bool) throws(Failure) -> Bool {
        // A window over windows does not close because its key is idle: windows below are still to come.
        let isOverWindows = lateOutput == nil
        guard let keyed else { preconditionFailure("no clocks to follow") }
        keyed.follow(moves.clocks)
        for (place, watermark) in zip(moves.places, moves.after) {
            let after = times.mark(watermark)
            if after == Watermark.end, isOverWindows, !isEnd { continue }
            if after == Watermark.none {
                if isOverWindows { _ = try fire(through: Watermark.end, clock: place) }
                keyed.setFired(place, Watermark.none, isAhead: false)
            } else if after >= keyed.nextDue[Int(place)], keyed.nextDue[Int(place)] < .max {
                guard try fire(through: after, clock: place) else { return false }
            }
        }
        return true
    }

    /// After a window of clock `place` was emitted: forgets groups that no later window needs, and
    /// finds when the next window is due.
    func settleKeyed(_ place: Int32) {
        guard let keyed else { return }
        let fired = keyed.fired[Int(place)]
        var due = Int64.max
        keyed.filterSlots(of: place) { slot in
            let start = store.paneOf.base[Int(slot)]
            if let end = geometry.firstWindowEnd(covering: start, after: fired) {
                due = min(due, end - 1)
                return true
            }
            if let pane = store.pane(start) {
                store.removeGroup(slot, from: pane)
                if pane.isEmpty { store.drop(pane) }
            }
            return false
        }
        if store.hasSpilledPanes {
            // What a spilled pane holds is known only by reading it: count on a group of this
            // clock.
            for pane in store.panes where !pane.runs.isEmpty {
                if pane.isEmpty {
                    store.drop(pane)
                } else if let end = geometry.firstWindowEnd(covering: pane.start, after: fired) {
                    due = min(due, end - 1)
                }
            }
        }
        keyed.nextDue[Int(place)] = due
    }
}
