// Columns that come from what the transport says of a message. They are the same for all rows of a
// message, and are copied to each.
//
// Topics and user properties should be UTF-8; what is not becomes U+FFFD, so that outputs stay
// valid.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The column of `declaration` for rows of the messages numbered in `rowMessages`.
func transportColumn(
    _ declaration: ColumnDeclaration, _ rowMessages: UnsafeBufferPointer<UInt32>,
    _ messages: MessageBatch
) -> Column {
    switch declaration.origin {
    case .payload: preconditionFailure("a payload column is the reader's")
    case .topic:
        return textColumn(rowMessages) { messages.topics.text($0) }
    case .topicLevel(let level):
        return textColumn(rowMessages) { topicLevel(level, of: messages.topics.text($0)) }
    case .userProperty(let name):
        return propertyColumn(name, rowMessages, messages)
    case .receivedAt:
        let column = Column(.timestampLTZ, capacity: rowMessages.count)
        let values = column.ints
        messages.receivedAt.withUnsafeBufferPointer { times in
            for (row, message) in rowMessages.enumerated() { values[row] = times[Int(message)] }
        }
        column.setCount(rowMessages.count)
        return column
    case .retained:
        let column = Column(.boolean, capacity: rowMessages.count)
        let values = column.bools
        messages.retained.withUnsafeBufferPointer { flags in
            for (row, message) in rowMessages.enumerated() {
                values[row] = flags[Int(message)] ? 1 : 0
            }
        }
        column.setCount(rowMessages.count)
        return column
    }
}

/// Level `level` of a topic, from 0; nil when it has fewer.
func topicLevel(_ level: Int, of topic: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
    guard var start = topic.baseAddress else { return nil }
    let end = start + topic.count
    for _ in 0..<level {
        guard let slash = memchr(start, 0x2F, end - start) else { return nil }
        start = UnsafePointer(slash.assumingMemoryBound(to: UInt8.self)) + 1
    }
    let slash = memchr(start, 0x2F, end - start)
    let stop = slash.map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) } ?? end
    return UnsafeBufferPointer(start: start, count: stop - start)
}

/// A string column whose text `text` says once a run of rows of one message; nil for NULL.
private func textColumn(
    _ rowMessages: UnsafeBufferPointer<UInt32>,
    _ text: (Int) -> UnsafeBufferPointer<UInt8>?
) -> Column {
    let column = Column(.string, capacity: rowMessages.count)
    var current = UInt32.max
    var value: UnsafeBufferPointer<UInt8>?
    for message in rowMessages {
        if message != current {
            current = message
            value = text(Int(message))
        }
        guard let value else {
            column.appendNull()
            continue
        }
        if value.allSatisfy({ $0 < 0x80 }) {
            column.append(value)
        } else {
            column.append(String(decoding: value, as: UTF8.self))
        }
    }
    return column
}

private func propertyColumn(
    _ name: String, _ rowMessages: UnsafeBufferPointer<UInt32>, _ messages: MessageBatch
) -> Column {
    let column = Column(.string, capacity: rowMessages.count)
    for message in rowMessages {
        if let property = messages.userProperties[Int(message)]?.first(where: { $0.name == name }) {
            column.append(property.value)
        } else {
            column.appendNull()
        }
    }
    return column
}
