// The join of two streams that time bounds, of intervals and of windows alike.
//
// Rows come merged in the order of event time. Each looks at the rows of the other side that came
// before it and have its key, then waits for those that come later. A left row at t meets right rows
// from t + lower to t + upper, so it is of use until rows have passed t + upper, its deadline; a right
// row at s, until they have passed s - lower. When rows above its deadline come, or time is said to
// have passed it, a row leaves, and if it must come out without a match (outer joins, NOT EXISTS) it
// does so then. Of two rows with one deadline, the left one leaves first.
//
// Always true: rows of a side leave in the order in which they came, and what comes out is a function
// of the merged order alone.

import WeirCore
import WeirSQL
import WeirStore

/// Joins two inputs.
final class JoinProcessor: OrderedProcessor {
    let kind: JoinSpec.Kind
    /// The left and the right side.
    let sides: [JoinSide]
    let spilled: [SpilledRows]
    let blocks: [JoinBlocks]
    let keys: JoinKeys
    let pairs: JoinPairs
    let memoryBudgetBytes: Int
    let progressKey: [UInt8]
    var savedProgress: [UInt8] = []

    private let lower: Int64
    private let upper: Int64
    private let isRegular: Bool
    /// How long, in ms, a row of a side is kept.
    private let keptFor: [Int64]
    /// Whether rows of a side can meet rows of the other one that came before them.
    private let looksBack: [Bool]
    /// Whether it matters if a row of the side has matched.
    private let isTracked: [Bool]
    /// Without a residual condition, of a semi or anti join only whether there is a match is of interest.
    private let collectsPairs: Bool

    /// - Parameters:
    ///   - inputs: the columns of the left and the right input.
    ///   - stateTag: the first byte of all keys of its state.
    init(
        _ spec: JoinSpec, _ inputs: [Schema], _ schema: Schema, _ options: QueryOptions,
        stateTag: UInt8
    ) throws(Failure) {
        kind = spec.kind
        (lower, upper) = (spec.lower, spec.upper)
        isRegular = spec.stateTTLMilliseconds != nil
        keptFor = [max(0, upper), max(0, -lower)]
        looksBack = [lower <= 0 && lower <= upper, upper >= 0 && lower <= upper]
        isTracked = [
            kind == .left || kind == .full || kind.isOneSided, kind == .right || kind == .full,
        ]
        sides = [
            JoinSide(
                schema: inputs[0], timeColumn: spec.leftTime,
                hasNullRow: kind == .right || kind == .full),
            JoinSide(
                schema: inputs[1], timeColumn: spec.rightTime,
                hasNullRow: kind == .left || kind == .full),
        ]
        spilled = (0..<2).map {
            SpilledRows(schema: inputs[$0], stateTag: stateTag, side: UInt8($0))
        }
        blocks = (0..<2).map { JoinBlocks(stateTag: stateTag, side: UInt8($0)) }
        keys = try JoinKeys(spec.condition, seed: options.hashSeed)
        pairs = try JoinPairs(
            sides, schema: schema, isOneSided: kind.isOneSided, residual: spec.condition.residual)
        collectsPairs = !kind.isOneSided || pairs.hasResidual
        memoryBudgetBytes = options.memoryBudgetBytes
        progressKey = [stateTag, 0x10]
    }

    /// The event time of a result of a regular join is that of the row that was processed last.
    var outputDelay: Int64 { isRegular ? 0 : max(keptFor[0], keptFor[1]) }

    var memoryBytes: Int { sides.reduce(keys.memoryBytes) { $0 + $1.memoryBytes } }

    var spilledCount: Int { spilled.reduce(0) { $0 + $1.count } }

