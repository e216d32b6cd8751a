// Arrays: CARDINALITY, element access, ARRAY_CONTAINS, and casts, which are casts of all elements
// at once. Elements count from 1; an index outside of the array gives NULL.

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

/// Casts the elements of arrays.
final class ArrayCastKernel: Kernel {
    private let array: Kernel
    /// Casts column 0 of its input.
    private let elementCast: Kernel

    init(_ array: Kernel, elementCast: Kernel, type: DataType) {
        self.array = array
        self.elementCast = elementCast
        super.init(type: type, canFail: array.canFail || elementCast.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = array.evaluate(input)
        let elements = castElements(a, elementCast, input)
        let result = Column(type, capacity: input.rowCount)
        guard let child = result.child else { preconditionFailure("an array has a child") }
        child.append(from: elements, range: 0..<elements.count)
        for row in 0...input.rowCount { result.offsets[row] = a.offsets[row] }
        result.setCount(input.rowCount)
        result.makeNull(where: [Operand(column: a, step: 1)])
        return result
    }
}

/// Casts arrays to text: `[1, 2, NULL]`.
final class ArrayTextKernel: Kernel {
    private let array: Kernel
    /// Casts column 0 of its input to text.
    private let elementCast: Kernel

    init(_ array: Kernel, elementCast: Kernel) {
        self.array = array
        self.elementCast = elementCast
        super.init(type: .string, canFail: array.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = array.evaluate(input)
        let elements = castElements(a, elementCast, input)
        let offsets = a.offsets
        let null: StaticString = "NULL"
        let nullText = UnsafeBufferPointer(start: null.utf8Start, count: null.utf8CodeUnitCount)
        return buildTexts([Operand(column: a, step: 1)], input) { row, text in
            text.append(UInt8(ascii: "["))
            for element in Int(offsets[row])..<Int(offsets[row + 1]) {
                if element > Int(offsets[row]) {
                    text.append(UInt8(ascii: ","))
                    text.append(UInt8(ascii: " "))
                }
                text.append(elements.isNull(element) ? nullText : elements.text(element))
            }
            text.append(UInt8(ascii: "]"))
            return .value
        }
    }
}

/// Runs a cast over the elements of all rows; failures in inactive rows' elements do not count.
private func castElements(_ array: Column, _ cast: Kernel, _ input: KernelInput) -> Column {
    guard let elements = array.child else { preconditionFailure("an array has a child") }
    var mask: Column?
    if let activeRows = input.activeRows, cast.canFail {
        let spread = Column.filled(.boolean, elements.count)
        for row in 0..<input.rowCount {
            for element in Int(array.offsets[row])..<Int(array.offsets[row + 1]) {
                spread.bools[element] = activeRows.bools[row]
            }
        }
        mask = spread
    }
    return cast.evaluate(
        KernelInput(
            columns: [elements], rowCount: elements.count, activeRows: mask, errors: input.errors))
}
