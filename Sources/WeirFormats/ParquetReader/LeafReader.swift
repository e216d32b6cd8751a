// The rows of one leaf, some at a time: levels, and a column of the values that are there. Rows may end in
// the middle of a page and go on over several.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Reads one leaf of one row group.
final class LeafReader {
    let leaf: ReadLeaf
    private let pages: PageReader
    private var page = DecodedPage()
    private var levelNext = 0
    private var valueNext = 0

    /// Of the rows that were taken last: the levels of each value or NULL, and the values without NULLs.
    private(set) var definitions: [UInt8] = []
    private(set) var repetitions: [UInt8] = []
    private(set) var values: Column

    init(
        _ source: any ParquetSource, _ chunk: FooterChunk, _ leaf: ReadLeaf
    ) throws(ParquetFault) {
        self.leaf = leaf
        pages = try PageReader(source, chunk, leaf)
        values = Column(leaf.type)
    }

    /// Takes the next `rows` rows.
    func take(rows: Int) throws(ParquetFault) {
        definitions.removeAll(keepingCapacity: true)
        repetitions.removeAll(keepingCapacity: true)
        values = Column(leaf.type)
        var rowsLeft = rows
        while true {
            if levelNext == page.levelCount {
                guard rowsLeft > 0 || leaf.repetitionMax > 0 else { return }
                guard let next = try pages.next() else {
                    guard rowsLeft == 0 else { throw .broken("column \(leaf.path) has too few rows") }
                    return
                }
                (page, levelNext, valueNext) = (next, 0, 0)
                continue
            }
            let end = levelEnd(&rowsLeft)
            guard end > levelNext else { return }
            guard definitions.count + end - levelNext <= ParquetReadLimits.batchLevelsMax else {
                throw .broken("rows of column \(leaf.path) hold more values than weir reads")
            }
            try take(levelsUpTo: end)
            if rowsLeft == 0, end < page.levelCount { return }
        }
    }

    /// Up to where levels of the page belong to the rows that are wanted.
    private func levelEnd(_ rowsLeft: inout Int) -> Int {
        guard leaf.repetitionMax > 0 else {
            let count = min(rowsLeft, page.levelCount - levelNext)
            rowsLeft -= count
            return levelNext + count
        }
        var end = levelNext
        while end < page.levelCount {
            if page.repetitions[end] == 0 {
                if rowsLeft == 0 { return end }
                rowsLeft -= 1
            }
            end += 1
        }
        return end
    }

    private func take(levelsUpTo end: Int) throws(ParquetFault) {
        var count = end - levelNext
        if leaf.definitionMax > 0 {
            let greatest = UInt8(leaf.definitionMax)
            count = page.definitions[levelNext..<end].reduce(0) { $0 + ($1 == greatest ? 1 : 0) }
            definitions += page.definitions[levelNext..<end]
        } else {
            definitions.append(contentsOf: repeatElement(0, count: count))
        }
        if leaf.repetitionMax > 0 {
            repetitions += page.repetitions[levelNext..<end]
        } else {
            repetitions.append(contentsOf: repeatElement(0, count: end - levelNext))
        }
        try appendValues(valueNext..<valueNext + count)
        valueNext += count
        levelNext = end
    }

    // MARK: Values

    private func appendValues(_ range: Range<Int>) throws(ParquetFault) {
        values.reserve(rows: values.count + range.count)
        switch page.values {
        case .words(let words): try appendWords(words, range)
        case .texts(let texts, let ends): try appendTexts(texts, ends, range)
        }
    }

    /// Where value `index` of the page lies among the stored ones.
    private func place(_ index: Int) -> Int { page.indices.map { Int($0[index]) } ?? index }

    private func appendWords(_ words: [Int64], _ range: Range<Int>) throws(ParquetFault) {
        let start = values.count
        switch leaf.conversion {
        case .boolean:
            for (row, index) in range.enumerated() {
                values.bools[start + row] = words[place(index)] == 0 ? 0 : 1
            }
        case .real:
            for (row, index) in range.enumerated() {
                values.doubles[start + row] = Double(bitPattern: UInt64(bitPattern: words[place(index)]))
            }
        case .integer:
            for (row, index) in range.enumerated() { values.ints[start + row] = words[place(index)] }
        case .narrow(let bounds):
            for (row, index) in range.enumerated() {
                let word = words[place(index)]
                guard bounds.contains(word) else {
                    throw .broken("a number of column \(leaf.path) is outside of its type")
                }
                values.ints[start + row] = word
            }
        case .unsigned32:
            for (row, index) in range.enumerated() {
                values.ints[start + row] = words[place(index)] & 0xFFFF_FFFF
            }
        case .divided(let unit):
            for (row, index) in range.enumerated() {
                let word = words[place(index)]
                values.ints[start + row] = word / unit - (word % unit < 0 ? 1 : 0)
            }
        case .bytes, .decimalBytes: preconditionFailure("bytes are no numbers")
        }
        values.setCount(start + range.count)
    }

    private func appendTexts(
        _ texts: [UInt8], _ ends: [Int], _ range: Range<Int>
    ) throws(ParquetFault) {
        switch leaf.conversion {
        case .decimalBytes:
            for index in range {
                let place = place(index)
                try append(decimal: texts[ends[place]..<ends[place + 1]])
            }
        case .bytes(let isUTF8):
            var total = values.byteCount
            for index in range { total += ends[place(index) + 1] - ends[place(index)] }
            guard total <= ParquetReadLimits.batchTextBytesMax else {
                throw .broken("rows of column \(leaf.path) hold more text than weir reads")
            }
            let first = values.byteCount
            values.reserve(bytes: total)
            texts.withUnsafeBufferPointer { texts in
                for index in range {
                    let place = place(index)
                    values.append(UnsafeBufferPointer(rebasing: texts[ends[place]..<ends[place + 1]]))
                }
            }
            if isUTF8 { try checkTexts(from: values.count - range.count, firstByte: first) }
        default: preconditionFailure("numbers are no bytes")
        }
    }

    /// All of them together must be UTF-8, and none may begin in the middle of a character.
    private func checkTexts(from row: Int, firstByte: Int) throws(ParquetFault) {
        let bytes = UnsafeBufferPointer(
            start: values.bytes + firstByte, count: values.byteCount - firstByte)
        let isCut = (row..<values.count).contains { row in
            let start = Int(values.offsets[row])
            return start < values.byteCount && values.bytes[start] & 0xC0 == 0x80
        }
        guard !isCut, String(validating: bytes, as: UTF8.self) != nil else {
            throw .broken("a text of column \(leaf.path) is not UTF-8")
        }
    }

    private func append(decimal bytes: ArraySlice<UInt8>) throws(ParquetFault) {
        guard bytes.count <= 16, let first = bytes.first else {
            throw .broken("a decimal of column \(leaf.path) has \(bytes.count) bytes")
        }
        let wide = bytes.reduce(Int128(first >= 0x80 ? -1 : 0)) { $0 << 8 | Int128($1) }
        if leaf.type.physical == .int128 { return values.append(wide) }
        guard let narrow = Int64(exactly: wide) else {
            throw .broken("a decimal of column \(leaf.path) has more digits than its type")
        }
        values.append(narrow)
    }
}
