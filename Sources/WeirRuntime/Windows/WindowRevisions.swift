// Corrections (`allowed_lateness`): a window that has been emitted stays for a while and still takes rows;
// what changes of it is emitted again, with a higher revision.
//
// When a correction comes must follow from the rows alone (promise P1). It is noted when the late row comes,
// and emitted when the watermark next advances, before the windows that are due then: the watermark before
// each row is known wherever batches are cut, so a correction stands between the same two rows always, and
// all late rows that came at one watermark make one correction of a window and key. Corrections go out in
// the order of (window end, key).
//
// A window of key k is first emitted as revision 0, be it when it closes or by a late row that is its
// first. What has been corrected is remembered, durably, until the window's allowance is over (RevisionTable).

import WeirCore
import WeirSQL
import WeirStore

// MARK: Rows

extension WindowAggregateOperator {
    /// As `addRows`, with late rows for windows that have been emitted.
    func addRevisingRows(_ run: RowRun, _ revisions: WindowRevisions) throws(Failure) -> Int? {
        let marks = run.trace.watermarks.map { self.times.marks(of: $0) }
        var filled = 0
        for row in 0..<run.batch.rowCount {
            let mark = if let marks { marks[run.origin(row)] } else { firedWatermark }
            if mark >= nextDue {
                rows.apply(filled, to: store.accumulators, run)
                filled = 0
                guard try fire(through: mark, clock: nil) else { return run.origin(row) }
            }
            let start = geometry.paneStart(of: rows.times[row])
            if geometry.lastWindowEnd(covering: start) <= start { continue }
            guard let first = geometry.firstWindowEnd(covering: start, after: revisions.closed(at: mark))
            else {
                rows.noteLate(row)
                continue
            }
            let number = rows.numbers.base[row]
            if first - 1 <= mark {
                // Nothing was due since the last firing, or it would have been emitted just now.
                firedWatermark = max(firedWatermark, mark)
                try noteCorrections(of: number, from: first, pane: start, mark, revisions)
            }
            rows.collectedRows.base[filled] = Int32(truncatingIfNeeded: row)
            rows.collectedSlots.base[filled] = group(number, start)
            filled += 1
            nextDue = min(nextDue, revisions.due, dueTime(ofPane: start, mark, revisions))
            if store.chargedBytes > memoryBudgetBytes || (store.hasVariableSizes && isSizeCheckDue()) {
                rows.apply(filled, to: store.accumulators, run)
                filled = 0
                try spillIfNeeded()
            }
        }
        rows.apply(filled, to: store.accumulators, run)
        return nil
    }

    /// The slot of a key's group in a pane.
    private func group(_ number: Int32, _ start: Int64) -> Int32 {
        let pane = store.makePane(start)
        let entry = pane.table.pointee.place(of: number, keyOf: store.keyOf.base)
        let slot = pane.table.pointee.entries[entry] - 1
        if slot < 0 { return addGroup(number, to: start) }
        if store.isDirty.base[Int(slot)] == 0 {
            store.isDirty.base[Int(slot)] = 1
            pane.dirty.append(slot)
        }
        return slot
    }

    /// When something is next to be done for a pane: a window emitted, or the pane forgotten.
    private func dueTime(
        ofPane start: Int64, _ mark: Int64, _ revisions: WindowRevisions
    ) -> Int64 {
        if let end = geometry.firstWindowEnd(covering: start, after: mark) { return end - 1 }
        return geometry.lastWindowEnd(covering: start) - 1 + revisions.allowance
    }

    private func noteCorrections(
        of number: Int32, from first: Int64, pane start: Int64, _ mark: Int64,
        _ revisions: WindowRevisions
    ) throws(Failure) {
        let last = geometry.lastWindowEnd(covering: start)
        let key = Array(store.keys.key(number))
        var end = first
        while end <= last, end - 1 <= mark {
            try revisions.note(.init(end: end, key: key), at: mark) { () throws(Failure) -> Bool in
                let merge = try keyMerge(key, endingAt: end)
                defer { merge.finish() }
                return try merge.next(1).keys.contains { $0.elementsEqual(key) }
            }
            end = geometry.nextWindowEnd(after: end)
        }
    }

    /// One key's groups of a window, put together.
    private func keyMerge(_ key: [UInt8], endingAt end: Int64) throws(Failure) -> any WindowMerge {
        let range = geometry.windowStart(endingAt: end)..<end
        let first = store.paneIndex(atOrAfter: range.lowerBound)
        let panes = Array(store.panes[first..<store.paneIndex(atOrAfter: range.upperBound)])
        let number = key.withUnsafeBufferPointer { store.keys.intern($0) }
        let parts = panes.map { pane -> [Int32] in
            let entry = pane.table.pointee.place(of: number, keyOf: store.keyOf.base)
            let slot = pane.table.pointee.entries[entry] - 1
            return slot < 0 ? [] : [slot]
        }
        if panes.allSatisfy({ $0.runs.isEmpty }) {
            return MemoryMerge(parts.filter { !$0.isEmpty }, store, scratch, after: nil)
        }
        guard let reader else { preconditionFailure("spilled state without a reader") }
        return try SpilledMerge(
            panes: panes, parts: parts, prefix: key, isLastWindow: { _ in false }, store: store,
            scratch: scratch, keyspace: keyspace, reader: reader, after: nil)
    }
}

// MARK: Results

extension WindowAggregateOperator {
    /// Emits the corrections that were noted below `mark`. False when a commit must come first.
    func emitCorrections(_ revisions: WindowRevisions, below mark: Int64) throws(Failure) -> Bool {
        guard revisions.due <= mark else { return true }
        for place in revisions.inOrder {
            if emittedSinceCommit >= emittedRowsMax { return false }
            let merge = try keyMerge(place.key, endingAt: place.end)
            let groups = try merge.next(1)
            precondition(
                groups.keys.first?.elementsEqual(place.key) == true, "a correction of a group that is gone")
            results.append(
                groups,
                WindowBounds(
                    start: geometry.windowStart(endingAt: place.end), end: place.end,
                    time: times.windowTime(endingAt: place.end)),
                revision: revisions.take(place))
            merge.finish()
            emittedSinceCommit += 1
            if results.isFull { try sendResults() }
        }
        return true
    }

    /// All windows due at `mark` have been emitted: forgets those that take no rows any more.
    func expire(_ revisions: WindowRevisions, through mark: Int64) {
        while let pane = store.panes.first, pane.table.pointee.lateAt + revisions.allowance <= mark {
            store.drop(pane)
        }
        revisions.forget(through: mark)
    }

    /// Finds when something is next to be done.
    func findNextDue(_ revisions: WindowRevisions) {
        nextDue = revisions.due
        windowDue = .max
        if let oldest = store.panes.first {
            nextDue = min(nextDue, oldest.table.pointee.lateAt + revisions.allowance)
        }
        for pane in store.panes {
            guard let end = geometry.firstWindowEnd(covering: pane.start, after: firedWatermark)
            else { continue }
            windowDue = end - 1
            break
        }
        nextDue = min(nextDue, windowDue)
    }
}
