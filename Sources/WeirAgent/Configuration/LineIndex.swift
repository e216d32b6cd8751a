// From a byte of a text to the line and column that an editor shows, so that everything inside
// works on byte offsets and only messages know lines.

import WeirCore

/// Where the lines of a text begin.
struct LineIndex: Sendable {
    private let starts: [Int]
    private let length: Int

    init(_ text: some Collection<UInt8>) {
        var starts = [0]
        var offset = 0
        for byte in text {
            offset += 1
            if byte == UInt8(ascii: "\n") { starts.append(offset) }
        }
        self.starts = starts
        length = offset
    }

    /// The line and column of a byte; the end of the text for offsets behind it.
    func position(at offset: Int) -> TextPosition {
        let offset = min(max(offset, 0), length)
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle } else { high = middle }
        }
        return TextPosition(line: low + 1, column: offset - starts[low] + 1)
    }

    /// The byte at a line and column; the nearest one for positions that the text does not have.
    func offset(of position: TextPosition) -> Int {
        let line = min(max(position.line, 1), starts.count) - 1
        let end = line + 1 < starts.count ? starts[line + 1] : length
        return min(starts[line] + max(position.column, 1) - 1, end)
    }
}
