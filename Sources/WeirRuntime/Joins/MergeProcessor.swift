// UNION ALL of results that come when time has passed: all rows in the order of (event time, branch,
// arrival), which is the order in which the ordered operator takes them.

import WeirCore

/// Puts the rows of several inputs with the same columns into one order.
final class MergeProcessor: OrderedProcessor {
    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure) {
        let filled = slice.batches.indices.filter { slice.batches[$0].rowCount > 0 }
        guard let first = filled.first else { return }
        if filled.count == 1 { return try output.emit(slice.batches[first]) }
        // Where each row lies in the inputs one after another.
        var starts: [Int32] = []
        var total: Int32 = 0
        for batch in slice.batches {
            starts.append(total)
            total += Int32(batch.rowCount)
        }
        var order: [Int32] = []
        order.reserveCapacity(Int(total))
        try slice.forEachInOrder { (input, row, _) throws(Failure) in
            order.append(starts[input] + Int32(row))
        }
        let schema = slice.batches[first].schema
        let columns = schema.fields.indices.map { index -> Column in
            let column = Column(schema[index].type, capacity: Int(total))
            for batch in slice.batches {
                column.append(from: batch.columns[index], range: 0..<batch.rowCount)
            }
            return order.withUnsafeBufferPointer { column.gather($0) }
        }
        try output.emit(Batch(schema: schema, columns: columns, rowCount: Int(total)))
    }
}
