// What turns messages into rows, and the bounds that it keeps to.

import WeirCore

/// The bounds of decoding. Each is a limit of the documentation (docs/configuration.md).
public struct DecodeLimits: Hashable, Sendable {
    /// A document nested deeper is rejected; 64 by default, at most 1024.
    public var depthMax = 64
    /// A larger message (a longer line, where messages are lines) is rejected; 16 MiB by default,
    /// at most 1 GiB. Decoding a document of this size takes about five times as much memory.
    public var documentBytesMax = 16 << 20
    /// A message with a longer topic or user property is rejected, since these are repeated in each
    /// of its rows; 1,024 bytes by default.
    public var topicBytesMax = 1024
    /// Rows of one batch, rejected ones included; 16,384 by default. It bounds memory and does not
    /// show in results.
    public var batchRowsMax = 16_384

    public init() {}
}

/// How a payload's documents are told apart.
public enum PayloadForm: Hashable, Sendable {
    /// One object, an array of objects, or NDJSON: recognised message by message. A document may be
    /// spread over lines.
    case recognized
    /// Each line is a document (an object or an array of objects), whatever the payload looks like.
    /// For files, where it must not matter how lines are grouped into messages; blank lines are
    /// nothing.
    case lines
}

/// Some rows of a run of messages. Each row was either decoded or rejected; nothing is left out.
public struct DecodedRows {
    /// The decoded rows, with the deserializer's schema.
    public let batch: Batch
    /// The rejected rows, with `rejectedSchema`; nil when there is none.
    public let rejected: Batch?
    /// Rows received: those of `batch` and of `rejected`.
    public var receivedRows: Int { batch.rowCount + (rejected?.rowCount ?? 0) }
    /// Values that did not fit their column and became NULL.
    public let nulledValues: Int

    public init(batch: Batch, rejected: Batch?, nulledValues: Int) {
        self.batch = batch
        self.rejected = rejected
        self.nulledValues = nulledValues
    }

    /// What a rejected row tells: why (without anything of the payload), from which topic, when it
    /// was received, and the first 256 bytes of the document. Bytes that are not UTF-8 are U+FFFD.
    public static let rejectedSchema = Schema([
        Field("reason", .string),
        Field("topic", .string),
        Field("received_at", .timestampLTZ),
        Field("payload", .string),
    ])
}

/// Decodes messages of one format. Owned and called by one thread.
public protocol Deserializer: AnyObject {
    /// The columns of decoded rows.
    var schema: Schema { get }

    /// Begins with `messages`, which must not change until `next` has returned nil.
    func begin(_ messages: MessageBatch)

    /// The next rows, in the order of the messages, at most `batchRowsMax`; nil at the end.
    func next() -> DecodedRows?
}

extension Deserializer {
    /// All rows of `messages` at once. The memory this takes grows with the number of rows, which
    /// hostile messages can make large: the loop takes rows by `next`.
    public func decode(_ messages: MessageBatch) -> DecodedRows {
        begin(messages)
        guard let first = next() else {
            return DecodedRows(batch: .empty(schema), rejected: nil, nulledValues: 0)
        }
        var batches = [first.batch]
        var rejected = first.rejected.map { [$0] } ?? []
        var nulledValues = first.nulledValues
        while let more = next() {
            batches.append(more.batch)
            if let batch = more.rejected { rejected.append(batch) }
            nulledValues += more.nulledValues
        }
        return DecodedRows(
            batch: joined(batches, schema),
            rejected: rejected.isEmpty
                ? nil : joined(rejected, DecodedRows.rejectedSchema),
            nulledValues: nulledValues)
    }
}

private func joined(_ batches: [Batch], _ schema: Schema) -> Batch {
    if batches.count == 1 { return batches[0] }
    let rowCount = batches.reduce(0) { $0 + $1.rowCount }
    let columns = schema.fields.enumerated().map { index, field in
        let column = Column(field.type, capacity: rowCount)
        for batch in batches {
            column.append(from: batch.columns[index], range: 0..<batch.rowCount)
        }
        return column
    }
    return Batch(schema: schema, columns: columns, rowCount: rowCount)
}
