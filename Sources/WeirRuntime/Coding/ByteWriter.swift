// Building the values of durable state: little-endian numbers, runs of numbers at the least width
// that holds them, and byte strings, appended to one growing buffer.

#if canImport(Glibc)
import Glibc
#endif

/// A growable run of bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    var count: Int { bytes.count }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func write<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ raw: UnsafeRawBufferPointer) { bytes.append(contentsOf: raw) }

    /// A byte string with its length before it.
    mutating func writeString(_ text: UnsafeBufferPointer<UInt8>) {
        write(UInt32(text.count))
        bytes.append(contentsOf: text)
    }

    mutating func writeString(_ text: [UInt8]) {
        write(UInt32(text.count))
        bytes.append(contentsOf: text)
    }

    /// `count` eight-byte values as they lie in memory.
    mutating func writeWords<Word: BitwiseCopyable>(count: Int, _ word: (Int) -> Word) {
        withUnsafeTemporaryAllocation(of: Word.self, capacity: max(count, 1)) { scratch in
            for i in 0..<count { scratch.initializeElement(at: i, to: word(i)) }
            write(UnsafeRawBufferPointer(scratch).prefix(count * MemoryLayout<Word>.stride))
        }
    }

    private mutating func write(_ slice: Slice<UnsafeRawBufferPointer>) {
        bytes.append(contentsOf: slice)
    }

    /// `count` integers at 1, 2, 4 or 8 bytes each: the least width that holds all of them.
    mutating func writePacked(count: Int, _ value: (Int) -> Int64) {
        var spread: UInt64 = 0
        for i in 0..<count { spread |= UInt64(bitPattern: value(i)) }
        if spread < 1 << 8 {
            write(UInt8(1))
            writeWords(count: count) { UInt8(truncatingIfNeeded: value($0)) }
        } else if spread < 1 << 16 {
            write(UInt8(2))
            writeWords(count: count) { UInt16(truncatingIfNeeded: value($0)) }
        } else if spread < 1 << 32 {
            write(UInt8(4))
            writeWords(count: count) { UInt32(truncatingIfNeeded: value($0)) }
        } else {
            write(UInt8(8))
            writeWords(count: count) { value($0) }
        }
    }
}
