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
// first. What has been corrected is remembered, durably, until the window's allowance is over.

import WeirCore
import WeirSQL
import WeirStore

/// What is known of windows that late rows have changed.
final class WindowRevisions {
    /// How long after its end a window takes rows, ms.
    let allowance: Int64

    /// One key of one window.
    struct Place: Hashable {
        let end: Int64
        let key: [UInt8]
    }

    /// What has been emitted last, and whether that is out of date.
    struct State: Equatable {
        /// -1: nothing yet.
        var revision: Int32
        var isPending: Bool
    }

    fileprivate(set) var states: [Place: State] = [:]
    /// Those of `states` that are to be emitted.
    fileprivate var pending: Set<Place> = []
    /// The watermark at which the first of `pending` was noted.
    fileprivate(set) var notedAt = Watermark.none
    fileprivate var changed: Set<Place> = []

    init(allowance: Int64) { self.allowance = allowance }

    /// The watermark at which corrections are emitted; Int64.max when there are none.
    var due: Int64 { pending.isEmpty ? .max : notedAt + 1 }
    var memoryBytes: Int { states.keys.reduce(0) { $0 + $1.key.count + 96 } }

    /// The greatest time that is over for good at a watermark.
    func closed(at mark: Int64) -> Int64 {
        mark == Watermark.none || mark == Watermark.end ? mark : mark - allowance
    }

    fileprivate func note(_ place: Place, at mark: Int64, wasEmitted: () throws(Failure) -> Bool)
        throws(Failure)
    {
        if pending.contains(place) { return }
        if pending.isEmpty { notedAt = mark }
        let revision =
            if let known = states[place]?.revision { known } else {
                try wasEmitted() ? Int32(0) : -1
            }
        states[place] = State(revision: revision, isPending: true)
        pending.insert(place)
        changed.insert(place)
    }

    /// What is to be emitted, in order.
    fileprivate var inOrder: [Place] {
        pending.sorted { a, b in
            a.end != b.end ? a.end < b.end : a.key.lexicographicallyPrecedes(b.key)
        }
    }

    /// `place` is emitted now, as the revision that comes back.
    fileprivate func take(_ place: Place) -> Int64 {
        guard pending.remove(place) != nil, let state = states[place] else {
            preconditionFailure("a correction that was not noted")
        }
        states[place] = State(revision: state.revision + 1, isPending: false)
        changed.insert(place)
        return Int64(state.revision + 1)
    }

    /// Forgets windows that take no rows any more.
    fileprivate func forget(through mark: Int64) {
        for place in states.keys where place.end - 1 + allowance <= mark {
            precondition(!pending.contains(place), "a correction is emitted before its window goes")
            states[place] = nil
            changed.insert(place)
        }
    }
}

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

// MARK: Durable state

extension WindowRevisions {
    func checkpoint(_ keyspace: WindowKeyspace, into writer: any StateWriter) {
        for place in changed.sorted(by: { ($0.end, $0.key.count) < ($1.end, $1.key.count) }) {
            let key = keyspace.revision(place.end, place.key)
            guard let state = states[place] else {
                writer.delete(key)
                continue
            }
            var value = ByteWriter()
            value.write(state.revision)
            value.write(UInt8(state.isPending ? 1 : 0))
            value.write(notedAt)
            value.bytes.withUnsafeBytes { writer.put(key, $0) }
        }
        changed.removeAll()
    }

    func restore(_ keyspace: WindowKeyspace, from reader: any StateReader) throws(Failure) {
        let (start, end) = keyspace.allRevisions
        try reader.scan(start, end) { key, value throws(Failure) in
            guard let (end, suffix) = keyspace.parseRevision(key) else { throw ByteReader.damaged }
            var bytes = ByteReader(value)
            let place = Place(end: end, key: suffix)
            let revision: Int32 = try bytes.read()
            let isPending = try bytes.read(UInt8.self) == 1
            states[place] = State(revision: revision, isPending: isPending)
            // All that are pending were noted at one watermark, or above the first one's.
            let noted: Int64 = try bytes.read()
            if isPending {
                pending.insert(place)
                notedAt = noted
            }
            return true
        }
    }
}
