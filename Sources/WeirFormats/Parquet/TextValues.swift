// Values of more than eight bytes: texts, bytes, and long decimals, which Parquet holds as bytes of one
// length, the highest first.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The values of a leaf of texts, bytes or long decimals.
final class TextValues: PageValues {
    private let leaf: ParquetLeaf
    /// 0 for values with a length of their own.
    private let fixedBytes: Int
    private let bytes = ValueBuffer<UInt8>()
    private let ends = ValueBuffer<Int>()
    private let dictionary = TextDictionary()
    private var hasDictionary = true
    private var isFirstPage = true
    /// For each entry of the dictionary the last page that it occurred in.
    private let lastPages = ValueBuffer<UInt32>()
    private var page: UInt32 = 0

    init(_ leaf: ParquetLeaf) {
        self.leaf = leaf
        fixedBytes = leaf.fixedBytes
    }

    /// Bytes of a value beside its own.
    private var overhead: Int { fixedBytes == 0 ? 4 : 0 }

    var count: Int { ends.count }
    var byteCount: Int { bytes.count + ends.count * 8 }
    var dictionaryCount: Int { dictionary.count }
    var dictionaryBytes: Int { dictionary.bytes.count + dictionary.count * overhead }

    // MARK: Gathering

    func append(_ column: Column, _ rows: Range<Int>) {
        guard column.physical == .string else {
            for row in rows where !column.isNull(row) { append(column.wides[row]) }
            return
        }
        // A NULL has no bytes, so the bytes of all rows are those of the values.
        let first = Int(column.offsets[rows.lowerBound])
        let size = Int(column.offsets[rows.upperBound]) - first
        let shift = bytes.count - first
        memcpy(bytes.extend(size), column.bytes + first, size)
        let to = ends.extend(rows.count)
        var kept = 0
        for row in rows {
            to[kept] = Int(column.offsets[row + 1]) + shift
            kept += column.isNull(row) ? 0 : 1
        }
        ends.truncate(to: ends.count - rows.count + kept)
    }

    func append(_ column: Column, at rows: [Int32]) {
        for row in rows {
            guard column.physical == .string else {
                append(column.wides[Int(row)])
                continue
            }
            let text = column.text(Int(row))
            if let base = text.baseAddress { memcpy(bytes.extend(text.count), base, text.count) }
            ends.append(bytes.count)
        }
    }

    private func append(_ value: Int128) {
        let to = bytes.extend(fixedBytes)
        for byte in 0..<fixedBytes {
            to[byte] = UInt8(truncatingIfNeeded: value >> (8 * (fixedBytes - 1 - byte)))
        }
        ends.append(bytes.count)
    }

    // MARK: Encoding

    func encodePage(to output: EncodedBytes, _ scratch: PageScratch) -> EncodedPage {
        defer {
            bytes.removeAll()
            ends.removeAll()
        }
        guard ends.count > 0 else { return EncodedPage(encoding: .plain, bounds: nil) }
        if hasDictionary, encodeNumbers(to: output, scratch) {
            let numbers = scratch.numbers.base
            return EncodedPage(
                encoding: .rleDictionary, bounds: boundsOfEntries(numbers, count: ends.count))
        }
        encodePlain(bytes.base, ends.base, ends.count, to: output)
        return EncodedPage(encoding: .plain, bounds: boundsOfPage())
    }

    private func encodeNumbers(to output: EncodedBytes, _ scratch: PageScratch) -> Bool {
        let isFirst = isFirstPage
        isFirstPage = false
        scratch.numbers.removeAll()
        let numbers = scratch.numbers.extend(ends.count)
        guard
            dictionary.intern(
                bytes.base, ends.base, count: ends.count, overhead: overhead,
                bytesMax: DictionaryLimits.bytesMax, to: numbers)
        else {
            hasDictionary = false
            return false
        }
        let start = output.count
        output.append(numbers: numbers, count: ends.count, below: dictionary.count)
        guard isFirst else { return true }
        let plain = bytes.count + ends.count * overhead
        guard output.count - start + dictionaryBytes < plain else {
            output.truncate(to: start)
            dictionary.truncate(to: 0)
            hasDictionary = false
            return false
        }
        return true
    }

