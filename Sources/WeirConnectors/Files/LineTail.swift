// The bytes behind the last line end of a read: usually less than a line, at worst a line of a hundred
// megabytes that has not ended yet. It grows in place (realloc moves pages, not bytes) and gives its
// memory back, so that such a line costs its length here and once more in the batch, and no more.

import Glibc
import WeirCore

/// An incomplete line.
struct LineTail: ~Copyable {
    private var bytes: UnsafeMutablePointer<UInt8>?
    private var capacity = 0
    private(set) var count = 0
    /// More memory than this is given back when the tail is emptied.
    private static let keptBytesMax = 4 << 20

    init() {}

    deinit { free(bytes) }

    /// Copies the first `length` bytes (all, without it) to `target`.
    func copy(to target: UnsafeMutablePointer<UInt8>, _ length: Int? = nil) {
        let length = length ?? count
        precondition(length <= count, "the tail is shorter")
        if let bytes { memcpy(target, bytes, length) }
    }

    /// Holds these bytes instead.
    mutating func replace(_ source: UnsafePointer<UInt8>, _ length: Int) {
        count = 0
        append(source, length)
    }

    mutating func append(_ source: UnsafePointer<UInt8>, _ length: Int) {
        guard length > 0 else { return }
        memcpy(room(length), source, length)
        count += length
    }

    /// Reads up to `length` more bytes from a file; they are part of the tail, and returned.
    mutating func read(_ length: Int, from file: InputFile) throws(Failure) -> UnsafeBufferPointer<UInt8> {
        let target = room(length)
        let got = try file.read(target, length)
        count += got
        return UnsafeBufferPointer(start: target, count: got)
    }

    /// How many bytes up to the last line end, looked for in the last `length` bytes; nil without one.
    func lastLineEnd(within length: Int) -> Int? {
        guard let bytes else { return nil }
        let searched = min(length, count)
        let start = count - searched
        return WeirConnectors.lastLineEnd(in: UnsafeBufferPointer(start: bytes + start, count: searched))
            .map { start + $0 }
    }

    /// Bytes up to the end of line `lines`, or of the last whole line if there are fewer; nil without one.
    func length(ofLines lines: Int) -> Int? {
        guard let bytes else { return nil }
        var end = 0
        for _ in 0..<lines {
            guard let newline = memchr(bytes + end, Int32(UInt8(ascii: "\n")), count - end) else { break }
            end = newline - UnsafeMutableRawPointer(bytes) + 1
        }
        return end == 0 ? nil : end
    }

    /// Forgets all but the last `length` bytes.
    mutating func keepLast(_ length: Int) {
        precondition(length <= count, "the tail is shorter")
        if let bytes { memmove(bytes, bytes + count - length, length) }
        count = length
        giveBack()
    }

    mutating func clear() {
        count = 0
        giveBack()
    }

    private mutating func giveBack() {
        guard capacity > Self.keptBytesMax, count <= Self.keptBytesMax else { return }
        capacity = max(count, 1)
        let shrunk = realloc(bytes, capacity)
        bytes = shrunk?.assumingMemoryBound(to: UInt8.self)
    }

    /// Memory behind the tail for `length` bytes.
    private mutating func room(_ length: Int) -> UnsafeMutablePointer<UInt8> {
        if count + length > capacity {
            capacity = max(capacity * 2, count + length, 4096)
            bytes = realloc(bytes, capacity)?.assumingMemoryBound(to: UInt8.self)
        }
        guard let bytes else { preconditionFailure("no memory for a line of \(count + length) bytes") }
        return bytes + count
    }
}
