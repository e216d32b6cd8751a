// Pairs of rows on their way out of a join: collected by position, then gathered column by column, some
// thousand at a time. What is left of the condition is evaluated here, over all pairs at once.
//
// A pair can be padding (an outer join's row without a match, beside the NULL row) or, where only left
// rows come out, a left row alone. Such pairs are results already and pass the condition.

import WeirCore
import WeirSQL

/// A position of a row that a pair is made of: in the columns of its side, or, negative, among the rows
/// that were read back from RocksDB for it.
typealias PairPosition = Int32

/// Collects pairs and hands on those that match.
final class JoinPairs {
    private let sides: [JoinSide]
    /// Rows read back from RocksDB, by side.
    let readBack: [ReadBackRows]
    private let schema: Schema
    private let isOneSided: Bool
    private let residual: CompiledExpression?
    private let lefts = Buffer<PairPosition>(capacity: 2 * pairsMax)
    private let rights = Buffer<PairPosition>(capacity: 2 * pairsMax)
    private(set) var count = 0

    /// Pairs after which they are handed on.
    static let pairsMax = 8_192
    /// Stands for the right row of a left row alone.
    static let alone = PairPosition.min

    init(
        _ sides: [JoinSide], schema: Schema, isOneSided: Bool, residual: BoundExpression?
    ) throws(Failure) {
        self.sides = sides
        readBack = sides.map { ReadBackRows($0.schema) }
        self.schema = schema
        self.isOneSided = isOneSided
        self.residual = try residual.map { (residual) throws(Failure) in
            try CompiledExpression(residual)
        }
    }

    /// Whether pairs are only candidates until they are flushed.
    var hasResidual: Bool { residual != nil }

    var evaluationErrors: UInt64 { residual?.evaluationErrors ?? 0 }

    @inline(__always)
    func append(_ left: PairPosition, _ right: PairPosition) {
        lefts.reserve(count + 1)
        rights.reserve(count + 1)
        lefts.base[count] = left
        rights.base[count] = right
        count += 1
    }

    /// Hands on the pairs that match, in order. `note` is told, for each side, the position of each row
    /// whose pair was looked at, and whether it matched.
    func flush(
        into output: OrderedOutput, note: (_ left: PairPosition, _ right: PairPosition, Bool) -> Void
    ) throws(Failure) {
        guard count > 0 else { return }
        if isOneSided {
            try flushLeftRows(into: output, note)
        } else {
            try flushPairs(into: output, note)
        }
        count = 0
        for rows in readBack { rows.removeAll() }
    }

    private func isCandidate(_ index: Int) -> Bool {
        if isOneSided { return rights.base[index] != Self.alone }
        return !(sides[0].hasNullRow && lefts.base[index] == 0)
            && !(sides[1].hasNullRow && rights.base[index] == 0)
    }

    private func flushPairs(
        into output: OrderedOutput, _ note: (PairPosition, PairPosition, Bool) -> Void
    ) throws(Failure) {
        let left = UnsafeBufferPointer(start: lefts.base, count: count)
        let right = UnsafeBufferPointer(start: rights.base, count: count)
        let columns = gather(0, left) + gather(1, right)
        let batch = Batch(schema: schema, columns: columns, rowCount: count)
        guard let residual else { return try output.emit(batch) }
        let isMatch = residual.evaluate(batch)
        var kept: [Int32] = []
        kept.reserveCapacity(count)
        for index in 0..<count {
            guard isCandidate(index) else {
                kept.append(Int32(index))
                continue
            }
            let matches = isMatch.bools[index] != 0
            if matches { kept.append(Int32(index)) }
            note(left[index], right[index], matches)
        }
        if kept.count == count { return try output.emit(batch) }
        try output.emit(kept.withUnsafeBufferPointer { batch.gather($0) })
    }

    private func flushLeftRows(
        into output: OrderedOutput, _ note: (PairPosition, PairPosition, Bool) -> Void
    ) throws(Failure) {
        if let residual {
            var pairs: (left: [PairPosition], right: [PairPosition]) = ([], [])
            for index in 0..<count where isCandidate(index) {
                pairs.left.append(lefts.base[index])
                pairs.right.append(rights.base[index])
            }
            let columns =
                pairs.left.withUnsafeBufferPointer { gather(0, $0) }
                + pairs.right.withUnsafeBufferPointer { gather(1, $0) }
            let isMatch = residual.evaluate(columns: columns, rowCount: pairs.left.count)
            for index in pairs.left.indices {
                note(pairs.left[index], pairs.right[index], isMatch.bools[index] != 0)
            }
        }
        var rows: [PairPosition] = []
        for index in 0..<count where !isCandidate(index) { rows.append(lefts.base[index]) }
        let columns = rows.withUnsafeBufferPointer { gather(0, $0) }
        try output.emit(Batch(schema: schema, columns: columns, rowCount: rows.count))
    }

    /// The columns of the rows at `positions` of a side.
    private func gather(
        _ side: Int, _ positions: UnsafeBufferPointer<PairPosition>
    ) -> [Column] {
        let (columns, others) = (sides[side].columns, readBack[side])
        if others.count == 0 { return columns.map { $0.gather(positions) } }
        return columns.enumerated().map { index, column in
            let result = Column(column.type, capacity: positions.count)
            var start = 0
            while start < positions.count {
                let isReadBack = positions[start] < 0
                var end = start + 1
                while end < positions.count, (positions[end] < 0) == isReadBack { end += 1 }
                if isReadBack {
                    let rows = positions[start..<end].map { -1 - $0 }
                    rows.withUnsafeBufferPointer {
                        result.append(from: others.columns[index], rows: $0)
                    }
                } else {
                    result.append(
                        from: column,
                        rows: UnsafeBufferPointer(rebasing: positions[start..<end]))
                }
                start = end
            }
            return result
        }
    }
}

/// Rows of a side that were read back from RocksDB for pairs under way.
final class ReadBackRows {
    private let schema: Schema
    private(set) var columns: [Column]
    /// Their ordinals and keys, for what is noted of them.
    private(set) var ordinals: [Int64] = []
    private(set) var keys: [[UInt8]] = []

    init(_ schema: Schema) {
        self.schema = schema
        columns = schema.fields.map { Column($0.type) }
    }

    var count: Int { ordinals.count }

    /// Adds the one row of `batch`; returns its position.
    func append(_ batch: Batch, ordinal: Int64, key: [UInt8]) -> PairPosition {
        for (column, from) in zip(columns, batch.columns) { column.append(from: from, range: 0..<1) }
        ordinals.append(ordinal)
        keys.append(key)
        return -Int32(ordinals.count)
    }

    func removeAll() {
        guard count > 0 else { return }
        columns = schema.fields.map { Column($0.type) }
        ordinals = []
        keys = []
    }
}
