// The durable state of one key's operators: a part of the operator's own, under keys that begin with a
// number that no other key has had. The operators inside do not know that there are others like them.

import WeirCore
import WeirStore

/// What the keys of one key's state begin with.
struct KeyPrefix {
    let bytes: [UInt8]

    /// Behind the last key that begins so.
    var end: [UInt8] {
        var end = bytes
        while let last = end.popLast() {
            if last < .max { return end + [last + 1] }
        }
        preconditionFailure("a prefix has a byte that can be raised")
    }

    fileprivate func range(_ start: [UInt8], _ end: [UInt8]) -> (start: [UInt8], end: [UInt8]) {
        (bytes + start, end.isEmpty ? self.end : bytes + end)
    }
}

/// Writes under a prefix.
final class PrefixedWriter: StateWriter {
    private let base: any StateWriter
    private let prefix: KeyPrefix

    init(_ base: any StateWriter, _ prefix: KeyPrefix) { (self.base, self.prefix) = (base, prefix) }

    func put(_ key: [UInt8], _ value: UnsafeRawBufferPointer) { base.put(prefix.bytes + key, value) }
    func delete(_ key: [UInt8]) { base.delete(prefix.bytes + key) }
    func deleteRange(_ start: [UInt8], _ end: [UInt8]) {
        let range = prefix.range(start, end)
        base.deleteRange(range.start, range.end)
    }
}

/// Reads under a prefix.
final class PrefixedReader: StateReader {
    private let base: any StateReader
    private let prefix: KeyPrefix

    init(_ base: any StateReader, _ prefix: KeyPrefix) { (self.base, self.prefix) = (base, prefix) }

    func get(_ key: [UInt8]) throws(Failure) -> [UInt8]? { try base.get(prefix.bytes + key) }

    func scan(
        _ start: [UInt8], _ end: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Failure) -> Bool
    ) throws(Failure) {
        let range = prefix.range(start, end)
        let length = prefix.bytes.count
        try base.scan(range.start, range.end) { (key, value) throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: key[length...]), value)
        }
    }

    func cursor(_ start: [UInt8], _ end: [UInt8]) -> any StateCursor {
        let range = prefix.range(start, end)
        return PrefixedCursor(base.cursor(range.start, range.end), prefix.bytes.count)
    }

    func writeAhead(_ body: (any StateWriter) -> Void) throws(Failure) {
        try base.writeAhead { body(PrefixedWriter($0, prefix)) }
    }
}

/// A cursor that leaves the prefix out.
private final class PrefixedCursor: StateCursor {
    private let base: any StateCursor
    private let length: Int

    init(_ base: any StateCursor, _ length: Int) { (self.base, self.length) = (base, length) }

    var isValid: Bool { base.isValid }
    var key: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: base.key[length...]) }
    var value: UnsafeRawBufferPointer { base.value }
    func advance() throws(Failure) { try base.advance() }
}
