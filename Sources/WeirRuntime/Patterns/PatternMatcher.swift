// One step of the automaton: a row comes to its key, every partial match goes on or ends, complete ones
// are handed out in the order of their starts, and AFTER MATCH SKIP drops those that may no longer be.
//
// As in Flink: a complete match waits while one is under way that started earlier; of matches with one
// start the first to be complete wins; what is dropped afterwards is dropped among the partial and among
// the complete matches that wait.

import WeirCore
import WeirSQL

/// How much unfinished matches may hold; tests take less.
struct MatchBounds {
    var perKey = PatternLimits.partialMatchesPerKeyMax
    var all = PatternLimits.partialMatchesMax
    var rows = PatternLimits.rowsPerMatchMax
    /// Rows that the matches of all keys need.
    var keptRows = Int.max
}

extension MatchBounds {
    /// Bounds that let matches and their rows have `bytes` of memory; a text is counted as 32 bytes. They
    /// follow from the query alone, and so does what is dropped.
    init(_ pattern: PatternSpec, row: Schema, bytes: Int) {
        let texts = row.fields.count { $0.type.physical == .string || $0.type.physical == .array }
        let rowBytes = 16 + RowWidth(row.fields.map(\.type)).fixedBytes + 32 * texts
        let matchBytes = 64 + 4 * pattern.elements.count
        all = min(all, max(Self.matchesMin, bytes / 2 / matchBytes))
        keptRows = max(Self.rowsMin, bytes / 2 / rowBytes)
    }

    private static let matchesMin = 1_000
    private static let rowsMin = 10_000
}

/// Takes the matches of keys further.
final class PatternMatcher {
    private let pattern: PatternSpec
    private let automaton: PatternAutomaton
    private let rows: PatternRows
    private let pool: MatchPool
    private let conditions: PatternConditions
    private let accumulators: PatternAccumulators
    private let results: MatchResults
    private let bounds: MatchBounds
    /// Partial matches that were dropped because a limit was reached.
    private(set) var droppedCount: UInt64 = 0
    /// Rows that the matches of all keys need.
    @exclusivity(unchecked) private(set) var keptRowCount = 0
    /// Matches whose AFTER MATCH SKIP named a row that they do not have, or their first.
    private(set) var skipErrorCount: UInt64 = 0
    /// What can take the first row of a match, as bits.
    private let openers: UInt64
    /// An empty queue with room, for the next row.
    @exclusivity(unchecked) private var spare = MatchQueue()
    /// Larger arrays would end up with keys that have few matches.
    private static let spareMatchesMax = 8

    /// The row that is being taken.
    private struct Step {
        /// In the rows of all keys.
        let place: Int32
        /// Among the rows of the key.
        let number: Int64
        let time: Int64
        /// The matches before the row.
        var queue = MatchQueue()
        /// Those after it.
        var partial = MatchQueue()
        var complete = MatchQueue()
        /// Whether a match has started with the row.
        var hasOpened = false
    }

    init(
        _ pattern: PatternSpec, _ automaton: PatternAutomaton, _ rows: PatternRows,
        _ pool: MatchPool, _ accumulators: PatternAccumulators, _ results: MatchResults,
        _ bounds: MatchBounds
    ) throws(Failure) {
        self.bounds = bounds
        self.pattern = pattern
        self.automaton = automaton
        self.rows = rows
        self.pool = pool
        self.accumulators = accumulators
        self.results = results
        conditions = try PatternConditions(pattern, automaton, rows, pool, accumulators)
        openers = automaton.takers(from: automaton.start)
    }

    var evaluationErrors: UInt64 { conditions.evaluationErrors + skipErrorCount }

    /// Computes for the rows of a slice what depends on them alone.
    func begin(_ columns: [Column], rowCount: Int) {
        conditions.begin(columns, rowCount: rowCount)
    }

    /// Whether row `row` of the slice can be the first of a match.
    func canOpen(row: Int) -> Bool { !conditions.rulesOut(openers, row: row) }

    /// Takes row `row` of the slice, which lies at `place`. Returns whether a match has started with it.
    func take(_ key: PatternKey, row: Int, place: Int32, time: Int64) -> Bool {
        var step = Step(place: place, number: key.nextRow, time: time)
        // The arrays go round, so that a row needs no new one.
        swap(&step.queue, &key.partial)
        swap(&step.partial, &spare)
        key.append(place)
        keptRowCount += 1
        conditions.next(step.queue, key, row: row, place: place)
        for index in step.queue.matches.indices { advance(index, &step) }
        swap(&key.partial, &step.partial)
        if step.queue.matches.capacity <= Self.spareMatchesMax {
            step.queue.removeAll()
            swap(&spare, &step.queue)
        }
        for match in step.complete.matches { key.complete.push(match) }
        complete(key, time: time)
        if key.partial.matches.count > 1 { enforceLimits(key, time: time) }
        trim(key)
        return step.hasOpened
    }

    // MARK: Edges

    private func advance(_ index: Int, _ step: inout Step) {
        let match = step.queue.matches[index]
        let isEntry = match.id < 0
        var state = isEntry ? automaton.start : pool.state(match.id)
        // The last state found with a TAKE that the row can follow: only the last one of all may take
        // the match itself, those before it copies.
        var taking: Int?
        while true {
            let edges = automaton.states[state]
            if let take = edges.take, holds(take, edges.variable, index) {
                if let earlier = taking { follow(earlier, match, index, reusing: false, &step) }
                taking = state
            }
            guard let proceed = edges.proceed, holds(proceed, nil, index) else { break }
            state = proceed.target
        }
        if let taking { follow(taking, match, index, reusing: !isEntry, &step) }
        if isEntry {
            step.partial.push(match)
        } else if taking == nil {
            release(match)
        }
    }

