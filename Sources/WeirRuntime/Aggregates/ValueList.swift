// Values of a group in the order in which they came, back to back in one run of bytes. It only ever
// grows at its end, so a checkpoint writes what came since the one before.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// A growing list of values, NULLs included.
final class ValueList: GroupState {
    private(set) var count = 0
    private let bytes = Buffer<UInt8>()
    /// Where each value ends; inverted where the value is NULL.
    private let ends = Buffer<Int32>()
    /// Values that durable blocks have.
    private var savedCount = 0

    init() {}

    static var savesChanges: Bool { true }
    var byteCount: Int { Self.emptyBytes + end(count) + 4 * count }
    /// What a list without values takes.
    private static let emptyBytes = 160

    /// Bytes of the first `count` values.
    private func end(_ count: Int) -> Int {
        if count == 0 { return 0 }
        let end = ends.base[count - 1]
        return Int(end < 0 ? ~end : end)
    }

    /// Value `index`, nil for NULL; valid until the list grows.
    subscript(index: Int) -> UnsafeRawBufferPointer? {
        if ends.base[index] < 0 { return nil }
        let start = end(index)
        return UnsafeRawBufferPointer(
            start: bytes.base + start, count: Int(ends.base[index]) - start)
    }

    /// Whether another value of `size` bytes would be too much.
    func isFull(for size: Int) -> Bool {
        count >= GroupLimits.valuesMax || end(count) + size > GroupLimits.bytesMax
    }

    /// Adds a value, nil for NULL; false when the list is full.
    @discardableResult
    func append(_ value: UnsafeRawBufferPointer?) -> Bool {
        let size = value?.count ?? 0
        if isFull(for: size) { return false }
        let start = end(count)
        bytes.reserve(start + size)
        if let source = value?.baseAddress, size > 0 { memcpy(bytes.base + start, source, size) }
        ends.reserve(count + 1)
        ends.base[count] = value == nil ? ~Int32(start) : Int32(start + size)
        count += 1
        return true
    }

    func merge(_ other: ValueList) -> Int {
        var dropped = 0
        for index in 0..<other.count where !append(other[index]) { dropped += 1 }
        return dropped
    }

    // MARK: Saving

    func save(into writer: inout ByteWriter) { save(from: 0, into: &writer) }

    func saveChanges(into writer: inout ByteWriter) {
        save(from: savedCount, into: &writer)
        savedCount = count
    }

    func forgetSaved() { savedCount = 0 }

    private func save(from first: Int, into writer: inout ByteWriter) {
        writer.write(UInt32(count - first))
        writer.writePacked(count: count - first) { index in
            self[first + index].map { Int64($0.count) + 1 } ?? 0
        }
        let start = end(first)
        writer.write(
            UnsafeRawBufferPointer(start: bytes.base + start, count: end(count) - start))
    }

    func load(from reader: inout ByteReader) throws(Failure) {
        try append(savedIn: &reader) { _ in }
        savedCount = count
    }

    func loadChanges(from reader: inout ByteReader) throws(Failure) { try load(from: &reader) }

    /// Appends what `save` wrote; calls `body` with the index of each value that was added.
    func append(
        savedIn reader: inout ByteReader, _ body: (Int) -> Void
    ) throws(Failure) {
        let added = try reader.readCount()
        var sizes: [Int] = []
        try reader.readPacked(count: added) { sizes.append(Int($1) - 1) }
        for size in sizes {
            let value = size < 0 ? nil : try reader.take(size)
            guard append(value) else { throw ByteReader.damaged }
            body(count - 1)
        }
    }
}
