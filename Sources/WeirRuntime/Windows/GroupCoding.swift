// Groups as bytes: their keys, then the state of each aggregate, column by column. Chunks of spilled
// runs hold the whole state of a group; delta blocks hold what has been added to it since the block
// before, which for lists and sets is their new end.

import WeirCore

extension GroupStore {
    /// Appends the keys of the groups in `slots`.
    func writeKeys(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        writer.writePacked(count: slots.count) { Int64(keys.key(keyOf.base[Int(slots[$0])]).count) }
        for slot in slots { writer.write(UnsafeRawBufferPointer(keys.key(keyOf.base[Int(slot)]))) }
    }

    /// Appends the aggregates' state of the groups in `slots`.
    func writeState(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        for accumulator in accumulators { accumulator.save(slots, into: &writer) }
    }

    /// Takes back what `writeState` wrote for as many groups.
    func readState(_ slots: [Int32], from reader: inout ByteReader) throws(Failure) {
        for accumulator in accumulators {
            try slots.withUnsafeBufferPointer { (slots) throws(Failure) in
                try accumulator.load(slots, from: &reader)
            }
        }
    }

    /// Appends what is new in the state of the groups in `slots`.
    func writeChanges(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        for accumulator in accumulators { accumulator.saveChanges(slots, into: &writer) }
    }

    /// Takes back what `writeChanges` wrote for as many groups.
    func readChanges(_ slots: [Int32], from reader: inout ByteReader) throws(Failure) {
        for accumulator in accumulators {
            try slots.withUnsafeBufferPointer { (slots) throws(Failure) in
                try accumulator.loadChanges(slots, from: &reader)
            }
        }
    }

    /// The blocks that told of these groups are going to be deleted.
    func forgetSaved(_ slots: [Int32]) {
        slots.withUnsafeBufferPointer { slots in
            for accumulator in accumulators { accumulator.forgetSaved(slots) }
        }
    }

    /// The `count` keys that `writeKeys` wrote, as parts of the bytes read from.
    static func readKeys(
        count: Int, from reader: inout ByteReader
    ) throws(Failure) -> [UnsafeBufferPointer<UInt8>] {
        var lengths: [Int] = []
        lengths.reserveCapacity(count)
        try reader.readPacked(count: count) { lengths.append(Int($1)) }
        var result: [UnsafeBufferPointer<UInt8>] = []
        result.reserveCapacity(count)
        for length in lengths {
            let raw = try reader.take(length)
            result.append(raw.bindMemory(to: UInt8.self))
        }
        return result
    }
}