    /// Maps the row to the variable of `state`.
    private func follow(
        _ state: Int, _ match: QueuedMatch, _ index: Int, reusing: Bool, _ step: inout Step
    ) {
        guard let target = automaton.states[state].take?.target else { return }
        let variable = automaton.states[state].variable
        let id: Int32
        if match.id < 0 {
            id = pool.make(state: target, startTime: step.time)
            accumulators.start(id, from: nil)
            step.hasOpened = true
        } else if reusing {
            id = match.id
            pool.setState(id, target)
        } else {
            id = pool.copy(match.id, state: target)
            accumulators.start(id, from: match.id)
        }
        pool.take(id, variable)
        accumulators.take(id, variable, rows, place: step.place)
        let taken = QueuedMatch(id: id, start: match.id < 0 ? step.number : match.start)
        if target == PatternAutomaton.final {
            step.complete.push(taken)
            return
        }
        step.partial.push(taken)
        if reachesEnd(target, index) {
            let finished = pool.copy(id, state: PatternAutomaton.final)
            accumulators.start(finished, from: nil)
            step.complete.push(QueuedMatch(id: finished, start: taken.start))
        }
    }

    /// Whether what is left of the pattern behind `state` needs no row.
    private func reachesEnd(_ state: Int, _ index: Int) -> Bool {
        var state = state
        while state != PatternAutomaton.final {
            guard let proceed = automaton.states[state].proceed, holds(proceed, nil, index)
            else { return false }
            state = proceed.target
        }
        return true
    }

    private func holds(_ edge: PatternAutomaton.Edge, _ variable: Int?, _ index: Int) -> Bool {
        if let variable, !conditions.holds(variable, index) { return false }
        var left = edge.excluded
        while left != 0 {
            if conditions.holds(left.trailingZeroBitCount, index) { return false }
            left &= left - 1
        }
        return true
    }

    private func release(_ match: QueuedMatch) {
        accumulators.release(match.id)
        pool.release(match.id)
    }

    // MARK: Complete matches

    /// Hands out the complete matches that no earlier one can forestall.
    private func complete(_ key: PatternKey, time: Int64) {
        while let match = key.complete.first, let earliest = key.partial.first,
            match.start <= earliest.start
        {
            _ = key.complete.pop()
            let isSkipped = skipped(by: match)
            key.partial.removeAll(where: { $0.id >= 0 && isSkipped($0) }, release)
            key.complete.removeAll(where: isSkipped, release)
            results.add(match, of: key, time: time)
            release(match)
        }
    }

    /// What AFTER MATCH SKIP drops once `match` is found.
    private func skipped(by match: QueuedMatch) -> (QueuedMatch) -> Bool {
        let toNextRow = { (other: QueuedMatch) in other.start <= match.start }
        let variable: Int
        switch pattern.skip {
        case .toNextRow: return toNextRow
        case .pastLastRow:
            let end = match.start + Int64(pool.rows(match.id, nil).count)
            return { $0.start < end }
        case .toFirst(let index), .toLast(let index): variable = index
        }
        let range = pool.rows(match.id, variable)
        let offset = if case .toFirst = pattern.skip { range.lowerBound } else { range.upperBound - 1 }
        guard !range.isEmpty, offset > 0 else {
            skipErrorCount += 1
            return toNextRow
        }
        return { $0.start < match.start + offset }
    }

    // MARK: Ends

    /// Drops the partial matches of `key` that began at or before `startTime`, because WITHIN has passed.
    func expire(_ key: PatternKey, startedThrough startTime: Int64, time: Int64) {
        guard key.isLive else { return }
        var kept = MatchQueue()
        var hasExpired = false
        for match in key.partial.matches {
            if match.id >= 0, pool.startTime(match.id) <= startTime {
                release(match)
                hasExpired = true
            } else {
                kept.push(match)
            }
        }
        guard hasExpired else { return }
        key.partial = kept
        complete(key, time: time)
        trim(key)
    }

    /// Drops the matches that started first while there are too many or too long ones.
    private func enforceLimits(_ key: PatternKey, time: Int64) {
        let excess = max(
            key.partial.matches.count - 1 - bounds.perKey,
            pool.liveCount - bounds.all)
        var left = excess
        var hasDropped = false
        while let first = key.partial.first, first.id >= 0,
            left > 0 || key.nextRow - first.start > bounds.rows || keptRowCount > bounds.keptRows
        {
            _ = key.partial.pop()
            release(first)
            droppedCount += 1
            left -= 1
            hasDropped = true
            if keptRowCount > bounds.keptRows { trim(key) }
        }
        if hasDropped { complete(key, time: time) }
    }

    /// Forgets the rows that no match of `key` needs.
    private func trim(_ key: PatternKey) {
        let first = min(key.partial.first?.start ?? .max, key.complete.first?.start ?? .max)
        keptRowCount -= key.keptRange.count
        key.drop(before: min(first, key.nextRow)) { block in droppedRow?(block) }
        keptRowCount += key.keptRange.count
    }

    /// A restored key has rows that its matches need.
    func countRows(of key: PatternKey) { keptRowCount += key.keptRange.count }

    /// Is told the saved block of each row that is forgotten.
    @exclusivity(unchecked) var droppedRow: ((Int32) -> Void)?
}
