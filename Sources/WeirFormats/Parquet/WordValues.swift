// Values of at most eight bytes: whole numbers, times, short decimals, floats, doubles and booleans. All
// are held as words of 64 bits; floats and doubles as their bits, so that NaNs and zeros stay as they are.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The values of a leaf of numbers.
final class WordValues: PageValues {
    private let physical: ParquetType
    private let width: Int
    private let scale: Int64
    private let usesDeltas: Bool
    private let words = ValueBuffer<Int64>()
    private let dictionary = WordDictionary()
    private var hasDictionary: Bool
    private var isFirstPage = true

    /// `usesDeltas`: whole numbers that no dictionary holds are written as DELTA_BINARY_PACKED.
    init(_ leaf: ParquetLeaf, usesDeltas: Bool) {
        physical = leaf.physical
        width = leaf.fixedBytes
        scale = leaf.scale
        self.usesDeltas = usesDeltas && (physical == .int32 || physical == .int64)
        hasDictionary = physical != .boolean
    }

    var count: Int { words.count }
    var byteCount: Int { words.count * 8 }
    var dictionaryCount: Int { dictionary.entries.count }
    var dictionaryBytes: Int { dictionary.entries.count * width }

    // MARK: Gathering

    func append(_ column: Column, _ rows: Range<Int>) {
        let to = words.extend(rows.count)
        let first = rows.lowerBound
        switch (column.physical, physical) {
        case (.bool, _): for i in 0..<rows.count { to[i] = Int64(column.bools[first + i]) }
        case (.double, .float):
            for i in 0..<rows.count { to[i] = bits(Float(column.doubles[first + i])) }
        // A double's bits lie in the column as they are wanted here.
        case (.double, _), (.int64, _):
            memcpy(to, column.storage + first * 8, rows.count * 8)
            multiply(to, rows.count)
        default: preconditionFailure("no numbers of 64 bits")
        }
        guard let validity = column.validity.map({ $0 + first }) else { return }
        var kept = 0
        for i in 0..<rows.count {
            to[kept] = to[i]
            kept += validity[i] == 0 ? 0 : 1
        }
        words.truncate(to: words.count - rows.count + kept)
    }

    func append(_ column: Column, at rows: [Int32]) {
        let to = words.extend(rows.count)
        switch (column.physical, physical) {
        case (.bool, _): for (i, row) in rows.enumerated() { to[i] = Int64(column.bools[Int(row)]) }
        case (.double, .float):
            for (i, row) in rows.enumerated() { to[i] = bits(Float(column.doubles[Int(row)])) }
        case (.double, _), (.int64, _):
            let from = column.storage.assumingMemoryBound(to: Int64.self)
            for (i, row) in rows.enumerated() { to[i] = from[Int(row)] }
            multiply(to, rows.count)
        default: preconditionFailure("no numbers of 64 bits")
        }
    }

    /// Points in time beyond the year 290,000 become the last one that can be said.
    private func multiply(_ words: UnsafeMutablePointer<Int64>, _ count: Int) {
        guard scale != 1 else { return }
        let limit = Int64.max / scale
        for i in 0..<count { words[i] = max(-limit, min(limit, words[i])) * scale }
    }

    private func bits(_ value: Float) -> Int64 { Int64(value.bitPattern) }

    // MARK: Encoding

    func encodePage(to output: EncodedBytes, _ scratch: PageScratch) -> EncodedPage {
        defer { words.removeAll() }
        guard words.count > 0 else { return EncodedPage(encoding: .plain, bounds: nil) }
        let bounds = bounds()
        if hasDictionary, encodeNumbers(to: output, scratch) {
            return EncodedPage(encoding: .rleDictionary, bounds: bounds)
        }
        if usesDeltas {
            output.append(deltas: words.base, count: words.count, isNarrow: physical == .int32)
            return EncodedPage(encoding: .deltaBinaryPacked, bounds: bounds)
        }
        encodePlain(words, to: output)
        return EncodedPage(encoding: .plain, bounds: bounds)
    }

