// Durable state in memory: what a commit wrote stays, what was written ahead of a commit stays, too
// (though nothing may count on it), and what a crash interrupted is gone.

import WeirCore
import WeirStore

#if canImport(Glibc)
import Glibc
#endif

/// An ordered map with the faces of a store.
final class MemoryStateStore: StateReader {
    private(set) var pairs: [(key: [UInt8], value: [UInt8])] = []
    private(set) var putCount = 0
    private(set) var putBytes = 0
    private(set) var writeAheadCount = 0

    /// Writes that take effect together.
    final class Batch: StateWriter {
        fileprivate var steps: [(MemoryStateStore) -> Void] = []

        func put(_ key: [UInt8], _ value: UnsafeRawBufferPointer) {
            let copy = Array(value)
            steps.append { $0.set(key, copy) }
        }
        func delete(_ key: [UInt8]) { steps.append { $0.remove(key, key + [0]) } }
        func deleteRange(_ start: [UInt8], _ end: [UInt8]) {
            steps.append { $0.remove(start, end) }
        }
    }

    func commit(_ batch: Batch) { for step in batch.steps { step(self) } }

    func get(_ key: [UInt8]) -> [UInt8]? {
        let index = place(key)
        return index < pairs.count && pairs[index].key == key ? pairs[index].value : nil
    }

    func scan(
        _ start: [UInt8], _ end: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Failure) ->
            Bool
    ) throws(Failure) {
        let cursor = cursor(start, end)
        while cursor.isValid {
            guard try body(cursor.key, cursor.value) else { return }
            try cursor.advance()
        }
    }

    func cursor(_ start: [UInt8], _ end: [UInt8]) -> any StateCursor {
        let last = end.isEmpty ? pairs.count : place(end)
        let first = place(start)
        return Cursor(first < last ? Array(pairs[first..<last]) : [])
    }

    func writeAhead(_ body: (any StateWriter) -> Void) {
        let batch = Batch()
        body(batch)
        commit(batch)
        writeAheadCount += 1
    }

    private func place(_ key: [UInt8]) -> Int {
        var (low, high) = (0, pairs.count)
        while low < high {
            let middle = (low + high) / 2
            if pairs[middle].key.lexicographicallyPrecedes(key) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    private func set(_ key: [UInt8], _ value: [UInt8]) {
        putCount += 1
        putBytes += value.count
        let index = place(key)
        if index < pairs.count, pairs[index].key == key {
            pairs[index].value = value
        } else {
            pairs.insert((key, value), at: index)
        }
    }

    private func remove(_ start: [UInt8], _ end: [UInt8]) {
        let first = place(start)
        pairs.removeSubrange(first..<max(first, place(end)))
    }

    /// A snapshot of a range; its bytes stay put for as long as it lives.
    private final class Cursor: StateCursor {
        private let pairs:
            [(key: UnsafeMutableRawBufferPointer, value: UnsafeMutableRawBufferPointer)]
        private var position = 0

        init(_ pairs: [(key: [UInt8], value: [UInt8])]) {
            self.pairs = pairs.map { (Self.copy($0.key), Self.copy($0.value)) }
        }

        deinit {
            for pair in pairs {
                pair.key.deallocate()
                pair.value.deallocate()
            }
        }

        private static func copy(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
            copy.copyBytes(from: bytes)
            return copy
        }

        var isValid: Bool { position < pairs.count }
        var key: UnsafeRawBufferPointer { UnsafeRawBufferPointer(pairs[position].key) }
        var value: UnsafeRawBufferPointer { UnsafeRawBufferPointer(pairs[position].value) }
        func advance() {
            // What was read is no longer valid, as in a real store.
            if let base = pairs[position].value.baseAddress {
                memset(base, 0xEE, pairs[position].value.count)
            }
            position += 1
        }
    }
}
