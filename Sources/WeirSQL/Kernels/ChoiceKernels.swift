// Kernels that take each row's value from one of several kernels: CASE, COALESCE, NULLIF, GREATEST
// and LEAST. They find out for each row which one it is, then merge.
//
// A kernel that no row takes its value from is not evaluated, and one that only some do is told
// which, so that 1 / x in the branch for x <> 0 never counts an error.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// For each row the number of the operand that it takes its value from.
final class RowChoice {
    let rowCount: Int
    let numbers: UnsafeMutablePointer<Int32>

    /// All rows take `number`.
    init(rowCount: Int, number: Int) {
        self.rowCount = rowCount
        numbers = .allocate(capacity: max(rowCount, 1))
        numbers.initialize(repeating: Int32(number), count: max(rowCount, 1))
    }

    deinit { numbers.deallocate() }

    /// The rows that take `number` as a mask, and how many they are.
    func rows(taking number: Int) -> (mask: Column, count: Int) {
        let mask = Column.filled(.boolean, rowCount)
        let wanted = Int32(number)
        mapRows(numbers, 1, mask.bools, rowCount) { $0 == wanted ? 1 : 0 }
        let flags = mask.bools
        var count = 0
        for row in 0..<rowCount { count &+= Int(flags[row]) }
        return (mask, count)
    }

    /// The column of each row's chosen value; an operand that is nil gives NULL.
    func merge(_ operands: [Operand?], type: DataType) -> Column {
        if [.string, .array, .row].contains(type.physical) { return mergeRows(operands, type) }
        let result = Column.filled(type, rowCount)
        memset(result.storage, 0, rowCount * type.physical.width)
        for (number, operand) in operands.enumerated() {
            let wanted = Int32(number)
            if operand == nil || operand?.column.validity != nil {
                let validity = result.materializeValidity()
                for row in 0..<rowCount where numbers[row] == wanted {
                    validity[row] = operand.map { $0.isNull(row) ? 0 : 1 } ?? 0
                }
            }
            guard let operand else { continue }
            switch type.physical {
            case .bool: take(wanted, operand.column.bools, operand.step, result.bools)
            case .int64: take(wanted, operand.column.ints, operand.step, result.ints)
            case .double: take(wanted, operand.column.doubles, operand.step, result.doubles)
            case .int128: take(wanted, operand.column.wides, operand.step, result.wides)
            case .string, .array, .row: break
            }
        }
        return result
    }

    @inline(__always)
    private func take<Value>(
        _ wanted: Int32, _ from: UnsafeMutablePointer<Value>, _ step: Int,
        _ to: UnsafeMutablePointer<Value>
    ) {
        // Both values are loaded for each row, so that the choice is no branch: which way a row goes is
        // seldom predictable.
        let numbers = numbers
        for row in 0..<rowCount {
            let (new, old) = (from[row &* step], to[row])
            to[row] = numbers[row] == wanted ? new : old
        }
    }

    private func mergeRows(_ operands: [Operand?], _ type: DataType) -> Column {
        let result = Column(type, capacity: rowCount)
        for row in 0..<rowCount {
            if let operand = operands[Int(numbers[row])] {
                let from = row * operand.step
                result.append(from: operand.column, range: from..<(from + 1))
            } else {
                result.appendNull()
            }
        }
        return result
    }
}

/// Searched CASE.
final class CaseKernel: Kernel {
    private let branches: [(condition: Kernel, result: Kernel)]
    private let otherwise: Kernel?

    init(_ branches: [(condition: Kernel, result: Kernel)], otherwise: Kernel?, type: DataType) {
        self.branches = branches
        self.otherwise = otherwise
        let canFail = branches.contains { $0.condition.canFail || $0.result.canFail }
        super.init(type: type, canFail: canFail || otherwise?.canFail == true)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let rows = input.rowCount
        let choice = RowChoice(rowCount: rows, number: branches.count)
        for (number, branch) in branches.enumerated() {
            // Only rows that no branch before has taken are asked.
            let (open, openCount) = choice.rows(taking: branches.count)
            if openCount == 0 { break }
            let isAll = openCount == rows
            let asked = branch.condition.canFail && !isAll ? input.restricted(to: open) : input
            let condition = branch.condition.operand(asked)
            zipRows(condition.column.bools, condition.step, open.bools, 1, open.bools, rows) { $0 & $1 }
            let taken = Int32(number)
            zipRows(open.bools, 1, choice.numbers, 1, choice.numbers, rows) { $0 != 0 ? taken : $1 }
        }
        var operands: [Operand?] = []
        for (number, kernel) in (branches.map { $0.result as Kernel? } + [otherwise]).enumerated() {
            let (mask, count) = choice.rows(taking: number)
            guard let kernel, count > 0 else {
                operands.append(nil)
                continue
            }
            if count == rows { return kernel.evaluate(input) }
            operands.append(kernel.operand(kernel.canFail ? input.restricted(to: mask) : input))
        }
        return choice.merge(operands, type: type)
    }
}

