// How kernels read and write the rows of text columns, and the few facts about UTF-8 that SQL's
// text functions need. Positions and lengths in SQL count code points.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The rows of a text operand, base pointers taken once. They are good while somebody holds the
/// operand; `buildTexts` and `buildIntegers` hold theirs.
struct TextRows {
    private let offsets: UnsafeMutablePointer<Int32>
    private let bytes: UnsafeMutablePointer<UInt8>
    private let step: Int

    init(_ operand: Operand) {
        precondition(operand.column.physical == .string, "text")
        offsets = operand.column.offsets
        bytes = operand.column.bytes
        step = operand.step
    }

    @inline(__always)
    subscript(row: Int) -> UnsafeBufferPointer<UInt8> {
        let start = Int(offsets[row &* step])
        return UnsafeBufferPointer(
            start: bytes + start, count: Int(offsets[row &* step &+ 1]) &- start)
    }
}

/// The rows of an integer operand.
struct IntegerRows {
    private let values: UnsafeMutablePointer<Int64>
    private let step: Int

    init(_ operand: Operand) {
        precondition(operand.column.physical == .int64, "an integer")
        values = operand.column.ints
        step = operand.step
    }

    @inline(__always)
    subscript(row: Int) -> Int { Int(values[row &* step]) }
}

/// What became of one row.
enum RowOutcome {
    case value
    /// NULL, as the function is defined.
    case null
    /// NULL, because it cannot be computed.
    case failed
}

/// Writes a text column row by row.
struct TextBuilder {
    private let column: Column
    private let offsets: UnsafeMutablePointer<Int32>
    private var bytes: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var end = 0

    /// `column` is an empty text column with room for all rows.
    fileprivate init(_ column: Column) {
        self.column = column
        offsets = column.offsets
        bytes = column.bytes
        capacity = column.byteCapacity
    }

    /// Room for `count` bytes behind what has been written.
    @inline(__always)
    mutating func room(_ count: Int) -> UnsafeMutablePointer<UInt8> {
        if end &+ count > capacity { grow(end + count) }
        return bytes + end
    }

    private mutating func grow(_ total: Int) {
        column.reserve(bytes: total)
        bytes = column.bytes
        capacity = column.byteCapacity
    }

    /// Makes the first `count` bytes of the room text.
    @inline(__always)
    mutating func advance(_ count: Int) { end &+= count }

    @inline(__always)
    mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        guard let base = text.baseAddress, text.count > 0 else { return }
        memcpy(room(text.count), base, text.count)
        end &+= text.count
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        room(1)[0] = byte
        end &+= 1
    }

    @inline(__always)
    fileprivate mutating func endRow(_ row: Int) { offsets[row &+ 1] = Int32(truncatingIfNeeded: end) }

    @inline(__always)
    fileprivate mutating func takeBack(to start: Int) { end = start }

    fileprivate var byteCount: Int { end }
}

/// A text column made row by row: NULL where an operand is NULL, else what `body` appends.
@inline(__always)
func buildTexts(
    _ operands: [Operand], _ input: KernelInput, type: DataType = .string,
    _ body: (Int, inout TextBuilder) -> RowOutcome
) -> Column {
    defer { withExtendedLifetime(operands) {} }
    let rows = input.rowCount
    let column = Column(type, capacity: rows)
    var builder = TextBuilder(column)
    let nulls = Column.strict(.boolean, operands, rows)
    var isNullFree = nulls.validity == nil
    for row in 0..<rows {
        if isNullFree || !nulls.isNull(row) {
            let start = builder.byteCount
            let outcome = body(row, &builder)
            if outcome != .value {
                builder.takeBack(to: start)
                nulls.materializeValidity()[row] = 0
                isNullFree = false
                if outcome == .failed { input.countError(row: row) }
            }
        }
        builder.endRow(row)
    }
    column.setCount(rows)
    column.setByteCount(builder.byteCount)
    column.makeNull(where: [Operand(column: nulls, step: 1)])
    return column
}

/// An integer or boolean column made row by row from operands that need a closer look than a vector
/// loop has: NULL where an operand is NULL or `body` says so.
@inline(__always)
func buildIntegers(
    _ type: DataType, _ operands: [Operand], _ input: KernelInput,
    _ body: (Int, inout Int64) -> RowOutcome
) -> Column {
    defer { withExtendedLifetime(operands) {} }
    let result = Column.strict(type, operands, input.rowCount)
    let out = result.ints
    for row in 0..<input.rowCount {
        var value: Int64 = 0
        if !result.isNull(row) {
            let outcome = body(row, &value)
            if outcome != .value {
                value = 0
                result.materializeValidity()[row] = 0
                if outcome == .failed { input.countError(row: row) }
            }
        }
        out[row] = value
    }
    return result
}

// MARK: UTF-8

/// The number of code points of a text.
@inline(__always)
func codePointCount(_ text: UnsafeBufferPointer<UInt8>) -> Int {
    var count = 0
    for byte in text { count &+= byte & 0xC0 != 0x80 ? 1 : 0 }
    return count
}

/// The byte at which code point `index` (from 0) starts; the text's length if it has no so many.
@inline(__always)
func byteOffset(ofCodePoint index: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
    var left = index
    var at = 0
    while at < text.count {
        if text[at] & 0xC0 != 0x80 {
            if left == 0 { return at }
            left &-= 1
        }
        at &+= 1
    }
    return at
}

/// Bytes of the code point that starts at `at`, never beyond the text's end.
@inline(__always)
func codePointLength(_ text: UnsafeBufferPointer<UInt8>, at: Int) -> Int {
    var end = at &+ 1
    while end < text.count, text[end] & 0xC0 == 0x80 { end &+= 1 }
    return end &- at
}

/// Where `needle` first occurs in `text` at or behind byte `start`; -1 if nowhere.
@inline(__always)
func find(
    _ needle: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>, from start: Int = 0
) -> Int {
    find(needle, pivot: 0, in: text, from: start)
}

/// As `find`, looking out for byte `pivot` of the needle; the rarer that byte is, the faster.
func find(
    _ needle: UnsafeBufferPointer<UInt8>, pivot: Int, in text: UnsafeBufferPointer<UInt8>,
    from start: Int
) -> Int {
    if start > text.count { return -1 }
    guard let word = needle.baseAddress, let base = text.baseAddress, needle.count > 0 else {
        return needle.count == 0 ? start : -1
    }
    // The pivot of a match lies between these two.
    var at = start + pivot
    let last = text.count - needle.count + pivot
    while at <= last {
        guard let hit = memchr(base + at, Int32(word[pivot]), last - at + 1) else { return -1 }
        let found = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
        if memcmp(base + found - pivot, word, needle.count) == 0 { return found - pivot }
        at = found + 1
    }
    return -1
}

extension UnsafeBufferPointer where Element == UInt8 {
    /// Bytes `range` as a buffer of their own.
    @inline(__always)
    func part(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: self[range])
    }

    /// Without the ASCII blanks at both ends.
    @inline(__always)
    var withoutBlanks: UnsafeBufferPointer<UInt8> {
        var low = 0
        var high = count
        while low < high, self[low] == 0x20 { low &+= 1 }
        while high > low, self[high &- 1] == 0x20 { high &-= 1 }
        return part(low..<high)
    }
}
