// A growable run of bytes that encoders and compressors append to.

import CSimdJSON
import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Bytes on their way to a file or an object. Reused: the memory stays until the object goes.
public final class EncodedBytes {
    var text = weir_text()

    /// An empty run with room for `capacity` bytes.
    public init(capacity: Int = 0) { weir_text_reserve(&text, max(capacity, 64)) }

    deinit { free(text.bytes) }

    /// Bytes held.
    public var count: Int { text.count }
    public var isEmpty: Bool { text.count == 0 }
    /// Bytes of memory held.
    public var memoryBytes: Int { text.capacity }

    /// The bytes; valid until the next change.
    public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.bytes, count: text.count)
    }

    /// Forgets the bytes and keeps the memory.
    public func removeAll() { text.count = 0 }

    /// Forgets all bytes behind the first `count`.
    public func truncate(to count: Int) {
        precondition(count >= 0 && count <= text.count, "truncation cannot add bytes")
        text.count = count
    }

    public func append(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        memcpy(reserve(bytes.count), base, bytes.count)
        text.count += bytes.count
    }

    /// Appends the UTF-8 of a text.
    public func append(_ string: String) {
        var string = string
        string.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Room for `count` bytes at the end; `commit` makes them part of the run.
    func reserve(_ count: Int) -> UnsafeMutableRawPointer {
        weir_text_reserve(&text, max(count, 1))
        return UnsafeMutableRawPointer(text.bytes + text.count)
    }

    /// Overwrites four bytes that are held.
    func store(littleEndian value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= text.count, "bytes out of bounds")
        UnsafeMutableRawPointer(text.bytes + offset).storeBytes(of: value.littleEndian, as: UInt32.self)
    }

    /// Takes `count` bytes that were written into reserved room.
    func commit(_ count: Int) {
        precondition(text.count + count <= text.capacity, "bytes were not reserved")
        text.count += count
    }
}
