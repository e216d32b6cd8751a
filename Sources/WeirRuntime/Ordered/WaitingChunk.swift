// Rows of one batch that wait together, and what is known of them while they are not in memory.

import WeirCore

/// Rows in the order of (event time, arrival); those before `taken` are gone.
final class WaitingChunk {
    let number: UInt64
    let rowCount: Int
    let lastTime: Int64
    let times: WaitingTimes
    /// The event time of the next row; there is one.
    private(set) var firstTime: Int64
    /// nil while the rows are in durable state alone.
    var batch: Batch?
    private(set) var taken = 0
    var isSaved = false
    /// Whether rows that are not needed have been dropped.
    var isReduced = false

    init(number: UInt64, batch: Batch, timeColumn: Int) {
        self.number = number
        self.batch = batch
        rowCount = batch.rowCount
        let times = batch.columns[timeColumn].ints
        firstTime = times[0]
        lastTime = times[batch.rowCount - 1]
        self.times = WaitingTimes(times, count: batch.rowCount)
    }

    var isEmpty: Bool { taken == rowCount }

    /// Rows that are not gone.
    var waitingCount: Int { rowCount - taken }

    /// Counts `count` more rows as taken.
    func take(_ count: Int, _ times: UnsafePointer<Int64>) {
        take(count, next: taken + count < rowCount ? times[taken + count] : nil)
    }

    /// Counts `count` more rows as taken; `next` is the event time of the row that is first then.
    func take(_ count: Int, next: Int64?) {
        taken += count
        if let next { firstTime = next }
    }
}

/// The event times of a chunk where they are few, and where the rows of each end.
struct WaitingTimes {
    private var times: [Int64] = []
    private var ends: [Int] = []

    private static let timesMax = 16

    /// Of `count` times that do not fall.
    init(_ rowTimes: UnsafePointer<Int64>, count: Int) {
        var row = 0
        while row < count {
            if times.count == Self.timesMax {
                times = []
                ends = []
                return
            }
            let time = rowTimes[row]
            // The next row that is later, by halving: most chunks have few times or very many.
            var (low, high) = (row + 1, count)
            while low < high {
                let middle = (low + high) / 2
                if rowTimes[middle] <= time { low = middle + 1 } else { high = middle }
            }
            times.append(time)
            ends.append(low)
            row = low
        }
    }

    /// Whether there are few, so that the functions below know.
    var isKnown: Bool { !times.isEmpty }

    /// How many rows are at or before `time`; nil if that is not known.
    func end(through time: Int64) -> Int? {
        guard isKnown else { return nil }
        return times.lastIndex { $0 <= time }.map { ends[$0] } ?? 0
    }

    /// The time of a row; nil if that is not known, or there is no such row.
    func time(at row: Int) -> Int64? {
        ends.firstIndex { row < $0 }.map { times[$0] }
    }
}

/// The rows of one event time where they wait.
struct WaitingTime {
    private let rows: WaitingRows
    private let time: Int64

    init(_ rows: WaitingRows, _ time: Int64) { (self.rows, self.time) = (rows, time) }

    var schema: Schema { rows.schema }

    /// Calls `body` with all of them, piece by piece in the order of arrival.
    func forEachPiece(_ body: (Batch) throws(Failure) -> Void) throws(Failure) {
        try rows.forEachPiece(through: time, body)
    }
}
