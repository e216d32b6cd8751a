// LISTAGG and ARRAY_AGG: all values of a group, in the order of arrival within a pane and pane by pane.
// With DISTINCT each value is there once, where it came first; Flink gives those in no certain order.

import WeirCore

/// Texts joined by a separator; NULL for a group without a text.
struct TextJoin: ObjectAggregate {
    typealias State = ValueList
    let separator: [UInt8]

    func add(_ row: Int, of input: AggregateInput, to state: ValueList) -> Bool {
        ValueBytes.with(input.arguments[0], row) { state.append($0) }
    }

    func emit(_ state: ValueList?, into column: Column) {
        guard let state, state.count > 0 else {
            column.appendNull()
            return
        }
        var text: [UInt8] = []
        for index in 0..<state.count {
            if index > 0 { text.append(contentsOf: separator) }
            if let part = state[index] { text.append(contentsOf: part) }
        }
        text.withUnsafeBufferPointer { column.append($0) }
    }
}

/// The values as an ARRAY; NULL for a group without any.
struct ArrayOfValues: ObjectAggregate {
    typealias State = ValueList
    let ignoresNulls: Bool

    func takes(_ row: Int, of input: AggregateInput) -> Bool {
        !ignoresNulls || !input.arguments[0].isNull(row)
    }

    func add(_ row: Int, of input: AggregateInput, to state: ValueList) -> Bool {
        if input.arguments[0].isNull(row) { return state.append(nil) }
        return ValueBytes.with(input.arguments[0], row) { state.append($0) }
    }

    func emit(_ state: ValueList?, into column: Column) {
        guard let state, state.count > 0, let child = column.child else {
            column.appendNull()
            return
        }
        for index in 0..<state.count { ValueBytes.append(state[index], to: child) }
        column.appendArray()
    }
}

/// COLLECT: a MAP of each value to how often it came, in the order of first arrival; empty for a
/// group without a value.
struct CollectedValues: ObjectAggregate {
    typealias State = CountedValues
    let isDistinct: Bool

    func add(_ row: Int, of input: AggregateInput, to state: CountedValues) -> Bool {
        ValueBytes.with(input.arguments[0], row) { state.add($0, times: 1) }
    }

    func emit(_ state: CountedValues?, into column: Column) {
        guard let entries = column.child else { preconditionFailure("a map has entries") }
        for index in 0..<(state?.count ?? 0) {
            ValueBytes.append(state?.values.list[index], to: entries.fields[0])
            entries.fields[1].append(isDistinct ? 1 : state?.occurrences(index) ?? 0)
            entries.appendRow()
        }
        column.appendArray()
    }
}
