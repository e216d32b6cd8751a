// What the tests of this target share: messages from texts, rows as texts, seeded randomness.

import WeirCore

@testable import WeirFormats

/// Messages with these payloads, from topic `t`, received at 1000, 1001, ….
func messages(_ payloads: [[UInt8]], topic: String = "t") -> MessageBatch {
    let batch = MessageBatch(messagesMax: .max, bytesMax: .max)
    for (index, payload) in payloads.enumerated() {
        add(payload, to: batch, topic: topic, receivedAt: 1000 + Int64(index))
    }
    return batch
}

func messages(_ payloads: String..., topic: String = "t") -> MessageBatch {
    messages(payloads.map { Array($0.utf8) }, topic: topic)
}

func add(
    _ payload: [UInt8], to batch: MessageBatch, topic: String, receivedAt: Int64,
    retained: Bool = false, userProperties: [(name: String, value: String)] = []
) {
    payload.withUnsafeBytes { bytes in
        Array(topic.utf8).withUnsafeBufferPointer { topic in
            batch.append(
                payload: bytes, topic: topic, receivedAt: receivedAt, retained: retained,
                userProperties: userProperties)
        }
    }
}

/// One value as text: NULL, true, 12, 1.5, "text", [1, NULL].
func text(_ column: Column, _ row: Int) -> String {
    if column.isNull(row) { return "NULL" }
    switch column.physical {
    case .bool: return column.bools[row] == 1 ? "true" : "false"
    case .int64: return "\(column.ints[row])"
    case .int128: return "\(column.wides[row])"
    case .row: return "(" + column.fields.map { text($0, row) }.joined(separator: ", ") + ")"
    case .double: return "\(column.doubles[row])"
    case .string: return "\"\(column.string(row))\""
    case .array:
        guard let child = column.child else { return "?" }
        let elements = (Int(column.offsets[row])..<Int(column.offsets[row + 1])).map {
            text(child, $0)
        }
        return "[" + elements.joined(separator: ", ") + "]"
    }
}

/// The rows of a batch, their values separated by `|`.
func rows(_ batch: Batch) -> [String] {
    (0..<batch.rowCount).map { row in
        batch.columns.map { text($0, row) }.joined(separator: "|")
    }
}

/// The reasons of rejected rows.
func reasons(_ decoded: DecodedRows) -> [String] {
    guard let rejected = decoded.rejected else { return [] }
    return (0..<rejected.rowCount).map { rejected.columns[0].string($0) }
}

/// What becomes of `json` where a column `v` of `type` is read from it: its value, or the reason.
func decodeValue(
    _ json: String, _ type: DataType, encoding: TimestampEncoding = .rfc3339,
    pointer: String = "/v",
    onTypeError: TypeErrorAction = .reject
) -> String {
    let column = ColumnDeclaration(
        name: "v", type: type, origin: .payload(pointer: pointer), timestampEncoding: encoding,
        onTypeError: onTypeError)
    let decoded = JSONDeserializer(columns: [column], needed: ["v"]).decode(messages(json))
    return (rows(decoded.batch) + reasons(decoded)).joined(separator: "; ")
}

/// A repeatable generator (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
