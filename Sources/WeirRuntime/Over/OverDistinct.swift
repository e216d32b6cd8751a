// COUNT(DISTINCT …) over bounded frames, in constant time a row: how often each value is in the frame of
// each partition. All of them are in one table of keys, which begin with a number that a partition gets anew
// when it starts over; what it leaves behind is swept out when it is the greater part.
//
// The counts follow from the frame's rows, so none of them is saved.

import WeirCore
import WeirSQL

/// Counts the different values of bounded frames.
final class DistinctColumn: OverColumn {
    private let arguments: [Int]
    private let interner: KeyInterner
    /// How often each value is in its frame, and whose it is, by the value's number.
    private let counts = Buffer<Int32>()
    private let owners = Buffer<Int32>()
    private let generations = Buffer<Int64>()
    /// The different values of each partition, and what their keys begin with.
    private let totals = Buffer<Int64>()
    private let current = Buffer<Int64>()
    private var nextGeneration: Int64 = 0
    private var numbered = 0
    /// Values of all partitions.
    private var liveCount = 0
    private var key = ByteWriter()

    private static let sweptMin = 4_096

    init(_ arguments: [Int], seed: UInt64) {
        self.arguments = arguments
        interner = KeyInterner(isSingleText: false, seed: seed)
    }

    var bytesPerKey: Int { 16 }
    var sharedBytes: Int { interner.byteCount + interner.count * 40 }
    func variableBytes(_ slot: Int32) -> Int { Int(totals.base[Int(slot)]) * 64 }

    func reserve(_ count: Int) {
        totals.reserve(count)
        current.reserve(count)
    }

    func open(_ slot: Int32) {
        totals.base[Int(slot)] = 0
        startOver(slot)
    }

    func release(_ slot: Int32) { startOver(slot) }

    /// Forgets a partition's values.
    private func startOver(_ slot: Int32) {
        liveCount -= Int(totals.base[Int(slot)])
        totals.base[Int(slot)] = 0
        current.base[Int(slot)] = nextGeneration
        nextGeneration += 1
    }

    func take(_ steps: OverSteps, _ input: OverInput, into column: Column) {
        if interner.count > Self.sweptMin + 4 * liveCount { sweep() }
        let columns = arguments.map { input.columns[$0] }
        steps.forEachRun { kind, range in
            switch kind {
            case OverSteps.Kind.add:
                for step in range { count(1, steps.places[step], steps.slots[step], columns) }
            case OverSteps.Kind.retract:
                for step in range { count(-1, steps.places[step], steps.slots[step], columns) }
            case OverSteps.Kind.clear: for step in range { startOver(steps.slots[step]) }
            default:
                column.appendWords(count: range.count, isNull: { _ in false }) {
                    totals.base[Int(steps.slots[range.lowerBound + $0])]
                }
            }
        }
    }

    func rebuild(_ slot: Int32, _ places: UnsafeBufferPointer<Int32>, _ input: OverInput) {
        // Only after a restart are they not counted: places do not matter here.
        if totals.base[Int(slot)] > 0 { return }
        let columns = arguments.map { input.columns[$0] }
        for place in places { count(1, place, slot, columns) }
    }

    private func count(_ sign: Int32, _ place: Int32, _ slot: Int32, _ columns: [Column]) {
        for column in columns where column.isNull(Int(place)) { return }
        let number = Int(self.number(place, slot, columns))
        counts.base[number] += sign
        if sign > 0, counts.base[number] == 1 {
            totals.base[Int(slot)] += 1
            liveCount += 1
        } else if sign < 0, counts.base[number] == 0 {
            totals.base[Int(slot)] -= 1
            liveCount -= 1
        }
    }

    /// The number of a row's value.
    private func number(_ place: Int32, _ slot: Int32, _ columns: [Column]) -> Int32 {
        key.removeAll()
        key.write(current.base[Int(slot)])
        for column in columns {
            ValueBytes.with(column, Int(place)) { bytes in
                key.write(UInt32(bytes.count))
                key.write(bytes)
            }
        }
        let number = key.bytes.withUnsafeBufferPointer { interner.intern($0) }
        if interner.count > numbered {
            counts.reserve(interner.count)
            owners.reserve(interner.count)
            generations.reserve(interner.count)
            counts.base[Int(number)] = 0
            owners.base[Int(number)] = slot
            generations.base[Int(number)] = current.base[Int(slot)]
            numbered = interner.count
        }
        return number
    }

    /// Forgets the values that are in no frame.
    private func sweep() {
        let isLive = (0..<interner.count).map { number -> UInt8 in
            counts.base[number] > 0
                && generations.base[number] == current.base[Int(owners.base[number])] ? 1 : 0
        }
        let renumbered = interner.keep(isLive)
        for (old, new) in renumbered.enumerated() where new >= 0 {
            counts.base[Int(new)] = counts.base[old]
            owners.base[Int(new)] = owners.base[old]
            generations.base[Int(new)] = generations.base[old]
        }
        numbered = interner.count
    }
}
