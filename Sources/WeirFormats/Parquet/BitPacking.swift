// Parquet's two ways of packing whole numbers: the hybrid of runs and packed bits, of which levels and
// dictionary indices are made, and DELTA_BINARY_PACKED, which is short for numbers that grow evenly:
// sequence numbers, times.
//
// Both are written from the format's description of its encodings and choose by the numbers alone.

import WeirCore

/// Bits that hold every number up to `greatest`.
func bitWidth(of greatest: Int) -> Int { Int.bitWidth - greatest.leadingZeroBitCount }

extension EncodedBytes {
    /// Appends `count` numbers of `width` bits as runs: eight or more equal ones in a row as a count and
    /// the number, others in groups of eight, packed.
    func append<Number: FixedWidthInteger & UnsignedInteger>(
        hybrid values: UnsafePointer<Number>, count: Int, width: Int
    ) {
        var (pending, next) = (0, 0)
        while next < count {
            let value = values[next]
            var end = next + 1
            while end < count, values[end] == value { end += 1 }
            // Packed groups are whole: a run first fills up the group that it comes after.
            let filling = min(end - next, (8 - (next - pending) % 8) % 8)
            if end - next - filling >= 8 {
                append(packed: values + pending, count: next + filling - pending, width: width)
                append(run: end - next - filling, of: UInt64(value), width: width)
                pending = end
            }
            next = end
        }
        append(packed: values + pending, count: count - pending, width: width)
    }

    /// Appends `count` times the same number.
    func append(run count: Int, of value: UInt64, width: Int) {
        append(varint: UInt64(count) << 1)
        for byte in 0..<(width + 7) / 8 { append(byte: UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }

    /// Groups of eight numbers with their head; zeros fill the last.
    private func append<Number: FixedWidthInteger & UnsignedInteger>(
        packed values: UnsafePointer<Number>, count: Int, width: Int
    ) {
        guard count > 0 else { return }
        let groups = (count + 7) / 8
        append(varint: UInt64(groups) << 1 | 1)
        let room = reserve(groups * width + 16)
        pack(values, count: count, padding: groups * 8 - count, width: width, to: room)
        commit(groups * width)
    }

    /// Appends whole numbers as DELTA_BINARY_PACKED. `isNarrow`: they are of 32 bits, and so are their
    /// differences, which wrap.
    func append(deltas values: UnsafePointer<Int64>, count: Int, isNarrow: Bool) {
        let (blockValues, miniblocks) = (128, 4)
        let miniblockValues = blockValues / miniblocks
        append(varint: UInt64(blockValues))
        append(varint: UInt64(miniblocks))
        append(varint: UInt64(count))
        append(zigzag: count == 0 ? 0 : values[0])
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: blockValues) { deltas in
            guard let base = deltas.baseAddress else { return }
            var start = 1
            while start < count {
                let size = min(blockValues, count - start)
                var least = Int64.max
                for index in 0..<size {
                    var delta = values[start + index] &- values[start + index - 1]
                    if isNarrow { delta = Int64(Int32(truncatingIfNeeded: delta)) }
                    least = min(least, delta)
                    base[index] = UInt64(bitPattern: delta)
                }
                for index in 0..<blockValues {
                    base[index] = index < size ? base[index] &- UInt64(bitPattern: least) : 0
                }
                append(zigzag: least)
                let widths = Self.widths(of: base, miniblocks, miniblockValues)
                for width in widths { append(byte: UInt8(width)) }
                for (miniblock, width) in widths.enumerated() where width > 0 {
                    let bytes = miniblockValues * width / 8
                    let room = reserve(bytes + 16)
                    pack(
                        UnsafePointer(base + miniblock * miniblockValues), count: miniblockValues,
                        padding: 0, width: width, to: room)
                    commit(bytes)
                }
                start += size
            }
        }
    }

    /// The bits that the numbers of each miniblock need.
    private static func widths(
        of values: UnsafeMutablePointer<UInt64>, _ miniblocks: Int, _ miniblockValues: Int
    ) -> [Int] {
        (0..<miniblocks).map { miniblock in
            var bits: UInt64 = 0
            for index in 0..<miniblockValues { bits |= values[miniblock * miniblockValues + index] }
            return 64 - bits.leadingZeroBitCount
        }
    }
}

/// Writes numbers of `width` bits behind each other, the lowest bits first, and `padding` zeros. Up to
/// sixteen bytes behind the last are written too.
private func pack<Number: FixedWidthInteger & UnsignedInteger>(
    _ values: UnsafePointer<Number>, count: Int, padding: Int, width: Int,
    to room: UnsafeMutableRawPointer
) {
    var bits: UInt64 = 0
    var (used, written) = (0, 0)
    for index in 0..<count + padding {
        let value = index < count ? UInt64(values[index]) : 0
        bits |= value << UInt64(used)
        used += width
        guard used >= 64 else { continue }
        room.storeBytes(of: bits.littleEndian, toByteOffset: written, as: UInt64.self)
        written += 8
        used -= 64
        bits = used == 0 ? 0 : value >> UInt64(width - used)
    }
    room.storeBytes(of: bits.littleEndian, toByteOffset: written, as: UInt64.self)
}
