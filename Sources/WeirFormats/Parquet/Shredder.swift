// Nested values as levels. A value in a list in a row is written beside two small numbers: how much of
// the way to it is there (the definition level), and which list it goes on with (the repetition level).
//
// All rows take each step of the way together, so that this is a few loops over columns and no
// recursion over values.

import WeirCore

/// The levels of some rows of one leaf, and the rows of the leaf's column that hold their values.
struct ShreddedRows {
    /// For each level the row of the column under way; -1 where the way has ended.
    private var rows: [Int32] = []
    private(set) var definitions: [UInt8] = []
    private(set) var repetitions: [UInt8] = []
    /// The leaf's column and those of its rows that hold values, in order.
    private(set) var column: Column
    private(set) var valueRows: [Int32] = []

    /// Takes rows `range` of a batch's column to `leaf`.
    init(_ column: Column, _ range: Range<Int>, _ leaf: ParquetLeaf) {
        self.column = column
        rows = range.map { Int32($0) }
        definitions = Array(repeating: 0, count: range.count)
        repetitions = Array(repeating: 0, count: range.count)
        for step in leaf.steps {
            switch step {
            case .optional: endAtNull()
            case .elements(let level): spread(level: level, isMap: false)
            case .entries(let level): spread(level: level, isMap: true)
            case .field(let index): self.column = self.column.fields[index]
            }
        }
        valueRows = rows.filter { $0 >= 0 }
    }

    private mutating func endAtNull() {
        for index in rows.indices where rows[index] >= 0 {
            if column.isNull(Int(rows[index])) {
                rows[index] = -1
            } else {
                definitions[index] += 1
            }
        }
    }

    private mutating func spread(level: UInt8, isMap: Bool) {
        guard let child = column.child else { preconditionFailure("array without child") }
        var next = (rows: [Int32](), definitions: [UInt8](), repetitions: [UInt8]())
        for index in rows.indices {
            let row = Int(rows[index])
            var repetition = repetitions[index]
            let start = next.rows.count
            if row >= 0 {
                for element in column.offsets[row]..<column.offsets[row + 1] {
                    if isMap, child.fields[0].isNull(Int(element)) { continue }
                    next.rows.append(element)
                    next.definitions.append(definitions[index] + 1)
                    next.repetitions.append(repetition)
                    repetition = level
                }
            }
            if next.rows.count == start {
                next.rows.append(-1)
                next.definitions.append(definitions[index])
                next.repetitions.append(repetition)
            }
        }
        (rows, definitions, repetitions) = next
        column = child
    }
}
