// Results as columns: the keys, window_start, window_end, window_time, then the aggregates.
//
// Windows of few groups share a batch with the next ones, so that what comes after the windows gets
// thousands of rows at a time; the operator hands a batch on when it is full or when it returns.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Result rows that have not been handed on yet.
final class WindowResults {
    private(set) var rowCount = 0
    private let schema: Schema
    private let store: GroupStore
    private let size: Int64
    /// The output column of each column of the stored key.
    private let keyOrder: [Int]
    private var columns: [Column] = []
    private var keyColumns: [Column] = []

    init(schema: Schema, keyOrder: [Int], store: GroupStore, size: Int64) {
        self.schema = schema
        self.keyOrder = keyOrder
        self.store = store
        self.size = size
        precondition(
            schema.count == keyOrder.count + 3 + store.accumulators.count,
            "keys, window, aggregates")
        makeColumns()
    }

    private func makeColumns() {
        columns = schema.fields.map { Column($0.type, capacity: 1024) }
        keyColumns = keyOrder.map { columns[$0] }
        rowCount = 0
    }

    /// Adds the groups of the window that ends at `windowEnd`.
    func append(_ groups: MergedGroups, windowEnd: Int64) {
        let count = groups.slots.count
        store.encoder.decode(groups.keys, into: keyColumns)
        let first = keyOrder.count
        let bounds = [windowEnd - size, windowEnd, windowEnd - 1]
        for (column, bound) in zip(columns[first...], bounds) {
            column.appendWords(count: count, isNull: { _ in false }) { _ in bound }
        }
        groups.slots.withUnsafeBufferPointer { slots in
            for (accumulator, column) in zip(store.accumulators, columns[(first + 3)...]) {
                accumulator.emit(slots, into: column)
            }
        }
        rowCount += count
    }

    /// The rows collected so far, nil when there are none.
    func take() -> Batch? {
        guard rowCount > 0 else { return nil }
        let batch = Batch(schema: schema, columns: columns, rowCount: rowCount)
        makeColumns()
        return batch
    }
}
