// Rejected documents as rows: the reason in words, and the beginning of the document.
//
// There are few different reasons, so that metrics can count by them; they name columns and limits
// and never say anything of the payload.

import CSimdJSON
import WeirCore

/// A document that became no row.
struct RejectedDocument {
    let reason: String
    /// The message it came in, and where it lies in the messages' bytes.
    let message: Int
    let start: Int
    let length: Int
}

/// The wording of rejections for one deserializer.
struct RejectionReasons {
    /// Bytes of a document that its rejection keeps.
    static let excerptBytesMax = 256

    /// The columns that the reader fills, in its numbering.
    let columns: [ColumnDeclaration]
    let limits: DecodeLimits
    /// Reasons already worded, by fault, column and what was found.
    private var worded: [Int: String] = [:]

    init(columns: [ColumnDeclaration], limits: DecodeLimits) {
        self.columns = columns
        self.limits = limits
    }

    /// What the reader rejected, with the reasons in words.
    mutating func documents(
        _ rejections: UnsafeBufferPointer<weir_json_rejection>
    ) -> [RejectedDocument] {
        rejections.map { rejection in
            RejectedDocument(
                reason: reason(rejection), message: Int(rejection.message),
                start: rejection.start, length: rejection.length)
        }
    }

    /// The rows of `DecodedRows.rejectedSchema` for `documents`.
    func rejectedRows(_ documents: [RejectedDocument], _ messages: MessageBatch) -> Batch {
        let reasons = Column(.string, capacity: documents.count)
        let topics = Column(.string, capacity: documents.count)
        let times = Column(.timestampLTZ, capacity: documents.count)
        let payloads = Column(.string, capacity: documents.count)
        for document in documents {
            reasons.append(document.reason)
            topics.append(
                text(messages.topics.text(document.message), bytesMax: limits.topicBytesMax))
            times.append(messages.receivedAt[document.message])
            let bytes = UnsafeBufferPointer(
                start: messages.bytes + document.start, count: document.length)
            payloads.append(text(bytes, bytesMax: Self.excerptBytesMax))
        }
        return Batch(
            schema: DecodedRows.rejectedSchema, columns: [reasons, topics, times, payloads],
            rowCount: documents.count)
    }

    /// At most `bytesMax` bytes of `bytes`, cut between characters, as valid text.
    private func text(_ bytes: UnsafeBufferPointer<UInt8>, bytesMax: Int) -> String {
        guard bytes.count > bytesMax else { return String(decoding: bytes, as: UTF8.self) }
        var end = bytesMax
        while end > bytesMax - 3, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    private mutating func reason(_ rejection: weir_json_rejection) -> String {
        let key =
            Int(rejection.fault.rawValue) << 40 | Int(rejection.found.rawValue) << 32
            | Int(rejection.column + 1)
        if let known = worded[key] { return known }
        let words =
            rejection.column < 0
            ? wording(rejection.fault)
            : wording(rejection.fault, columns[Int(rejection.column)], rejection.found)
        worded[key] = words
        return words
    }

    private func wording(_ fault: weir_json_fault) -> String {
        switch fault {
        case WEIR_JSON_REFUSED: "topic or user property of more than \(limits.topicBytesMax) bytes"
        case WEIR_JSON_EMPTY: "empty payload"
        case WEIR_JSON_TOO_LARGE: "payload of more than \(limits.documentBytesMax) bytes"
        case WEIR_JSON_INVALID_UTF8: "invalid UTF-8"
        case WEIR_JSON_CONTROL_CHARACTER: "invalid JSON: a control character in a string"
        case WEIR_JSON_UNCLOSED_STRING: "invalid JSON: a string is not closed"
        case WEIR_JSON_ENDS_EARLY: "invalid JSON: it ends too early"
        case WEIR_JSON_TRAILING: "invalid JSON: something follows the object"
        case WEIR_JSON_TOO_DEEP: "nested deeper than \(limits.depthMax) levels"
        case WEIR_JSON_NOT_OBJECT: "neither an object nor an array of objects"
        case WEIR_JSON_ELEMENT_NOT_OBJECT: "an element of the array is not an object"
        default: "invalid JSON"
        }
    }

    private func wording(
        _ fault: weir_json_fault, _ column: ColumnDeclaration, _ found: weir_json_found
    ) -> String {
        var scalar = column.type
        if case .array(let element) = scalar { scalar = element }
        // Of a value with parts it is not said which of them it was.
        let isTime = scalar.isTimestamp
        let encoding = isTime ? " as \(column.timestampEncoding.rawValue)" : ""
        let expected = "\(column.type)\(encoding)"
        return switch fault {
        case WEIR_JSON_FRACTION: "\(column.name): expected \(expected), found a fraction"
        case WEIR_JSON_OUT_OF_RANGE: "\(column.name): \(isTime ? "time" : "number") out of range"
        case WEIR_JSON_NOT_A_TIME: "\(column.name): expected \(expected), found another text"
        default: "\(column.name): expected \(expected), found \(name(of: found))"
        }
    }

    private func name(of found: weir_json_found) -> String {
        switch found {
        case WEIR_JSON_FOUND_STRING: "a string"
        case WEIR_JSON_FOUND_BOOLEAN: "a boolean"
        case WEIR_JSON_FOUND_OBJECT: "an object"
        case WEIR_JSON_FOUND_ARRAY: "an array"
        default: "a number"
        }
    }
}
