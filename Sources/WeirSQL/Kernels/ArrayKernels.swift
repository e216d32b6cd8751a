// Arrays: CARDINALITY, element access and ARRAY_CONTAINS. Elements count from 1; an index outside of
// the array gives NULL. Making and casting nested values is in NestedKernels.

import WeirCore

/// The number of elements.
final class CardinalityKernel: Kernel {
    private let array: Kernel

    init(_ array: Kernel) {
        self.array = array
        super.init(type: .int, canFail: array.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = array.evaluate(input)
        let result = Column.strict(.int, [Operand(column: a, step: 1)], input.rowCount)
        let (offsets, out) = (a.offsets, result.ints)
        for row in 0..<input.rowCount { out[row] = Int64(offsets[row + 1] - offsets[row]) }
        result.clearNullSlots()
        return result
    }
}

/// `array[index]`.
final class ElementKernel: Kernel {
    private let array: Kernel
    private let index: Kernel

    init(_ array: Kernel, index: Kernel, type: DataType) {
        self.array = array
        self.index = index
        super.init(type: type, canFail: array.canFail || index.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = array.operand(input)
        let i = index.operand(input)
        let positions = IntegerRows(i)
        let result = Column(type, capacity: input.rowCount)
        guard let elements = a.column.child else { preconditionFailure("an array has a child") }
        for row in 0..<input.rowCount {
            let start = Int(a.column.offsets[row * a.step])
            let count = Int(a.column.offsets[row * a.step + 1]) - start
            let position = positions[row]
            if a.isNull(row) || i.isNull(row) || position < 1 || position > count {
                result.appendNull()
            } else {
                let element = start + position - 1
                result.append(from: elements, range: element..<(element + 1))
            }
        }
        return result
    }
}

/// ARRAY_CONTAINS. A NULL array gives NULL; a NULL element is looked for like any other.
final class ArrayContainsKernel: Kernel {
    private let array: Kernel
    private let element: Kernel
    /// Compares columns 0 and 1 of its input, NULLs as equal.
    private let comparison: Kernel

    init(_ array: Kernel, element: Kernel) {
        self.array = array
        self.element = element
        let type = element.type
        comparison = ComparisonKernel(
            .equal, ColumnKernel(index: 0, type: type), ColumnKernel(index: 1, type: type),
            nulls: .notDistinct)
        super.init(type: .boolean, canFail: array.canFail || element.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = array.evaluate(input)
        let wanted = element.operand(input)
        guard let elements = a.child else { preconditionFailure("an array has a child") }
        let offsets = a.offsets
        // The wanted element once for each element of its row's array, so that one comparison of
        // two columns answers all rows.
        let total = Int(offsets[input.rowCount])
        let spread = Column(element.type, capacity: total)
        for row in 0..<input.rowCount {
            let from = row * wanted.step
            for _ in offsets[row]..<offsets[row + 1] {
                spread.append(from: wanted.column, range: from..<(from + 1))
            }
        }
        let sides = KernelInput(
            columns: [elements, spread], rowCount: total, activeRows: nil, errors: input.errors)
        let equal = comparison.evaluate(sides)
        let result = Column.strict(.boolean, [Operand(column: a, step: 1)], input.rowCount)
        for row in 0..<input.rowCount {
            var found: UInt8 = 0
            for i in Int(offsets[row])..<Int(offsets[row + 1]) { found |= equal.bools[i] }
            result.bools[row] = found
        }
        result.clearNullSlots()
        return result
    }
}
