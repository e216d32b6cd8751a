// What computes one call of an OVER. There are four kinds: values that can be kept up row by row as rows
// come and, where frames are bounded, leave; extremes of bounded frames; all else over bounded frames,
// which is computed from the frame's rows each time; and LAG.

import WeirCore
import WeirSQL

/// One call over all partitions, by slot.
protocol OverColumn: AnyObject {
    /// Makes room for slots 0 ..< `count`.
    func reserve(_ count: Int)
    /// Makes a slot that of a partition without rows.
    func open(_ slot: Int32)
    /// Goes through the steps; appends a value to `column` at each one where it is due.
    func take(_ steps: OverSteps, _ input: OverInput, into column: Column)
    /// Takes a partition's rows for the only ones there are: their places are new.
    func rebuild(_ slot: Int32, _ places: UnsafeBufferPointer<Int32>, _ input: OverInput)
    /// Says that a slot is no longer used.
    func release(_ slot: Int32)
    /// Appends what of a partition does not follow from its rows.
    func save(_ slot: Int32, into writer: inout ByteWriter)
    /// Takes back what `save` wrote, into an opened slot.
    func load(_ slot: Int32, from reader: inout ByteReader) throws(Failure)
    /// Whether what is saved grows with what has been added, and so is saved in changes instead.
    var gathers: Bool { get }
    /// Appends what was added since the last time, or everything.
    func saveChanges(_ slot: Int32, isAll: Bool, into writer: inout ByteWriter)
    /// Takes back what `saveChanges` wrote, one after another.
    func loadChanges(_ slot: Int32, from reader: inout ByteReader) throws(Failure)
    /// Bytes of memory a partition takes, its rows left out; and of one whose size varies, more.
    var bytesPerKey: Int { get }
    func variableBytes(_ slot: Int32) -> Int
    /// Bytes that are not by partition.
    var sharedBytes: Int { get }
    /// Values that a limit left out, since the start.
    var droppedValues: UInt64 { get }
}

extension OverColumn {
    func rebuild(_ slot: Int32, _ places: UnsafeBufferPointer<Int32>, _ input: OverInput) {}
    func reserve(_ count: Int) {}
    func open(_ slot: Int32) {}
    func release(_ slot: Int32) {}
    func save(_ slot: Int32, into writer: inout ByteWriter) {}
    func load(_ slot: Int32, from reader: inout ByteReader) throws(Failure) {}
    var gathers: Bool { false }
    func saveChanges(_ slot: Int32, isAll: Bool, into writer: inout ByteWriter) {}
    func loadChanges(_ slot: Int32, from reader: inout ByteReader) throws(Failure) {}
    var bytesPerKey: Int { 0 }
    func variableBytes(_ slot: Int32) -> Int { 0 }
    var sharedBytes: Int { 0 }
    var droppedValues: UInt64 { 0 }
}

/// What the steps' places mean.
struct OverInput {
    /// The arguments of all calls.
    let columns: [Column]
    /// The rows' neighbours; nil where no rows are kept.
    let rows: OverRows?

    /// The columns `arguments`, as aggregates take them. Rows come in the order of event time, so those
    /// that go by it do without.
    func aggregated(_ arguments: [Int]) -> AggregateInput {
        AggregateInput(arguments: arguments.map { columns[$0] }, times: nil)
    }
}

/// An aggregate that is kept up row by row.
final class RunningColumn: OverColumn {
    private let accumulator: any Accumulator
    private let arguments: [Int]
    private let cell = Buffer<Int32>(capacity: 1)

    init(_ accumulator: any Accumulator, _ arguments: [Int]) {
        self.accumulator = accumulator
        self.arguments = arguments
    }

    var bytesPerKey: Int { accumulator.bytesPerGroup }
    var droppedValues: UInt64 { accumulator.droppedValues }

    private func only(_ slot: Int32) -> UnsafeBufferPointer<Int32> {
        cell.base[0] = slot
        return UnsafeBufferPointer(start: cell.base, count: 1)
    }

    func variableBytes(_ slot: Int32) -> Int { accumulator.variableBytes(of: only(slot)) }
    var sharedBytes: Int { accumulator.variableBytes }

    func reserve(_ count: Int) { accumulator.reserve(count) }
    func open(_ slot: Int32) { accumulator.clear(only(slot)) }
    func release(_ slot: Int32) { accumulator.release(only(slot)) }

    func take(_ steps: OverSteps, _ input: OverInput, into column: Column) {
        let values = input.aggregated(arguments)
        steps.forEachRun { kind, range in
            switch kind {
            case OverSteps.Kind.add: accumulator.update(steps.rowSlots(range), values)
            case OverSteps.Kind.retract: accumulator.retract(steps.rowSlots(range), values)
            case OverSteps.Kind.clear: accumulator.clear(steps.slots(range))
            default: accumulator.emit(steps.slots(range), into: column)
            }
        }
    }

