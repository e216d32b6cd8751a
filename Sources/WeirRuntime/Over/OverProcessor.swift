// OVER: the rows of a slice, each with values computed from the rows of its partition before it.
//
// For each row in order it is first written down what happens (OverSteps): rows that leave the frame,
// the row that comes, the value that is due. With ROWS a value is due after each row, with RANGE after all
// rows of one event time. Then every call goes through these steps by itself.
//
// What is kept of a partition is a value's running state, the rows that the frame or LAG reaches back to,
// and how many rows there were. A frame bounded by time ends: when the last row has left it, the
// partition is forgotten. All others are kept for ever, as in Flink, or until the query's `state_ttl` has
// passed since their last row: then they start over. That happens when the next row comes, whether the
// partition has been forgotten by then or not.

import WeirCore
import WeirSQL
import WeirStore

/// Computes the calls over one window.
final class OverProcessor: OrderedProcessor {
    /// Which rows of a partition are kept.
    enum Kept {
        case none
        /// The last so many.
        case last(Int32)
        /// Those up to so many ms old.
        case within(Int64)
    }

    private let schema: Schema
    private let partition: [CompiledExpression]
    private let arguments: [CompiledExpression]
    /// What computes each call; nil for ROW_NUMBER, which needs nothing but the count of rows.
    private let columns: [(any OverColumn)?]
    private let types: [DataType]
    /// Whether rows that leave are taken out of the values.
    private let isBounded: Bool
    private let sharesTimes: Bool
    let kept: Kept
    /// How long after its last row, in ms, no later row can reach a partition; nil where one always can.
    let reach: Int64?
    /// The length after which a partition starts over; nil where its frame ends by itself, or never.
    private let stateTTL: Int64?
    let keys: OverKeys
    /// nil where no rows are kept.
    let rows: OverRows?
    /// Rows in the frames of all partitions in memory.
    var liveRows = 0
    private let steps = OverSteps()
    private let numbers = Buffer<Int32>()
    private let slots = Buffer<Int32>()
    private let ordinals = Buffer<Int64>()
    private var wave: Int64 = 0
    /// All rows at or before it have been taken.
    private(set) var now = Watermark.none
    let durability: OverDurability

    private static let rowsSweptMin = 4_096

    init(
        _ spec: OverSpec, input: Schema, schema: Schema, _ options: QueryOptions, stateTag: UInt8
    ) throws(Failure) {
        self.schema = schema
        let layout = try OverLayout(spec, seed: options.hashSeed)
        (arguments, columns, kept) = (layout.arguments, layout.columns, layout.kept)
        stateTTL = spec.stateTTL
        if case .within(let preceding) = kept { reach = preceding } else { reach = stateTTL }
        stateful = columns.compactMap(\.self)
        recorded = stateful.filter { !$0.gathers }
        gathering = stateful.filter(\.gathers)
        partition = try spec.partition.map { (key) throws(Failure) in try CompiledExpression(key) }
        types = spec.calls.map(\.type)
        isBounded = spec.frame.isBounded
        if case .range = spec.frame { sharesTimes = true } else { sharesTimes = false }
        keys = OverKeys(types: spec.partition.map(\.type), seed: options.hashSeed)
        switch kept {
        case .none: rows = nil
        case .last: rows = OverRows(arguments.map(\.type), hasTimes: false)
        case .within: rows = OverRows(arguments.map(\.type), hasTimes: true)
        }
        durability = OverDurability(
            stateTag: stateTag, memoryBudgetBytes: options.memoryBudgetBytes, rows: rows?.schema)
    }

    /// The calls that have state of their own.
    let stateful: [any OverColumn]
    /// Those of them that a partition's record holds, and those that are saved in changes.
    let recorded: [any OverColumn]
    let gathering: [any OverColumn]

    var memoryBytes: Int { stateBytes + steps.memoryBytes }

    var spilledCount: Int { durability.spilledCount }

    var droppedCount: UInt64 { stateful.reduce(0) { $0 + $1.droppedValues } }

    var evaluationErrors: UInt64 {
        (partition + arguments).reduce(0) { $0 + $1.evaluationErrors }
    }

    /// Bytes of state in memory.
    var stateBytes: Int {
        stateful.reduce(keys.memoryBytes + (rows?.memoryBytes ?? 0)) {
            $0 + $1.sharedBytes + $1.bytesPerKey * keys.slotCount
        }
    }

