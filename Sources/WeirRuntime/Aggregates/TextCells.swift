// A text a slot, all in one arena. Replaced ones are left behind in it and swept out when they are
// more than half of it. What is told of its size counts the texts held, not the arena.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Texts by slot, each of which may be missing.
final class TextCells {
    /// Length -1: no text.
    private let lengths = Buffer<Int32>()
    private let starts = Buffer<Int>()
    private let arena = Buffer<UInt8>()
    /// Bytes of the arena in use, replaced texts included.
    private(set) var arenaBytes = 0
    /// Bytes of the texts held.
    private(set) var liveBytes = 0
    /// Slots that were ever used; those beyond hold nothing.
    private var slotCount = 0

    func reserve(_ count: Int) {
        lengths.reserve(count)
        starts.reserve(count)
        while slotCount < lengths.capacity {
            lengths.base[slotCount] = -1
            slotCount += 1
        }
    }

    func hasText(_ slot: Int) -> Bool { lengths.base[slot] >= 0 }

    func byteCount(_ slot: Int) -> Int { max(0, Int(lengths.base[slot])) }

    /// The text of a slot that has one; valid until another one is set.
    func text(_ slot: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(
            start: arena.base + starts.base[slot], count: Int(lengths.base[slot]))
    }

    func remove(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots {
            liveBytes -= byteCount(Int(slot))
            lengths.base[Int(slot)] = -1
        }
        sweep()
    }

    /// Replaces a slot's text by one that lies elsewhere.
    func set(_ slot: Int, _ text: UnsafeBufferPointer<UInt8>) {
        liveBytes += text.count - byteCount(slot)
        arena.reserve(arenaBytes + text.count)
        if let base = text.baseAddress { memcpy(arena.base + arenaBytes, base, text.count) }
        starts.base[slot] = arenaBytes
        lengths.base[slot] = Int32(text.count)
        arenaBytes += text.count
    }

    /// Replaces the text of slot `to` by that of `from`.
    func copy(from: Int, to: Int) {
        // Room first: the text to be copied lies in the arena, which must not move meanwhile.
        arena.reserve(arenaBytes + byteCount(from))
        set(to, text(from))
    }

    /// Moves the texts together if too many replaced ones lie between; call it between runs.
    func sweep() {
        guard arenaBytes > 2 * liveBytes + (64 << 10) else { return }
        let kept = Buffer<UInt8>(capacity: liveBytes)
        var end = 0
        for slot in 0..<slotCount where lengths.base[slot] > 0 {
            memcpy(kept.base + end, arena.base + starts.base[slot], Int(lengths.base[slot]))
            starts.base[slot] = end
            end += Int(lengths.base[slot])
        }
        arena.shrink()
        arena.reserve(end)
        memcpy(arena.base, kept.base, end)
        arenaBytes = end
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let lengths = lengths.base
        writer.writePacked(count: slots.count) { Int64(lengths[Int(slots[$0])]) + 1 }
        for slot in slots where lengths[Int(slot)] > 0 {
            writer.write(UnsafeRawBufferPointer(text(Int(slot))))
        }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        remove(slots)
        var sizes: [Int] = []
        try reader.readPacked(count: slots.count) { sizes.append(Int($1) - 1) }
        for (slot, size) in zip(slots, sizes) where size >= 0 {
            let raw = try reader.take(size)
            raw.withMemoryRebound(to: UInt8.self) { set(Int(slot), $0) }
        }
    }
}
