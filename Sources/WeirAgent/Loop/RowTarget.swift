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
    private var hours: Set<Int64> = []

    /// - Parameter partition: given when hours of the stream are to be told complete.
    init(
        _ appender: OutboxAppender, sink: String, stream: String, partition: PartitionRule? = nil
    ) {
        self.appender = appender
        self.partition = partition
        self.stream = appender.register(sink: sink, stream: stream)
    }

    func append(_ rows: Batch) {
        appender.append(stream, rows)
        if let partition { note(rows.columns[partition.column], rows.rowCount) }
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
