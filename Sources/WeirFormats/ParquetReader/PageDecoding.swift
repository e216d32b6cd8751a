// The encodings of values and levels, read. Each decoder takes the bytes of a page between two places, and as
// many values as the page says; what does not fit is a fault. Pages come with some zeros behind their end,
// so that a word may be read where only a byte of it is meant.

import WeirCore

/// Values of a page or a dictionary.
enum StoredValues {
    /// Numbers; reals as the bits of a double.
    case words([Int64])
    /// Bytes; value i is from `ends[i]` up to `ends[i + 1]`.
    case texts([UInt8], ends: [Int])

    var count: Int {
        switch self {
        case .words(let words): words.count
        case .texts(_, let ends): ends.count - 1
        }
    }
}

/// A place in the bytes of a page.
struct PageBytes {
    let bytes: [UInt8]
    var position: Int
    let end: Int

    /// All of a page, whose last bytes are padding.
    init(padded bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
        end = bytes.count - PageDecompressor.paddingBytes
    }

    /// Bytes `range` of the same page.
    private init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    private static let short = ParquetFault.broken("a page ends before its values do")

    /// The next `count` bytes by themselves.
    mutating func take(_ count: Int) throws(ParquetFault) -> PageBytes {
        guard count >= 0, count <= end - position else { throw Self.short }
        defer { position += count }
        return PageBytes(bytes, position..<position + count)
    }

