// Emitting windows that are due, in the order of their ends and, within a window, of their keys. A
// window of any size is emitted piece by piece; when enough has been emitted since the last commit,
// the firing stops and waits for one, remembering the key emitted last.

import WeirCore
import WeirStore

extension WindowAggregateOperator {
    /// Result rows handed on at a time.
    private static let resultRowsMax = 4096

    /// Emits all windows due at `watermark`: of the clock in place `clock`, or, if nil, of all
    /// groups. False when a commit must come first; then `unfinished` says how to go on.
    func fire(through watermark: Int64, clock: Int32?) throws(Failure) -> Bool {
        if let revisions, unfinished == nil {
            guard try emitCorrections(revisions, below: watermark) else { return false }
            findNextDue(revisions)
        }
        while true {
            let due = dueTime(clock)
            guard due < .max, due <= watermark else { break }
            guard try emitWindow(endingAt: due + 1, target: watermark, clock) else { return false }
            settle(due, target: watermark, clock)
        }
        if let clock, let keyed {
            if watermark != Watermark.end, keyed.fired[Int(clock)] < watermark {
                keyed.setFired(clock, watermark, isAhead: false)
            }
        } else {
            firedWatermark = max(firedWatermark, watermark)
        }
        if let revisions {
            expire(revisions, through: watermark)
            findNextDue(revisions)
        }
        return true
    }

    /// When the next window is due; a window under way comes first, even if nothing is left of it.
    private func dueTime(_ clock: Int32?) -> Int64 {
        if let unfinished { return unfinished.windowEnd - 1 }
        if revisions != nil { return windowDue }
        return if let clock, let keyed { keyed.nextDue[Int(clock)] } else { nextDue }
    }

    /// The window due at `due` has been emitted: forgets what no later window needs.
    private func settle(_ due: Int64, target: Int64, _ clock: Int32?) {
        if let clock, let keyed {
            // At the end, and for an idle key, windows close although the clock has not come so
            // far.
            keyed.setFired(clock, due, isAhead: target == Watermark.end)
            settleKeyed(clock)
            return
        }
        firedWatermark = due
        if let revisions {
            findNextDue(revisions)
            return
        }
        while let pane = store.panes.first, pane.table.pointee.lateAt <= due { store.drop(pane) }
        findNextDue()
    }

    /// Finds when the next window is due (combined clock).
    func findNextDue() {
        if let revisions {
            findNextDue(revisions)
            return
        }
        nextDue = .max
        if let pane = store.panes.first,
            let end = geometry.firstWindowEnd(covering: pane.start, after: firedWatermark)
        {
            nextDue = end - 1
        }
    }

    /// Emits one window, or what is left of it. False when a commit must come first.
    private func emitWindow(
        endingAt end: Int64, target: Int64, _ clock: Int32?
    ) throws(Failure) -> Bool {
        precondition(unfinished == nil || unfinished?.windowEnd == end, "another window was begun")
        let merge =
            if let begun = unfinished?.merge { begun } else {
                try makeMerge(endingAt: end, clock, after: unfinished?.lastKey)
            }
        var lastKey = unfinished?.lastKey
        let bounds = WindowBounds(
            start: geometry.windowStart(endingAt: end), end: end,
            time: times.windowTime(endingAt: end))
        unfinished = nil
        while true {
            let room = emittedRowsMax - emittedSinceCommit
            if room <= 0 {
                unfinished = UnfinishedFiring(
                    target: target, clock: clock, windowEnd: end, merge: merge, lastKey: lastKey)
                return false
            }
            let groups = try merge.next(min(room, Self.resultRowsMax))
            guard let last = groups.keys.last else { break }
            if groups.keys.count == room { lastKey = Array(last) }
            results.append(groups, bounds)
            if let clock { resultPlaces += [Int32](repeating: clock, count: groups.keys.count) }
            emittedSinceCommit += groups.keys.count
            if results.rowCount >= Self.resultRowsMax { try sendResults() }
        }
        merge.finish()
        return true
    }

    private func makeMerge(
        endingAt end: Int64, _ clock: Int32?, after lastKey: [UInt8]?
    ) throws(Failure) -> any WindowMerge {
        let start = geometry.windowStart(endingAt: end)
        let first = store.paneIndex(atOrAfter: start)
        let panes = store.panes[first..<store.paneIndex(atOrAfter: end)]
        var parts: [[Int32]]
        var prefix: [UInt8] = []
        if let clock, let keyed {
            if !store.hasSpilledPanes {
                return MemoryMerge(partsOfClock(clock, start..<end), store, scratch, after: lastKey)
            }
            parts = panes.map { pane in partsOfClock(clock, pane.start..<pane.start + 1).first ?? []
            }
            prefix = store.encoder.prefix(firstColumnKey: keyed.clocks?.key(at: clock) ?? [])
        } else {
            parts = panes.map(\.slots)
        }
        if !store.hasSpilledPanes || panes.allSatisfy({ $0.runs.isEmpty }) {
            parts.removeAll { $0.isEmpty }
            return MemoryMerge(parts, store, scratch, after: lastKey)
        }
        guard let reader else { preconditionFailure("spilled state without a reader") }
        return try SpilledMerge(
            panes: Array(panes), parts: parts, prefix: prefix,
            isLastWindow: { self.geometry.lastWindowEnd(covering: $0.start) == end }, store: store,
            scratch: scratch, keyspace: keyspace, reader: reader, after: lastKey)
    }

    /// The slots of a clock's groups in panes that start in `range`, pane by pane.
    private func partsOfClock(_ clock: Int32, _ range: Range<Int64>) -> [[Int32]] {
        var slots: [Int32] = []
        let paneOf = store.paneOf.base
        var isOnePane = true
        keyed?.forEachSlot(of: clock) { slot in
            guard range.contains(paneOf[Int(slot)]) else { return }
            if let last = slots.last, paneOf[Int(last)] != paneOf[Int(slot)] { isOnePane = false }
            slots.append(slot)
        }
        if isOnePane { return slots.isEmpty ? [] : [slots] }
        slots.sort { (paneOf[Int($0)], $0) < (paneOf[Int($1)], $1) }
        return slots.split { paneOf[Int($0)] != paneOf[Int($1)] }
    }
}

extension Array {
    /// The array cut between each two neighbours for which `isCut` is true.
    fileprivate func split(_ isCut: (Element, Element) -> Bool) -> [[Element]] {
        var parts: [[Element]] = []
        for element in self {
            if let last = parts.last?.last, !isCut(last, element) {
                parts[parts.count - 1].append(element)
            } else {
                parts.append([element])
            }
        }
        return parts
    }
}
