// A group as one run of bytes, with which a result row can wait and later be merged with others:
//
//     window start, window end     8 bytes each, ms
//     key                          its length in 4 bytes, then the key as the query stores it
//     state                        of each aggregate, as in spilled runs

import WeirCore

/// Reading and writing of groups that wait with their rows.
enum GroupRecord {
    /// Appends the group in `slot`.
    static func write(
        _ slot: Int32, key: UnsafeBufferPointer<UInt8>, _ window: WindowBounds,
        _ accumulators: [any Accumulator], into writer: inout ByteWriter
    ) {
        writer.write(window.start)
        writer.write(window.end)
        writer.writeString(key)
        withUnsafePointer(to: slot) { slot in
            for accumulator in accumulators {
                accumulator.save(UnsafeBufferPointer(start: slot, count: 1), into: &writer)
            }
        }
    }

    /// The group's window and key; the key lies in `record`.
    static func head(
        of record: UnsafeBufferPointer<UInt8>
    ) throws(Failure) -> (start: Int64, end: Int64, key: UnsafeBufferPointer<UInt8>) {
        var reader = ByteReader(UnsafeRawBufferPointer(record))
        return try head(from: &reader)
    }

    private static func head(
        from reader: inout ByteReader
    ) throws(Failure) -> (start: Int64, end: Int64, key: UnsafeBufferPointer<UInt8>) {
        let (start, end) = (try reader.read(Int64.self), try reader.read(Int64.self))
        guard start < end else { throw ByteReader.damaged }
        return (start, end, try reader.readString().bindMemory(to: UInt8.self))
    }

    /// Takes the state of the aggregates into `slot`.
    static func load(
        _ record: UnsafeBufferPointer<UInt8>, into slot: Int32, _ accumulators: [any Accumulator]
    ) throws(Failure) {
        var reader = ByteReader(UnsafeRawBufferPointer(record))
        _ = try head(from: &reader)
        let slots = [slot]
        for accumulator in accumulators {
            try slots.withUnsafeBufferPointer { (slots) throws(Failure) in
                try accumulator.load(slots, from: &reader)
            }
        }
        guard reader.isAtEnd else { throw ByteReader.damaged }
    }
}
