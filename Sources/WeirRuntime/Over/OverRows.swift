// The rows that frames and LAG still reach back to, of all partitions together: what the calls read of
// them, in columns that only grow, and for each row the one before and the one behind it in its
// partition. Rows that have left are swept out when they are the greater part.

import WeirCore

/// Rows by place. A place holds until the next `keep`.
final class OverRows {
    /// The calls' arguments, then the event time where frames go by time.
    let schema: Schema
    private(set) var columns: [Column]
    private(set) var count = 0
    private let hasTimes: Bool
    private let nextBuffer = Buffer<Int32>()
    private let previousBuffer = Buffer<Int32>()

    init(_ types: [DataType], hasTimes: Bool) {
        self.hasTimes = hasTimes
        schema = Schema((types + (hasTimes ? [.bigint] : [])).map { Field("", $0) })
        columns = schema.fields.map { Column($0.type) }
    }

    /// The row behind each in its partition; what a partition's last row has here means nothing.
    var next: UnsafeMutablePointer<Int32> { nextBuffer.base }
    /// The row before each in its partition; what a partition's first row has here means nothing.
    var previous: UnsafeMutablePointer<Int32> { previousBuffer.base }

    var memoryBytes: Int { columns.reduce(nextBuffer.capacity * 8) { $0 + $1.memoryBytes } }

    /// Bytes that a row takes, about.
    var bytesPerRow: Int { memoryBytes / max(1, count) }

    /// The rows' event times, where they are kept, until more rows are added.
    var times: UnsafePointer<Int64>? { hasTimes ? UnsafePointer(columns[columns.count - 1].ints) : nil }

    /// Adds rows, which are in no partition yet; returns the first one's place.
    func append(_ arguments: [Column], times: UnsafePointer<Int64>, rowCount: Int) -> Int32 {
        for (column, added) in zip(columns, arguments) {
            column.append(from: added, range: 0..<rowCount)
        }
        if hasTimes {
            columns[columns.count - 1].appendWords(count: rowCount, isNull: { _ in false }) { times[$0] }
        }
        return grow(rowCount)
    }

    /// Adds rows that were saved.
    func append(_ saved: [Column], rowCount: Int) -> Int32 {
        precondition(saved.count == columns.count, "a column for a column")
        for (column, added) in zip(columns, saved) { column.append(from: added, range: 0..<rowCount) }
        return grow(rowCount)
    }

    private func grow(_ added: Int) -> Int32 {
        let first = Int32(count)
        count += added
        nextBuffer.reserve(count)
        previousBuffer.reserve(count)
        return first
    }

    /// The rows at `places` as a batch.
    func gather(_ places: [Int32]) -> Batch {
        places.withUnsafeBufferPointer { places in
            Batch(
                schema: schema, columns: columns.map { $0.gather(places) }, rowCount: places.count)
        }
    }

    /// Keeps only the rows at `places`, in that order, and takes each for the neighbour of those
    /// beside it.
    func keep(_ places: [Int32]) {
        columns = places.withUnsafeBufferPointer { places in columns.map { $0.gather(places) } }
        count = places.count
        if count < nextBuffer.capacity / 4 {
            nextBuffer.shrink()
            previousBuffer.shrink()
        }
        nextBuffer.reserve(count)
        previousBuffer.reserve(count)
        for place in 0..<count {
            next[place] = Int32(place + 1)
            previous[place] = Int32(place - 1)
        }
    }
}