    mutating func byte() throws(ParquetFault) -> UInt8 {
        guard position < end else { throw Self.short }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func uint32() throws(ParquetFault) -> Int {
        guard end - position >= 4 else { throw Self.short }
        defer { position += 4 }
        return Int(UInt32(truncatingIfNeeded: word(at: position)))
    }

    private mutating func varint() throws(ParquetFault) -> UInt64 {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while shift < 64 {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw .broken("a number in a page has more than 64 bits")
    }

    /// Eight bytes from `place` on, which lies before `end` and so before the padding.
    private func word(at place: Int) -> UInt64 {
        bytes.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt64.self))
        }
    }

    /// Number `index` of numbers of `width` bits that are packed from `start` on.
    private func packed(_ index: Int, _ width: Int, from start: Int) -> UInt64 {
        let bit = index * width
        let place = start + bit / 8
        let shift = UInt64(bit % 8)
        var value = word(at: place) >> shift
        if Int(shift) + width > 64 { value |= UInt64(bytes[place + 8]) << (64 - shift) }
        return width == 64 ? value : value & (1 << UInt64(width) - 1)
    }

    // MARK: Runs and packed numbers

    /// `count` numbers of `width` bits, each below `limit`.
    mutating func hybrid(count: Int, width: Int, below limit: Int) throws(ParquetFault) -> [UInt32] {
        guard (0...32).contains(width) else { throw .broken("a page packs numbers of \(width) bits") }
        var numbers: [UInt32] = []
        numbers.reserveCapacity(count)
        while numbers.count < count {
            let head = try varint()
            let wanted = count - numbers.count
            if head & 1 == 0 {
                let value = try runValue(width)
                guard head >> 1 > 0 else { throw .broken("a page holds an empty run") }
                guard value < limit else { throw .broken("a page holds a number that is too large") }
                let length = Int(min(head >> 1, UInt64(wanted)))
                numbers.append(contentsOf: repeatElement(UInt32(value), count: length))
            } else {
                let groups = head >> 1
                guard groups > 0, groups <= UInt64((wanted + 7) / 8) + 1 << 20 else { throw Self.short }
                // The last group may be cut where the page ends.
                let size = min(Int(groups) * width, end - position)
                let length = min(Int(groups) * 8, wanted)
                guard length * width <= size * 8 else { throw Self.short }
                for index in 0..<length {
                    let value = packed(index, width, from: position)
                    guard value < limit else { throw .broken("a page holds a number that is too large") }
                    numbers.append(UInt32(value))
                }
                position += size
            }
        }
        return numbers
    }

    private mutating func runValue(_ width: Int) throws(ParquetFault) -> Int {
        var value = 0
        for byte in 0..<(width + 7) / 8 { value |= Int(try self.byte()) << (8 * byte) }
        return value
    }

    // MARK: Differences

    /// DELTA_BINARY_PACKED numbers, at least `count` of them.
    mutating func deltas(count: Int, isNarrow: Bool) throws(ParquetFault) -> [Int64] {
        let (block, miniblocks, total) = (try varint(), try varint(), try varint())
        guard (1...1 << 20).contains(block), miniblocks > 0, block % miniblocks == 0,
            block / miniblocks % 8 == 0, total >= UInt64(count),
            total <= UInt64(ParquetReadLimits.pageLevelsMax)
        else { throw .broken("a page of differences has a head that cannot be") }
        let size = Int(block / miniblocks)
        var last = try zigzag()
        var values: [Int64] = []
        values.reserveCapacity(Int(total))
        if total > 0 { values.append(last) }
        while values.count < Int(total) {
            let least = try zigzag()
            let widths = try take(Int(miniblocks))
            for width in widths.bytes[widths.position..<widths.end] where values.count < Int(total) {
                guard width <= 64 else { throw .broken("a page packs numbers of \(width) bits") }
                // The last miniblock may be cut where the page ends.
                let needed = min(size, Int(total) - values.count)
                let bytes = min(size * Int(width) / 8, end - position)
                guard needed * Int(width) <= bytes * 8 else { throw Self.short }
                for index in 0..<needed {
                    let delta = width == 0 ? 0 : packed(index, Int(width), from: position)
                    last = last &+ least &+ Int64(bitPattern: delta)
                    if isNarrow { last = Int64(Int32(truncatingIfNeeded: last)) }
                    values.append(last)
                }
                position += bytes
            }
        }
        return values
    }

    private mutating func zigzag() throws(ParquetFault) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// DELTA_LENGTH_BYTE_ARRAY: lengths, then all bytes behind each other.
    mutating func textsByLength(count: Int) throws(ParquetFault) -> StoredValues {
        let lengths = try deltas(count: count, isNarrow: true)
        var ends = [0]
        ends.reserveCapacity(lengths.count + 1)
        for length in lengths {
            guard length >= 0, ends[ends.count - 1] + Int(length) <= end - position else { throw Self.short }
            ends.append(ends[ends.count - 1] + Int(length))
        }
        let texts = try take(ends[ends.count - 1])
        return .texts(Array(bytes[texts.position..<texts.end]), ends: ends)
    }

    /// DELTA_BYTE_ARRAY: each value begins as the one before it.
    mutating func textsByPrefix(count: Int) throws(ParquetFault) -> StoredValues {
        let prefixes = try deltas(count: count, isNarrow: true)
        guard case .texts(let suffixes, let suffixEnds) = try textsByLength(count: count),
            suffixEnds.count == prefixes.count + 1
        else { throw .broken("a page has not as many ends of values as beginnings") }
        var (texts, ends): ([UInt8], [Int]) = ([], [0])
        var start = 0
        for (index, prefix) in prefixes.enumerated() {
            guard prefix >= 0, Int(prefix) <= texts.count - start,
                texts.count + Int(prefix) <= ParquetReadLimits.pageBytesMax * 2
            else { throw .broken("a value begins as none before it does") }
            let shared = Array(texts[start..<start + Int(prefix)])
            start = texts.count
            texts += shared
            texts += suffixes[suffixEnds[index]..<suffixEnds[index + 1]]
            ends.append(texts.count)
        }
        return .texts(texts, ends: ends)
    }

    // MARK: Plain values

    /// PLAIN values of a physical type, by the format's number.
    mutating func plain(count: Int, physical: Int, fixedLength: Int) throws(ParquetFault) -> StoredValues {
        switch ParquetType(rawValue: Int32(clamping: physical)) {
        case .boolean:
            let bits = try take((count + 7) / 8)
            return .words((0..<count).map { Int64(bytes[bits.position + $0 / 8] >> ($0 % 8) & 1) })
        case .int32, .float:
            let start = try take(checked(count, 4)).position
            return .words(
                physical == 1
                    ? (0..<count).map { Int64(Int32(truncatingIfNeeded: word(at: start + $0 * 4))) }
                    : (0..<count).map { Self.bits(ofFloat: word(at: start + $0 * 4)) })
        case .int64, .double:
            let start = try take(checked(count, 8)).position
            return .words((0..<count).map { Int64(bitPattern: word(at: start + $0 * 8)) })
        case .byteArray: return try plainTexts(count)
        case .fixedBytes:
            let values = try take(checked(count, fixedLength))
            return .texts(
                Array(bytes[values.position..<values.end]), ends: (0...count).map { $0 * fixedLength })
        case nil: throw .broken("it holds a type that weir does not read")
        }
    }

    private func checked(_ count: Int, _ width: Int) throws(ParquetFault) -> Int {
        let (size, overflow) = count.multipliedReportingOverflow(by: width)
        guard !overflow else { throw Self.short }
        return size
    }

    private static func bits(ofFloat word: UInt64) -> Int64 {
        let value = Double(Float(bitPattern: UInt32(truncatingIfNeeded: word)))
        return Int64(bitPattern: value.bitPattern)
    }

    private mutating func plainTexts(_ count: Int) throws(ParquetFault) -> StoredValues {
        // Every value takes four bytes at least.
        guard count <= (end - position) / 4 else { throw Self.short }
        var (texts, ends): ([UInt8], [Int]) = ([], [0])
        texts.reserveCapacity(end - position - 4 * count)
        ends.reserveCapacity(count + 1)
        for _ in 0..<count {
            let text = try take(try uint32())
            texts += bytes[text.position..<text.end]
            ends.append(texts.count)
        }
        return .texts(texts, ends: ends)
    }

    /// BYTE_STREAM_SPLIT: the first bytes of all values, then the second bytes, and so on.
    mutating func split(count: Int, physical: Int, fixedLength: Int) throws(ParquetFault) -> StoredValues {
        let width = physical == 7 ? fixedLength : [1, 4].contains(physical) ? 4 : 8
        let streams = try take(checked(count, width))
        var joined = [UInt8](repeating: 0, count: count * width + PageDecompressor.paddingBytes)
        for stream in 0..<width {
            let from = streams.position + stream * count
            for index in 0..<count { joined[index * width + stream] = bytes[from + index] }
        }
        var plain = PageBytes(padded: joined)
        return try plain.plain(count: count, physical: physical, fixedLength: fixedLength)
    }
}
