// How a batch lies in a block of bytes, shared by encoder and decoder:
//
//     crc32c u32 | version u8 | flags u8 | body length u32 | body, compressed if flag 1 says so
//     body:   row count u32, field count u16, then a field: name, type; then the columns in order,
//             and the watermarks as a last BIGINT column if flag 2 says so
//     column: validity flag u8 [, bitmap], then by layout
//       bool     bitmap
//       int64    width u8 (1, 2, 4, 8), base i64, then value − base in `width` bytes each
//       double   eight bytes each
//       int128   sixteen bytes each
//       row      the fields' columns
//       string   the lengths as an int64 column body, then the text
//       array    the lengths as an int64 column body, then the elements' column
//
// Little endian throughout. The checksum covers everything behind it. A width is never 0, so that a
// few damaged bytes cannot ask for gigabytes of rows.

import WeirCore

enum BlockFormat {
    static let version: UInt8 = 1
    static let headerBytes = 10
    static let compressedFlag: UInt8 = 1
    static let watermarksFlag: UInt8 = 2
    /// Types nested deeper than this are refused.
    static let nestingMax = 16
    /// The longest body; a block is meant to be a few hundred KiB, one giant row included.
    static let bodyBytesMax = 1 << 30
}

extension DataType {
    /// The bytes that stand for this type in a block.
    var tags: [UInt8] {
        switch self {
        case .boolean: [0]
        case .int: [1]
        case .bigint: [2]
        case .double: [3]
        case .string: [4]
        case .timestamp: [5]
        case .timestampLTZ: [6]
        case .interval: [7]
        case .null: [8]
        case .array(let element): [9] + element.tags
        case .tinyint: [10]
        case .smallint: [11]
        case .float: [12]
        case .decimal(let precision, let scale):
            [13, UInt8(truncatingIfNeeded: precision), UInt8(truncatingIfNeeded: scale)]
        case .bytes: [14]
        case .date: [15]
        case .time: [16]
        case .intervalYearMonth: [17]
        case .map(let key, let value): [18] + key.tags + value.tags
        case .row(let fields):
            [19, UInt8(truncatingIfNeeded: fields.count), UInt8(truncatingIfNeeded: fields.count >> 8)]
                + fields.flatMap { Self.tags(ofName: $0.name) + $0.type.tags }
        }
    }

    private static func tags(ofName name: String) -> [UInt8] {
        var writer = ByteWriter()
        writer.put(name)
        return writer.bytes
    }

    /// Reads what `tags` wrote.
    init(from fields: inout ByteReader, nesting: Int = 0) throws(Malformed) {
        let tag = try fields.get(UInt8.self)
        if [9, 18, 19].contains(tag), nesting >= BlockFormat.nestingMax {
            throw Malformed("its types nest too deep")
        }
        switch tag {
        case 0: self = .boolean
        case 1: self = .int
        case 2: self = .bigint
        case 3: self = .double
        case 4: self = .string
        case 5: self = .timestamp
        case 6: self = .timestampLTZ
        case 7: self = .interval
        case 8: self = .null
        case 9: self = .array(try DataType(from: &fields, nesting: nesting + 1))
        case 10: self = .tinyint
        case 11: self = .smallint
        case 12: self = .float
        case 13:
            let precision = Int(try fields.get(UInt8.self))
            let scale = Int(try fields.get(UInt8.self))
            guard (1...DataType.decimalPrecisionMax).contains(precision), scale <= precision else {
                throw Malformed("it has a decimal of impossible size")
            }
            self = .decimal(precision: precision, scale: scale)
        case 14: self = .bytes
        case 15: self = .date
        case 16: self = .time
        case 17: self = .intervalYearMonth
        case 18:
            let key = try DataType(from: &fields, nesting: nesting + 1)
            self = .map(key: key, value: try DataType(from: &fields, nesting: nesting + 1))
        case 19:
            var members: [Field] = []
            for _ in 0..<Int(try fields.get(UInt16.self)) {
                let name = try fields.getString()
                members.append(Field(name, try DataType(from: &fields, nesting: nesting + 1)))
            }
            self = .row(members)
        default: throw Malformed("it has a type that this weir does not know")
        }
    }
}
