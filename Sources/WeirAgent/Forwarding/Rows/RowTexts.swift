// A segment's rows as texts, one a row, with the row's id. An id is `agent/sink/stream/number`: a function
// of the row's number in its stream, so it is the same however often and in whatever company a row is sent,
// and a receiver that has seen it can drop the row.

import WeirCore
import WeirFormats
import WeirStore

/// Makes the texts of rows. Belongs to the sink's thread.
final class RowTexts {
    /// One row; its text lasts until the closure that gets it returns.
    struct Row {
        let number: UInt64
        let text: UnsafeRawBufferPointer
        let batch: Batch
        /// Its place in the batch.
        let index: Int
    }

    private let agentID: String
    private let sinkName: String
    private let idColumn: String?
    private let lines: LineProtocolLayout?
    private let outbox: Outbox
    private let encoded = EncodedBytes()
    private var json: NDJSONEncoder?
    private var line: (schema: Schema, encoder: LineProtocolEncoder)?
    /// Rows that are text at a time.
    private static let encodedRowsMax = 512

    /// `lines`: rows as line protocol instead of JSON.
    init(_ settings: ForwarderSettings, _ options: RowSinkOptions, outbox: Outbox) {
        agentID = settings.agentID
        sinkName = settings.sinkName
        idColumn = options.idColumn
        self.outbox = outbox
        if case .influx(_, let layout) = options.target { lines = layout } else { lines = nil }
    }

    /// What the ids of a stream's rows begin with.
    func idPrefix(_ stream: String) -> String { "\(agentID)/\(sinkName)/\(stream)/" }

    /// Hands over the rows of a segment from `first` on, in order. A text has no line end.
    func forEachRow(
        of segment: Segment, from first: UInt64, _ body: (Row) throws(Failure) -> Void
    ) throws(Failure) {
        var number = segment.first
        try outbox.readRows(of: segment) { (batch) throws(Failure) in
            let skipped = first > number ? min(UInt64(batch.rowCount), first - number) : 0
            var start = Int(skipped)
            let rows = start < batch.rowCount ? self.completed(batch, segment.streamName, number) : batch
            while start < rows.rowCount {
                let end = min(rows.rowCount, start + Self.encodedRowsMax)
                try self.encode(rows, start..<end, segment, firstNumber: number, body)
                start = end
            }
            number += UInt64(batch.rowCount)
        }
    }

    private func encode(
        _ batch: Batch, _ rows: Range<Int>, _ segment: Segment, firstNumber: UInt64,
        _ body: (Row) throws(Failure) -> Void
    ) throws(Failure) {
        encoded.removeAll()
        var ends: [Int] = []
        ends.reserveCapacity(rows.count)
        if let lines {
            let encoder = lineEncoder(batch.schema, lines, segment.streamName)
            for row in rows {
                encoder.append(
                    batch, row: row, number: firstNumber + UInt64(row), timeOfNull: segment.sealedAt,
                    to: encoded)
                ends.append(encoded.count)
            }
        } else {
            jsonEncoder(batch.schema).append(batch, rows: rows, to: encoded)
            // JSON has no line ends but those between rows.
            for (index, byte) in encoded.bytes.enumerated() where byte == 0x0A { ends.append(index + 1) }
        }
        precondition(ends.count == rows.count, "a text a row")
        var start = 0
        for (row, end) in zip(rows, ends) {
            let text = UnsafeRawBufferPointer(rebasing: encoded.bytes[start..<end - 1])
            try body(Row(number: firstNumber + UInt64(row), text: text, batch: batch, index: row))
            start = end
        }
    }

    private func jsonEncoder(_ schema: Schema) -> NDJSONEncoder {
        if let json, json.schema == schema { return json }
        let made = NDJSONEncoder(schema)
        json = made
        return made
    }

    private func lineEncoder(
        _ schema: Schema, _ layout: LineProtocolLayout, _ stream: String
    ) -> LineProtocolEncoder {
        if let line, line.schema == schema { return line.encoder }
        // The agent tells one gateway's series from another's.
        var layout = layout
        layout.tags.append("agent")
        let made = LineProtocolEncoder(schema, layout, stream: stream)
        line = (schema, made)
        return made
    }

    /// The batch with the id before its columns and the agent behind them, unless it has such columns.
    private func completed(_ batch: Batch, _ stream: String, _ firstNumber: UInt64) -> Batch {
        var (fields, columns) = (batch.schema.fields, batch.columns)
        if let idColumn, batch.schema.index(of: idColumn) == nil {
            let prefix = idPrefix(stream)
            let ids = Column(.string, capacity: batch.rowCount)
            for row in 0..<batch.rowCount { ids.append("\(prefix)\(firstNumber + UInt64(row))") }
            fields.insert(Field(idColumn, .string), at: 0)
            columns.insert(ids, at: 0)
        }
        if batch.schema.index(of: "agent") == nil {
            let agents = Column(.string, capacity: batch.rowCount)
            for _ in 0..<batch.rowCount { agents.append(agentID) }
            fields.append(Field("agent", .string))
            columns.append(agents)
        }
        return Batch(schema: Schema(fields), columns: columns, rowCount: batch.rowCount)
    }
}
