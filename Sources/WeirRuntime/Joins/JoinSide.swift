// The rows of one side of a join that can still be matched, oldest first.
//
// Rows come in the order of event time and are kept for one length of time, so they also leave in the
// order in which they came: the store is a queue. Rows are numbered for ever; the rows of one key are
// chained by these ordinals, oldest first, and the head of a chain is always the next of its key to
// leave. Nothing is searched, neither to add a row nor to drop one.
//
//   columns      [NULL row] dead … first … live … end      one growing column a field
//   spilled      the oldest live rows, when memory is not enough for all (SpilledRows)
//
// The NULL row, where an outer join needs one, makes padding a row like any other.

import WeirCore

/// A queue of rows with chains by key.
final class JoinSide {
    let schema: Schema
    let timeColumn: Int
    /// Whether position 0 of all columns is a row of NULLs.
    let hasNullRow: Bool
    private(set) var columns: [Column] = []
    /// The values of the time column, by position.
    private var times: UnsafeMutablePointer<Int64>
    /// The ordinal of the first row in the columns.
    private(set) var base: Int64 = 0
    /// The oldest row in memory that is live.
    private(set) var first: Int64 = 0
    /// Behind the newest row.
    private(set) var end: Int64 = 0
    private let keyNumbers = Buffer<Int32>()
    private let next = Buffer<Int64>()
    private let flags = Buffer<UInt8>()
    private let heads = Buffer<Int64>()
    private let tails = Buffer<Int64>()
    private var chainCount = 0

    /// What is known of a row's matches.
    enum Flag {
        static let unmatched: UInt8 = 0
        static let matched: UInt8 = 1
        /// A pair with it has yet to be looked at.
        static let pending: UInt8 = 2
    }

    init(schema: Schema, timeColumn: Int, hasNullRow: Bool) {
        self.schema = schema
        self.timeColumn = timeColumn
        self.hasNullRow = hasNullRow
        columns = Self.emptyColumns(schema, hasNullRow, capacity: 0)
        times = columns[timeColumn].ints
    }

    private static func emptyColumns(
        _ schema: Schema, _ hasNullRow: Bool, capacity: Int
    ) -> [Column] {
        schema.fields.map { field in
            let column = Column(field.type, capacity: capacity + 1)
            if hasNullRow { column.appendNull() }
            return column
        }
    }

    /// Live rows in memory.
    var count: Int { Int(end - first) }

    var memoryBytes: Int {
        columns.reduce(0) { $0 + $1.memoryBytes }
            + (keyNumbers.capacity * 4 + next.capacity * 8 + flags.capacity)
            + (heads.capacity + tails.capacity) * 8
    }

    // MARK: Rows

    /// Where a row lies in the columns.
    @inline(__always)
    func position(_ ordinal: Int64) -> Int32 {
        Int32(truncatingIfNeeded: ordinal - base) + (hasNullRow ? 1 : 0)
    }

    @inline(__always)
    func time(_ ordinal: Int64) -> Int64 {
        times[Int(position(ordinal))]
    }

    @inline(__always)
    func key(_ ordinal: Int64) -> Int32 { keyNumbers.base[Int(ordinal - base)] }

    @inline(__always)
    func flag(_ ordinal: Int64) -> UInt8 { flags.base[Int(ordinal - base)] }

    @inline(__always)
    func setFlag(_ ordinal: Int64, _ flag: UInt8) { flags.base[Int(ordinal - base)] = flag }

    /// Adds rows that have not arrived yet: they are in no chain. `number` writes their keys' numbers.
    /// Returns the first one's ordinal.
    func append(_ batch: Batch, number: (UnsafeMutablePointer<Int32>) -> Void) -> Int64 {
        let start = Int(end - base)
        let total = start + batch.rowCount
        for (column, more) in zip(columns, batch.columns) {
            column.append(from: more, range: 0..<batch.rowCount)
        }
        times = columns[timeColumn].ints
        keyNumbers.reserve(total)
        next.reserve(total)
        flags.reserve(total)
        number(keyNumbers.base + start)
        for index in start..<total {
            next.base[index] = -1
            flags.base[index] = Flag.unmatched
        }
        defer { end += Int64(batch.rowCount) }
        return end
    }

    /// Makes room for chains of `count` keys.
    func reserveChains(_ count: Int) {
        guard count > chainCount else { return }
        heads.reserve(count)
        tails.reserve(count)
        for key in chainCount..<count {
            heads.base[key] = -1
            tails.base[key] = -1
        }
        chainCount = count
    }

    // MARK: Chains

    /// The oldest row of a key; -1 when there is none.
    @inline(__always)
    func head(_ key: Int32) -> Int64 { heads.base[Int(key)] }

    /// The next younger row of the same key; -1 behind the youngest.
    @inline(__always)
    func next(_ ordinal: Int64) -> Int64 { next.base[Int(ordinal - base)] }

    /// Puts a row at the end of its key's chain.
    @inline(__always)
    func link(_ ordinal: Int64) {
        let key = Int(keyNumbers.base[Int(ordinal - base)])
        guard key >= 0 else { return }
        let tail = tails.base[key]
        if tail < 0 {
            heads.base[key] = ordinal
        } else {
            next.base[Int(tail - base)] = ordinal
        }
        tails.base[key] = ordinal
    }

    /// Drops the oldest row in memory, which has arrived.
    @inline(__always)
    func removeFirst() {
        let key = Int(keyNumbers.base[Int(first - base)])
        if key >= 0 {
            precondition(heads.base[key] == first, "rows leave in the order in which they came")
            let after = next.base[Int(first - base)]
            heads.base[key] = after
            if after < 0 { tails.base[key] = -1 }
        }
        first += 1
    }

    // MARK: Clean-up

    /// Gives back the memory of rows that are gone, when they are the greater part or `isForced`.
    /// Positions change.
    func compact(isForced: Bool = false) {
        let (dead, live) = (Int(first - base), count)
        guard dead > 0, isForced || (dead > 1_024 && dead > live) else { return }
        let old = columns
        let start = Int(position(first))
        columns = Self.emptyColumns(schema, hasNullRow, capacity: live)
        for (column, from) in zip(columns, old) {
            column.append(from: from, range: start..<start + live)
        }
        times = columns[timeColumn].ints
        if live == 0 {
            keyNumbers.shrink()
            next.shrink()
            flags.shrink()
        } else {
            for index in 0..<live {
                keyNumbers.base[index] = keyNumbers.base[dead + index]
                next.base[index] = next.base[dead + index]
                flags.base[index] = flags.base[dead + index]
            }
        }
        base = first
    }

    /// Marks the keys of live rows.
    func markKeys(_ isLive: inout [UInt8]) {
        for ordinal in first..<end where key(ordinal) >= 0 { isLive[Int(key(ordinal))] = 1 }
    }

    /// Follows a renumbering of the keys.
    func renumber(_ renumbered: [Int32], count: Int) {
        chainCount = 0
        heads.shrink()
        tails.shrink()
        reserveChains(count)
        for ordinal in first..<end {
            let index = Int(ordinal - base)
            let old = keyNumbers.base[index]
            if old >= 0 { keyNumbers.base[index] = renumbered[Int(old)] }
            next.base[index] = -1
            link(ordinal)
        }
    }

    /// Starts anew with the row `ordinal` as the next one, after a restart.
    func start(at ordinal: Int64) {
        precondition(count == 0, "a side starts empty")
        (base, first, end) = (ordinal, ordinal, ordinal)
        columns = Self.emptyColumns(schema, hasNullRow, capacity: 0)
        times = columns[timeColumn].ints
    }
}
