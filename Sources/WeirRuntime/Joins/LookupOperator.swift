// A look-up: each row beside the rows of a table that match it, in the table's order. Nothing waits, so
// rows keep their order and their clocks.

import WeirCore
import WeirSQL

/// Looks rows up in a table.
final class LookupOperator: Operator {
    let next: any Operator
    private let spec: LookupSpec
    private let schema: Schema
    private let table: LookupTable
    private let keys: JoinKeys
    private let residual: CompiledExpression?
    private var index: Index?
    private let numbers = Buffer<Int32>()

    /// The rows of a version of the table, chained by key.
    private struct Index {
        let version: Int
        /// The columns that are read; the last row is NULL.
        let columns: [Column]
        /// The first row of each key, and the next of each row; -1 for none.
        let heads: [Int32]
        let next: [Int32]
        let noRow: Int32
    }

    init(
        _ spec: LookupSpec, _ table: LookupTable, schema: Schema, next: any Operator
    ) throws(Failure) {
        self.spec = spec
        self.table = table
        self.schema = schema
        self.next = next
        keys = try JoinKeys(spec.condition, seed: 0)
        residual = try spec.condition.residual.map { (residual) throws(Failure) in
            try CompiledExpression(residual)
        }
    }

    var evaluationErrors: UInt64 {
        keys.evaluationErrors + (residual?.evaluationErrors ?? 0) + next.evaluationErrors
    }

    var memoryBytes: Int {
        let rows = index.map { $0.columns.reduce($0.next.count * 8) { $0 + $1.memoryBytes } } ?? 0
        return rows + next.memoryBytes
    }

    private func currentIndex() -> Index {
        if let index, index.version == table.version { return index }
        let rows = table.rows
        let places = spec.columns.fields.map { field -> Int in
            guard let place = rows.schema.index(of: field.name) else {
                preconditionFailure("the table has no column \(field.name)")
            }
            return place
        }
        let batch = Batch(
            schema: spec.columns, columns: places.map { rows.columns[$0] }, rowCount: rows.rowCount)
        forgetKeys()
        numbers.reserve(batch.rowCount)
        keys.number(batch, side: 1, into: numbers.base)
        var heads = [Int32](repeating: -1, count: keys.count)
        var following = [Int32](repeating: -1, count: batch.rowCount)
        for row in (0..<batch.rowCount).reversed() {
            let key = Int(numbers.base[row])
            guard key >= 0 else { continue }
            following[row] = heads[key]
            heads[key] = Int32(row)
        }
        let columns = batch.columns.map { column in
            let copy = column.slice(0..<batch.rowCount)
            copy.appendNull()
            return copy
        }
        let fresh = Index(
            version: table.version, columns: columns, heads: heads, next: following,
            noRow: Int32(batch.rowCount))
        index = fresh
        return fresh
    }

    private func forgetKeys() {
        _ = keys.keep([UInt8](repeating: 0, count: keys.count))
    }

    func process(_ run: RowRun) throws(Failure) -> Step {
        var index = currentIndex()
        // Keys of events that the table does not have are numbered, too: now and then all are forgotten.
        if keys.count > 2 * index.heads.count + 65_536 {
            self.index = nil
            index = currentIndex()
        }
        numbers.reserve(run.batch.rowCount)
        keys.number(run.batch, side: 0, into: numbers.base)
        let numbers = numbers.base
        let first = { (row: Int) -> Int32 in
            let key = Int(numbers[row])
            return key >= 0 && key < index.heads.count ? index.heads[key] : -1
        }
        let fanOut = { (row: Int) -> Int in
            var count = 1
            var match = first(row)
            while match >= 0 {
                count += 1
                match = index.next[Int(match)]
            }
            return count
        }
        return try processInParts(run, fanOut: fanOut) { (rows, sourceRows) throws(Failure) in
            var pairs = Pairs()
            for row in rows {
                var match = first(row)
                while match >= 0 {
                    pairs.append(Int32(row), match)
                    match = index.next[Int(match)]
                }
            }
            if residual != nil { pairs = filtered(pairs, run.batch, index) }
            pairs = shaped(pairs, rows, noRow: index.noRow)
            let columns = gathered(pairs, run.batch, index)
            return try next.process(
                RowRun(
                    batch: Batch(schema: schema, columns: columns, rowCount: pairs.left.count),
                    origins: pairs.left.map { Int32(run.origin(Int($0))) }, sourceRows: sourceRows,
                    trace: run.trace, outcomes: run.outcomes))
        }
    }

    /// Rows of the input beside rows of the table.
    private struct Pairs {
        var left: [Int32] = []
        var right: [Int32] = []

        mutating func append(_ row: Int32, _ match: Int32) {
            left.append(row)
            right.append(match)
        }
    }

    private func filtered(_ pairs: Pairs, _ batch: Batch, _ index: Index) -> Pairs {
        guard let residual else { return pairs }
        let columns = gather(batch.columns, pairs.left) + gather(index.columns, pairs.right)
        let isMatch = residual.evaluate(columns: columns, rowCount: pairs.left.count)
        var kept = Pairs()
        for place in pairs.left.indices where isMatch.bools[place] != 0 {
            kept.append(pairs.left[place], pairs.right[place])
        }
        return kept
    }

    /// What comes out for the matches of `rows`.
    private func shaped(_ matches: Pairs, _ rows: Range<Int>, noRow: Int32) -> Pairs {
        if spec.kind == .inner { return matches }
        var result = Pairs()
        var place = 0
        for row in rows {
            let start = place
            while place < matches.left.count, matches.left[place] == Int32(row) { place += 1 }
            let hasMatch = place > start
            switch spec.kind {
            case .inner: break
            case .left:
                if !hasMatch { result.append(Int32(row), noRow) }
                for match in start..<place { result.append(Int32(row), matches.right[match]) }
            case .semi: if hasMatch { result.append(Int32(row), noRow) }
            case .anti: if !hasMatch { result.append(Int32(row), noRow) }
            }
        }
        return result
    }

    private func gathered(_ pairs: Pairs, _ batch: Batch, _ index: Index) -> [Column] {
        let left = gather(batch.columns, pairs.left)
        return spec.kind.isOneSided ? left : left + gather(index.columns, pairs.right)
    }

    private func gather(_ columns: [Column], _ rows: [Int32]) -> [Column] {
        rows.withUnsafeBufferPointer { rows in columns.map { $0.gather(rows) } }
    }
}