    func encodeDictionary(to output: EncodedBytes) {
        guard let base = dictionary.bytes.bytes.baseAddress else { return }
        encodePlain(
            base.assumingMemoryBound(to: UInt8.self), dictionary.ends.base, dictionary.count,
            to: output)
    }

    private func encodePlain(
        _ bytes: UnsafePointer<UInt8>, _ ends: UnsafePointer<Int>, _ count: Int,
        to output: EncodedBytes
    ) {
        let size = ends[count - 1] + count * overhead
        let room = output.reserve(size)
        if overhead == 0 {
            memcpy(room, bytes, size)
            return output.commit(size)
        }
        var (start, written) = (0, 0)
        for index in 0..<count {
            let length = ends[index] - start
            room.storeBytes(
                of: UInt32(length).littleEndian, toByteOffset: written, as: UInt32.self)
            memcpy(room + written + 4, bytes + start, length)
            written += 4 + length
            start = ends[index]
        }
        output.commit(size)
    }

    // MARK: Bounds

    /// Looks at each entry once a page, however many rows have it.
    private func boundsOfEntries(_ numbers: UnsafePointer<UInt32>, count: Int) -> Bounds? {
        page += 1
        while lastPages.count < dictionary.count { lastPages.append(0) }
        var (least, greatest) = (Int(numbers[0]), Int(numbers[0]))
        for index in 0..<count {
            let entry = Int(numbers[index])
            guard lastPages.base[entry] != page else { continue }
            lastPages.base[entry] = page
            let text = dictionary.text(entry)
            if isLess(text, dictionary.text(least)) { least = entry }
            if isLess(dictionary.text(greatest), text) { greatest = entry }
        }
        return bounds(dictionary.text(least), dictionary.text(greatest))
    }

    private func boundsOfPage() -> Bounds? {
        var (least, greatest) = (text(0), text(0))
        for index in 1..<max(1, ends.count) {
            let text = text(index)
            if isLess(text, least) { least = text }
            if isLess(greatest, text) { greatest = text }
        }
        return bounds(least, greatest)
    }

    private func text(_ index: Int) -> UnsafeRawBufferPointer {
        let start = index == 0 ? 0 : ends.base[index - 1]
        return UnsafeRawBufferPointer(start: bytes.base + start, count: ends.base[index] - start)
    }

    private func isLess(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        if fixedBytes > 0 { return wide(a) < wide(b) }
        let shorter = min(a.count, b.count)
        if shorter > 0, let left = a.baseAddress, let right = b.baseAddress {
            let order = memcmp(left, right, shorter)
            if order != 0 { return order < 0 }
        }
        return a.count < b.count
    }

    private func bounds(
        _ least: UnsafeRawBufferPointer, _ greatest: UnsafeRawBufferPointer
    ) -> Bounds? {
        if fixedBytes > 0 {
            return Bounds(least: .wide(wide(least)), greatest: .wide(wide(greatest)))
        }
        return Bounds(texts: least, greatest, areUTF8: leaf.type == .string)
    }

    private func wide(_ bytes: UnsafeRawBufferPointer) -> Int128 {
        var value: Int128 = (bytes.first ?? 0) >= 0x80 ? -1 : 0
        for byte in bytes { value = value << 8 | Int128(byte) }
        return value
    }

    // MARK: Hashes

    func hashPage(to hashes: ValueBuffer<UInt64>) {
        for index in 0..<ends.count { hashes.append(xxHash64(text(index))) }
    }

    func hashDictionary(to hashes: ValueBuffer<UInt64>) {
        for entry in 0..<dictionary.count { hashes.append(xxHash64(dictionary.text(entry))) }
    }

    func removeAll() {
        bytes.removeAll()
        ends.removeAll()
        dictionary.truncate(to: 0)
        lastPages.removeAll()
        (hasDictionary, isFirstPage, page) = (true, true, 0)
    }
}
