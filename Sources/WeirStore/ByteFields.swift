// Reading and writing the small records and blocks of this module: fixed-width integers in little
// endian and bytes with a length in front. The reader never trusts a length.

import WeirCore

/// A growing run of bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put<Integer: FixedWidthInteger>(_ value: Integer) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// The length in four bytes, then the bytes.
    mutating func put(_ field: [UInt8]) {
        put(UInt32(field.count))
        bytes.append(contentsOf: field)
    }

    mutating func put(_ text: String) { put(Array(text.utf8)) }

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
}

/// What a reader throws when bytes do not hold what they should: why, in words.
struct Malformed: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// A position in bytes that may be damaged.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count - position }

    /// The next `count` bytes.
    mutating func take(_ count: Int) throws(Malformed) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw Malformed("it ends too early") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    mutating func get<Integer: FixedWidthInteger>(
        _ type: Integer.Type = Integer.self
    ) throws(Malformed) -> Integer {
        let field = try take(MemoryLayout<Integer>.size)
        return Integer(littleEndian: field.loadUnaligned(as: Integer.self))
    }

    mutating func getBytes() throws(Malformed) -> [UInt8] {
        let count = Int(try get(UInt32.self))
        return Array(try take(count))
    }

    mutating func getString() throws(Malformed) -> String {
        String(decoding: try getBytes(), as: UTF8.self)
    }

    func expectEnd() throws(Malformed) {
        guard remaining == 0 else { throw Malformed("it is longer than it should be") }
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` for a body that throws a Failure and nothing else.
    public func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBytes { bytes in
            Swift.Result { () throws(Failure) in try body(bytes) }
        }.get()
    }
}

/// Reads a record, with what is wrong with it as a Failure about the state directory.
func reading<Record>(
    _ what: String, in directory: StateDirectory, _ bytes: UnsafeRawBufferPointer,
    _ body: (inout ByteReader) throws(Malformed) -> Record
) throws(Failure) -> Record {
    var reader = ByteReader(bytes)
    do throws(Malformed) {
        let record = try body(&reader)
        try reader.expectEnd()
        return record
    } catch {
        throw Failure(
            .state, "reading \(what) in", directory.path, "it is damaged: \(error.reason)",
            advice: "restore the state directory from a backup, or move it away to start empty")
    }
}