    /// Tries the dictionary; gives it up for the rest of the chunk where it is of no use.
    private func encodeNumbers(to output: EncodedBytes, _ scratch: PageScratch) -> Bool {
        let isFirst = isFirstPage
        isFirstPage = false
        scratch.numbers.removeAll()
        let numbers = scratch.numbers.extend(words.count)
        guard
            dictionary.intern(
                words.base, count: words.count, entriesMax: DictionaryLimits.bytesMax / width,
                to: numbers)
        else {
            hasDictionary = false
            return false
        }
        let start = output.count
        output.append(numbers: numbers, count: words.count, below: dictionary.entries.count)
        guard isFirst else { return true }
        let size = output.count - start + dictionaryBytes
        guard size < sizeWithoutDictionary(scratch) else {
            output.truncate(to: start)
            dictionary.truncate(to: 0)
            hasDictionary = false
            return false
        }
        return true
    }

    private func sizeWithoutDictionary(_ scratch: PageScratch) -> Int {
        guard usesDeltas else { return words.count * width }
        scratch.trial.removeAll()
        scratch.trial.append(deltas: words.base, count: words.count, isNarrow: physical == .int32)
        return scratch.trial.count
    }

    func encodeDictionary(to output: EncodedBytes) { encodePlain(dictionary.entries, to: output) }

    private func encodePlain(_ values: ValueBuffer<Int64>, to output: EncodedBytes) {
        let (from, count) = (values.base, values.count)
        let room = output.reserve(count * width + 8)
        switch physical {
        case .boolean:
            let size = (count + 7) / 8
            for byte in 0..<size {
                var packed: UInt8 = 0
                for bit in 0..<min(8, count - byte * 8) { packed |= UInt8(from[byte * 8 + bit]) << bit }
                room.storeBytes(of: packed, toByteOffset: byte, as: UInt8.self)
            }
            return output.commit(size)
        case .int32, .float:
            for i in 0..<count {
                let word = UInt32(truncatingIfNeeded: from[i]).littleEndian
                room.storeBytes(of: word, toByteOffset: i * 4, as: UInt32.self)
            }
        default: memcpy(room, from, count * 8)
        }
        output.commit(count * width)
    }

    // MARK: Bounds

    private func bounds() -> Bounds? {
        switch physical {
        case .float:
            return realBounds { Double(Float(bitPattern: UInt32(truncatingIfNeeded: $0))) }
        case .double:
            return realBounds { Double(bitPattern: UInt64(bitPattern: $0)) }
        default:
            var (least, greatest) = (Int64.max, Int64.min)
            for i in 0..<words.count {
                least = min(least, words.base[i])
                greatest = max(greatest, words.base[i])
            }
            return Bounds(least: .integer(least), greatest: .integer(greatest))
        }
    }

    @inline(__always)
    private func realBounds(_ value: (Int64) -> Double) -> Bounds? {
        var (least, greatest) = (Double.infinity, -Double.infinity)
        var hasNaN = false
        for i in 0..<words.count {
            // NaN is neither less nor greater.
            let value = value(words.base[i])
            if value < least { least = value }
            if value > greatest { greatest = value }
            if value != value { hasNaN = true }
        }
        return Bounds(reals: least, greatest, leavingOutNaN: hasNaN)
    }

    // MARK: Hashes

    func hashPage(to hashes: ValueBuffer<UInt64>) { hash(words, to: hashes) }
    func hashDictionary(to hashes: ValueBuffer<UInt64>) { hash(dictionary.entries, to: hashes) }

    private func hash(_ values: ValueBuffer<Int64>, to hashes: ValueBuffer<UInt64>) {
        for i in 0..<values.count {
            withUnsafeBytes(of: values.base[i].littleEndian) {
                hashes.append(xxHash64(UnsafeRawBufferPointer(rebasing: $0.prefix(width))))
            }
        }
    }

    func removeAll() {
        words.removeAll()
        dictionary.truncate(to: 0)
        hasDictionary = physical != .boolean
        isFirstPage = true
    }
}
