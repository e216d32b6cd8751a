// From matches to rows. A match notes where the rows are that its measures read; the measures of many
// matches are then computed at once, column by column.

import WeirCore
import WeirSQL

/// The matches found since the last rows were handed on, in order.
final class MatchResults {
    private let pattern: PatternSpec
    private let schema: Schema
    private let rows: PatternRows
    private let pool: MatchPool
    private let measures: [CompiledExpression]
    private let accumulators: [any Accumulator]
    private let arguments: [[Int]]
    private var times: [Int64] = []
    /// A row of each match, for the PARTITION BY columns.
    private var anyRow: [Int32] = []
    /// For each reference the rows, -1 where there is none.
    private var references: [[Int32]]
    /// For each aggregate rows and the matches that they belong to.
    private var aggregated: [(rows: [Int32], matches: [Int32])]
    private var aggregatedRowCount = 0

    /// Rows that are noted for aggregates before matches are handed on.
    private static let aggregatedRowsMax = 1 << 20

    /// - Parameter arguments: the columns of `rows` with the arguments of each aggregate.
    init(
        _ pattern: PatternSpec, schema: Schema, _ rows: PatternRows, _ pool: MatchPool,
        arguments: [[Int]]
    ) throws(Failure) {
        self.pattern = pattern
        self.schema = schema
        self.rows = rows
        self.pool = pool
        self.arguments = arguments
        var compiled: [CompiledExpression] = []
        for measure in pattern.measures { compiled.append(try CompiledExpression(measure)) }
        measures = compiled
        var made: [any Accumulator] = []
        for aggregate in pattern.measureValues.aggregates {
            made.append(try makeAccumulator(aggregate.call))
        }
        accumulators = made
        references = pattern.measureValues.references.map { _ in [] }
        aggregated = pattern.measureValues.aggregates.map { _ in ([], []) }
    }

    /// Values that could not be computed and became NULL.
    var evaluationErrors: UInt64 { measures.reduce(0) { $0 + $1.evaluationErrors } }

    /// Whether matches should be handed on before more are added.
    var isFull: Bool { aggregatedRowCount >= Self.aggregatedRowsMax }

    /// Notes a complete match, found at event time `time`.
    func add(_ match: QueuedMatch, of key: PatternKey, time: Int64) {
        let number = Int32(times.count)
        times.append(time)
        anyRow.append(key.place(match.start))
        for (index, reference) in pattern.measureValues.references.enumerated() {
            let range = pool.rows(match.id, reference.variable)
            var place: Int32 = -1
            if reference.offset < range.count {
                let offset = Int64(reference.offset)
                let row =
                    reference.isFirst ? range.lowerBound + offset : range.upperBound - 1 - offset
                place = key.place(match.start + row)
            }
            references[index].append(place)
        }
        for (index, aggregate) in pattern.measureValues.aggregates.enumerated() {
            let range = pool.rows(match.id, aggregate.variable)
            for row in range { aggregated[index].rows.append(key.place(match.start + row)) }
            aggregated[index].matches.append(
                contentsOf: repeatElement(number, count: range.count))
            aggregatedRowCount += range.count
        }
    }

    /// Hands the matches on.
    func emit(into output: OrderedOutput) throws(Failure) {
        guard !times.isEmpty else { return }
        let count = times.count
        var values = references.enumerated().map { index, places in
            rows.values(pattern.measureValues.references[index].column, at: places)
        }
        values += aggregates(count)
        let time = Column(schemaTimeType, capacity: count)
        for value in times { time.append(value) }
        values.append(time)
        let keys = pattern.partition.map { rows.values($0, at: anyRow) }
        let results = measures.map { $0.evaluate(columns: values, rowCount: count) }
        forget()
        try output.emit(Batch(schema: schema, columns: keys + results, rowCount: count))
    }

    private var schemaTimeType: DataType { rows.schema[pattern.timeColumn].type }

    private func aggregates(_ count: Int) -> [Column] {
        let slots = (0..<Int32(count)).map { $0 }
        return accumulators.enumerated().map { index, accumulator in
            let column = Column(
                pattern.measureValues.aggregates[index].call.type, capacity: count)
            slots.withUnsafeBufferPointer { slots in
                accumulator.reserve(count)
                accumulator.clear(slots)
                update(accumulator, index)
                accumulator.emit(slots, into: column)
                accumulator.release(slots)
            }
            return column
        }
    }

    private func update(_ accumulator: any Accumulator, _ index: Int) {
        aggregated[index].rows.withUnsafeBufferPointer { places in
            aggregated[index].matches.withUnsafeBufferPointer { matches in
                guard let places = places.baseAddress, let slots = matches.baseAddress else {
                    return
                }
                accumulator.update(
                    RowSlots(rows: places, slots: slots, count: matches.count),
                    rows.input(arguments[index], timeColumn: pattern.timeColumn))
            }
        }
    }

    private func forget() {
        times.removeAll(keepingCapacity: true)
        anyRow.removeAll(keepingCapacity: true)
        for index in references.indices { references[index].removeAll(keepingCapacity: true) }
        for index in aggregated.indices { aggregated[index] = ([], []) }
        aggregatedRowCount = 0
    }
}
