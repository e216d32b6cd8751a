// The order of rows as the order of bytes: what ORDER BY says (rising or falling, NULL first or last)
// is written into a key for each row, so that comparing two keys is one memcmp, whatever the columns.
//
// A part of a key is a marker (0 NULL first, 1 a value, 2 NULL last) and then the value as KeyEncoder
// writes it, every bit turned round where the order falls. Text ends with 00 00 always, so no key begins
// another one of the same columns. A negative zero is a zero.
//
// The first columns of a key may be those of a partition: rows of one partition share these bytes.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Keys of a run of rows.
final class SortKeys {
    /// How one column is put in order.
    struct Part {
        var isDescending = false
        var areNullsFirst = true
    }

    private let parts: [Part]
    /// How many of the columns are the partition.
    private let partitionCount: Int
    private let starts = Buffer<Int>()
    private let partitionEnds = Buffer<Int>()
    private let cursors = Buffer<Int>()
    private let bytes = Buffer<UInt8>()
    private var count = 0

    init(_ parts: [Part], partitionCount: Int) {
        self.parts = parts
        self.partitionCount = partitionCount
    }

    /// Bytes of memory held.
    var memoryBytes: Int {
        bytes.capacity + (starts.capacity + partitionEnds.capacity + cursors.capacity) * 8
    }

    /// The key of a row; valid until the next `encode`.
    @inline(__always)
    func key(_ row: Int) -> UnsafeBufferPointer<UInt8> {
        let start = starts.base[row]
        return UnsafeBufferPointer(start: bytes.base + start, count: starts.base[row + 1] - start)
    }

    /// What the key of a row and those of all others of its partition begin with.
    @inline(__always)
    func partition(_ row: Int) -> UnsafeBufferPointer<UInt8> {
        let start = starts.base[row]
        return UnsafeBufferPointer(start: bytes.base + start, count: partitionEnds.base[row] - start)
    }

    @inline(__always)
    func sharePartition(_ a: Int, _ b: Int) -> Bool {
        KeyBytes.compare(partition(a), partition(b)) == 0
    }

    // MARK: Writing

    /// Writes the keys of `rowCount` rows of `columns`, in place of those before.
    func encode(_ columns: [Column], rowCount: Int) {
        precondition(columns.count == parts.count, "a column for each part of the key")
        count = rowCount
        layOut(columns)
        for row in 0..<rowCount { partitionEnds.base[row] = starts.base[row] }
        for (index, column) in columns.enumerated() {
            write(column, parts[index])
            if index == partitionCount - 1 {
                memcpy(partitionEnds.base, cursors.base, rowCount * MemoryLayout<Int>.stride)
            }
        }
    }

    private func layOut(_ columns: [Column]) {
        starts.reserve(count + 1)
        partitionEnds.reserve(count + 1)
        cursors.reserve(count + 1)
        let sizes = cursors.base
        for row in 0..<count { sizes[row] = columns.count }
        for column in columns {
            for row in 0..<count where !column.isNull(row) { sizes[row] += Self.size(column, row) }
        }
        var total = 0
        for row in 0..<count {
            starts.base[row] = total
            total += sizes[row]
            sizes[row] = starts.base[row]
        }
        starts.base[count] = total
        bytes.reserve(total)
    }

    @inline(__always)
    private static func size(_ column: Column, _ row: Int) -> Int {
        switch column.physical {
        case .bool: return 1
        case .int64, .double: return 8
        case .int128: return 16
        case .string:
            let text = column.text(row)
            return 2 + text.count + text.count(where: { $0 == 0 })
        case .array, .row: preconditionFailure("arrays and rows have no order")
        }
    }

    private func write(_ column: Column, _ part: Part) {
        let flip: UInt8 = part.isDescending ? 0xFF : 0
        let ofNull: UInt8 = part.areNullsFirst ? 0 : 2
        let to = bytes.base
        for row in 0..<count {
            var at = cursors.base[row]
            let isNull = column.isNull(row)
            to[at] = isNull ? ofNull : 1
            at += 1
            if !isNull { at = Self.write(column, row, to, at, flip) }
            cursors.base[row] = at
        }
    }

