// A CSV file as lines of JSON, one object a record with the members that the table's columns want: the
// deserializer of sources then reads both formats of tables by the same rules.
//
// The grammar is RFC 4180's, with LF or CR LF, and a byte order mark is skipped. The first record names the
// columns. What is between quotes is text to the letter; an empty field without quotes is NULL. A record
// with more or fewer fields than the first, or a quote that does not end, is a fault: what was cut short
// while it was written is not taken for the whole.

import WeirCore

/// What is wrong with a table's file, and where.
struct TableFault: Error, Equatable {
    /// From 1; nil when it is no line's fault.
    let line: Int?
    let reason: String
}

/// Converts CSV.
struct CSVLines {
    /// A JSON object a line.
    private(set) var text: [UInt8] = []
    /// The line of the file that each object's record begins at.
    private(set) var lines: [Int] = []

    private let columns: [ColumnConfiguration]
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1

    /// A field as it stands in the file.
    fileprivate struct Cell {
        var bytes: [UInt8] = []
        var isQuoted = false
    }

    private static let comma = UInt8(ascii: ",")
    private static let quote = UInt8(ascii: "\"")
    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// Converts `bytes`. `columns` come from members at the top of the object.
    init(_ bytes: [UInt8], columns: [ColumnConfiguration]) throws(TableFault) {
        self.bytes = bytes
        self.columns = columns
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        guard let header = try nextRecord() else {
            throw TableFault(line: 1, reason: "it is empty; the first line names the columns")
        }
        let names = header.map { String(decoding: $0.bytes, as: UTF8.self) }
        var places: [(place: Int, key: [UInt8], isBare: Bool)] = []
        for column in columns {
            guard case .payload(let pointer) = column.origin, let name = pointer.parts.first else { continue }
            guard let place = names.firstIndex(of: name) else {
                let near = nearestSpelling(of: name, among: names).map { "; did you mean \(quoted($0))?" }
                throw TableFault(line: 1, reason: "there is no column \(quoted(name))\(near ?? "")")
            }
            places.append((place, Array("\(jsonString(name)):".utf8), column.type.isBareInJSON))
        }
        text.reserveCapacity(bytes.count * 2)
        while true {
            let start = line
            guard let record = try nextRecord() else { break }
            // A blank line is nothing.
            if record.count == 1, record[0].bytes.isEmpty, !record[0].isQuoted { continue }
            guard record.count == names.count else {
                throw TableFault(
                    line: start,
                    reason: "it has \(record.count) fields, and the first line names \(names.count)")
            }
            lines.append(start)
            append(places.map { ($0.key, record[$0.place], $0.isBare) })
        }
    }

    private mutating func append(_ members: [(key: [UInt8], cell: Cell, isBare: Bool)]) {
        text.append(UInt8(ascii: "{"))
        for (position, member) in members.enumerated() {
            if position > 0 { text.append(Self.comma) }
            text += member.key
            if member.cell.bytes.isEmpty, !member.cell.isQuoted {
                text += Array("null".utf8)
            } else if member.isBare, !member.cell.bytes.isEmpty,
                member.cell.bytes.allSatisfy(Self.isOfNumbers) || member.cell.isTruth
            {
                text += member.cell.bytes
            } else {
                text += Array(jsonString(String(decoding: member.cell.bytes, as: UTF8.self)).utf8)
            }
        }
        text += [UInt8(ascii: "}"), Self.newline]
    }

    /// Bytes that a JSON number may have; what else it has to be is the deserializer's business.
    private static func isOfNumbers(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    /// The fields up to the end of the record; nil at the end of the file.
    private mutating func nextRecord() throws(TableFault) -> [Cell]? {
        guard index < bytes.count else { return nil }
        var cells: [Cell] = []
        while true {
            cells.append(try nextCell())
            guard index < bytes.count else { return cells }
            let byte = bytes[index]
            index += 1
            if byte == Self.newline {
                line += 1
                return cells
            }
        }
    }

    /// A field; the comma or newline behind it is next.
    private mutating func nextCell() throws(TableFault) -> Cell {
        var cell = Cell()
        guard index < bytes.count, bytes[index] == Self.quote else {
            let start = index
            while index < bytes.count, bytes[index] != Self.comma, bytes[index] != Self.newline {
                if bytes[index] == Self.quote {
                    throw TableFault(line: line, reason: "a quote stands inside a field without quotes")
                }
                index += 1
            }
            cell.bytes = Array(bytes[start..<index])
            if cell.bytes.last == Self.carriageReturn, index == bytes.count || bytes[index] == Self.newline {
                cell.bytes.removeLast()
            }
            return cell
        }
        cell.isQuoted = true
        let start = line
        index += 1
        while true {
            guard index < bytes.count else {
                throw TableFault(line: start, reason: "a quote is not closed")
            }
            let byte = bytes[index]
            index += 1
            if byte == Self.quote {
                guard index < bytes.count, bytes[index] == Self.quote else { break }
                index += 1
            } else if byte == Self.newline {
                line += 1
            }
            cell.bytes.append(byte)
        }
        if index < bytes.count, bytes[index] == Self.carriageReturn { index += 1 }
        guard index == bytes.count || bytes[index] == Self.comma || bytes[index] == Self.newline else {
            throw TableFault(line: line, reason: "a comma is missing behind a field in quotes")
        }
        return cell
    }
}

extension CSVLines.Cell {
    fileprivate var isTruth: Bool { bytes == Array("true".utf8) || bytes == Array("false".utf8) }
}

extension DataType {
    /// Whether JSON writes values without quotes.
    fileprivate var isBareInJSON: Bool {
        switch self {
        case .boolean, .tinyint, .smallint, .int, .bigint, .float, .double, .decimal: true
        default: false
        }
    }
}
