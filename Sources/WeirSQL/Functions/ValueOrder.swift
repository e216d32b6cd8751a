// Order and sameness of values of any type, row by row: what the functions of arrays and maps need. NULLs
// are equal to each other and before everything else; NaN is equal to itself and above all numbers.

import WeirCore

/// Compares values of two columns of one type.
enum ValueOrder {
    /// Negative, 0 or positive. Arrays and rows are compared member by member.
    static func compare(_ a: Column, _ i: Int, _ b: Column, _ j: Int) -> Int {
        if a.isNull(i) || b.isNull(j) { return (a.isNull(i) ? 0 : 1) - (b.isNull(j) ? 0 : 1) }
        switch a.physical {
        case .bool: return Int(a.bools[i]) - Int(b.bools[j])
        case .int64: return sign(a.ints[i], b.ints[j])
        case .int128: return sign(a.wides[i], b.wides[j])
        case .double:
            let (x, y) = (a.doubles[i], b.doubles[j])
            if x.isNaN || y.isNaN { return (x.isNaN ? 1 : 0) - (y.isNaN ? 1 : 0) }
            return sign(x, y)
        case .string: return textOrder(a.text(i), b.text(j))
        case .array:
            guard let x = a.child, let y = b.child else { return 0 }
            let (p, q) = (Int(a.offsets[i])..<Int(a.offsets[i + 1]), Int(b.offsets[j])..<Int(b.offsets[j + 1]))
            for (m, n) in zip(p, q) {
                let order = compare(x, m, y, n)
                if order != 0 { return order }
            }
            return p.count - q.count
        case .row:
            for (x, y) in zip(a.fields, b.fields) {
                let order = compare(x, i, y, j)
                if order != 0 { return order }
            }
            return 0
        }
    }

    private static func sign<Value: Comparable>(_ a: Value, _ b: Value) -> Int { a < b ? -1 : a > b ? 1 : 0 }
}

extension Column {
    /// Appends row `row` of a column of the same type.
    func append(row: Int, of other: Column) { append(from: other, range: row..<(row + 1)) }
}

/// The elements of one row's array.
struct ElementRows {
    let elements: Column
    private let offsets: UnsafeMutablePointer<Int32>
    private let step: Int

    init(_ operand: Operand) {
        guard let child = operand.column.child else { preconditionFailure("an array has a child") }
        elements = child
        offsets = operand.column.offsets
        step = operand.step
    }

    /// Where the elements of row `row` lie.
    subscript(row: Int) -> Range<Int> { Int(offsets[row &* step])..<Int(offsets[row &* step &+ 1]) }
}
