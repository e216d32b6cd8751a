// What an aggregate function keeps for each group, for all groups of a query together: flat arrays
// indexed by slot. A group's slot is the same in every accumulator of the query; slots of different
// panes lie in the same arrays, so that a run of rows is added in one loop whatever panes it
// touches.
//
// A new aggregate is one new file with one class and one line in `makeAccumulator`. It must be
// mergeable: hopping windows add up panes, and spilled state comes back in parts. The outcome may
// depend on the order of rows and of merges, both of which follow from the input alone; it may
// never depend on anything else.

import WeirCore
import WeirSQL

#if canImport(Glibc)
import Glibc
#endif

/// Rows and the slot of each row's group.
struct RowSlots {
    let rows: UnsafePointer<Int32>
    let slots: UnsafePointer<Int32>
    let count: Int
}

/// The groups' state of one aggregate function.
protocol Accumulator: AnyObject {
    /// Bytes a group is charged for.
    var bytesPerGroup: Int { get }
    /// Bytes beyond that, for text that groups hold.
    var variableBytes: Int { get }
    /// Makes room for slots 0 ..< `count`.
    func reserve(_ count: Int)
    /// Makes slots empty groups.
    func clear(_ slots: UnsafeBufferPointer<Int32>)
    /// Adds rows in order; `column` is the argument, nil for COUNT(*).
    func update(_ rows: RowSlots, _ column: Column?)
    /// Adds group `from[i]` to group `into[i]`, for each i in order.
    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int)
    /// Appends the groups' state.
    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter)
    /// Takes back what `save` wrote for as many groups.
    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure)
    /// Appends the groups' results to a column of the aggregate's type.
    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column)
    /// Says that slots are no longer used.
    func release(_ slots: UnsafeBufferPointer<Int32>)
}

extension Accumulator {
    var variableBytes: Int { 0 }
    func release(_ slots: UnsafeBufferPointer<Int32>) {}
}

/// The accumulator of an aggregate call.
func makeAccumulator(_ call: AggregateCall) throws(Failure) -> any Accumulator {
    let type = call.argument?.type ?? .bigint
    if call.isDistinct, call.function != .min, call.function != .max {
        throw unsupported(call, "DISTINCT")
    }
    switch (call.function, type.physical) {
    case (.countStar, _), (.count, _): return CountAccumulator()
    case (.sum, .int64), (.avg, .int64):
        return IntegerSum(isAverage: call.function == .avg, wrapsAt32Bits: call.type == .int)
    case (.sum, .double), (.avg, .double): return DoubleSum(isAverage: call.function == .avg)
    case (.min, .int64), (.max, .int64), (.min, .bool), (.max, .bool):
        return IntegerExtreme(isMaximum: call.function == .max)
    case (.min, .double), (.max, .double): return DoubleExtreme(isMaximum: call.function == .max)
    case (.min, .string), (.max, .string): return TextExtreme(isMaximum: call.function == .max)
    case (.sum, _), (.avg, _), (.min, _), (.max, _): throw unsupported(call, "\(type)")
    }
}

private func unsupported(_ call: AggregateCall, _ what: String) -> Failure {
    Failure(
        .configuration, "planning", "\(call.function.rawValue.uppercased()) with \(what)",
        "there is no such aggregate")
}

extension Column {
    /// Appends `count` values, NULL where `isNull` says so; integers, timestamps and doubles.
    func appendWords<Word: BitwiseCopyable>(
        count added: Int, isNull: (Int) -> Bool, _ word: (Int) -> Word
    ) {
        let start = count
        reserve(rows: start + added)
        let values = storage.assumingMemoryBound(to: Word.self) + start
        memset(values, 0, added * MemoryLayout<Word>.stride)
        var flags = validity
        for i in 0..<added {
            if isNull(i) {
                if flags == nil { flags = materializeValidity() }
                flags?[start + i] = 0
            } else {
                flags?[start + i] = 1
                values[i] = word(i)
            }
        }
        setCount(start + added)
    }
}
