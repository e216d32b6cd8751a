// The rows that matches consist of, all keys together, in columns: those of the input, then the
// arguments of aggregates where they are computed. The rows of a slice are added at once; those that no
// match needs are dropped when they are the greater part.

import WeirCore
import WeirSQL

/// Columns of rows, addressed by place. A place holds until the next clean-up.
final class PatternRows {
    let schema: Schema
    @exclusivity(unchecked) private(set) var columns: [Column]
    private(set) var count = 0

    init(schema: Schema) {
        self.schema = schema
        columns = schema.fields.map { Column($0.type) }
    }

    var memoryBytes: Int { columns.reduce(0) { $0 + $1.memoryBytes } }

    /// Adds rows; returns the place of the first.
    func append(_ added: [Column], rowCount: Int) -> Int {
        precondition(added.count == columns.count, "one column a field")
        for (column, rows) in zip(columns, added) { column.append(from: rows, range: 0..<rowCount) }
        count += rowCount
        return count - rowCount
    }

    /// The rows at `places`, in that order.
    func gather(_ places: [Int32]) -> Batch {
        places.withUnsafeBufferPointer { places in
            Batch(
                schema: schema, columns: columns.map { $0.gather(places) }, rowCount: places.count)
        }
    }

    /// Keeps only the rows at `places`, in that order.
    func keep(_ places: [Int32]) {
        columns = places.withUnsafeBufferPointer { places in columns.map { $0.gather(places) } }
        count = places.count
    }

    /// The columns `arguments`, as aggregates take them.
    func input(_ arguments: [Int], timeColumn: Int) -> AggregateInput {
        AggregateInput(
            arguments: arguments.map { columns[$0] },
            times: UnsafePointer(columns[timeColumn].ints))
    }

    /// Column `column` at `places`; NULL where a place is -1.
    func values(_ column: Int, at places: [Int32]) -> Column {
        let from = columns[column]
        guard places.contains(-1) else {
            return places.withUnsafeBufferPointer { from.gather($0) }
        }
        let result = Column(from.type, capacity: places.count)
        for place in places {
            if place < 0 {
                result.appendNull()
            } else {
                result.append(from: from, range: Int(place)..<Int(place) + 1)
            }
        }
        return result
    }
}

/// The rows and matches of one key, while it has any.
final class PatternKey {
    /// The key's number in the interner.
    var number: Int32
    /// The number of `places[0]` among the key's rows.
    @exclusivity(unchecked) private(set) var firstRow: Int64
    /// Where the rows are, one after another.
    @exclusivity(unchecked) private(set) var places: [Int32] = []
    /// The saved block that each of them is in; 0 for none.
    @exclusivity(unchecked) var blocks: [Int32] = []
    /// Rows before it are gone.
    @exclusivity(unchecked) private(set) var head = 0
    @exclusivity(unchecked) var partial = MatchQueue()
    /// Complete, and waiting for a match that started earlier.
    @exclusivity(unchecked) var complete = MatchQueue()
    /// Whether it has changed since the last commit.
    @exclusivity(unchecked) var isDirty = false
    /// Whether the last commit holds it.
    var isSaved = false
    /// Whether it is still the one of its number.
    @exclusivity(unchecked) var isLive = true

    init(number: Int32, firstRow: Int64) {
        self.number = number
        self.firstRow = firstRow
        partial.push(.entry)
    }

    /// The number of the next row.
    var nextRow: Int64 { firstRow + Int64(places.count) }
    /// The number of the first row that is kept.
    var keptFrom: Int64 { firstRow + Int64(head) }

    /// The place of row `number`.
    func place(_ number: Int64) -> Int32 { places[Int(number - firstRow)] }

    func append(_ place: Int32, block: Int32 = 0) {
        places.append(place)
        blocks.append(block)
    }

    /// The kept rows lie one after another from `place` on now.
    func move(to place: Int32) {
        for (offset, index) in keptRange.enumerated() { places[index] = place + Int32(offset) }
    }

    /// Forgets the rows before `number`; hands on the blocks that they were in.
    func drop(before number: Int64, _ dropped: (Int32) -> Void) {
        let end = min(Int(number - firstRow), places.count)
        while head < end {
            if blocks[head] != 0 { dropped(blocks[head]) }
            head += 1
        }
        guard head > 32, head * 2 > places.count else { return }
        places.removeFirst(head)
        blocks.removeFirst(head)
        firstRow += Int64(head)
        head = 0
    }

    /// The places of the rows that are kept.
    var keptRange: Range<Int> { head..<places.count }
}
