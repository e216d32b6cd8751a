// A table's file, read whole or not at all. A file that changes while it is read, that is over a limit, or
// in which any row is wrong gives a fault with the line, and never some of its rows.

import Glibc
import WeirCore
import WeirFormats
import WeirRuntime

/// What tells one state of a file from the next without reading it.
struct FileIdentity: Equatable {
    let device: UInt64
    let inode: UInt64
    let bytes: Int64
    /// When it was last written, ns since the epoch.
    let modifiedAt: Int64

    /// The file at `path`, behind links; nil with the reason in errno when it cannot be looked at.
    init?(path: String) {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        self.init(information)
    }

    private init(_ information: stat) {
        device = UInt64(information.st_dev)
        inode = UInt64(information.st_ino)
        bytes = Int64(information.st_size)
        modifiedAt = Int64(information.st_mtim.tv_sec) * 1_000_000_000 + Int64(information.st_mtim.tv_nsec)
    }
}

/// The rows of one state of a file.
struct TableVersion {
    let rows: Batch
    /// The file's bytes.
    let text: [UInt8]
    /// Names the content: equal for equal bytes, whenever and wherever they were read.
    let name: String
}

/// Reads the files of a table.
struct TableFile {
    let table: TableConfiguration

    /// The rows of the file at `path`.
    func read(_ path: String) throws(TableFault) -> TableVersion {
        let before = FileIdentity(path: path)
        guard let before else { throw TableFault(line: nil, reason: String(cString: strerror(errno))) }
        guard before.bytes <= Int64(table.bytesMax) else { throw tooLarge }
        let bytes: [UInt8]
        switch readFile(path, bytesMax: table.bytesMax) {
        case .success(let read): bytes = read
        case .failure(let problem): throw TableFault(line: nil, reason: problem.reason)
        }
        guard FileIdentity(path: path) == before else {
            throw TableFault(line: nil, reason: "it was written to while it was read")
        }
        return try version(of: bytes)
    }

    /// The rows that a file of these bytes has.
    func version(of bytes: [UInt8]) throws(TableFault) -> TableVersion {
        guard bytes.count <= table.bytesMax else { throw tooLarge }
        let lines: Lines
        switch table.format {
        case .ndjson: lines = Lines(text: bytes, numbers: nil)
        case .csv:
            let converted = try CSVLines(bytes, columns: table.columns)
            lines = Lines(text: converted.text, numbers: converted.lines)
        }
        let rows = try rows(of: lines)
        try checkKey(of: rows, lines)
        return TableVersion(rows: rows, text: bytes, name: Self.name(of: bytes))
    }

    private var tooLarge: TableFault {
        TableFault(
            line: nil, reason: "it is larger than \(Quantity.text(bytes: Int64(table.bytesMax))) (max_size)")
    }

    /// Lines of JSON.
    private struct Lines {
        let text: [UInt8]
        /// Where each stands in the file; nil when `text` is the file.
        let numbers: [Int]?

        /// The lines that are not blank: where they stand, and where they lie in `text`.
        var documents: [(number: Int, range: Range<Int>)] {
            var found: [(number: Int, range: Range<Int>)] = []
            var start = 0
            var number = 1
            while start < text.count {
                let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
                if text[start..<end].contains(where: { $0 > UInt8(ascii: " ") }) {
                    found.append((numbers.map { $0[found.count] } ?? number, start..<end))
                }
                start = end + 1
                number += 1
            }
            return found
        }
    }

    private func rows(of lines: Lines) throws(TableFault) -> Batch {
        let messages = MessageBatch(messagesMax: .max, bytesMax: 1 << 20)
        lines.text.withUnsafeBytes {
            messages.append(payload: $0, topic: UnsafeBufferPointer(start: nil, count: 0), receivedAt: 0)
        }
        let decoded = deserializer.decode(messages)
        if decoded.rejected != nil { throw firstFault(lines) }
        guard decoded.batch.rowCount <= table.rowsMax else {
            throw TableFault(
                line: nil, reason: "it has \(decoded.batch.rowCount) rows; max_rows is \(table.rowsMax)")
        }
        return decoded.batch
    }

    private var deserializer: JSONDeserializer {
        var limits = DecodeLimits()
        limits.documentBytesMax = max(table.bytesMax * 2, 1 << 20)
        limits.documentBytesMax = min(limits.documentBytesMax, 1 << 30)
        return JSONDeserializer(
            columns: table.columns.map(\.declaration), needed: table.columns.map(\.name), limits: limits,
            form: .lines)
    }

    /// The first line that is rejected when each is read by itself.
    private func firstFault(_ lines: Lines) -> TableFault {
        let deserializer = deserializer
        let messages = MessageBatch(messagesMax: .max, bytesMax: 1 << 20)
        for (number, range) in lines.documents {
            messages.removeAll()
            lines.text[range].withUnsafeBytes {
                messages.append(payload: $0, topic: UnsafeBufferPointer(start: nil, count: 0), receivedAt: 0)
            }
            if let rejected = deserializer.decode(messages).rejected, rejected.rowCount > 0 {
                return TableFault(line: number, reason: rejected.columns[0].string(0))
            }
        }
        return TableFault(line: nil, reason: "it is no newline-delimited JSON")
    }

    private func checkKey(of rows: Batch, _ lines: Lines) throws(TableFault) {
        let found: LookupTable.KeyFault?
        do throws(Failure) {
            found = try LookupTable.keyFault(in: rows, key: table.key)
        } catch {
            throw TableFault(line: nil, reason: error.reason)
        }
        guard let found else { return }
        let documents = lines.documents
        // A line may be an array of rows; then rows are told by their number alone.
        let line = { (row: Int) -> Int? in
            documents.count == rows.rowCount ? documents[row].number : nil
        }
        let place = { (row: Int) in line(row).map { "line \($0)" } ?? "row \(row + 1)" }
        let names = table.key.joined(separator: ", ")
        switch found {
        case .isNull(let row):
            throw TableFault(line: line(row), reason: "the key (\(names)) of \(place(row)) is NULL")
        case .isTaken(let row, let earlier):
            throw TableFault(
                line: line(row), reason: "the key (\(names)) of \(place(row)) is that of \(place(earlier)), too")
        }
    }

    /// FNV-1a of the bytes, 64 bits, and their number.
    private static func name(of bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return "\(String(repeating: "0", count: 16 - digits.count))\(digits)-\(bytes.count)"
    }
}