    func save(_ slot: Int32, into writer: inout ByteWriter) {
        accumulator.save(only(slot), into: &writer)
    }

    func load(_ slot: Int32, from reader: inout ByteReader) throws(Failure) {
        try accumulator.load(only(slot), from: &reader)
    }

    var gathers: Bool { accumulator.savesChanges }

    func saveChanges(_ slot: Int32, isAll: Bool, into writer: inout ByteWriter) {
        if isAll { accumulator.forgetSaved(only(slot)) }
        accumulator.saveChanges(only(slot), into: &writer)
    }

    func loadChanges(_ slot: Int32, from reader: inout ByteReader) throws(Failure) {
        try accumulator.loadChanges(only(slot), from: &reader)
    }
}

/// An aggregate over the rows of a bounded frame that is computed anew each time.
final class RecomputedColumn: OverColumn {
    private let accumulator: any Accumulator
    private let arguments: [Int]
    private let places = Buffer<Int32>()
    /// As many zeros: the accumulator has one slot.
    private let slots = Buffer<Int32>()
    private let cell = Buffer<Int32>(capacity: 1)

    init(_ accumulator: any Accumulator, _ arguments: [Int]) {
        self.accumulator = accumulator
        self.arguments = arguments
        accumulator.reserve(1)
        slots.base.update(repeating: 0, count: slots.capacity)
        cell.base[0] = 0
    }

    var sharedBytes: Int { (places.capacity + slots.capacity) * 4 }
    var droppedValues: UInt64 { accumulator.droppedValues }

    func take(_ steps: OverSteps, _ input: OverInput, into column: Column) {
        guard let rows = input.rows else { preconditionFailure("a frame without rows") }
        let values = input.aggregated(arguments)
        let only = UnsafeBufferPointer(start: cell.base, count: 1)
        accumulator.clear(only)
        var held = -1
        steps.forEachRun { kind, range in
            guard kind == OverSteps.Kind.emit else { return }
            for step in range {
                // Rows of one time have one frame.
                if held < 0 || !areEqual(steps, held, step) {
                    accumulator.clear(only)
                    gather(steps, step, rows)
                    accumulator.update(
                        RowSlots(
                            rows: places.base, slots: slots.base, count: Int(steps.lengths[step])),
                        values)
                }
                held = step
                accumulator.emit(only, into: column)
            }
        }
        accumulator.release(only)
    }

    private func areEqual(_ steps: OverSteps, _ one: Int, _ other: Int) -> Bool {
        steps.firsts[one] == steps.firsts[other] && steps.places[one] == steps.places[other]
    }

    /// Writes down the places of a frame's rows, in order.
    private func gather(_ steps: OverSteps, _ step: Int, _ rows: OverRows) {
        let length = Int(steps.lengths[step])
        if slots.capacity < length {
            slots.reserve(length)
            slots.base.update(repeating: 0, count: slots.capacity)
        }
        places.reserve(length)
        var place = steps.firsts[step]
        for index in 0..<length {
            places.base[index] = place
            if index + 1 < length { place = rows.next[Int(place)] }
        }
    }
}

/// LAG: a value of the row so many rows before the last one.
final class LagColumn: OverColumn {
    private let argument: Int
    private let offset: Int
    private let otherwise: Otherwise
    private let cell = Buffer<Int32>(capacity: 1)

    /// What stands where there is no such row.
    enum Otherwise {
        /// A column of one value.
        case constant(Column)
        /// An argument, of the last row.
        case argument(Int)
    }

    init(_ argument: Int, offset: Int, otherwise: Otherwise) {
        self.argument = argument
        self.offset = offset
        self.otherwise = otherwise
    }

    func take(_ steps: OverSteps, _ input: OverInput, into column: Column) {
        guard let rows = input.rows else { preconditionFailure("LAG without rows") }
        let values = input.columns[argument]
        steps.forEachRun { kind, range in
            guard kind == OverSteps.Kind.emit else { return }
            for step in range {
                let behind = Int(steps.lengths[step]) - 1
                if behind < offset {
                    let last = Int(steps.places[step])
                    switch otherwise {
                    case .constant(let value): column.append(from: value, range: 0..<1)
                    case .argument(let index):
                        column.append(from: input.columns[index], range: last..<last + 1)
                    }
                    continue
                }
                if behind == offset {
                    cell.base[0] = steps.firsts[step]
                } else {
                    var place = steps.places[step]
                    for _ in 0..<offset { place = rows.previous[Int(place)] }
                    cell.base[0] = place
                }
                column.append(
                    from: values, rows: UnsafeBufferPointer(start: cell.base, count: 1))
            }
        }
    }
}
