// JSON messages to rows: the C++ reader (CSimdJSON) fills the columns that come from payloads, this
// class adds those that come from the transport.
//
// Only the columns that queries need are read; that a document is valid JSON does not depend on
// them. The rules for values are in docs/configuration.md: missing and null are NULL; an integer
// column takes 1.0 and 1e3 and no fraction; a double takes integers; a decimal is rounded to its places
// and may stand in a string; of a member that comes twice
// the last counts; half a surrogate pair is U+FFFD; a byte order mark is ignored.

import CSimdJSON
import WeirCore

/// Decodes JSON payloads.
public final class JSONDeserializer: Deserializer {
    public let schema: Schema
    let limits: DecodeLimits
    private let form: PayloadForm
    /// The declarations of the needed columns, as in `schema`.
    private let declarations: [ColumnDeclaration]
    /// For each needed column its number in the reader, or -1.
    private let readerColumns: [Int]
    private let reader: OpaquePointer
    private var messages: MessageBatch?
    private var reasons: RejectionReasons

    /// A deserializer for the columns named in `needed`, in that order. Declarations must have no
    /// `problem`, and `needed` must name declared columns.
    public convenience init(
        columns: [ColumnDeclaration], needed: [String], limits: DecodeLimits = DecodeLimits(),
        form: PayloadForm = .recognized
    ) {
        self.init(
            columns: columns, needed: needed, limits: limits, form: form, chunkBytes: 256 << 10)
    }

    /// The same with a size for what goes through the reader's first stage at once, which must not
    /// show in results; for tests.
    init(
        columns: [ColumnDeclaration], needed: [String], limits: DecodeLimits, form: PayloadForm,
        chunkBytes: Int
    ) {
        precondition((1...1024).contains(limits.depthMax), "depthMax out of bounds")
        let documentBytes = 1...(1 << 30)
        precondition(
            documentBytes.contains(limits.documentBytesMax), "documentBytesMax out of bounds")
        precondition(limits.batchRowsMax > 0 && limits.topicBytesMax > 0, "limits must be positive")
        declarations = needed.map { name in
            guard let declaration = columns.first(where: { $0.name == name }) else {
                preconditionFailure("no column named \(name) is declared")
            }
            precondition(declaration.problem == nil, "\(name): \(declaration.problem ?? "")")
            return declaration
        }
        schema = Schema(declarations.map { Field($0.name, $0.type) })
        var fromPayload: [ColumnDeclaration] = []
        readerColumns = declarations.map { declaration in
            guard case .payload = declaration.origin else { return -1 }
            fromPayload.append(declaration)
            return fromPayload.count - 1
        }
        self.limits = limits
        self.form = form
        reasons = RejectionReasons(columns: fromPayload, limits: limits)
        reader = makeReader(fromPayload, limits, chunkBytes: chunkBytes)
    }

    deinit { weir_json_destroy(reader) }

    public func begin(_ messages: MessageBatch) {
        self.messages = messages
        let refused = refusedMessages(messages)
        messages.starts.withUnsafeBufferPointer { starts in
            messages.lengths.withUnsafeBufferPointer { lengths in
                refused.withUnsafeBufferPointer { refused in
                    var input = weir_json_messages(
                        bytes: UnsafePointer(messages.bytes), starts: starts.baseAddress,
                        lengths: lengths.baseAddress, count: messages.count,
                        are_lines: form == .lines,
                        refused: refused.isEmpty ? nil : refused.baseAddress)
                    weir_json_begin(reader, &input)
                }
            }
        }
    }

    public func next() -> DecodedRows? {
        while let messages {
            if !weir_json_next(reader, limits.batchRowsMax) { self.messages = nil }
            let rows = weir_json_row_count(reader)
            var rejectedCount = 0
            let rejections = weir_json_rejections(reader, &rejectedCount)
            if rows == 0 && rejectedCount == 0 { continue }
            let batch = takeBatch(rowCount: rows, messages)
            let rejected =
                rejectedCount == 0
                ? nil
                : reasons.rejectedRows(
                    reasons.documents(
                        UnsafeBufferPointer(start: rejections, count: rejectedCount)), messages)
            return DecodedRows(
                batch: batch, rejected: rejected, nulledValues: weir_json_nulled_count(reader))
        }
        return nil
    }

    /// All rejected rows of the last `next` when somebody else had to refuse rows of its batch as
    /// well: those and its own, in the order of the documents, wherever batches end. `messages` are
    /// those that were begun with. Good until the next `next`.
    public func rejectedRows(
        with refused: [(row: Int, reason: String)], in messages: MessageBatch
    ) -> Batch {
        var count = 0
        let rejections = weir_json_rejections(reader, &count)
        var documents = reasons.documents(UnsafeBufferPointer(start: rejections, count: count))
        if let rowMessages = weir_json_row_messages(reader),
            let extents = weir_json_row_extents(reader)
        {
            for (row, reason) in refused {
                documents.append(
                    RejectedDocument(
                        reason: reason, message: Int(rowMessages[row]), start: extents[row].start,
                        length: extents[row].length))
            }
        }
        documents.sort { ($0.message, $0.start) < ($1.message, $1.start) }
        return reasons.rejectedRows(documents, messages)
    }

    private func takeBatch(rowCount: Int, _ messages: MessageBatch) -> Batch {
        let rowMessages = UnsafeBufferPointer(
            start: weir_json_row_messages(reader), count: rowCount)
        let columns = zip(declarations, readerColumns).map { declaration, readerColumn in
            if readerColumn >= 0 { return takeColumn(readerColumn, declaration.type) }
            return transportColumn(declaration, rowMessages, messages)
        }
        return Batch(schema: schema, columns: columns, rowCount: rowCount)
    }

    private func takeColumn(_ index: Int, _ type: DataType) -> Column {
        if type.hasParts { return takeParts(index, type) }
        var rows = weir_json_values()
        var elements = weir_json_values()
        weir_json_take(reader, index, &rows, &elements)
        guard case .array(let element) = type else { return adopt(rows, type) }
        return adopt(rows, type, child: adopt(elements, element))
    }

    private func takeParts(_ index: Int, _ type: DataType) -> Column {
        var values = [weir_json_values](repeating: weir_json_values(), count: type.partCount)
        values.withUnsafeMutableBufferPointer { weir_json_take_parts(reader, index, $0.baseAddress) }
        var rest = values[...]
        return Column(takingParts: &rest, type)
    }

    /// A flag for each message whose topic or user properties are too long; empty when there is
    /// none.
    private func refusedMessages(_ messages: MessageBatch) -> [UInt8] {
        let max = limits.topicBytesMax
        var refused: [UInt8] = []
        func refuse(_ message: Int) {
            if refused.isEmpty { refused = [UInt8](repeating: 0, count: messages.count) }
            refused[message] = 1
        }
        let offsets = messages.topics.offsets
        for message in 0..<messages.count where Int(offsets[message + 1] - offsets[message]) > max {
            refuse(message)
        }
        for (message, properties) in messages.userProperties {
            let isLong = properties.contains {
                max < Swift.max($0.name.utf8.count, $0.value.utf8.count)
            }
            if isLong { refuse(message) }
        }
        return refused
    }
}

func adopt(_ values: weir_json_values, _ type: DataType, child: Column? = nil) -> Column {
    guard let storage = values.values else { preconditionFailure("the reader gave no values") }
    return Column(
        adopting: storage, type: type, count: values.count, validity: values.validity,
        bytes: values.bytes, byteCount: values.byte_count, child: child)
}
