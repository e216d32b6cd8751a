// Aggregates over the different values of a group. Each group keeps the set of its values; sets merge,
// so hopping windows and spilled groups need nothing more. COUNT is the size of the set; any other
// function is computed, when a result is due, over the values in the order in which they came first.

import WeirCore

/// COUNT(DISTINCT x) and COUNT(DISTINCT x, y).
struct DistinctCount: ObjectAggregate {
    typealias State = ValueSet

    func add(_ row: Int, of input: AggregateInput, to state: ValueSet) -> Bool {
        if input.arguments.count == 1 {
            return ValueBytes.with(input.arguments[0], row) { state.insert($0) != nil }
        }
        var joined = ByteWriter()
        for column in input.arguments {
            ValueBytes.with(column, row) { bytes in
                joined.write(UInt32(bytes.count))
                joined.write(bytes)
            }
        }
        return joined.bytes.withUnsafeBytes { state.insert($0) != nil }
    }

    func emit(_ state: ValueSet?, into column: Column) { column.append(Int64(state?.count ?? 0)) }
}

/// Any other function of one argument with DISTINCT.
struct DistinctValues: ObjectAggregate {
    typealias State = ValueSet
    /// The function without DISTINCT.
    private let function: any Accumulator
    private let type: DataType
    private let takesNulls: Bool

    /// `type` is the argument's.
    init(_ function: any Accumulator, _ type: DataType, takesNulls: Bool) {
        self.function = function
        self.type = type
        self.takesNulls = takesNulls
        function.reserve(1)
    }

    func takes(_ row: Int, of input: AggregateInput) -> Bool {
        takesNulls || !input.arguments[0].isNull(row)
    }

    func add(_ row: Int, of input: AggregateInput, to state: ValueSet) -> Bool {
        if input.arguments[0].isNull(row) { return state.insert(nil) != nil }
        return ValueBytes.with(input.arguments[0], row) { state.insert($0) != nil }
    }

    func emit(_ state: ValueSet?, into column: Column) {
        let count = state?.count ?? 0
        let values = Column(type, capacity: count)
        for index in 0..<count { ValueBytes.append(state?.list[index], to: values) }
        let rows = Buffer<Int32>(capacity: count)
        let slots = Buffer<Int32>(capacity: max(count, 1))
        for index in 0..<count {
            rows.base[index] = Int32(index)
            slots.base[index] = 0
        }
        slots.base[0] = 0
        let slot = UnsafeBufferPointer(start: slots.base, count: 1)
        function.clear(slot)
        function.update(
            RowSlots(rows: rows.base, slots: slots.base, count: count),
            AggregateInput(arguments: [values], times: nil))
        function.emit(slot, into: column)
        function.release(slot)
    }
}
