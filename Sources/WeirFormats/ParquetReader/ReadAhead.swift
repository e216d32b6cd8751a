// The chunks of a row group, fetched in as few pieces as may be: those that lie side by side, or nearly so,
// come together. A source that is asked over a network is asked once for a row group of a few megabytes,
// and not once for every column; one that has all at hand wants none of it.

import WeirCore

/// Bytes of a row group that are kept for as long as it is read.
final class ReadAhead: ParquetSource {
    let name: String
    let length: Int
    private let source: any ParquetSource
    private var pieces: [(range: Range<Int>, bytes: [UInt8])] = []

    /// Bytes between two chunks that are fetched with them.
    private static let gapBytesMax = 64 << 10

    /// Nil when the chunks have more bytes than `source` wants to be read ahead.
    init?(_ source: any ParquetSource, _ chunks: [Range<Int>]) {
        guard source.readAheadBytesMax > 0 else { return nil }
        for chunk in chunks.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = pieces.last, chunk.lowerBound - last.range.upperBound <= Self.gapBytesMax {
                let end = max(last.range.upperBound, chunk.upperBound)
                pieces[pieces.count - 1].range = last.range.lowerBound..<end
            } else {
                pieces.append((chunk, []))
            }
        }
        guard pieces.reduce(0, { $0 + $1.range.count }) <= source.readAheadBytesMax else { return nil }
        self.source = source
        name = source.name
        length = source.length
    }

    func read(_ range: Range<Int>) throws(Failure) -> [UInt8] {
        let place = pieces.firstIndex {
            $0.range.lowerBound <= range.lowerBound && range.upperBound <= $0.range.upperBound
        }
        guard let place else { return try source.read(range) }
        if pieces[place].bytes.isEmpty { pieces[place].bytes = try source.read(pieces[place].range) }
        let start = range.lowerBound - pieces[place].range.lowerBound
        return Array(pieces[place].bytes[start..<start + range.count])
    }
}
