// Parquet's split-block Bloom filter: whether a value can be in a column chunk, in 32 bytes of a filter
// of any size. Readers that look for one device among millions pass over the chunks that lack it.
//
// The hash is XXH64 with seed 0 of the value as PLAIN, a text without its length; both are written from
// their public specifications.

import WeirCore

/// A filter over the values of one column chunk.
struct BloomFilter {
    private var words: [UInt32]

    private static let blockBytes = 32
    /// Bits for each distinct value: one in a hundred that are not there is taken for one that is.
    private static let bitsPerValue = 10
    /// Beyond about 800,000 distinct values the filter errs more often instead of growing.
    private static let bytesMax = 1 << 20
    private static let salts: [UInt32] = [
        0x47B6_137B, 0x4497_4D91, 0x8824_AD5B, 0xA2B7_289D, 0x7054_95C7, 0x2DF1_424B, 0x9EFC_4947,
        0x5C6B_FB31,
    ]

    /// A filter of these hashes, which may repeat.
    init(_ hashes: ValueBuffer<UInt64>) {
        var values = UnsafeMutableBufferPointer(start: hashes.base, count: hashes.count)
        values.sort()
        var distinct = 0
        for index in values.indices where index == 0 || values[index] != values[index - 1] {
            distinct += 1
        }
        var bytes = Self.blockBytes
        while bytes < Self.bytesMax, bytes * 8 < distinct * Self.bitsPerValue { bytes *= 2 }
        words = Array(repeating: 0, count: bytes / 4)
        for hash in values {
            let block = block(of: hash)
            for index in 0..<8 { words[block + index] |= Self.bit(of: hash, inWord: index) }
        }
    }

    /// Whether a value of this hash may be in the chunk.
    func contains(_ hash: UInt64) -> Bool {
        let block = block(of: hash)
        return (0..<8).allSatisfy { words[block + $0] & Self.bit(of: hash, inWord: $0) != 0 }
    }

    /// The first word of the block that a hash falls in, by its upper half.
    private func block(of hash: UInt64) -> Int {
        let blocks = UInt64(words.count * 4 / Self.blockBytes)
        return Int(((hash >> 32) &* blocks) >> 32) * 8
    }

    /// The bit of a hash in one of its block's eight words, by its lower half.
    private static func bit(of hash: UInt64, inWord index: Int) -> UInt32 {
        1 << ((UInt32(truncatingIfNeeded: hash) &* salts[index]) >> 27)
    }

    /// Appends head and bits.
    func write(to output: EncodedBytes) {
        ThriftWriter.write(to: output) {
            $0.int32(1, words.count * 4)
            // BLOCK, XXHASH, UNCOMPRESSED: each the first member of a union, and empty.
            for field in [Int16(2), 3, 4] { $0.structure(field) { $0.structure(1) } }
        }
        for word in words { output.append(littleEndian: word) }
    }
}

private let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
private let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
private let prime3: UInt64 = 0x1656_67B1_9E37_79F9
private let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
private let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

/// XXH64 of `bytes` with seed 0.
func xxHash64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var position = 0
    var hash = prime5
    if bytes.count >= 32 {
        var lanes = (prime1 &+ prime2, prime2, UInt64(0), 0 &- prime1)
        while position + 32 <= bytes.count {
            lanes.0 = rounded(lanes.0, word(bytes, position))
            lanes.1 = rounded(lanes.1, word(bytes, position + 8))
            lanes.2 = rounded(lanes.2, word(bytes, position + 16))
            lanes.3 = rounded(lanes.3, word(bytes, position + 24))
            position += 32
        }
        hash = rotated(lanes.0, 1) &+ rotated(lanes.1, 7) &+ rotated(lanes.2, 12)
        hash = hash &+ rotated(lanes.3, 18)
        for lane in [lanes.0, lanes.1, lanes.2, lanes.3] {
            hash = (hash ^ rounded(0, lane)) &* prime1 &+ prime4
        }
    }
    hash = hash &+ UInt64(bytes.count)
    while position + 8 <= bytes.count {
        hash = rotated(hash ^ rounded(0, word(bytes, position)), 27) &* prime1 &+ prime4
        position += 8
    }
    if position + 4 <= bytes.count {
        let half = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian
        hash = rotated(hash ^ (UInt64(half) &* prime1), 23) &* prime2 &+ prime3
        position += 4
    }
    while position < bytes.count {
        hash = rotated(hash ^ (UInt64(bytes[position]) &* prime5), 11) &* prime1
        position += 1
    }
    hash = (hash ^ (hash >> 33)) &* prime2
    hash = (hash ^ (hash >> 29)) &* prime3
    return hash ^ (hash >> 32)
}

@inline(__always)
private func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 {
    value << bits | value >> (64 - bits)
}

@inline(__always)
private func rounded(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    rotated(lane &+ word &* prime2, 31) &* prime1
}

@inline(__always)
private func word(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> UInt64 {
    bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
}
