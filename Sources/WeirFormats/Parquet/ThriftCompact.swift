// Thrift's compact protocol, as far as Parquet's headers and footers need it: a field is a byte of
// (distance from the last field, type), integers are zigzag varints, a structure ends with a zero.
//
// Fields must come in the order of their numbers. They are read by `ThriftReader`.

import WeirCore

/// Writes structures of Thrift's compact protocol at the end of a run of bytes.
struct ThriftWriter {
    private let output: EncodedBytes
    private var lastField: Int16 = 0

    /// The protocol's types of fields and of a list's elements.
    enum Kind: UInt8 {
        case yes = 1
        case no = 2
        case int16 = 4
        case int32 = 5
        case int64 = 6
        case binary = 8
        case list = 9
        case structure = 12
    }

    /// Appends one whole structure to `output`.
    static func write(to output: EncodedBytes, _ fields: (inout ThriftWriter) -> Void) {
        var writer = ThriftWriter(output: output)
        fields(&writer)
        output.append(byte: 0)
    }

    private init(output: EncodedBytes) { self.output = output }

    private mutating func header(_ field: Int16, _ kind: Kind) {
        let distance = field - lastField
        precondition(distance > 0, "fields come in the order of their numbers")
        if distance < 16 {
            output.append(byte: UInt8(distance) << 4 | kind.rawValue)
        } else {
            output.append(byte: kind.rawValue)
            output.append(zigzag: Int64(field))
        }
        lastField = field
    }

    // MARK: Fields

    mutating func int32(_ field: Int16, _ value: Int32) {
        header(field, .int32)
        output.append(zigzag: Int64(value))
    }

    mutating func int32(_ field: Int16, _ value: Int) { int32(field, Int32(value)) }

    mutating func int64(_ field: Int16, _ value: Int) {
        header(field, .int64)
        output.append(zigzag: Int64(value))
    }

    mutating func int16(_ field: Int16, _ value: Int) {
        header(field, .int16)
        output.append(zigzag: Int64(value))
    }

    /// A byte, which Parquet's INTEGER type uses for its bits.
    mutating func byte(_ field: Int16, _ value: UInt8) {
        let distance = field - lastField
        precondition(distance > 0 && distance < 16, "fields come in the order of their numbers")
        output.append(byte: UInt8(distance) << 4 | 3)
        output.append(byte: value)
        lastField = field
    }

    mutating func boolean(_ field: Int16, _ value: Bool) { header(field, value ? .yes : .no) }

    mutating func binary(_ field: Int16, _ bytes: [UInt8]) {
        header(field, .binary)
        element(bytes)
    }

    mutating func text(_ field: Int16, _ text: String) { binary(field, Array(text.utf8)) }

    mutating func structure(_ field: Int16, _ fields: (inout ThriftWriter) -> Void = { _ in }) {
        header(field, .structure)
        element(fields)
    }

    // MARK: Lists

    /// A list's head; exactly `count` elements must follow.
    mutating func list(_ field: Int16, of kind: Kind, count: Int) {
        header(field, .list)
        if count < 15 {
            output.append(byte: UInt8(count) << 4 | kind.rawValue)
        } else {
            output.append(byte: 0xF0 | kind.rawValue)
            output.append(varint: UInt64(count))
        }
    }

    func element(_ bytes: [UInt8]) {
        output.append(varint: UInt64(bytes.count))
        bytes.withUnsafeBytes { output.append($0) }
    }

    func element(_ text: String) { element(Array(text.utf8)) }

    func element(_ value: Int64) { output.append(zigzag: value) }

    /// An element of a list of `.yes`.
    func element(_ value: Bool) { output.append(byte: value ? Kind.yes.rawValue : Kind.no.rawValue) }

    func element(_ fields: (inout ThriftWriter) -> Void) { Self.write(to: output, fields) }
}

extension EncodedBytes {
    /// Appends one byte.
    func append(byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        commit(1)
    }

    /// Appends an unsigned number, seven bits a byte, the lowest first.
    func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(byte: UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(byte: UInt8(rest))
    }

    /// Appends a signed number as a varint of twice its size, its sign in the lowest bit.
    func append(zigzag value: Int64) {
        append(varint: UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    /// Appends an integer in little endian.
    func append<Integer: FixedWidthInteger>(littleEndian value: Integer) {
        reserve(MemoryLayout<Integer>.size).storeBytes(of: value.littleEndian, as: Integer.self)
        commit(MemoryLayout<Integer>.size)
    }
}
