// The values of one leaf on their way into pages: gathered without NULLs, then encoded a page at a time.
//
// Which encoding a page gets follows from the values alone. A chunk begins with a dictionary; it is given
// up at the first page when the dictionary would be no shorter than what stands in its place, and later
// when it outgrows its bound; pages written until then keep it, as the format allows.

import WeirCore

/// The format's encodings that weir writes; the raw values are the format's.
enum ParquetEncoding: Int32 {
    case plain = 0
    case rle = 3
    case deltaBinaryPacked = 5
    case rleDictionary = 8
}

/// What is used by one page after the other.
final class PageScratch {
    let numbers = ValueBuffer<UInt32>()
    let trial = EncodedBytes()
    let body = EncodedBytes()
}

/// What became of a page's values.
struct EncodedPage {
    let encoding: ParquetEncoding
    /// Nil where readers must not rely on any.
    let bounds: Bounds?
}

/// The values of a leaf.
protocol PageValues: AnyObject {
    /// Values of the page under way, and the bytes that they hold.
    var count: Int { get }
    var byteCount: Int { get }
    /// Entries of the chunk's dictionary, and the bytes that they hold.
    var dictionaryCount: Int { get }
    var dictionaryBytes: Int { get }

    /// Adds the values of rows `rows` that are not NULL.
    func append(_ column: Column, _ rows: Range<Int>)
    /// Adds the values of `rows`, none of which is NULL.
    func append(_ column: Column, at rows: [Int32])
    /// Appends the page under way to `output` and begins the next.
    func encodePage(to output: EncodedBytes, _ scratch: PageScratch) -> EncodedPage
    /// Appends the dictionary's entries, PLAIN.
    func encodeDictionary(to output: EncodedBytes)
    /// Appends hashes of the page's values, or of the dictionary's, as bloom filters take them.
    func hashPage(to hashes: ValueBuffer<UInt64>)
    func hashDictionary(to hashes: ValueBuffer<UInt64>)
    /// Begins another chunk.
    func removeAll()
}

/// Bounds on dictionaries.
enum DictionaryLimits {
    /// A dictionary page is at most so long.
    static let bytesMax = 1 << 20
}

extension EncodedBytes {
    /// Appends dictionary numbers below `limit`: their width in a byte, then the hybrid of runs.
    func append(numbers: UnsafePointer<UInt32>, count: Int, below limit: Int) {
        let width = max(1, bitWidth(of: limit - 1))
        append(byte: UInt8(width))
        append(hybrid: numbers, count: count, width: width)
    }
}
