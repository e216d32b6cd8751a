// MIN, MAX, FIRST_VALUE and LAST_VALUE of bounded frames, in constant time a row: each partition keeps a
// queue of the rows that are, or may become, the answer. A row that comes removes those from the queue's
// end that it beats, since they can never be the answer again; a row that leaves its frame is at the
// queue's front or no longer in it. For LAST_VALUE every row beats all others, for FIRST_VALUE none does.
//
// The queue follows from the frame's rows alone, so none of it is saved.

import WeirCore
import WeirSQL

/// An extreme of bounded frames.
final class ExtremeColumn: OverColumn {
    /// What is looked for.
    enum Kind {
        case least
        case greatest
        case first
        case last
    }

    private let kind: Kind
    private let argument: Int
    /// The neighbours in a queue, by place.
    private let newer = Buffer<Int32>()
    private let older = Buffer<Int32>()
    /// The ends of each partition's queue; -1 when it is empty.
    private let fronts = Buffer<Int32>()
    private let backs = Buffer<Int32>()
    private let cell = Buffer<Int32>(capacity: 1)

    init(_ kind: Kind, argument: Int) {
        self.kind = kind
        self.argument = argument
    }

    var bytesPerKey: Int { 8 }
    var sharedBytes: Int { (newer.capacity + older.capacity) * 4 }

    func reserve(_ count: Int) {
        fronts.reserve(count)
        backs.reserve(count)
    }

    func open(_ slot: Int32) {
        fronts.base[Int(slot)] = -1
        backs.base[Int(slot)] = -1
    }

    func take(_ steps: OverSteps, _ input: OverInput, into column: Column) {
        let values = input.columns[argument]
        newer.reserve(values.count)
        older.reserve(values.count)
        steps.forEachRun { kind, range in
            switch kind {
            case OverSteps.Kind.add: add(steps.rowSlots(range), values)
            case OverSteps.Kind.retract: for step in range { retract(steps, step) }
            case OverSteps.Kind.clear: for step in range { open(steps.slots[step]) }
            default: for step in range { emit(steps.slots[step], values, into: column) }
            }
        }
    }

    func rebuild(_ slot: Int32, _ places: UnsafeBufferPointer<Int32>, _ input: OverInput) {
        open(slot)
        let values = input.columns[argument]
        newer.reserve(values.count)
        older.reserve(values.count)
        guard let base = places.baseAddress else { return }
        let slots = Buffer<Int32>(capacity: places.count)
        slots.base.update(repeating: slot, count: places.count)
        add(RowSlots(rows: base, slots: slots.base, count: places.count), values)
    }

    private func retract(_ steps: OverSteps, _ step: Int) {
        let (slot, place) = (Int(steps.slots[step]), steps.places[step])
        guard fronts.base[slot] == place else { return }
        if backs.base[slot] == place {
            fronts.base[slot] = -1
            backs.base[slot] = -1
        } else {
            fronts.base[slot] = newer.base[Int(place)]
        }
    }

    private func emit(_ slot: Int32, _ values: Column, into column: Column) {
        let front = fronts.base[Int(slot)]
        if front < 0 {
            column.appendNull()
            return
        }
        cell.base[0] = front
        column.append(from: values, rows: UnsafeBufferPointer(start: cell.base, count: 1))
    }

    // MARK: Who beats whom

    private func add(_ rows: RowSlots, _ values: Column) {
        let isGreatest = kind == .greatest
        switch kind {
        case .first: return add(rows, values) { _, _ in false }
        case .last: return add(rows, values) { _, _ in true }
        case .least, .greatest: break
        }
        switch values.physical {
        case .int64:
            let numbers = values.ints
            add(rows, values) { isGreatest ? numbers[$0] > numbers[$1] : numbers[$0] < numbers[$1] }
        case .double:
            let numbers = values.doubles
            add(rows, values) { one, other in
                let (one, other) = (numbers[one], numbers[other])
                return isGreatest ? Self.isGreater(one, other) : Self.isGreater(other, one)
            }
        case .bool:
            let flags = values.bools
            add(rows, values) { isGreatest ? flags[$0] > flags[$1] : flags[$0] < flags[$1] }
        case .int128:
            let numbers = values.wides
            add(rows, values) { isGreatest ? numbers[$0] > numbers[$1] : numbers[$0] < numbers[$1] }
        case .string:
            add(rows, values) {
                let order = KeyBytes.compare(values.text($0), values.text($1))
                return isGreatest ? order > 0 : order < 0
            }
        case .array, .row: preconditionFailure("values without an order")
        }
    }

    /// NaN is the greatest, as among the aggregates of windows.
    @inline(__always)
    private static func isGreater(_ one: Double, _ other: Double) -> Bool {
        other.isNaN ? false : one.isNaN || one > other
    }

    @inline(__always)
    private func add(_ rows: RowSlots, _ values: Column, _ beats: (Int, Int) -> Bool) {
        let (newer, older, fronts, backs) = (newer.base, older.base, fronts.base, backs.base)
        let validity = values.validity
        for index in 0..<rows.count {
            let (place, slot) = (rows.rows[index], Int(rows.slots[index]))
            if let validity, validity[Int(place)] == 0 { continue }
            var back = backs[slot]
            while back >= 0, beats(Int(place), Int(back)) {
                back = back == fronts[slot] ? -1 : older[Int(back)]
            }
            if back < 0 {
                fronts[slot] = place
            } else {
                newer[Int(back)] = place
                older[Int(place)] = back
            }
            backs[slot] = place
        }
    }
}
