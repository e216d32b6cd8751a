// What an aggregate function keeps for each group, for all groups of a query together: flat arrays
// indexed by slot. A group's slot is the same in every accumulator of the query; slots of different
// panes lie in the same arrays, so that a run of rows is added in one loop whatever panes it
// touches.
//
// A new aggregate is one new file with one class and one line in AccumulatorFactory. It must be
// mergeable: hopping windows add up panes, and spilled state comes back in parts. The outcome may
// depend on the order of rows and of merges, both of which follow from the input alone; it may
// never depend on anything else.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Rows and the slot of each row's group.
struct RowSlots {
    let rows: UnsafePointer<Int32>
    let slots: UnsafePointer<Int32>
    let count: Int
}

/// What an aggregate reads of a batch.
struct AggregateInput {
    /// The call's arguments, in order; none for COUNT(*).
    let arguments: [Column]
    /// The rows' event times, ms; nil where rows have none.
    let times: UnsafePointer<Int64>?

    /// The first argument.
    @inline(__always)
    var argument: Column {
        precondition(!arguments.isEmpty, "only COUNT(*) has no argument")
        return arguments[0]
    }
}

/// The groups' state of one aggregate function.
protocol Accumulator: AnyObject {
    /// Bytes a group is charged for.
    var bytesPerGroup: Int { get }
    /// Whether groups can hold more than that: texts, lists, sets.
    var hasVariableSize: Bool { get }
    /// Bytes that all groups hold beyond `bytesPerGroup`: a function of what they hold, not of how
    /// memory came to be laid out.
    var variableBytes: Int { get }
    /// The same of some groups.
    func variableBytes(of slots: UnsafeBufferPointer<Int32>) -> Int
    /// Values that a group's limit left out, since the start.
    var droppedValues: UInt64 { get }
    /// Makes room for slots 0 ..< `count`.
    func reserve(_ count: Int)
    /// Makes slots empty groups.
    func clear(_ slots: UnsafeBufferPointer<Int32>)
    /// Adds rows in order.
    func update(_ rows: RowSlots, _ input: AggregateInput)
    /// Whether `retract` can take rows out again.
    var canRetract: Bool { get }
    /// Takes out rows that were added before, leaving the state as if they had never been; only if
    /// `canRetract`.
    func retract(_ rows: RowSlots, _ input: AggregateInput)
    /// Adds group `from[i]` to group `into[i]`, for each i in order; what `from` holds comes later.
    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int)
    /// Appends the groups' state.
    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter)
    /// Takes back what `save` wrote for as many groups.
    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure)
    /// Whether `saveChanges` writes less than `save`, and less again the next time.
    var savesChanges: Bool { get }
    /// Appends what has been added to the groups since the last `saveChanges` or `loadChanges`, all
    /// of it after `clear` or `forgetSaved`.
    func saveChanges(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter)
    /// Brings groups to where they were at a `saveChanges`, from where the one before left them.
    func loadChanges(
        _ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure)
    /// What was saved of the groups is deleted: the next `saveChanges` writes all of them.
    func forgetSaved(_ slots: UnsafeBufferPointer<Int32>)
    /// Appends the groups' results to a column of the aggregate's type.
    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column)
    /// Says that slots are no longer used.
    func release(_ slots: UnsafeBufferPointer<Int32>)
}

extension Accumulator {
    var hasVariableSize: Bool { false }
    var variableBytes: Int { 0 }
    func variableBytes(of slots: UnsafeBufferPointer<Int32>) -> Int { 0 }
    var droppedValues: UInt64 { 0 }
    var savesChanges: Bool { false }
    var canRetract: Bool { false }
    func retract(_ rows: RowSlots, _ input: AggregateInput) {
        preconditionFailure("an aggregate that cannot take rows out again")
    }
    func saveChanges(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        save(slots, into: &writer)
    }
    func loadChanges(
        _ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader
    ) throws(Failure) {
        try load(slots, from: &reader)
    }
    func forgetSaved(_ slots: UnsafeBufferPointer<Int32>) {}
    func release(_ slots: UnsafeBufferPointer<Int32>) {}
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
