// Each distinct group key once, under a dense number. Windows, panes and merges then work on
// numbers: a key's bytes are hashed once a row, and looked at again only when results are put in
// order.
//
// Numbers are an affair of memory alone: they depend on arrival and on clean-ups, never reach
// durable state, and no result depends on them.

#if canImport(Glibc)
import Glibc
#endif

/// A hash table of byte keys with open addressing and linear probing.
final class KeyInterner {
    /// How many numbers are given out: 0 ..< count.
    private(set) var count = 0
    /// Bytes of key text held.
    var byteCount: Int { starts.base[count] }
    /// Entries are the hash's upper half, then number + 1; 0 is empty. At most half full.
    private var table: [UInt64]
    private let starts = Buffer<Int>()
    private let arena = Buffer<UInt8>(capacity: 1 << 10)
    private let seed: UInt64
    /// Keys are one text column: hashing skips the marker, and NULL has its number kept aside.
    private let isSingleText: Bool
    private var nullNumber: Int32 = -1
    private var ranking = KeyRanking()

    init(isSingleText: Bool, seed: UInt64) {
        self.isSingleText = isSingleText
        self.seed = seed
        table = [UInt64](repeating: 0, count: 64)
        starts.base[0] = 0
    }

    /// The bytes of key `number`, in the encoder's form; valid until the next key comes.
    @inline(__always)
    func key(_ number: Int32) -> UnsafeBufferPointer<UInt8> {
        let start = starts.base[Int(number)]
        return UnsafeBufferPointer(
            start: arena.base + start, count: starts.base[Int(number) + 1] - start)
    }

    /// The number of each key, new ones included, in `numbers`.
    func intern(_ keys: EncodedKeys, into numbers: UnsafeMutablePointer<Int32>) {
        precondition(!keys.isMarkerImplied || isSingleText, "keys of another form")
        let bytes = keys.bytes
        let marker = isSingleText && !keys.isMarkerImplied ? 1 : 0
        for row in 0..<keys.count {
            let start = Int(keys.starts[row])
            let length = Int(keys.starts[row + 1]) - start
            let isNull =
                if marker == 1 { bytes[start] == 0 } else if let validity = keys.validity {
                    validity[row] == 0
                } else { false }
            numbers[row] =
                isNull
                ? numberOfNull() : number(of: bytes + start + marker, length - marker)
        }
    }

    /// The number of one key in the encoder's form, given out now if it is new.
    func intern(_ key: UnsafeBufferPointer<UInt8>) -> Int32 {
        // A key of no columns has no bytes.
        guard let base = key.baseAddress, key.count > 0 else { return number(of: arena.base, 0) }
        guard isSingleText else { return number(of: base, key.count) }
        return base[0] == 0 ? numberOfNull() : number(of: base + 1, key.count - 1)
    }

    /// The number of one key in the encoder's form, or nil when it has none.
    func find(_ key: UnsafeBufferPointer<UInt8>) -> Int32? {
        guard let base = key.baseAddress, key.count > 0 else { preconditionFailure("an empty key") }
        if isSingleText, base[0] == 0 { return nullNumber < 0 ? nil : nullNumber }
        let skipped = isSingleText ? 1 : 0
        let hash = KeyBytes.hash(base + skipped, key.count - skipped, seed: seed)
        let place = probe(base + skipped, key.count - skipped, hash)
        return table[place] == 0 ? nil : Int32(truncatingIfNeeded: table[place]) - 1
    }

    @inline(__always)
    private func number(of body: UnsafePointer<UInt8>, _ length: Int) -> Int32 {
        let hash = KeyBytes.hash(body, length, seed: seed)
        let place = probe(body, length, hash)
        let entry = table[place]
        if entry != 0 { return Int32(truncatingIfNeeded: entry) - 1 }
        return add(body, length, hash, at: place)
    }

    /// Where the key is or would go.
    @inline(__always)
    private func probe(_ body: UnsafePointer<UInt8>, _ length: Int, _ hash: UInt64) -> Int {
        let (starts, arena) = (starts.base, arena.base)
        let skipped = isSingleText ? 1 : 0
        return table.withUnsafeBufferPointer { table in
            let mask = table.count - 1
            var place = Int(truncatingIfNeeded: hash) & mask
            while true {
                let entry = table[place]
                if entry == 0 { return place }
                if entry >> 32 == hash >> 32 {
                    let number = Int(truncatingIfNeeded: entry & 0xFFFF_FFFF) - 1
                    let start = starts[number] + skipped
                    if starts[number + 1] - start == length,
                        KeyBytes.areEqual(arena + start, body, length)
                    {
                        return place
                    }
                }
                place = (place + 1) & mask
            }
        }
    }

    private func add(
        _ body: UnsafePointer<UInt8>, _ length: Int, _ hash: UInt64, at place: Int
    ) -> Int32 {
        let number = append(marker: isSingleText ? 1 : nil, body, length)
        table[place] = (hash & ~0xFFFF_FFFF) | UInt64(number + 1)
        if count * 2 > table.count { rehash(places: table.count * 2) }
        return number
    }

    private func numberOfNull() -> Int32 {
        if nullNumber < 0 { nullNumber = append(marker: 0, arena.base, 0) }
        return nullNumber
    }

    private func append(marker: UInt8?, _ body: UnsafePointer<UInt8>, _ length: Int) -> Int32 {
        precondition(count < Int(Int32.max) - 1, "too many group keys")
        var end = starts.base[count]
        arena.reserve(end + length + 1)
        if let marker {
            arena.base[end] = marker
            end += 1
        }
        memcpy(arena.base + end, body, length)
        count += 1
        starts.reserve(count + 1)
        starts.base[count] = end + length
        return Int32(count - 1)
    }

    private func rehash(places: Int) {
        var fresh = [UInt64](repeating: 0, count: places)
        let skipped = isSingleText ? 1 : 0
        for number in 0..<count where number != Int(nullNumber) {
            let start = starts.base[number] + skipped
            let hash = KeyBytes.hash(
                arena.base + start, starts.base[number + 1] - start, seed: seed)
            var place = Int(truncatingIfNeeded: hash) & (places - 1)
            while fresh[place] != 0 { place = (place + 1) & (places - 1) }
            fresh[place] = (hash & ~0xFFFF_FFFF) | UInt64(number + 1)
        }
        table = fresh
    }

    // MARK: Order and clean-up

    /// Puts key numbers, each at most once, in the order of their keys.
    func sort(_ numbers: UnsafeMutableBufferPointer<Int32>) { ranking.sort(numbers, of: self) }

    /// Forgets all keys but those for which `isLive` has a byte other than 0, and renumbers them.
    /// Returns each old number's new one, -1 where there is none.
    func keep(_ isLive: [UInt8]) -> [Int32] {
        var renumbered = [Int32](repeating: -1, count: count)
        var kept = 0
        var end = 0
        for number in 0..<count where isLive[number] != 0 {
            let (start, length) = (
                starts.base[number], starts.base[number + 1] - starts.base[number]
            )
            memmove(arena.base + end, arena.base + start, length)
            starts.base[kept] = end
            end += length
            renumbered[number] = Int32(kept)
            kept += 1
        }
        starts.base[kept] = end
        if nullNumber >= 0 { nullNumber = renumbered[Int(nullNumber)] }
        ranking.renumber(renumbered, count: kept)
        count = kept
        var places = 64
        while places < kept * 2 + 1 { places *= 2 }
        rehash(places: places)
        return renumbered
    }
}
