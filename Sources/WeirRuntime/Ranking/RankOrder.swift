// What ROW_NUMBER() over the rows of a window and ORDER BY by time have in common: rows are put in an
// order and numbered, each partition from 1 or the whole result from 1, and those whose number lies in a
// range are taken.
//
// The order is (event time, partition, what ORDER BY says, arrival). It is a total one, so it does not
// matter how many of the rows are looked at together: the first N of some rows are the first N of what is
// left of them when others were dropped that are not among their own first N.

import WeirCore
import WeirSQL

/// An order of rows and the numbers that are taken.
final class RankOrder {
    /// The time column of the rows, before all other keys.
    private let timeColumn: Int
    private let expressions: [CompiledExpression]
    let keys: SortKeys
    /// Whether all rows are numbered together, from the first to the last that there ever is.
    let isWhole: Bool
    let latestFirst: Bool
    /// The numbers that are taken.
    let first: Int64
    let last: Int64

    init(_ spec: RankSpec) throws(Failure) {
        timeColumn = spec.time
        expressions = try (spec.partition + spec.order.map(\.expression)).map { (key) throws(Failure) in
            try CompiledExpression(key)
        }
        keys = SortKeys(
            [SortKeys.Part()] + spec.partition.map { _ in SortKeys.Part() } + spec.order.map(Self.part),
            partitionCount: 1 + spec.partition.count)
        isWhole = false
        latestFirst = spec.isLatestFirst && spec.last == 1
        (first, last) = (spec.first, spec.last)
    }

    init(_ spec: SortSpec) throws(Failure) {
        timeColumn = spec.time
        expressions = try spec.order.map { (key) throws(Failure) in
            try CompiledExpression(key.expression)
        }
        keys = SortKeys([SortKeys.Part()] + spec.order.map(Self.part), partitionCount: 0)
        isWhole = true
        latestFirst = false
        let end = spec.offset.addingReportingOverflow(spec.limit ?? .max)
        first = spec.offset == .max ? .max : spec.offset + 1
        last = end.overflow ? .max : end.partialValue
    }

    private static func part(_ key: OrderKey) -> SortKeys.Part {
        SortKeys.Part(isDescending: key.isDescending, areNullsFirst: key.areNullsFirst)
    }

    var evaluationErrors: UInt64 { expressions.reduce(0) { $0 + $1.evaluationErrors } }

    /// Writes the keys of all rows.
    func encode(_ batch: Batch) {
        let computed = expressions.map { $0.evaluate(batch) }
        keys.encode([batch.columns[timeColumn]] + computed, rowCount: batch.rowCount)
    }

    /// Where numbering goes on.
    struct Start {
        /// The number of the last row before.
        var number: Int64 = 0
        /// That row's partition; nil where the first row begins a new one. Not looked at if all rows are
        /// numbered together.
        var partition: [UInt8]?
    }

    /// Rows in order and their numbers.
    struct Numbered {
        var rows: [Int32] = []
        var numbers: [Int64] = []
    }

    /// The rows whose keys were written, in order, those alone that are numbered `last` or less.
    func numbered(from start: Start) -> Numbered {
        let order = keys.sorted(latestFirst: latestFirst)
        var result = Numbered()
        guard let leader = order.first else { return result }
        let goesOn = isWhole || start.partition.map { isPartition(of: Int(leader), $0) } ?? false
        var number = goesOn ? start.number : 0
        var previous = Int(leader)
        for row in order {
            if !isWhole, !keys.sharePartition(previous, Int(row)) { number = 0 }
            previous = Int(row)
            number += 1
            guard number <= last else { continue }
            result.rows.append(row)
            result.numbers.append(number)
        }
        return result
    }

    /// Whether `partition` is that of a row.
    func isPartition(of row: Int, _ partition: [UInt8]) -> Bool {
        partition.withUnsafeBufferPointer { KeyBytes.compare($0, keys.partition(row)) == 0 }
    }

    /// The rows of `batch` without which the result would be another one, ascending, if `number` of the
    /// whole have been numbered before.
    func needed(_ batch: Batch, after number: Int64) -> [Int32] {
        encode(batch)
        return numbered(from: Start(number: number)).rows.sorted()
    }
}
