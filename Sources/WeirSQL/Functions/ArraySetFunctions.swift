// Functions that take arrays as sets: NULLs are equal to each other, and elements keep the order in which
// they were first met.

import WeirCore

/// The sets.
let arraySetFunctions: [LibraryFunction] = [
    LibraryFunction(
        "ARRAY_DISTINCT(array)", .collection, [.array], .first, "Each element once."
    ) { call in
        let arrays = call.elements(0)
        return call.buildArrays { row, result in
            var seen = ElementSet(arrays.elements)
            for element in arrays[row] where seen.insert(element) {
                result.append(row: element, of: arrays.elements)
            }
            return .value
        }
    },
    LibraryFunction(
        "ARRAY_REMOVE(array, element)", .collection, [.array, .element], .first,
        "Without the elements that are equal to it; NULL removes NULLs.", nulls: .own
    ) { call in
        let arrays = call.elements(0)
        let (array, other) = (call.operands[0], call.operands[1])
        let result = Column(call.type, capacity: call.input.rowCount)
        guard let child = result.child else { preconditionFailure("an array has a child") }
        for row in 0..<call.input.rowCount {
            if array.isNull(row) {
                result.appendNull()
                continue
            }
            for element in arrays[row]
            where ValueOrder.compare(arrays.elements, element, other.column, row * other.step) != 0 {
                child.append(row: element, of: arrays.elements)
            }
            result.appendArray()
        }
        return result
    },
    LibraryFunction(
        "ARRAY_UNION(array, array)", .collection, [.array, .sameArray], .first, "Each element of both once."
    ) { call in
        let (left, right) = (call.elements(0), call.elements(1))
        return call.buildArrays { row, result in
            // The two arrays in one column, so that one set can hold places of both.
            let all = Column(left.elements.type)
            all.append(from: left.elements, range: left[row])
            all.append(from: right.elements, range: right[row])
            var seen = ElementSet(all)
            for element in 0..<all.count where seen.insert(element) { result.append(row: element, of: all) }
            return .value
        }
    },
    selection("ARRAY_EXCEPT(array, array)", "Each element of the first that is not in the second, once.", false),
    selection("ARRAY_INTERSECT(array, array)", "Each element of the first that is in the second, once.", true),
]

private func selection(_ form: String, _ note: String, _ isWanted: Bool) -> LibraryFunction {
    LibraryFunction(form, .collection, [.array, .sameArray], .first, note) { call in
        let (left, right) = (call.elements(0), call.elements(1))
        return call.buildArrays { row, result in
            var (seen, others) = (ElementSet(left.elements), ElementSet(right.elements))
            for element in right[row] { others.insert(element) }
            for element in left[row] {
                guard others.contains(element, of: left.elements) == isWanted, seen.insert(element) else { continue }
                result.append(row: element, of: left.elements)
            }
            return .value
        }
    }
}

/// Places of one column, one for each value: sorted, so that finding is by halves.
struct ElementSet {
    private let column: Column
    private var places: [Int] = []

    init(_ column: Column) { self.column = column }

    /// Whether the value was not there before.
    @discardableResult
    mutating func insert(_ place: Int) -> Bool {
        let (index, isFound) = search(place, column)
        if !isFound { places.insert(place, at: index) }
        return !isFound
    }

    func contains(_ place: Int, of other: Column) -> Bool { search(place, other).isFound }

    private func search(_ place: Int, _ other: Column) -> (index: Int, isFound: Bool) {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            let order = ValueOrder.compare(column, places[middle], other, place)
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }
}
