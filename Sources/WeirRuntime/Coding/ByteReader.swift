// Reading back what ByteWriter wrote. Every read checks its bounds: state on a disk can be damaged,
// and damage must end in a sentence, not in a wild pointer.

import WeirCore

/// A position in a run of bytes that outlives the reader.
struct ByteReader {
    private let base: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { base = bytes }

    var isAtEnd: Bool { position == base.count }

    mutating func read<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(Failure)
        -> Number
    {
        let raw = try take(MemoryLayout<Number>.size)
        return Number(littleEndian: raw.loadUnaligned(as: Number.self))
    }

    /// The next `count` bytes.
    mutating func take(_ count: Int) throws(Failure) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= base.count - position else { throw Self.damaged }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: base[position..<position + count])
    }

    /// All bytes that are left.
    mutating func rest() throws(Failure) -> UnsafeRawBufferPointer {
        try take(base.count - position)
    }

    /// A byte string with its length before it.
    mutating func readString() throws(Failure) -> UnsafeRawBufferPointer {
        try take(Int(read(UInt32.self)))
    }

    /// A number of things of at least `bytesEach` bytes; refused when that many cannot follow.
    mutating func readCount(bytesEach: Int = 0) throws(Failure) -> Int {
        let count = Int(try read(UInt32.self))
        guard count * bytesEach <= base.count - position else { throw Self.damaged }
        return count
    }

    /// `count` values as they lie in memory.
    mutating func readWords<Word: BitwiseCopyable>(
        _: Word.Type, count: Int, _ body: (Int, Word) -> Void
    ) throws(Failure) {
        let stride = MemoryLayout<Word>.stride
        let raw = try take(count * stride)
        for i in 0..<count { body(i, raw.loadUnaligned(fromByteOffset: i * stride, as: Word.self)) }
    }

    /// `count` integers that `writePacked` wrote.
    mutating func readPacked(count: Int, _ body: (Int, Int64) -> Void) throws(Failure) {
        switch try read(UInt8.self) {
        case 1: try readWords(UInt8.self, count: count) { body($0, Int64($1)) }
        case 2: try readWords(UInt16.self, count: count) { body($0, Int64($1)) }
        case 4: try readWords(UInt32.self, count: count) { body($0, Int64($1)) }
        case 8: try readWords(Int64.self, count: count, body)
        default: throw Self.damaged
        }
    }

    /// The failure for bytes that no version of weir wrote.
    static var damaged: Failure {
        Failure(
            .state, "reading", "window state", "a record is damaged or cut short",
            advice: "restore the state directory from a backup or start with an empty one")
    }
}
