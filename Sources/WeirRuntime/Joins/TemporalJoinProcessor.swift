// FOR SYSTEM_TIME AS OF: each left row beside the version of its key that was in force at its time.
//
// Rows come in the order of event time, so the version in force is the newest that came; of one event
// time, versions come first. Earlier versions are of no more use, later ones are not there yet.

import WeirCore
import WeirSQL
import WeirStore

/// Joins the left input with the versions on the right.
final class TemporalJoinProcessor: OrderedProcessor {
    private let isOuter: Bool
    private let schema: Schema
    private let leftWidth: Int
    private let keys: JoinKeys
    private let residual: CompiledExpression?
    private let versions: VersionStore
    private let leftKeys = Buffer<Int32>()
    private let rightKeys = Buffer<Int32>()

    init(
        _ spec: TemporalJoinSpec, _ inputs: [Schema], _ schema: Schema, _ options: QueryOptions,
        stateTag: UInt8
    ) throws(Failure) {
        isOuter = spec.isOuter
        self.schema = schema
        leftWidth = inputs[0].count
        keys = try JoinKeys(spec.condition, seed: options.hashSeed)
        residual = try spec.condition.residual.map { (residual) throws(Failure) in
            try CompiledExpression(residual)
        }
        versions = VersionStore(
            schema: inputs[1], keys: keys, stateTag: stateTag,
            memoryBudgetBytes: options.memoryBudgetBytes)
    }

    var memoryBytes: Int { versions.memoryBytes }

    var evaluationErrors: UInt64 { keys.evaluationErrors + (residual?.evaluationErrors ?? 0) }

    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure) {
        let (left, right) = (slice.batches[0], slice.batches[1])
        leftKeys.reserve(left.rowCount)
        rightKeys.reserve(right.rowCount)
        keys.number(left, side: 0, into: leftKeys.base)
        keys.number(right, side: 1, into: rightKeys.base)
        versions.reserveKeys()
        let start = versions.append(right)
        let (leftTimes, rightTimes) = (slice.times(0), slice.times(1))
        var rows: [Int32] = []
        var positions: [Int32] = []
        var version = 0
        for row in 0..<left.rowCount {
            while version < right.rowCount, rightTimes[version] <= leftTimes[row] {
                put(version, start)
                version += 1
            }
            let key = leftKeys.base[row]
            let position = key < 0 ? VersionStore.absent : try versions.position(key)
            if position == VersionStore.absent, !isOuter { continue }
            rows.append(Int32(row))
            positions.append(position)
        }
        while version < right.rowCount {
            put(version, start)
            version += 1
        }
        try emit(left, rows, positions, into: output)
        versions.compact()
    }

    private func put(_ version: Int, _ start: Int32) {
        let key = rightKeys.base[version]
        if key >= 0 { versions.set(key, start + Int32(version)) }
    }

    private func emit(
        _ left: Batch, _ rows: [Int32], _ positions: [Int32], into output: OrderedOutput
    ) throws(Failure) {
        if rows.isEmpty { return }
        let gather = { (columns: [Column], rows: [Int32]) in
            rows.withUnsafeBufferPointer { rows in columns.map { $0.gather(rows) } }
        }
        let leftColumns =
            rows.count == left.rowCount ? left.columns : gather(left.columns, rows)
        let batch = Batch(
            schema: schema, columns: leftColumns + gather(versions.columns, positions),
            rowCount: rows.count)
        guard let residual else { return try output.emit(batch) }
        let isMatch = residual.evaluate(batch)
        if isOuter {
            let kept = positions.indices.map {
                isMatch.bools[$0] == 0 ? VersionStore.absent : positions[$0]
            }
            try output.emit(
                Batch(
                    schema: schema, columns: leftColumns + gather(versions.columns, kept),
                    rowCount: rows.count))
        } else {
            let kept = rows.indices.filter { isMatch.bools[$0] != 0 }.map { Int32($0) }
            try output.emit(kept.withUnsafeBufferPointer { batch.gather($0) })
        }
    }

    func checkpoint(into writer: any StateWriter) { versions.checkpoint(into: writer) }

    func restore(from reader: any StateReader) throws(Failure) {
        try versions.restore(from: reader)
    }
}
