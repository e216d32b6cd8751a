// Comparing and hashing the bytes of group keys. Keys are short (a device's name, a tag), so both
// work on whole words and call nothing.

#if canImport(Glibc)
import Glibc
#endif

enum KeyBytes {
    /// A 64-bit hash of `count` bytes: words folded by 64 × 64 → 128 bit multiplication. `seed`
    /// makes it differ from run to run where input may be hostile; no result depends on it.
    @inline(__always)
    static func hash(_ bytes: UnsafePointer<UInt8>, _ count: Int, seed: UInt64) -> UInt64 {
        var low: UInt64 = seed ^ 0x9E37_79B9_7F4A_7C15
        var high: UInt64 = 0xD6E8_FEB8_6659_FD93 ^ UInt64(truncatingIfNeeded: count)
        if count >= 8 {
            let raw = UnsafeRawPointer(bytes)
            var offset = 0
            while offset + 16 < count {
                low = fold(
                    low ^ raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                    0xA076_1D64_78BD_642F
                        ^ raw.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
                offset += 16
            }
            if count - offset >= 8 {
                low ^= raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            }
            high ^= raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        } else {
            var word: UInt64 = 0
            for i in 0..<count { word = word << 8 | UInt64(bytes[i]) }
            low ^= word
        }
        return fold(low, high | 1)
    }

    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low ^ a
    }

    /// Whether two runs of `count` bytes are equal.
    @inline(__always)
    static func areEqual(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Bool
    {
        guard count >= 8 else {
            for i in 0..<count where a[i] != b[i] { return false }
            return true
        }
        let (rawA, rawB) = (UnsafeRawPointer(a), UnsafeRawPointer(b))
        var offset = 0
        while offset + 8 < count {
            if rawA.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                != rawB.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            {
                return false
            }
            offset += 8
        }
        return rawA.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            == rawB.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
    }

    /// Byte order, a shorter key before a longer one that it begins.
    static func compare(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        let shared = min(a.count, b.count)
        if shared > 0, let left = a.baseAddress, let right = b.baseAddress {
            let order = memcmp(left, right, shared)
            if order != 0 { return Int(order) }
        }
        return a.count - b.count
    }
}
