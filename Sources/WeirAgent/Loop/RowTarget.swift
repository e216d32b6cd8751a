// Where rows that a query or a source gives off end up: the outbox of a running agent, or the files of
// a replay. Appending is memory work; what was appended becomes durable with the group commit.

import WeirCore
import WeirStore

/// Takes rows of one stream, in order.
protocol RowTarget: AnyObject {
    func append(_ rows: Batch)
}

/// A stream of the outbox.
final class OutboxTarget: RowTarget {
    private let appender: OutboxAppender
    private let stream: StreamID

    init(_ appender: OutboxAppender, sink: String, stream: String) {
        self.appender = appender
        self.stream = appender.register(sink: sink, stream: stream)
    }

    func append(_ rows: Batch) { appender.append(stream, rows) }
}
