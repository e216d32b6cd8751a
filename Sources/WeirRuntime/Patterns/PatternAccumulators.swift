// The aggregates of DEFINE for each partial match, over the rows that it has so far: kept up as rows are
// taken, so that a condition on an average costs the same in the tenth row and in the ten-thousandth.
// The slot of a match is its number in the pool; above those are slots for values that are only looked at.

import WeirCore
import WeirSQL

/// Running aggregates of partial matches.
final class PatternAccumulators {
    private let aggregates: [PatternAggregate]
    private let accumulators: [any Accumulator]
    /// The columns of `PatternRows` with each aggregate's arguments.
    private let arguments: [[Int]]
    private let timeColumn: Int
    private var reserved = 0

    init(_ aggregates: [PatternAggregate], arguments: [[Int]], timeColumn: Int) throws(Failure) {
        self.aggregates = aggregates
        self.timeColumn = timeColumn
        self.arguments = arguments
        var made: [any Accumulator] = []
        for aggregate in aggregates { made.append(try makeAccumulator(aggregate.call)) }
        accumulators = made
    }

    var isEmpty: Bool { aggregates.isEmpty }

    var memoryBytes: Int {
        accumulators.reduce(0) { $0 + $1.bytesPerGroup * reserved + $1.variableBytes }
    }

    private func reserve(_ count: Int) {
        guard count > reserved else { return }
        reserved = max(count, reserved * 2, 64)
        for accumulator in accumulators { accumulator.reserve(reserved) }
    }

    /// Makes slot `slot` that of a match without rows, or of one with the rows of match `other`.
    func start(_ slot: Int32, from other: Int32?) {
        if isEmpty { return }
        reserve(Int(slot) + 1)
        withUnsafePointer(to: slot) { into in
            for accumulator in accumulators {
                accumulator.clear(UnsafeBufferPointer(start: into, count: 1))
                guard let other else { continue }
                withUnsafePointer(to: other) { from in
                    accumulator.merge(into: into, from: from, count: 1)
                }
            }
        }
    }

    /// Adds the row at `place`, which is mapped to `variable`.
    func take(_ slot: Int32, _ variable: Int, _ rows: PatternRows, place: Int32) {
        for index in aggregates.indices where covers(index, variable) {
            add(index, slot, rows, place)
        }
    }

    func release(_ slot: Int32) {
        withUnsafePointer(to: slot) { slot in
            for accumulator in accumulators {
                accumulator.release(UnsafeBufferPointer(start: slot, count: 1))
            }
        }
    }

    /// Aggregate `index` for each of `matches` (-1: one without rows), the row at `place` included if it
    /// would be mapped to `variable`.
    func values(
        _ index: Int, of matches: [Int32], above firstFree: Int, ifMappedTo variable: Int,
        _ rows: PatternRows, place: Int32
    ) -> Column {
        reserve(firstFree + matches.count)
        let accumulator = accumulators[index]
        let result = Column(aggregates[index].call.type, capacity: matches.count)
        let slots = matches.indices.map { Int32(firstFree + $0) }
        slots.withUnsafeBufferPointer { slots in
            accumulator.clear(slots)
            for (match, slot) in zip(matches, slots) {
                if match >= 0 {
                    withUnsafePointer(to: match) { from in
                        withUnsafePointer(to: slot) { into in
                            accumulator.merge(into: into, from: from, count: 1)
                        }
                    }
                }
                if covers(index, variable) { add(index, slot, rows, place) }
            }
            accumulator.emit(slots, into: result)
            accumulator.release(slots)
        }
        return result
    }

    private func covers(_ index: Int, _ variable: Int) -> Bool {
        aggregates[index].variable.map { $0 == variable } ?? true
    }

    private func add(_ index: Int, _ slot: Int32, _ rows: PatternRows, _ place: Int32) {
        withUnsafePointer(to: place) { row in
            withUnsafePointer(to: slot) { slot in
                accumulators[index].update(
                    RowSlots(rows: row, slots: slot, count: 1),
                    rows.input(arguments[index], timeColumn: timeColumn))
            }
        }
    }

    // MARK: Durable state

    func save(_ slot: Int32, into writer: inout ByteWriter) {
        withUnsafePointer(to: slot) { slot in
            for accumulator in accumulators {
                accumulator.save(UnsafeBufferPointer(start: slot, count: 1), into: &writer)
            }
        }
    }

    func load(_ slot: Int32, from reader: inout ByteReader) throws(Failure) {
        start(slot, from: nil)
        let slots = [slot]
        for accumulator in accumulators {
            let read = slots.withUnsafeBufferPointer { slots -> Result<Void, Failure> in
                Result { () throws(Failure) in try accumulator.load(slots, from: &reader) }
            }
            try read.get()
        }
    }
}