/// The first argument that is not NULL; arguments behind it are not evaluated for that row.
final class CoalesceKernel: Kernel {
    private let arguments: [Kernel]

    init(_ arguments: [Kernel], type: DataType) {
        self.arguments = arguments
        super.init(type: type, canFail: arguments.contains { $0.canFail })
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let rows = input.rowCount
        let none = arguments.count
        let choice = RowChoice(rowCount: rows, number: none)
        var operands: [Operand?] = []
        for (number, argument) in arguments.enumerated() {
            let (open, openCount) = choice.rows(taking: none)
            if openCount == 0 { break }
            let isMasked = argument.canFail && openCount < rows
            let operand = argument.operand(isMasked ? input.restricted(to: open) : input)
            operands.append(operand)
            if operand.column.validity == nil && openCount == rows && operand.step == 1 {
                return operand.column
            }
            let (isOpen, numbers) = (open.bools, choice.numbers)
            for row in 0..<rows where isOpen[row] != 0 && !operand.isNull(row) {
                numbers[row] = Int32(number)
            }
        }
        while operands.count <= none { operands.append(nil) }
        return choice.merge(operands, type: type)
    }
}

/// NULL where both arguments are equal, else the first.
final class NullifKernel: Kernel {
    private let left: Kernel
    private let right: Kernel
    /// Compares columns 0 and 1 of its input, cast to one type.
    private let comparison: Kernel

    init(_ left: Kernel, _ right: Kernel, comparison: Kernel, type: DataType) {
        self.left = left
        self.right = right
        self.comparison = comparison
        super.init(type: type, canFail: left.canFail || right.canFail || comparison.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let value = left.evaluate(input)
        let sides = KernelInput(
            columns: [value, right.evaluate(input)], rowCount: input.rowCount,
            activeRows: input.activeRows, errors: input.errors)
        let equal = comparison.evaluate(sides)
        let choice = RowChoice(rowCount: input.rowCount, number: 0)
        mapRows(equal.bools, 1, choice.numbers, input.rowCount) { Int32($0) }
        return choice.merge([Operand(column: value, step: 1), nil], type: type)
    }
}

/// GREATEST or LEAST; NULL where an argument is. NaN is the greatest double, as for MIN and MAX.
final class ExtremeKernel: Kernel {
    private let arguments: [Kernel]
    private let isGreatest: Bool

    init(_ arguments: [Kernel], isGreatest: Bool, type: DataType) {
        self.arguments = arguments
        self.isGreatest = isGreatest
        super.init(type: type, canFail: arguments.contains { $0.canFail })
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let rows = input.rowCount
        let operands = arguments.map { $0.operand(input) }
        let choice = RowChoice(rowCount: rows, number: 0)
        for number in operands.indices.dropFirst() {
            for row in 0..<rows {
                let order = compare(operands[number], operands[Int(choice.numbers[row])], row)
                if isGreatest ? order > 0 : order < 0 { choice.numbers[row] = Int32(number) }
            }
        }
        let merged = choice.merge(operands, type: type)
        if !operands.contains(where: { $0.column.validity != nil }) { return merged }
        // A NULL anywhere makes the row NULL: choose among the merged value and nothing.
        let nulls = Column.strict(.boolean, operands, rows)
        let kept = RowChoice(rowCount: rows, number: 0)
        for row in 0..<rows { kept.numbers[row] = nulls.isNull(row) ? 1 : 0 }
        return kept.merge([Operand(column: merged, step: 1), nil], type: type)
    }

    /// The sign of the order of two operands' values in a row.
    private func compare(_ a: Operand, _ b: Operand, _ row: Int) -> Int {
        let (x, y) = (row * a.step, row * b.step)
        switch type.physical {
        case .bool: return Int(a.column.bools[x]) - Int(b.column.bools[y])
        case .int64:
            let (p, q) = (a.column.ints[x], b.column.ints[y])
            return p < q ? -1 : p > q ? 1 : 0
        case .double:
            let (p, q) = (a.column.doubles[x], b.column.doubles[y])
            if p.isNaN || q.isNaN { return (p.isNaN ? 1 : 0) - (q.isNaN ? 1 : 0) }
            return p < q ? -1 : p > q ? 1 : 0
        case .string: return textOrder(a.column.text(x), b.column.text(y))
        case .int128:
            let (p, q) = (a.column.wides[x], b.column.wides[y])
            return p < q ? -1 : p > q ? 1 : 0
        case .array, .row: preconditionFailure("arrays and rows are not compared")
        }
    }
}