    @inline(__always)
    private static func write(
        _ column: Column, _ row: Int, _ to: UnsafeMutablePointer<UInt8>, _ at: Int, _ flip: UInt8
    ) -> Int {
        switch column.physical {
        case .bool:
            to[at] = column.bools[row] ^ flip
            return at + 1
        case .int64:
            return store(UInt64(bitPattern: column.ints[row]) ^ (1 << 63), to, at, flip)
        case .double: return store(ordered(column.doubles[row]), to, at, flip)
        case .int128:
            let word = UInt128(bitPattern: column.wides[row]) ^ (1 << 127)
            let end = store(UInt64(truncatingIfNeeded: word >> 64), to, at, flip)
            return store(UInt64(truncatingIfNeeded: word), to, end, flip)
        case .string: return writeText(column.text(row), to, at, flip)
        case .array, .row: preconditionFailure("arrays and rows have no order")
        }
    }

    @inline(__always)
    private static func store(
        _ word: UInt64, _ to: UnsafeMutablePointer<UInt8>, _ at: Int, _ flip: UInt8
    ) -> Int {
        let turned = flip == 0 ? word : ~word
        UnsafeMutableRawPointer(to + at).storeBytes(of: turned.bigEndian, as: UInt64.self)
        return at + 8
    }

    private static func writeText(
        _ text: UnsafeBufferPointer<UInt8>, _ to: UnsafeMutablePointer<UInt8>, _ start: Int,
        _ flip: UInt8
    ) -> Int {
        var at = start
        for byte in text {
            to[at] = byte ^ flip
            at += 1
            if byte == 0 {
                to[at] = 0xFF ^ flip
                at += 1
            }
        }
        to[at] = flip
        to[at + 1] = flip
        return at + 2
    }

    /// Bits whose unsigned order is the numeric order, NaN last.
    private static func ordered(_ value: Double) -> UInt64 {
        let bits = value.isNaN ? 0x7FF8_0000_0000_0000 : value == 0 ? 0 : value.bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
    }

    // MARK: Sorting

    /// A row with the eight bytes that follow what all keys begin with.
    private struct Sortable {
        let head: UInt64
        let row: Int32
    }

    /// The rows in the order of their keys; of rows that are equal the earlier is first, or the later.
    func sorted(latestFirst: Bool = false) -> [Int32] {
        guard count > 1 else { return count == 1 ? [0] : [] }
        let shared = sharedPrefix()
        var list = (0..<count).map { Sortable(head: head($0, from: shared), row: Int32($0)) }
        list.sort { a, b in
            if a.head != b.head { return a.head < b.head }
            let order = compare(Int(a.row), Int(b.row), from: shared)
            if order != 0 { return order < 0 }
            return latestFirst ? a.row > b.row : a.row < b.row
        }
        return list.map(\.row)
    }

    /// How many bytes all keys have in common at their start.
    private func sharedPrefix() -> Int {
        let first = key(0)
        var shared = first.count
        for row in 1..<count {
            let other = key(row)
            shared = min(shared, other.count)
            var same = 0
            while same < shared, other[same] == first[same] { same += 1 }
            shared = same
        }
        return shared
    }

    @inline(__always)
    private func head(_ row: Int, from shared: Int) -> UInt64 {
        let start = starts.base[row] + shared
        let end = starts.base[row + 1]
        if end - start >= 8 {
            return UInt64(bigEndian: UnsafeRawPointer(bytes.base + start).loadUnaligned(as: UInt64.self))
        }
        var word: UInt64 = 0
        for place in start..<start + 8 {
            word = word << 8 | (place < end ? UInt64(bytes.base[place]) : 0)
        }
        return word
    }

    @inline(__always)
    private func compare(_ a: Int, _ b: Int, from shared: Int) -> Int {
        let (startA, startB) = (starts.base[a] + shared, starts.base[b] + shared)
        return KeyBytes.compare(
            UnsafeBufferPointer(start: bytes.base + startA, count: starts.base[a + 1] - startA),
            UnsafeBufferPointer(start: bytes.base + startB, count: starts.base[b + 1] - startB))
    }
}