    var evaluationErrors: UInt64 { keys.evaluationErrors + pairs.evaluationErrors }

    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure) {
        let starts = (0..<2).map { add(slice.batches[$0], side: $0) }
        let times = (0..<2).map { slice.times($0) }
        let counts = slice.batches.map(\.rowCount)
        var (left, right) = (0, 0)
        while left < counts[0] || right < counts[1] {
            let takesLeft =
                right == counts[1] || (left < counts[0] && times[0][left] <= times[1][right])
            if takesLeft {
                try removeRows(before: times[0][left], into: output)
                try arrive(starts[0] + Int64(left), side: 0, at: times[0][left], into: output)
                left += 1
            } else {
                try removeRows(before: times[1][right], into: output)
                try arrive(starts[1] + Int64(right), side: 1, at: times[1][right], into: output)
                right += 1
            }
            if pairs.count >= JoinPairs.pairsMax { try flush(into: output) }
        }
        try flush(into: output)
        cleanUp()
    }

    func close(through watermark: Int64, into output: OrderedOutput) throws(Failure) {
        if watermark == Watermark.end {
            try removeRows(before: .max, isLast: true, into: output)
        } else {
            try removeRows(before: watermark + 1, into: output)
        }
        try flush(into: output)
        cleanUp()
    }

    // MARK: Arriving

    /// Adds rows to a side's store; they arrive one by one.
    func add(_ batch: Batch, side: Int) -> Int64 {
        let start = sides[side].append(batch) { keys.number(batch, side: side, into: $0) }
        for side in sides { side.reserveChains(keys.count) }
        return start
    }

    private func arrive(
        _ row: Int64, side: Int, at time: Int64, into output: OrderedOutput
    ) throws(Failure) {
        let own = sides[side]
        let key = own.key(row)
        guard key >= 0 else { return }
        defer { own.link(row) }
        guard looksBack[side] else { return }
        let limit = side == 0 ? time + upper : time - lower
        if !spilled[1 - side].isEmpty { try meetSpilled(row, side, key, limit) }
        let other = sides[1 - side]
        var met = other.head(key)
        while met >= 0, other.time(met) <= limit {
            meet(side == 0 ? row : met, side == 0 ? met : row)
            met = other.next(met)
            // A row with very many partners does not have all of them in memory as results.
            if pairs.count >= 8 * JoinPairs.pairsMax { try flush(into: output) }
        }
    }

    /// A left and a right row, in memory, with one key and within bounds.
    @inline(__always)
    private func meet(_ left: Int64, _ right: Int64) {
        if collectsPairs {
            // A left row that is through already needs no more candidates.
            if kind.isOneSided, sides[0].flag(left) == JoinSide.Flag.matched { return }
            pairs.append(sides[0].position(left), sides[1].position(right))
        }
        if isTracked[0] { touch(0, left) }
        if isTracked[1] { touch(1, right) }
    }

    @inline(__always)
    private func touch(_ side: Int, _ row: Int64) {
        guard sides[side].flag(row) == JoinSide.Flag.unmatched else { return }
        if pairs.hasResidual {
            sides[side].setFlag(row, JoinSide.Flag.pending)
        } else {
            sides[side].setFlag(row, JoinSide.Flag.matched)
            blocks[side].noteMatch(row)
        }
    }

    /// Lets a row meet those of the other side that were written out.
    private func meetSpilled(
        _ row: Int64, _ side: Int, _ key: Int32, _ limit: Int64
    ) throws(Failure) {
        let (own, other) = (sides[side], 1 - side)
        let rows = pairs.readBack[other]
        let bytes = Array(keys.bytes(key))
        let timeColumn = sides[other].timeColumn
        try spilled[other].forEach(keys.bytes(key), through: limit) { ordinal, found in
            if isTracked[side] { touch(side, row) }
            if isTracked[other], !pairs.hasResidual {
                spilled[other].noteMatch(
                    ordinal, time: found.columns[timeColumn].ints[0], key: bytes)
            }
            guard collectsPairs else { return }
            let position = rows.append(found, ordinal: ordinal, key: bytes)
            pairs.append(
                side == 0 ? own.position(row) : position,
                side == 0 ? position : own.position(row))
        }
    }

    // MARK: Leaving

    /// Lets the rows leave whose deadline is before `time`, in the order of their deadlines; all rows
    /// if `isLast`.
    private func removeRows(
        before time: Int64, isLast: Bool = false, into output: OrderedOutput
    ) throws(Failure) {
        while true {
            let deadlines = (try deadline(0), try deadline(1))
            let side = deadlines.1 ?? .max < deadlines.0 ?? .max ? 1 : 0
            guard let due = side == 0 ? deadlines.0 : deadlines.1, due < time || isLast else {
                return
            }
            try removeOldest(side, into: output)
        }
    }

    /// When the oldest row of a side leaves; nil when there is none.
    @inline(__always)
    private func deadline(_ side: Int) throws(Failure) -> Int64? {
        if !spilled[side].isEmpty {
            return try spilled[side].oldest().map { $0.time + keptFor[side] }
        }
        let rows = sides[side]
        return rows.first == rows.end ? nil : rows.time(rows.first) + keptFor[side]
    }

    /// Rows of a side that comes out only in pairs are of no account: nothing is put out for them.
    var firstDue: Int64 {
        (0..<2).reduce(.max) { first, side in
            guard isTracked[side] else { return first }
            if !spilled[side].isEmpty { return .min }
            let rows = sides[side]
            return rows.first == rows.end ? first : min(first, rows.time(rows.first) + keptFor[side])
        }
    }
    var lastDue: Int64 {
        (0..<2).reduce(.min) { last, side in
            guard isTracked[side] else { return last }
            let rows = sides[side]
            if rows.first < rows.end { return max(last, rows.time(rows.end - 1) + keptFor[side]) }
            let oldest = try? spilled[side].oldest()
            return oldest.map { max(last, $0.time + keptFor[side]) } ?? last
        }
    }

    private func removeOldest(_ side: Int, into output: OrderedOutput) throws(Failure) {
        if !spilled[side].isEmpty { return try removeSpilled(side, into: output) }
        let rows = sides[side]
        if isTracked[side] {
            if rows.flag(rows.first) == JoinSide.Flag.pending { try flush(into: output) }
            if comesOut(rows.flag(rows.first) == JoinSide.Flag.matched) {
                appendAlone(rows.position(rows.first), side)
            }
        }
        rows.removeFirst()
    }

    private func removeSpilled(_ side: Int, into output: OrderedOutput) throws(Failure) {
        guard var oldest = try spilled[side].oldest() else { return }
        if isTracked[side] {
            if pairs.hasResidual, pairs.readBack[side].ordinals.contains(oldest.ordinal) {
                try flush(into: output)
                oldest = try spilled[side].oldest() ?? oldest
            }
            if comesOut(oldest.hasMatched) {
                let row = try spilled[side].row(oldest)
                appendAlone(
                    pairs.readBack[side].append(row, ordinal: oldest.ordinal, key: oldest.key ?? []),
                    side)
            }
        }
        spilled[side].removeOldest()
    }

    /// Whether a row comes out when it leaves.
    private func comesOut(_ hasMatched: Bool) -> Bool { hasMatched == (kind == .semi) }

    /// Adds a row that comes out by itself.
    private func appendAlone(_ position: PairPosition, _ side: Int) {
        if kind.isOneSided {
            pairs.append(position, JoinPairs.alone)
        } else {
            pairs.append(side == 0 ? position : 0, side == 0 ? 0 : position)
        }
    }

    // MARK: Handing on

    private func flush(into output: OrderedOutput) throws(Failure) {
        try pairs.flush(into: output) { left, right, isMatch in
            if isTracked[0] { settle(0, left, isMatch) }
            if isTracked[1] { settle(1, right, isMatch) }
        }
    }

    /// Notes what became of a candidate.
    private func settle(_ side: Int, _ position: PairPosition, _ isMatch: Bool) {
        if position < 0 {
            let (rows, index) = (pairs.readBack[side], Int(-1 - position))
            if isMatch {
                let time = rows.columns[sides[side].timeColumn].ints[index]
                spilled[side].noteMatch(rows.ordinals[index], time: time, key: rows.keys[index])
            }
            return
        }
        let rows = sides[side]
        let ordinal = rows.base + Int64(position) - (rows.hasNullRow ? 1 : 0)
        if rows.flag(ordinal) == JoinSide.Flag.matched { return }
        rows.setFlag(ordinal, isMatch ? JoinSide.Flag.matched : JoinSide.Flag.unmatched)
        if isMatch { blocks[side].noteMatch(ordinal) }
    }

    private func cleanUp() {
        for side in sides { side.compact() }
        let live = sides[0].count + sides[1].count
        guard keys.count > 4_096, keys.count > 4 * live else { return }
        var isLive = [UInt8](repeating: 0, count: keys.count)
        for side in sides { side.markKeys(&isLive) }
        let renumbered = keys.keep(isLive)
        for side in sides { side.renumber(renumbered, count: keys.count) }
    }
}
