// What all aggregates share whose groups are of varying size: an object for each group that has a
// value, how many bytes they take together, and the durable form. A new aggregate of this kind brings
// a `GroupState` and, with `ObjectAggregate`, the two ends: how a row is added and what comes out.

import WeirCore

/// One group's state.
protocol GroupState: AnyObject {
    init()
    /// Bytes held: a function of what was added, never of how memory is laid out.
    var byteCount: Int { get }
    /// Adds what `other` holds, which came later; returns how many values a limit left out.
    func merge(_ other: Self) -> Int
    func save(into writer: inout ByteWriter)
    /// Takes back what `save` wrote, into an empty state.
    func load(from reader: inout ByteReader) throws(Failure)
    /// Whether the three below write less than all of it.
    static var savesChanges: Bool { get }
    func saveChanges(into writer: inout ByteWriter)
    func loadChanges(from reader: inout ByteReader) throws(Failure)
    func forgetSaved()
}

extension GroupState {
    static var savesChanges: Bool { false }
    func saveChanges(into writer: inout ByteWriter) { save(into: &writer) }
    func loadChanges(from reader: inout ByteReader) throws(Failure) { try load(from: &reader) }
    func forgetSaved() {}
}

/// What makes an aggregate of a kind of state.
protocol ObjectAggregate {
    associatedtype State: GroupState
    /// Whether a row counts: mostly, whether its arguments are not NULL.
    func takes(_ row: Int, of input: AggregateInput) -> Bool
    /// Adds a row; false when a limit leaves it out.
    func add(_ row: Int, of input: AggregateInput, to state: State) -> Bool
    /// Appends a group's result; nil for a group that no row counted in.
    func emit(_ state: State?, into column: Column)
}

extension ObjectAggregate {
    func takes(_ row: Int, of input: AggregateInput) -> Bool {
        input.arguments.allSatisfy { !$0.isNull(row) }
    }
}

/// The groups of such an aggregate.
final class ObjectAccumulator<Aggregate: ObjectAggregate>: Accumulator {
    typealias State = Aggregate.State
    private let aggregate: Aggregate
    private var states: [State?] = []
    private(set) var variableBytes = 0
    private(set) var droppedValues: UInt64 = 0

    init(_ aggregate: Aggregate) { self.aggregate = aggregate }

    var bytesPerGroup: Int { 8 }
    var hasVariableSize: Bool { true }
    var savesChanges: Bool { State.savesChanges }

    func variableBytes(of slots: UnsafeBufferPointer<Int32>) -> Int {
        slots.reduce(0) { $0 + (states[Int($1)]?.byteCount ?? 0) }
    }

    func reserve(_ count: Int) {
        if count > states.count {
            states.append(contentsOf: repeatElement(nil, count: count - states.count))
        }
    }

    func clear(_ slots: UnsafeBufferPointer<Int32>) { release(slots) }

    func release(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots {
            guard let state = states[Int(slot)] else { continue }
            variableBytes -= state.byteCount
            states[Int(slot)] = nil
        }
    }

    private func state(_ slot: Int) -> State {
        if let state = states[slot] { return state }
        let state = State()
        states[slot] = state
        variableBytes += state.byteCount
        return state
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        for i in 0..<rows.count {
            let row = Int(rows.rows[i])
            guard aggregate.takes(row, of: input) else { continue }
            let state = state(Int(rows.slots[i]))
            let before = state.byteCount
            if !aggregate.add(row, of: input, to: state) { droppedValues += 1 }
            variableBytes += state.byteCount - before
        }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        for i in 0..<count {
            guard let other = states[Int(from[i])] else { continue }
            let state = state(Int(into[i]))
            let before = state.byteCount
            droppedValues += UInt64(state.merge(other))
            variableBytes += state.byteCount - before
        }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        for slot in slots { aggregate.emit(states[Int(slot)], into: column) }
    }

    // MARK: Saving

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        writePresence(slots, into: &writer)
        for slot in slots { states[Int(slot)]?.save(into: &writer) }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        release(slots)
        for slot in try readPresence(slots, from: &reader) {
            let state = State()
            try state.load(from: &reader)
            states[slot] = state
            variableBytes += state.byteCount
        }
    }

    func saveChanges(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        writePresence(slots, into: &writer)
        for slot in slots { states[Int(slot)]?.saveChanges(into: &writer) }
    }

    func loadChanges(
        _ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader
    ) throws(Failure) {
        guard State.savesChanges else { return try load(slots, from: &reader) }
        for slot in try readPresence(slots, from: &reader) {
            let state = state(slot)
            let before = state.byteCount
            try state.loadChanges(from: &reader)
            variableBytes += state.byteCount - before
        }
    }

    func forgetSaved(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots { states[Int(slot)]?.forgetSaved() }
    }

    /// Which of the groups have a state.
    private func writePresence(
        _ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter
    ) {
        writer.writeWords(count: slots.count) { UInt8(states[Int(slots[$0])] == nil ? 0 : 1) }
    }

    private func readPresence(
        _ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader
    ) throws(Failure) -> [Int] {
        var present: [Int] = []
        try reader.readWords(UInt8.self, count: slots.count) {
            if $1 != 0 { present.append(Int(slots[$0])) }
        }
        return present
    }
}
