// MIN and MAX of text, by bytes (which for UTF-8 is by code point). The texts lie in one arena;
// replaced ones are left behind in it and swept out when they are more than half of it.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// MIN and MAX of STRING.
final class TextExtreme: Accumulator {
    /// Length -1: no value.
    private let lengths = Buffer<Int32>()
    private let starts = Buffer<Int>()
    private let arena = Buffer<UInt8>()
    private var arenaCount = 0
    private var liveBytes = 0
    /// Slots that were ever used; those beyond hold nothing.
    private var slotCount = 0
    private let isMaximum: Bool

    init(isMaximum: Bool) { self.isMaximum = isMaximum }

    var bytesPerGroup: Int { 12 }
    var hasVariableSize: Bool { true }
    var variableBytes: Int { liveBytes }
    func variableBytes(of slots: UnsafeBufferPointer<Int32>) -> Int {
        slots.reduce(0) { $0 + max(0, Int(lengths.base[Int($1)])) }
    }
    /// Bytes of the arena in use, replaced texts included.
    var arenaBytes: Int { arenaCount }

    func reserve(_ count: Int) {
        lengths.reserve(count)
        starts.reserve(count)
        while slotCount < lengths.capacity {
            lengths.base[slotCount] = -1
            slotCount += 1
        }
    }

    func clear(_ slots: UnsafeBufferPointer<Int32>) { release(slots) }

    func release(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots {
            liveBytes -= max(0, Int(lengths.base[Int(slot)]))
            lengths.base[Int(slot)] = -1
        }
        sweep()
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        let column = input.argument
        for i in 0..<rows.count where !column.isNull(Int(rows.rows[i])) {
            take(column.text(Int(rows.rows[i])), for: Int(rows.slots[i]))
        }
        sweep()
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        for i in 0..<count where lengths.base[Int(from[i])] >= 0 {
            // Room first: the text to be copied lies in the arena, which must not move meanwhile.
            arena.reserve(arenaCount + Int(lengths.base[Int(from[i])]))
            take(text(Int(from[i])), for: Int(into[i]))
        }
        sweep()
    }

    private func text(_ slot: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(
            start: arena.base + starts.base[slot], count: Int(lengths.base[slot]))
    }

    private func take(_ candidate: UnsafeBufferPointer<UInt8>, for slot: Int) {
        if lengths.base[slot] >= 0 {
            let order = KeyBytes.compare(candidate, text(slot))
            guard isMaximum ? order > 0 : order < 0 else { return }
            liveBytes -= Int(lengths.base[slot])
        }
        arena.reserve(arenaCount + candidate.count)
        if let base = candidate.baseAddress {
            memcpy(arena.base + arenaCount, base, candidate.count)
        }
        starts.base[slot] = arenaCount
        lengths.base[slot] = Int32(candidate.count)
        arenaCount += candidate.count
        liveBytes += candidate.count
    }

    private func sweep() {
        guard arenaCount > 2 * liveBytes + (64 << 10) else { return }
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
        arenaCount = end
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let lengths = lengths.base
        writer.writePacked(count: slots.count) { Int64(lengths[Int(slots[$0])]) + 1 }
        for slot in slots where lengths[Int(slot)] > 0 {
            writer.write(UnsafeRawBufferPointer(text(Int(slot))))
        }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        release(slots)
        var sizes: [Int] = []
        try reader.readPacked(count: slots.count) { sizes.append(Int($1) - 1) }
        for (slot, size) in zip(slots, sizes) where size >= 0 {
            let raw = try reader.take(size)
            raw.withMemoryRebound(to: UInt8.self) { take($0, for: Int(slot)) }
        }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        for slot in slots {
            if lengths.base[Int(slot)] < 0 {
                column.appendNull()
            } else {
                column.append(text(Int(slot)))
            }
        }
    }
}
