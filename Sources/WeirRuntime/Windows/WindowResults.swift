// Results as columns: the keys, window_start, window_end, window_time, then the aggregates; where rows
// can be merged later, also the window's width and the group itself (GroupRecord).
//
// Windows of few groups share a batch with the next ones, so that what comes after the windows gets
// thousands of rows at a time; the operator hands a batch on when it is full or when it returns.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// What a window's results say of it.
struct WindowBounds {
    let start: Int64
    let end: Int64
    let time: Int64
}

/// Result rows that have not been handed on yet.
final class WindowResults {
    private(set) var rowCount = 0
    private let schema: Schema
    private let encoder: KeyEncoder
    private let accumulators: [any Accumulator]
    /// Whether window_start is the last column of the stored key.
    private let hasStartInKey: Bool
    /// Whether the last column is the revision, which counts a window's corrections.
    private let hasRevision: Bool
    /// Whether the last two columns are the window's width and the group.
    private let hasGroups: Bool
    private var record = ByteWriter()
    /// The output column that window_start is.
    private let firstBound: Int
    /// The output column of each column of the stored key.
    private let keyOrder: [Int]
    private var columns: [Column] = []
    private var keyColumns: [Column] = []

    init(
        schema: Schema, keyOrder: [Int], encoder: KeyEncoder, accumulators: [any Accumulator],
        hasRevision: Bool = false
    ) {
        self.hasRevision = hasRevision
        self.schema = schema
        self.keyOrder = keyOrder
        self.encoder = encoder
        self.accumulators = accumulators
        hasGroups = schema.fields.last?.isHidden == true
        firstBound =
            schema.count - accumulators.count - (hasRevision ? 4 : 3) - (hasGroups ? 2 : 0)
        hasStartInKey = keyOrder.count > firstBound
        precondition(
            keyOrder.count == firstBound + (hasStartInKey ? 1 : 0), "keys, window, aggregates")
        makeColumns()
    }

    private func makeColumns() {
        columns = schema.fields.map { Column($0.type, capacity: 1024) }
        keyColumns = keyOrder.map { columns[$0] }
        rowCount = 0
    }

    /// Whether there are as many rows as are handed on together.
    var isFull: Bool { rowCount >= 4096 }

    /// Adds the groups of a window.
    func append(_ groups: MergedGroups, _ window: WindowBounds, revision: Int64 = 0) {
        let count = groups.slots.count
        encoder.decode(groups.keys, into: keyColumns)
        let bounds = [window.start, window.end, window.time]
        for (index, bound) in bounds.enumerated() where index > 0 || !hasStartInKey {
            columns[firstBound + index].appendWords(count: count, isNull: { _ in false }) { _ in bound }
        }
        groups.slots.withUnsafeBufferPointer { slots in
            for (accumulator, column) in zip(accumulators, columns[(firstBound + 3)...]) {
                accumulator.emit(slots, into: column)
            }
        }
        if hasRevision {
            columns[columns.count - 1].appendWords(count: count, isNull: { _ in false }) { _ in revision }
        }
        if hasGroups { appendGroups(groups, window) }
        rowCount += count
    }

    private func appendGroups(_ groups: MergedGroups, _ window: WindowBounds) {
        let (width, state) = (columns[columns.count - 2], columns[columns.count - 1])
        for (slot, key) in zip(groups.slots, groups.keys) {
            width.append(window.end - window.start)
            record.removeAll()
            GroupRecord.write(slot, key: key, window, accumulators, into: &record)
            record.bytes.withUnsafeBufferPointer { state.append($0) }
        }
    }

    /// Adds groups each of which has a window of its own.
    func append(_ groups: MergedGroups, windows: [WindowBounds]) {
        precondition(groups.slots.count == windows.count, "a window for a group")
        encoder.decode(groups.keys, into: keyColumns)
        for window in windows {
            columns[firstBound].append(window.start)
            columns[firstBound + 1].append(window.end)
            columns[firstBound + 2].append(window.time)
        }
        groups.slots.withUnsafeBufferPointer { slots in
            for (accumulator, column) in zip(accumulators, columns[(firstBound + 3)...]) {
                accumulator.emit(slots, into: column)
            }
        }
        rowCount += windows.count
    }

    /// The rows collected so far, nil when there are none.
    func take() -> Batch? {
        guard rowCount > 0 else { return nil }
        let batch = Batch(schema: schema, columns: columns, rowCount: rowCount)
        makeColumns()
        return batch
    }
}
