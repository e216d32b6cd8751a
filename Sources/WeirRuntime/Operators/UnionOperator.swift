// UNION ALL of branches that keep nothing.
//
// Branches over one source are put together row by row: of each source row first what the first branch
// made of it, then the second. Rows are held for that until all branches have been given the batch, so
// that it does not show where batches end. Rows of different sources go on in the order in which they
// come, which is part of the input then; their watermark is the least of all sources', as in Flink.

import WeirCore
import WeirStore

/// The common end of a union's ports.
final class UnionOperator {
    let next: any Operator
    private let schema: Schema
    fileprivate var ports: [PortState]

    fileprivate struct PortState {
        let source: String
        var held: [RowRun] = []
        var watermark = Watermark.none
    }

    /// - Parameter sources: the source of each port.
    init(sources: [String], schema: Schema, next: any Operator) {
        self.next = next
        self.schema = schema
        ports = sources.map { PortState(source: $0) }
    }

    /// Whether all rows come from one source, whose clocks then hold for the union, too.
    private var isOneSource: Bool { ports.allSatisfy { $0.source == ports[0].source } }

    fileprivate func isLastOfSource(_ index: Int) -> Bool {
        !ports[(index + 1)...].contains { $0.source == ports[index].source }
    }

    /// Hands on what the ports of one source hold.
    fileprivate func release(_ source: String) throws(Failure) {
        var runs: [RowRun] = []
        for index in ports.indices where ports[index].source == source {
            runs += ports[index].held
            ports[index].held = []
        }
        guard let first = runs.first else { return }
        let others = ports.filter { $0.source != source }.map(\.watermark).min() ?? .max
        _ = try next.process(merged(runs, first, others))
    }

    /// The rows of several runs over one batch of a source, by source row, then by run.
    private func merged(_ runs: [RowRun], _ first: RowRun, _ others: Int64) -> RowRun {
        let total = runs.reduce(0) { $0 + $1.batch.rowCount }
        let sourceRows =
            (runs.map(\.sourceRows.lowerBound).min() ?? 0)..<(runs.map(\.sourceRows.upperBound).max() ?? 0)
        var origins: [Int32] = []
        origins.reserveCapacity(total)
        for run in runs { for row in 0..<run.batch.rowCount { origins.append(Int32(run.origin(row))) } }
        var order = (0..<Int32(total)).map { $0 }
        order.sort { (origins[Int($0)], $0) < (origins[Int($1)], $1) }
        let columns = schema.fields.indices.map { index -> Column in
            let column = Column(schema[index].type, capacity: total)
            for run in runs {
                column.append(from: run.batch.columns[index], range: 0..<run.batch.rowCount)
            }
            return order.withUnsafeBufferPointer { column.gather($0) }
        }
        return RowRun(
            batch: Batch(schema: schema, columns: columns, rowCount: total),
            origins: order.map { origins[Int($0)] }, sourceRows: sourceRows,
            trace: isOneSource ? first.trace : Self.held(first.trace, by: others), outcomes: first.outcomes)
    }

    /// The marks of `trace`, held back by the watermark of the other sources.
    private static func held(_ trace: ClockTrace, by others: Int64) -> ClockTrace {
        guard let own = trace.watermarks else { return trace }
        let marks = Column(.bigint, capacity: own.count)
        marks.setCount(own.count)
        for row in 0..<own.count { marks.ints[row] = min(own.ints[row], others) }
        return ClockTrace(watermarks: marks, watermarkAfter: others, keys: nil)
    }

    fileprivate func advance(_ index: Int, _ trace: ClockTrace) throws(Failure) -> Step {
        ports[index].watermark = max(ports[index].watermark, trace.watermarkAfter)
        guard isLastOfSource(index) else { return .done }
        if isOneSource { return try next.advance(trace) }
        let least = ports.map(\.watermark).min() ?? Watermark.none
        return try next.advance(ClockTrace(watermarks: nil, watermarkAfter: least, keys: nil))
    }
}

/// One branch's way into a union; the first stands for all where the operators below are meant.
final class UnionPort: Operator {
    private let core: UnionOperator
    private let index: Int

    init(_ core: UnionOperator, index: Int) {
        self.core = core
        self.index = index
    }

    var next: any Operator { core.next }
    private var isFirst: Bool { index == 0 }

    func process(_ run: RowRun) throws(Failure) -> Step {
        core.ports[index].held.append(run)
        return .done
    }

    func flush() throws(Failure) {
        guard core.isLastOfSource(index) else { return }
        try core.release(core.ports[index].source)
        try next.flush()
    }

    func advance(_ trace: ClockTrace) throws(Failure) -> Step { try core.advance(index, trace) }
    func resume() throws(Failure) -> Step { isFirst ? try next.resume() : .done }
    func checkpoint(into writer: any StateWriter) {
        precondition(core.ports[index].held.isEmpty, "a commit inside a batch")
        if isFirst { next.checkpoint(into: writer) }
    }
    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {
        core.ports[index].watermark = clocks.watermark
        if isFirst { try next.restore(from: reader, clocks: clocks, pending: pending) }
    }
    var firstDue: Int64 { isFirst ? next.firstDue : .max }
    var lastDue: Int64 { isFirst ? next.lastDue : .min }
    var memoryBytes: Int { isFirst ? next.memoryBytes : 0 }
    var spilledCount: Int { isFirst ? next.spilledCount : 0 }
    var droppedCount: UInt64 { isFirst ? next.droppedCount : 0 }
    var evaluationErrors: UInt64 { isFirst ? next.evaluationErrors : 0 }
}
