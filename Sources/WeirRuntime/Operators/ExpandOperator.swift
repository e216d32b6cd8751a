// Grouping sets: each row once a set, so that one aggregate computes them all. A set is a group key of its
// own (its number), and keys that a set lacks are NULL in its copies; arguments of aggregates still read
// the row's own columns.
//
// The copies of a row come one behind the other, in the order of the sets. They have one time, so they are
// late together, and the aggregate sends one of them to the late output.

import WeirCore
import WeirSQL

/// Makes the rows of all grouping sets.
final class ExpandOperator: Operator {
    let next: any Operator
    private let sets: [[Bool]]
    private let keys: [CompiledExpression]
    private let schema: Schema
    private let reads: Set<Int>

    /// Only the columns in `reads` of the input's need to have their values.
    init(
        _ spec: ExpandSpec, schema: Schema, reads: Set<Int>, next: any Operator
    ) throws(Failure) {
        sets = spec.sets
        keys = try spec.keys.map { (key) throws(Failure) in try CompiledExpression(key) }
        self.schema = schema
        self.reads = reads
        self.next = next
    }

    var evaluationErrors: UInt64 {
        keys.reduce(next.evaluationErrors) { $0 + $1.evaluationErrors }
    }

    func process(_ run: RowRun) throws(Failure) -> Step {
        let setCount = sets.count
        let values = keys.map { Self.followedByNull($0.evaluate(run.batch), run.batch.rowCount) }
        return try processInParts(run, fanOut: { _ in setCount }) {
            (rows, sourceRows) throws(Failure) in
            let count = rows.count * setCount
            let numbers = Column(.int, capacity: count)
            let copied = [Int32](unsafeUninitializedCapacity: count) { buffer, filled in
                for row in rows {
                    for set in 0..<setCount {
                        buffer[filled] = Int32(truncatingIfNeeded: row)
                        filled += 1
                        numbers.append(Int64(set))
                    }
                }
            }
            var columns = copied.withUnsafeBufferPointer { indices in
                run.batch.columns.enumerated().map { index, column in
                    reads.contains(index)
                        ? column.gather(indices) : .nulls(column.type, rowCount: count)
                }
            }
            for (key, column) in values.enumerated() {
                let none = Int32(column.count - 1)
                let places = copied.enumerated().map { copy, row in
                    sets[copy % setCount][key] ? row : none
                }
                columns.append(places.withUnsafeBufferPointer { column.gather($0) })
            }
            columns.append(numbers)
            return try next.process(
                RowRun(
                    batch: Batch(schema: schema, columns: columns, rowCount: count),
                    origins: copied.map { Int32(run.origin(Int($0))) }, sourceRows: sourceRows,
                    trace: run.trace, outcomes: run.outcomes))
        }
    }

    /// The first `count` values of `column` and, behind them, NULL.
    private static func followedByNull(_ column: Column, _ count: Int) -> Column {
        let result = Column(column.type, capacity: count + 1)
        result.append(from: column, range: 0..<count)
        result.appendNull()
        return result
    }
}
