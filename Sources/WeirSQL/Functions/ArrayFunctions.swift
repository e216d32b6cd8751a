// Functions of arrays that give an array, an element or a place. Elements count from 1.

import WeirCore

/// The element type of the first argument.
private let elementResult = ResultRule.derived("element") { $0.first?.elementType }

extension LibraryCall {
    /// The elements of an array argument.
    func elements(_ index: Int) -> ElementRows { ElementRows(operands[index]) }

    /// An array row made of the elements that `body` appends.
    func buildArrays(_ body: (Int, Column) -> RowOutcome) -> Column {
        buildRows { row, result in
            guard let child = result.child else { return .null }
            let outcome = body(row, child)
            if outcome == .value { result.appendArray() }
            return outcome
        }
    }
}

/// The functions of arrays.
let arrayFunctions: [LibraryFunction] = [
    LibraryFunction(
        "ELEMENT(array)", .collection, [.array], elementResult,
        "The only element; NULL of an empty array, and counted if there are more, where Flink ends the job.",
        canFail: true
    ) { call in
        let arrays = call.elements(0)
        return call.buildRows { row, result in
            let range = arrays[row]
            if range.count == 1 { result.append(row: range.lowerBound, of: arrays.elements) }
            return range.count == 1 ? .value : range.isEmpty ? .null : .failed
        }
    },
    extreme("ARRAY_MAX(array)", "The greatest element that is not NULL.", 1),
    extreme("ARRAY_MIN(array)", "The least element that is not NULL.", -1),
    LibraryFunction(
        "ARRAY_POSITION(array, element)", .collection, [.array, .element], .int,
        "The place of the first such element, 0 if there is none."
    ) { call in
        let arrays = call.elements(0)
        let wanted = call.operands[1]
        return call.buildInteger { row, value in
            let range = arrays[row]
            let found = range.first {
                !arrays.elements.isNull($0)
                    && ValueOrder.compare(arrays.elements, $0, wanted.column, row * wanted.step) == 0
            }
            value = Int64(found.map { $0 - range.lowerBound + 1 } ?? 0)
            return .value
        }
    },
    LibraryFunction(
        "ARRAY_REVERSE(array)", .collection, [.array], .first, "The elements from the last to the first."
    ) { call in
        let arrays = call.elements(0)
        return call.buildArrays { row, result in
            for element in arrays[row].reversed() { result.append(row: element, of: arrays.elements) }
            return .value
        }
    },
    LibraryFunction(
        "ARRAY_SLICE(array, start[, end])", .collection, [.array, .count, .optional(.count)], .first,
        "The elements from start to end, both included; from the end of the array if negative."
    ) { call in
        let (arrays, starts) = (call.elements(0), call.integers(1))
        let ends = call.integers(ifGiven: 2)
        return call.buildArrays { row, result in
            let range = arrays[row]
            func place(_ number: Int) -> Int { number < 0 ? range.count + number + 1 : number }
            let first = max(place(starts[row]), 1)
            let last = min(ends.map { place($0[row]) } ?? range.count, range.count)
            if first <= last {
                let low = range.lowerBound
                result.append(from: arrays.elements, range: (low + first - 1)..<(low + last))
            }
            return .value
        }
    },
    LibraryFunction(
        "ARRAY_SORT(array[, ascending[, nulls_first]])", .collection,
        [.array, .optional(.boolean), .optional(.boolean)], .first,
        "Sorted, ascending by default; NULLs come first when ascending and last when descending, by default."
    ) { call in
        let arrays = call.elements(0)
        let (rising, first) = (call.booleans(ifGiven: 1), call.booleans(ifGiven: 2))
        return call.buildArrays { row, result in
            let isRising = rising?[row] ?? true
            let isNullFirst = first?[row] ?? isRising
            let elements = arrays.elements
            let nulls = arrays[row].filter { elements.isNull($0) }
            let values = arrays[row].filter { !elements.isNull($0) }.sorted {
                let order = ValueOrder.compare(elements, $0, elements, $1)
                return order == 0 ? $0 < $1 : (order < 0) == isRising
            }
            for element in isNullFirst ? nulls + values : values + nulls {
                result.append(row: element, of: elements)
            }
            return .value
        }
    },
    LibraryFunction(
        "ARRAY_JOIN(array, separator[, for_null])", .collection, [.array, .string, .optional(.string)],
        .derived("STRING") { $0[0] == .array(.string) ? .string : nil },
        "The elements of an array of texts in one text; NULLs are left out, or written as the third argument."
    ) { call in
        let (arrays, separators) = (call.elements(0), call.text(1))
        let nulls = call.text(ifGiven: 2)
        return call.buildText { row, builder in
            var isFirst = true
            for element in arrays[row] {
                let isNull = arrays.elements.isNull(element)
                if isNull, nulls == nil { continue }
                if !isFirst { builder.append(separators[row]) }
                isFirst = false
                builder.append(isNull ? nulls?[row] ?? TextView(start: nil, count: 0) : arrays.elements.text(element))
            }
            return .value
        }
    },
    addition("ARRAY_APPEND(array, element)", "With the element behind; NULL is an element.", isFront: false),
    addition("ARRAY_PREPEND(array, element)", "With the element in front; NULL is an element.", isFront: true),
    LibraryFunction(
        "ARRAY_CONCAT(array, array, …)", .collection, [.array, .list(.sameArray)], .first,
        "The elements of all of them."
    ) { call in
        let arrays = (0..<call.count).map { call.elements($0) }
        return call.buildArrays { row, result in
            for array in arrays { result.append(from: array.elements, range: array[row]) }
            return .value
        }
    },
]

private func extreme(_ form: String, _ note: String, _ wanted: Int) -> LibraryFunction {
    LibraryFunction(form, .collection, [.array], elementResult, note) { call in
        let arrays = call.elements(0)
        return call.buildRows { row, result in
            var best: Int?
            for element in arrays[row] where !arrays.elements.isNull(element) {
                let order = best.map { ValueOrder.compare(arrays.elements, element, arrays.elements, $0) }
                if order.map({ $0.signum() == wanted }) ?? true { best = element }
            }
            guard let best else { return .null }
            result.append(row: best, of: arrays.elements)
            return .value
        }
    }
}

private func addition(_ form: String, _ note: String, isFront: Bool) -> LibraryFunction {
    LibraryFunction(form, .collection, [.array, .element], .first, note, nulls: .own) { call in
        let arrays = call.elements(0)
        let (array, element) = (call.operands[0], call.operands[1])
        let result = Column(call.type, capacity: call.input.rowCount)
        guard let child = result.child else { preconditionFailure("an array has a child") }
        for row in 0..<call.input.rowCount {
            if array.isNull(row) {
                result.appendNull()
                continue
            }
            if isFront { child.append(row: row * element.step, of: element.column) }
            child.append(from: arrays.elements, range: arrays[row])
            if !isFront { child.append(row: row * element.step, of: element.column) }
            result.appendArray()
        }
        return result
    }
}
