// What each aggregate gives, alone, merged and saved.

import Testing
import WeirCore
import WeirSQL

@testable import WeirRuntime

@Suite struct AccumulatorTests {
    private func column<Value>(
        _ type: DataType, _ values: [Value?], _ append: (Column, Value) -> Void
    ) -> Column {
        let column = Column(type)
        for value in values { if let value { append(column, value) } else { column.appendNull() } }
        return column
    }

    /// The result of a call over a column, added in one go; in two groups that are merged; and in a
    /// group that is saved and loaded half-way. All must be one.
    private func result(
        _ function: AggregateFunction, _ column: Column, _ type: DataType
    ) throws -> String {
        let call = AggregateCall(
            function: function, argument: .column(index: 0, type: column.type), type: type)
        let accumulator = try makeAccumulator(call)
        accumulator.reserve(16)
        func slots(_ list: [Int32], _ body: (UnsafeBufferPointer<Int32>) -> Void) {
            list.withUnsafeBufferPointer(body)
        }
        func add(_ range: Range<Int>, to slot: Int32) {
            let rows = range.map { Int32($0) }
            let targets = rows.map { _ in slot }
            rows.withUnsafeBufferPointer { rows in
                targets.withUnsafeBufferPointer { targets in
                    guard let row = rows.baseAddress, let target = targets.baseAddress else {
                        return
                    }
                    accumulator.update(
                        RowSlots(rows: row, slots: target, count: rows.count),
                        AggregateInput(arguments: [column], times: nil))
                }
            }
        }
        slots([0, 1, 2, 3, 4]) { accumulator.clear($0) }
        add(0..<column.count, to: 0)
        let middle = column.count / 2
        add(0..<middle, to: 1)
        add(middle..<column.count, to: 2)
        slots([3, 3]) { into in
            slots([1, 2]) { from in
                guard let to = into.baseAddress, let source = from.baseAddress else { return }
                accumulator.merge(into: to, from: source, count: 2)
            }
        }
        var saved = ByteWriter()
        add(0..<middle, to: 4)
        slots([4]) { accumulator.save($0, into: &saved) }
        slots([4]) { accumulator.clear($0) }
        try saved.bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            try [Int32(4)].withUnsafeBufferPointer { try accumulator.load($0, from: &reader) }
            #expect(reader.isAtEnd)
        }
        add(middle..<column.count, to: 4)
        let results = Column(type)
        slots([0, 3, 4]) { accumulator.emit($0, into: results) }
        #expect(rendered(results, 0) == rendered(results, 1))
        #expect(rendered(results, 0) == rendered(results, 2))
        return rendered(results, 0)
    }

    @Test func integersWrapAsFlinksDo() throws {
        let ints = column(.int, [Int64(Int32.max), nil, 1]) { $0.append($1) }
        #expect(try result(.sum, ints, .int) == String(Int32.min))
        #expect(try result(.avg, ints, .int) == "1073741824")
        #expect(try result(.count, ints, .bigint) == "2")
        let bigints = column(.bigint, [Int64.max, 1]) { $0.append($1) }
        #expect(try result(.sum, bigints, .bigint) == String(Int64.min))
        let negative = column(.bigint, [-3, -4]) { $0.append(Int64($1)) }
        #expect(try result(.avg, negative, .bigint) == "-3")
        #expect(try result(.min, negative, .bigint) == "-4")
        #expect(try result(.max, bigints, .bigint) == String(Int64.max))
    }

    @Test func groupsWithoutAValueAreNull() throws {
        let nothing = column(.double, [Double?.none, nil]) { $0.append($1) }
        for function in [AggregateFunction.sum, .avg, .min, .max] {
            #expect(try result(function, nothing, .double) == "NULL")
        }
        #expect(try result(.count, nothing, .bigint) == "0")
        #expect(
            try result(.max, column(.string, [String?.none]) { $0.append($1) }, .string) == "NULL")
        #expect(
            try result(.min, column(.boolean, [Bool?.none]) { $0.append($1) }, .boolean) == "NULL")
    }

    @Test func doublesKeepTheirSignsAndNaNIsTheGreatest() throws {
        func doubles(_ values: [Double?]) -> Column { column(.double, values) { $0.append($1) } }
        #expect(try result(.sum, doubles([-0.0, -0.0]), .double) == rendered(-0.0))
        #expect(try result(.avg, doubles([-0.0]), .double) == rendered(0.0))
        #expect(try result(.max, doubles([1, .nan, 2]), .double).hasPrefix("nan"))
        #expect(try result(.min, doubles([.nan, 2, .nan, 3]), .double) == rendered(2.0))
        #expect(try result(.min, doubles([.nan, .nan]), .double).hasPrefix("nan"))
        #expect(try result(.min, doubles([.infinity]), .double) == rendered(Double.infinity))
        #expect(
            try result(.max, doubles([-.infinity, nil]), .double) == rendered(-Double.infinity))
    }

    @Test func textsCompareByBytes() throws {
        let texts = column(.string, ["b", "", nil, "ä", "a"]) { $0.append($1) }
        #expect(try result(.min, texts, .string) == "''")
        #expect(try result(.max, texts, .string) == "'ä'")
        let flags = column(.boolean, [true, nil, false]) { $0.append($1) }
        #expect(try result(.min, flags, .boolean) == "false")
        #expect(try result(.max, flags, .boolean) == "true")
    }

    @Test func replacedTextsAreSweptOut() throws {
        let accumulator = TextExtreme(isMaximum: true)
        accumulator.reserve(16)
        let column = Column(.string)
        for index in 0..<5000 {
            column.append(String(repeating: "x", count: 100) + String(10_000 + index))
        }
        let rows = (0..<5000).map { Int32($0) }
        let slots = rows.map { $0 % 4 }
        rows.withUnsafeBufferPointer { rows in
            slots.withUnsafeBufferPointer { slots in
                guard let row = rows.baseAddress, let slot = slots.baseAddress else { return }
                for index in 0..<5000 {
                    accumulator.update(
                        RowSlots(rows: row + index, slots: slot + index, count: 1),
                        AggregateInput(arguments: [column], times: nil))
                }
            }
        }
        #expect(accumulator.variableBytes == 4 * 105)
        #expect(accumulator.arenaBytes < 200 << 10)
        let results = Column(.string)
        [Int32(3)].withUnsafeBufferPointer { accumulator.emit($0, into: results) }
        #expect(results.string(0).hasSuffix("14999"))
    }
}
