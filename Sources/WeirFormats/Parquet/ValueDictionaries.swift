// The dictionaries of column chunks: values that occur often are written once, in the order of their
// first occurrence, and rows hold their numbers. Flat hash tables with open addressing; the hash is
// fixed and decides nothing but speed, so that equal rows give equal files.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Slots of a hash table: 0 is free, n is the entry n - 1. Always at most half full.
private final class SlotTable {
    private(set) var slots: UnsafeMutablePointer<UInt32>
    private(set) var bits: Int
    private static let bitsMin = 6

    init() {
        bits = Self.bitsMin
        slots = Self.zeroed(1 << Self.bitsMin)
    }

    deinit { free(slots) }

    var mask: Int { 1 << bits - 1 }

    /// An empty table that is big enough for `entries`.
    func reset(for entries: Int) {
        var needed = Self.bitsMin
        while 1 << needed < entries * 2 { needed += 1 }
        free(slots)
        bits = needed
        slots = Self.zeroed(1 << needed)
    }

    private static func zeroed(_ count: Int) -> UnsafeMutablePointer<UInt32> {
        guard let memory = calloc(count, 4) else { fatalError("out of memory") }
        return memory.assumingMemoryBound(to: UInt32.self)
    }
}

/// The distinct values of at most eight bytes.
final class WordDictionary {
    let entries = ValueBuffer<Int64>()
    private let table = SlotTable()

    /// The numbers of `count` words; false, and nothing has changed, when there would be more than
    /// `entriesMax`.
    func intern(
        _ words: UnsafePointer<Int64>, count: Int, entriesMax: Int,
        to numbers: UnsafeMutablePointer<UInt32>
    ) -> Bool {
        let before = entries.count
        var (slots, mask, shift) = (table.slots, table.mask, UInt64(64 - table.bits))
        for index in 0..<count {
            let word = words[index]
            var slot = Int(truncatingIfNeeded: hash(word) >> shift)
            while true {
                let held = slots[slot]
                if held == 0 {
                    guard entries.count < entriesMax else {
                        truncate(to: before)
                        return false
                    }
                    numbers[index] = UInt32(entries.count)
                    entries.append(word)
                    slots[slot] = UInt32(entries.count)
                    if entries.count * 2 > mask {
                        fill(for: entries.count * 2)
                        (slots, mask, shift) = (table.slots, table.mask, UInt64(64 - table.bits))
                    }
                    break
                }
                if entries.base[Int(held) - 1] == word {
                    numbers[index] = held - 1
                    break
                }
                slot = (slot + 1) & mask
            }
        }
        return true
    }

    /// Forgets the entries behind the first `kept`.
    func truncate(to kept: Int) {
        entries.truncate(to: kept)
        fill(for: kept)
    }

    private func fill(for size: Int) {
        table.reset(for: size)
        let (slots, mask) = (table.slots, table.mask)
        for entry in 0..<entries.count {
            var slot = Int(truncatingIfNeeded: hash(entries.base[entry]) >> UInt64(64 - table.bits))
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(entry + 1)
        }
    }

    @inline(__always)
    private func hash(_ word: Int64) -> UInt64 {
        let mixed = UInt64(bitPattern: word) &* 0x9E37_79B9_7F4A_7C15
        return (mixed ^ (mixed >> 32)) &* 0xD6E8_FEB8_6659_FD93
    }
}

/// The distinct texts.
final class TextDictionary {
    /// The texts one behind the other, and where each ends.
    let bytes = EncodedBytes()
    let ends = ValueBuffer<Int>()
    private let hashes = ValueBuffer<UInt64>()
    private let table = SlotTable()

    var count: Int { ends.count }

    /// The text of an entry; valid until the next change.
    func text(_ entry: Int) -> UnsafeRawBufferPointer {
        let start = entry == 0 ? 0 : ends.base[entry - 1]
        return UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<ends.base[entry]])
    }

    /// The numbers of `count` texts, which end in `texts` at `textEnds`; false, and nothing has changed,
    /// when all entries would take more than `bytesMax`, with `overhead` bytes for each.
    func intern(
        _ texts: UnsafeRawPointer, _ textEnds: UnsafePointer<Int>, count: Int, overhead: Int,
        bytesMax: Int, to numbers: UnsafeMutablePointer<UInt32>
    ) -> Bool {
        let before = ends.count
        var start = 0
        for index in 0..<count {
            let text = UnsafeRawBufferPointer(start: texts + start, count: textEnds[index] - start)
            start = textEnds[index]
            let hash = textHash(text)
            if let known = find(text, hash) {
                numbers[index] = known
                continue
            }
            guard bytes.count + text.count + (ends.count + 1) * overhead <= bytesMax else {
                truncate(to: before)
                return false
            }
            numbers[index] = UInt32(ends.count)
            bytes.append(text)
            ends.append(bytes.count)
            hashes.append(hash)
            if ends.count * 2 > table.mask {
                table.reset(for: ends.count * 2)
                refill()
            } else {
                place(ends.count - 1)
            }
        }
        return true
    }

    /// Forgets the entries behind the first `kept`.
    func truncate(to kept: Int) {
        bytes.truncate(to: kept == 0 ? 0 : ends.base[kept - 1])
        ends.truncate(to: kept)
        hashes.truncate(to: kept)
        table.reset(for: kept)
        refill()
    }

    private func find(_ text: UnsafeRawBufferPointer, _ hash: UInt64) -> UInt32? {
        let (slots, mask) = (table.slots, table.mask)
        var slot = Int(truncatingIfNeeded: hash >> UInt64(64 - table.bits))
        while slots[slot] != 0 {
            let entry = Int(slots[slot]) - 1
            if hashes.base[entry] == hash {
                let held = self.text(entry)
                if held.count == text.count, let left = held.baseAddress,
                    let right = text.baseAddress, memcmp(left, right, text.count) == 0
                {
                    return UInt32(entry)
                }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func refill() { for entry in 0..<ends.count { place(entry) } }

    private func place(_ entry: Int) {
        let (slots, mask) = (table.slots, table.mask)
        var slot = Int(truncatingIfNeeded: hashes.base[entry] >> UInt64(64 - table.bits))
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt32(entry + 1)
    }
}

/// A hash of bytes whose upper bits are good.
private func textHash(_ text: UnsafeRawBufferPointer) -> UInt64 {
    var hash = UInt64(text.count) &* 0x9E37_79B9_7F4A_7C15
    var position = 0
    while position + 8 <= text.count {
        hash = mixed(hash, text.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        position += 8
    }
    var rest: UInt64 = 0
    while position < text.count {
        rest = rest << 8 | UInt64(text[position])
        position += 1
    }
    return mixed(hash, rest)
}

@inline(__always)
private func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    let (high, low) = (hash ^ word ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(
        by: 0xE703_7ED1_A0B4_28DB)
    return high ^ low
}
