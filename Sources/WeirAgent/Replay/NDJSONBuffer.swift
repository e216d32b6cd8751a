// Rows as NDJSON, gathered until somebody writes them out. An encoder is made for each schema that
// comes by; a query has one, rejected rows another.

import WeirCore
import WeirFormats

/// A buffer of NDJSON lines.
final class NDJSONBuffer {
    private let bytes = EncodedBytes()
    private var encoder: NDJSONEncoder?

    /// Bytes waiting.
    var byteCount: Int { bytes.count }

    func append(_ rows: Batch) {
        let encoder =
            if let encoder, encoder.schema == rows.schema { encoder } else { NDJSONEncoder(rows.schema) }
        self.encoder = encoder
        encoder.append(rows, to: bytes)
    }

    /// Hands over what waits, and forgets it.
    func drain(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard !bytes.isEmpty else { return }
        body(bytes.bytes)
        bytes.removeAll()
    }
}