    // MARK: Rows

    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure) {
        let batch = slice.batches[0]
        guard batch.rowCount > 0 else { return }
        let times = slice.times(0)
        try findPartitions(batch)
        let evaluated = arguments.map { $0.evaluate(batch) }
        let base = rows?.append(evaluated, times: times, rowCount: batch.rowCount) ?? 0
        ordinals.reserve(batch.rowCount)
        steps.removeAll()
        plan(times, base: base, count: batch.rowCount)
        now = max(now, times[batch.rowCount - 1])
        let input = OverInput(columns: rows?.columns ?? evaluated, rows: rows)
        let results = zip(columns, types).map { call, type -> Column in
            let result = Column(type, capacity: batch.rowCount)
            if let call {
                call.take(steps, input, into: result)
            } else {
                result.appendWords(count: batch.rowCount, isNull: { _ in false }) { ordinals.base[$0] }
            }
            return result
        }
        try output.emit(
            Batch(schema: schema, columns: batch.columns + results, rowCount: batch.rowCount))
        if let rows, rows.count > Self.rowsSweptMin + 2 * liveRows { sweepRows() }
    }

    /// Writes down the slot of each row's partition, which is in memory from then on.
    private func findPartitions(_ batch: Batch) throws(Failure) {
        numbers.reserve(batch.rowCount)
        slots.reserve(batch.rowCount)
        keys.number(
            partition.map { $0.evaluate(batch) }, rowCount: batch.rowCount, into: numbers.base)
        for row in 0..<batch.rowCount {
            let known = keys.slot(numbers.base[row])
            slots.base[row] = known >= 0 ? known : try open(numbers.base[row])
        }
    }

    private func open(_ number: Int32) throws(Failure) -> Int32 {
        let slot = keys.open(number)
        for column in stateful {
            column.reserve(keys.slotCount)
            column.open(slot)
        }
        try durability.load(slot, of: self)
        return slot
    }

    // MARK: Steps

    /// Where a slice's rows and those kept lie, while its steps are written down.
    private struct Places {
        let slots: UnsafePointer<Int32>
        let ordinals: UnsafeMutablePointer<Int64>
        /// The kept rows' neighbours and event times.
        let next: UnsafeMutablePointer<Int32>
        let previous: UnsafeMutablePointer<Int32>
        let times: UnsafePointer<Int64>
    }

    /// Writes down the steps of a slice. Rows of different partitions have nothing to do with each other:
    /// they are gathered in waves until a partition comes again, so that there are long runs of steps of
    /// one kind.
    private func plan(_ times: UnsafePointer<Int64>, base: Int32, count: Int) {
        let places = Places(
            slots: UnsafePointer(slots.base), ordinals: ordinals.base,
            next: rows?.next ?? slots.base, previous: rows?.previous ?? slots.base,
            times: rows?.times ?? times)
        var (row, start) = (0, 0)
        wave += 1
        while row < count {
            var end = row + 1
            if sharesTimes { while end < count, times[end] == times[row] { end += 1 } }
            if (row..<end).contains(where: { keys.entry(places.slots[$0]).pointee.wave == wave }) {
                finishWave(start..<row, places, base)
                start = row
                wave += 1
            }
            for index in row..<end {
                take(places.slots[index], index, times[index], base, places)
            }
            row = end
        }
        finishWave(start..<count, places, base)
    }

    @inline(__always)
    private func take(_ slot: Int32, _ row: Int, _ time: Int64, _ base: Int32, _ places: Places) {
        keys.touch(slot)
        let entry = keys.entry(slot)
        if let stateTTL, entry.pointee.taken > 0, entry.pointee.time < time - stateTTL {
            startOver(slot, entry)
        }
        entry.pointee.time = time
        entry.pointee.wave = wave
        entry.pointee.taken += 1
        places.ordinals[row] = entry.pointee.taken
        guard rows != nil else { return }
        removeOld(slot, entry, time, places)
        link(entry, base + Int32(truncatingIfNeeded: row), places)
    }

    /// Makes a partition one without rows.
    private func startOver(_ slot: Int32, _ entry: UnsafeMutablePointer<OverKeys.Entry>) {
        liveRows -= Int(entry.pointee.length)
        entry.pointee.length = 0
        entry.pointee.taken = 0
        durability.discardSaved(slot, of: self)
        steps.append(OverSteps.Kind.clear, slot: slot, place: -1)
    }

    /// Rows that came, then values that are due.
    private func finishWave(_ range: Range<Int>, _ places: Places, _ base: Int32) {
        for row in range {
            steps.append(
                OverSteps.Kind.add, slot: places.slots[row],
                place: base + Int32(truncatingIfNeeded: row))
        }
        let keepsRows = rows != nil
        for row in range {
            let slot = places.slots[row]
            let entry = keys.entry(slot)
            steps.append(
                OverSteps.Kind.emit, slot: slot,
                place: keepsRows ? entry.pointee.last : base + Int32(truncatingIfNeeded: row),
                first: entry.pointee.first, length: entry.pointee.length)
        }
    }

    /// Lets the rows leave that the frame of a row at `time` does not reach.
    @inline(__always)
    private func removeOld(
        _ slot: Int32, _ entry: UnsafeMutablePointer<OverKeys.Entry>, _ time: Int64, _ places: Places
    ) {
        let start = steps.count
        var (first, length) = (entry.pointee.first, entry.pointee.length)
        let before = length
        switch kept {
        case .none: return
        case .last(let most):
            while length >= most { removeFirst(slot, &first, &length, places) }
        case .within(let preceding):
            while length > 0, places.times[Int(first)] < time - preceding {
                removeFirst(slot, &first, &length, places)
            }
        }
        guard length < before else { return }
        entry.pointee.first = first
        entry.pointee.length = length
        liveRows -= Int(before - length)
        if isBounded, length == 0 {
            steps.removeAll(from: start)
            steps.append(OverSteps.Kind.clear, slot: slot, place: -1)
        }
    }

    @inline(__always)
    private func removeFirst(
        _ slot: Int32, _ first: inout Int32, _ length: inout Int32, _ places: Places
    ) {
        if isBounded { steps.append(OverSteps.Kind.retract, slot: slot, place: first) }
        length -= 1
        if length > 0 { first = places.next[Int(first)] }
    }

    /// Makes a row the last one of its partition.
    @inline(__always)
    private func link(
        _ entry: UnsafeMutablePointer<OverKeys.Entry>, _ place: Int32, _ places: Places
    ) {
        if entry.pointee.length == 0 {
            entry.pointee.first = place
        } else {
            places.next[Int(entry.pointee.last)] = place
            places.previous[Int(place)] = entry.pointee.last
        }
        entry.pointee.last = place
        entry.pointee.length += 1
        liveRows += 1
    }

    // MARK: Memory

    /// Gives back the memory of rows that have left. Places change.
    func sweepRows() {
        guard let rows else { return }
        var places: [Int32] = []
        places.reserveCapacity(liveRows)
        let live = keys.live
        for slot in live where keys[slot].length > 0 {
            var place = keys[slot].first
            keys[slot].first = Int32(places.count)
            for index in 0..<keys[slot].length {
                places.append(place)
                if index + 1 < keys[slot].length { place = rows.next[Int(place)] }
            }
            keys[slot].last = Int32(places.count - 1)
        }
        rows.keep(places)
        for slot in live { rebuild(slot) }
    }

    /// Tells the calls where a partition's rows are, which lie one after another.
    func rebuild(_ slot: Int32) {
        guard let rows else { return }
        let entry = keys[slot]
        let places = (0..<entry.length).map { entry.first + $0 }
        let input = OverInput(columns: rows.columns, rows: rows)
        places.withUnsafeBufferPointer { places in
            for column in stateful { column.rebuild(slot, places, input) }
        }
    }

    /// Forgets partitions, which have no unsaved changes.
    func close(_ slots: [Int32]) {
        for slot in slots {
            liveRows -= Int(keys[slot].length)
            for column in stateful { column.release(slot) }
        }
        keys.close(slots)
    }

    // MARK: Time and durable state

    func close(through watermark: Int64, into output: OrderedOutput) throws(Failure) {
        now = max(now, watermark)
        try durability.findForgotten(self)
    }

    func checkpoint(into writer: any StateWriter) { durability.checkpoint(self, into: writer) }

    func restore(from reader: any StateReader) throws(Failure) {
        try durability.restore(from: reader)
    }
}
