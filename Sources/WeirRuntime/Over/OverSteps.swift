// What an OVER does to its state for a slice of rows, written down as steps before any aggregate is
// touched: this row comes in, that row leaves its frame, here a value is due.
//
// All calls of an operator have one partition and one frame, so they go through the same steps; each
// does so in a loop of its own over its own arrays. Steps of one kind that stand together are taken
// together.

import WeirCore

/// A list of steps in columns.
final class OverSteps {
    enum Kind {
        /// The row at `places` comes in.
        static let add: UInt8 = 0
        /// The row at `places` leaves.
        static let retract: UInt8 = 1
        /// All rows have left.
        static let clear: UInt8 = 2
        /// A value is due: for rows `firsts` to `places`, `lengths` in number, where rows are kept.
        static let emit: UInt8 = 3
    }

    private(set) var count = 0
    private let kindBuffer = Buffer<UInt8>()
    private let slotBuffer = Buffer<Int32>()
    private let placeBuffer = Buffer<Int32>()
    private let firstBuffer = Buffer<Int32>()
    private let lengthBuffer = Buffer<Int32>()

    /// The state that each step is about.
    var slots: UnsafeMutablePointer<Int32> { slotBuffer.base }
    var places: UnsafeMutablePointer<Int32> { placeBuffer.base }
    var firsts: UnsafeMutablePointer<Int32> { firstBuffer.base }
    var lengths: UnsafeMutablePointer<Int32> { lengthBuffer.base }

    var memoryBytes: Int { kindBuffer.capacity * 17 }

    /// Forgets the steps from number `count` on.
    func removeAll(from count: Int = 0) { self.count = count }

    /// Adds a step.
    @inline(__always)
    func append(_ kind: UInt8, slot: Int32, place: Int32, first: Int32 = -1, length: Int32 = 0) {
        if count == kindBuffer.capacity { grow() }
        kindBuffer.base[count] = kind
        slotBuffer.base[count] = slot
        placeBuffer.base[count] = place
        firstBuffer.base[count] = first
        lengthBuffer.base[count] = length
        count += 1
    }

    private func grow() {
        let wanted = max(1_024, kindBuffer.capacity * 2)
        kindBuffer.reserve(wanted)
        slotBuffer.reserve(wanted)
        placeBuffer.reserve(wanted)
        firstBuffer.reserve(wanted)
        lengthBuffer.reserve(wanted)
    }

    /// Calls `body` with each run of steps of one kind.
    @inline(__always)
    func forEachRun(_ body: (_ kind: UInt8, _ steps: Range<Int>) -> Void) {
        let kinds = kindBuffer.base
        var start = 0
        while start < count {
            var end = start + 1
            while end < count, kinds[end] == kinds[start] { end += 1 }
            body(kinds[start], start..<end)
            start = end
        }
    }

    /// The rows and states of some steps.
    func rowSlots(_ steps: Range<Int>) -> RowSlots {
        RowSlots(
            rows: UnsafePointer(places + steps.lowerBound),
            slots: UnsafePointer(slots + steps.lowerBound), count: steps.count)
    }

    /// The states of some steps.
    func slots(_ steps: Range<Int>) -> UnsafeBufferPointer<Int32> {
        UnsafeBufferPointer(start: slots + steps.lowerBound, count: steps.count)
    }
}
