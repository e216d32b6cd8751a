// Where rows that a query or a source gives off end up: the outbox of a running agent, or the files of
// a replay. Appending is memory work; what was appended becomes durable with the group commit.

import WeirCore
import WeirStore

/// Takes rows of one stream, in order.
protocol RowTarget: AnyObject {
    func append(_ rows: Batch)

    /// No row that is still to come has an event time at or below `watermark`.
    func closeTime(upTo watermark: Int64)
}

extension RowTarget {
    func closeTime(upTo watermark: Int64) {}
}

/// By which column a sink lays out a query's rows, where it tells that hours are complete.
struct PartitionRule {
    let column: Int
    /// How far values of the column lie behind the watermark at most, ms.
    let reach: Int64
}

/// A stream of the outbox.
final class OutboxTarget: RowTarget {
    private let appender: OutboxAppender
    private let stream: StreamID
    private let partition: PartitionRule?
    private let columnCount: Int?
    private var hours: Set<Int64> = []

    /// - Parameters:
    ///   - counters: by which the ledger counts what is taken in for the stream.
    ///   - partition: given when hours of the stream are to be told complete.
    ///   - columnCount: of rows with more columns the first so many are taken; nil for all.
    init(
        _ outbox: CountedOutbox, sink: String, stream: String, counters: [Ledger.CounterID],
        partition: PartitionRule? = nil, columnCount: Int? = nil
    ) {
        appender = outbox.appender
        self.partition = partition
        self.stream = appender.register(sink: sink, stream: stream)
        appender.account(self.stream, by: counters, of: outbox.ledger)
        self.columnCount = columnCount
    }

    func append(_ rows: Batch) {
        appender.append(stream, shown(rows))
        if let partition { note(rows.columns[partition.column], rows.rowCount) }
    }

    private func shown(_ rows: Batch) -> Batch {
        guard let columnCount, columnCount < rows.columns.count else { return rows }
        return Batch(
            schema: Schema(Array(rows.schema.fields.prefix(columnCount))),
            columns: Array(rows.columns.prefix(columnCount)), rowCount: rows.rowCount)
    }

    func closeTime(upTo watermark: Int64) {
        guard let partition else { return }
        let (bound, overflow) = watermark.subtractingReportingOverflow(partition.reach)
        if !overflow { appender.close(stream, upTo: bound) }
    }

    private func note(_ column: Column, _ rowCount: Int) {
        hours.removeAll(keepingCapacity: true)
        var last = Int64.min
        for row in 0..<rowCount where !column.isNull(row) {
            let hour = ObjectNaming.hourStart(of: column.ints[row])
            if hour != last { hours.insert(hour) }
            last = hour
        }
        appender.note(hours: hours, of: stream)
    }
}
