// A Bloom filter: tells of most keys that are not in durable state that they are not, so that a new key
// costs no look-up. It only ever gets fuller; whoever owns it makes a new one from what is there when it
// is crowded.

/// A set of keys that may answer yes for a key that is not in it.
struct KeyFilter {
    private var words: [UInt64]
    private var addedCount = 0

    /// Keys that the smallest filter has room for.
    private static let keyCountMin = 8_192
    /// The largest takes 32 MB.
    private static let bitCountMax = 1 << 28
    private static let bitsPerKey = 8

    /// A filter with room for so many keys.
    init(keyCount: Int = 0) {
        var bits = Self.keyCountMin * Self.bitsPerKey
        while bits < keyCount * Self.bitsPerKey, bits < Self.bitCountMax { bits *= 2 }
        words = [UInt64](repeating: 0, count: bits / 64)
    }

    /// Whether so many keys were added that it tells little.
    var isCrowded: Bool {
        addedCount * Self.bitsPerKey > words.count * 64
            && (words.count * 64 < Self.bitCountMax || addedCount > Self.bitCountMax / 2)
    }

    var memoryBytes: Int { words.count * 8 }

    mutating func add(_ key: UnsafeBufferPointer<UInt8>) {
        addedCount += 1
        let (one, other) = places(key)
        words[one >> 6] |= 1 << UInt64(one & 63)
        words[other >> 6] |= 1 << UInt64(other & 63)
    }

    /// There are `count` keys that it knows nothing of: it is crowded until it is made anew.
    mutating func noteUnknown(_ count: Int) {
        guard count > 0 else { return }
        addedCount = .max / 64
        for index in words.indices { words[index] = .max }
    }

    func mayHold(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        let (one, other) = places(key)
        return words[one >> 6] >> UInt64(one & 63) & 1 == 1
            && words[other >> 6] >> UInt64(other & 63) & 1 == 1
    }

    private func places(_ key: UnsafeBufferPointer<UInt8>) -> (Int, Int) {
        guard let base = key.baseAddress else { return (0, 0) }
        let hash = KeyBytes.hash(base, key.count, seed: 0)
        let mask = words.count * 64 - 1
        return (Int(truncatingIfNeeded: hash) & mask, Int(truncatingIfNeeded: hash >> 32) & mask)
    }
}
