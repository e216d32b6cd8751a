// From a place in a string's value to the place in the file where it is written, so that an error
// in the SQL inside a configuration points at the SQL inside the configuration.

import WeirCore

/// Where each part of one TOML string's value is written.
struct TOMLStringOrigin: Sendable {
    /// Where value and file advance byte by byte: from `value` on, as from `file` on.
    private struct Run: Sendable {
        let value: Int
        let file: Int
    }

    private let runs: [Run]
    private let valueLines: LineIndex
    private let fileLines: LineIndex
    private let start: Int

    /// The origin of the string that begins at `offset` of `document` and has this value.
    init(of value: String, at offset: Int, in document: TOMLDocument) {
        var runs: [Run] = []
        var valueOffset = 0
        var nextFileOffset = -1
        var decoded: [UInt8] = []
        TOMLScanner(document.text).string(at: offset) { bytes, fileOffset in
            if fileOffset != nextFileOffset || bytes.isEmpty {
                runs.append(Run(value: valueOffset, file: fileOffset))
            }
            valueOffset += bytes.count
            // An escape is longer than what it stands for: what follows begins a new run.
            nextFileOffset = bytes.count == 1 ? fileOffset + 1 : -1
            decoded += bytes
        }
        let isFaithful = decoded.elementsEqual(value.utf8)
        self.runs = isFaithful ? runs : []
        valueLines = LineIndex(value.utf8)
        fileLines = document.lines
        start = offset
    }

    /// The place in the file of byte `offset` of the value.
    func filePosition(atByte offset: Int) -> TextPosition {
        var low = 0
        var high = runs.count
        guard high > 0 else { return fileLines.position(at: start) }
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle].value <= offset { low = middle } else { high = middle }
        }
        return fileLines.position(at: runs[low].file + max(0, offset - runs[low].value))
    }

    /// The place in the file of a line and column of the value.
    func filePosition(of position: TextPosition) -> TextPosition {
        filePosition(atByte: valueLines.offset(of: position))
    }
}
