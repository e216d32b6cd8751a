// ARRAY[…], MAP[…], ROW(…), a row's field, a map's value, and nested values as text.
//
// A row's field is its column as it is: of a NULL row all fields are NULL. A map keeps its entries in
// the order in which they were written; of a key that comes twice the last value counts, in the first
// one's place.

import WeirCore

/// ARRAY[a, b, …].
final class ArrayOfKernel: Kernel {
    private let elements: [Kernel]

    init(_ elements: [Kernel], type: DataType) {
        self.elements = elements
        super.init(type: type, canFail: elements.contains { $0.canFail })
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let operands = elements.map { $0.operand(input) }
        let result = Column(type, capacity: input.rowCount)
        guard let child = result.child else { preconditionFailure("an array has a child") }
        for row in 0..<input.rowCount {
            for operand in operands { child.append(from: operand, row: row) }
            result.appendArray()
        }
        return result
    }
}

/// MAP[key, value, …].
final class MapOfKernel: Kernel {
    private let keys: [Kernel]
    private let values: [Kernel]

    init(_ arguments: [Kernel], type: DataType) {
        keys = stride(from: 0, to: arguments.count, by: 2).map { arguments[$0] }
        values = stride(from: 1, to: arguments.count, by: 2).map { arguments[$0] }
        super.init(type: type, canFail: arguments.contains { $0.canFail })
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let k = keys.map { $0.operand(input) }
        let v = values.map { $0.operand(input) }
        let result = Column(type, capacity: input.rowCount)
        guard let entries = result.child else { preconditionFailure("a map has entries") }
        for row in 0..<input.rowCount {
            for index in k.indices where !k[..<index].contains(where: { isSame($0, k[index], row) }) {
                let last = k.indices.last { isSame(k[$0], k[index], row) } ?? index
                entries.fields[0].append(from: k[index], row: row)
                entries.fields[1].append(from: v[last], row: row)
                entries.appendRow()
            }
            result.appendArray()
        }
        return result
    }

    private func isSame(_ a: Operand, _ b: Operand, _ row: Int) -> Bool {
        a.column.isSameValue(row * a.step, as: b.column, row * b.step)
    }
}

/// ROW(a, b, …).
final class RowOfKernel: Kernel {
    private let members: [Kernel]

    init(_ members: [Kernel], type: DataType) {
        self.members = members
        super.init(type: type, canFail: members.contains { $0.canFail })
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let result = Column(type, capacity: input.rowCount)
        for (field, member) in zip(result.fields, members) {
            field.append(from: member.evaluate(input), range: 0..<input.rowCount)
        }
        for _ in 0..<input.rowCount { result.appendFilledRow() }
        return result
    }
}

/// `row.field`.
final class RowFieldKernel: Kernel {
    private let row: Kernel
    private let index: Int

    init(_ row: Kernel, index: Int, type: DataType) {
        self.row = row
        self.index = index
        super.init(type: type, canFail: row.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column { row.evaluate(input).fields[index] }
}

/// `map[key]`; NULL where the map has no such key.
final class MapValueKernel: Kernel {
    private let map: Kernel
    private let key: Kernel

    init(_ map: Kernel, key: Kernel, type: DataType) {
        self.map = map
        self.key = key
        super.init(type: type, canFail: map.canFail || key.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let m = map.operand(input)
        let k = key.operand(input)
        let result = Column(type, capacity: input.rowCount)
        guard let entries = m.column.child else { preconditionFailure("a map has entries") }
        for row in 0..<input.rowCount {
            let (from, wanted) = (row * m.step, row * k.step)
            let entry = (Int(m.column.offsets[from])..<Int(m.column.offsets[from + 1])).last {
                entries.fields[0].isSameValue($0, as: k.column, wanted)
            }
            if let entry, !m.isNull(row), !k.isNull(row) {
                result.append(from: entries.fields[1], range: entry..<(entry + 1))
            } else {
                result.appendNull()
            }
        }
        return result
    }
}

/// Casts of ARRAY, MAP and ROW to the same with other elements.
final class NestedCastKernel: Kernel {
    private let argument: Kernel
    /// Casts of the children's columns, each over column 0 of its input.
    private let casts: [Kernel]

    init(_ argument: Kernel, casts: [Kernel], type: DataType) {
        self.argument = argument
        self.casts = casts
        super.init(type: type, canFail: argument.canFail || casts.contains { $0.canFail })
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.evaluate(input)
        let result = Column(type, capacity: input.rowCount)
        let (rows, mask) = a.type.innerRows(a, input)
        for ((to, from), cast) in zip(zip(result.innerColumns, a.innerColumns), casts) {
            let inner = KernelInput(
                columns: [from], rowCount: rows, activeRows: cast.canFail ? mask : nil,
                errors: input.errors)
            to.append(from: cast.evaluate(inner), range: 0..<rows)
        }
        if case .map = type, let entries = result.child {
            for _ in 0..<rows { entries.appendFilledRow() }
        }
        if a.physical == .array {
            for row in 0...input.rowCount { result.offsets[row] = a.offsets[row] }
            result.setCount(input.rowCount)
        } else {
            for _ in 0..<input.rowCount { result.appendFilledRow() }
        }
        result.makeNull(where: [Operand(column: a, step: 1)])
        return result
    }
}

extension Column {
    /// Appends the value of row `row` of an operand.
    @inline(__always)
    func append(from operand: Operand, row: Int) {
        let from = row &* operand.step
        append(from: operand.column, range: from..<(from + 1))
    }

    /// Counts one more row of a row column whose fields have been filled ahead.
    func appendFilledRow() {
        reserve(rows: count + 1)
        setCount(count + 1)
        if let validity { validity[count - 1] = 1 }
    }

    /// The columns that hold an array's elements, a map's keys and values, or a row's fields.
    var innerColumns: [Column] {
        if physical == .row { return fields }
        guard let child else { return [] }
        if case .map = type { return child.fields }
        return [child]
    }

    /// Whether two scalars of one layout are the same; NULL is the same as NULL.
    func isSameValue(_ row: Int, as other: Column, _ otherRow: Int) -> Bool {
        if isNull(row) || other.isNull(otherRow) { return isNull(row) && other.isNull(otherRow) }
        switch physical {
        case .bool: return bools[row] == other.bools[otherRow]
        case .int64: return ints[row] == other.ints[otherRow]
        case .int128: return wides[row] == other.wides[otherRow]
        case .double: return doubles[row] == other.doubles[otherRow]
        case .string: return textsEqual(text(row), other.text(otherRow))
        case .array, .row: return false
        }
    }
}

extension DataType {
    /// The types of a nested column's `innerColumns`.
    var innerTypes: [DataType] {
        switch self {
        case .array(let element): [element]
        case .map(let key, let value): [key, value]
        case .row(let fields): fields.map(\.type)
        default: []
        }
    }

    /// How many rows the inner columns of `column` have, and which of them count failures.
    fileprivate func innerRows(_ column: Column, _ input: KernelInput) -> (Int, Column?) {
        if physical == .row { return (input.rowCount, input.activeRows) }
        let rows = column.child?.count ?? 0
        guard let activeRows = input.activeRows else { return (rows, nil) }
        let spread = Column.filled(.boolean, rows)
        for row in 0..<input.rowCount {
            for element in Int(column.offsets[row])..<Int(column.offsets[row + 1]) {
                spread.bools[element] = activeRows.bools[row]
            }
        }
        return (rows, spread)
    }
}
