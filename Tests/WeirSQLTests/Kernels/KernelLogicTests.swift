// Comparison and three-valued logic, CASE and its relatives, IN; and that nothing is counted as
// failed in a branch that a row does not take.

import Testing
import WeirCore

@testable import WeirSQL

private let truths: [Value] = [true, false, .null]

@Suite struct KernelLogicTests {
    @Test func andOrNotAreThreeValued() throws {
        var ands: [([Value], Value)] = []
        var ors: [([Value], Value)] = []
        for a in truths {
            for b in truths {
                let isFalse = a == false || b == false
                let isTrue = a == true || b == true
                ands.append(([a, b], isFalse ? false : a.isNull || b.isNull ? .null : true))
                ors.append(([a, b], isTrue ? true : a.isNull || b.isNull ? .null : false))
            }
        }
        try expect(.and, [.boolean, .boolean], ands)
        try expect(.or, [.boolean, .boolean], ors)
        try expect(
            .and, [.boolean, .boolean, .boolean],
            [
                ([true, true, .null], .null), ([.null, true, false], false),
            ])
        try expect(.not, [.boolean], [([true], false), ([false], true), ([.null], .null)])
        try expect(.isNull, [.boolean], [([true], false), ([.null], true)])
        try expect(.isNotNull, [.string], [(["a"], true), ([.null], false)])
        try expect(.isTrue, [.boolean], [([true], true), ([false], false), ([.null], false)])
        try expect(.isNotTrue, [.boolean], [([true], false), ([false], true), ([.null], true)])
        try expect(.isFalse, [.boolean], [([true], false), ([false], true), ([.null], false)])
        try expect(.isNotFalse, [.boolean], [([true], true), ([false], false), ([.null], true)])
    }

    /// Every comparison against what the values' own order says.
    private func checkComparisons(_ type: DataType, _ ordered: [Value], equalTo: (Int, Int) -> Bool) throws {
        var cases: [ScalarFunction: [([Value], Value)]] = [:]
        for (i, a) in ordered.enumerated() {
            for (j, b) in ordered.enumerated() {
                let isNull = a.isNull || b.isNull
                let isEqual = equalTo(i, j)
                func add(_ function: ScalarFunction, _ value: Bool) {
                    cases[function, default: []].append(([a, b], isNull ? .null : .bool(value)))
                }
                add(.equal, isEqual)
                add(.notEqual, !isEqual)
                add(.less, i < j && !isEqual)
                add(.lessOrEqual, i < j || isEqual)
                add(.greater, i > j && !isEqual)
                add(.greaterOrEqual, i > j || isEqual)
                let isDistinct = a.isNull != b.isNull || (!a.isNull && !isEqual)
                cases[.isDistinctFrom, default: []].append(([a, b], .bool(isDistinct)))
                cases[.isNotDistinctFrom, default: []].append(([a, b], .bool(!isDistinct)))
            }
        }
        for (function, list) in cases { try expect(function, [type, type], list) }
    }

    @Test func valuesCompareInTheirOrderAndNullsGiveNull() throws {
        try checkComparisons(.bigint, [.int(.min), -1, 0, 1, .int(.max), .null]) { $0 == $1 }
        try checkComparisons(.double, [.double(-.infinity), -1.5, -0.0, 0.0, 2.5, .null]) {
            $0 == $1 || ([2, 3].contains($0) && [2, 3].contains($1))
        }
        try checkComparisons(.boolean, [false, true, .null]) { $0 == $1 }
        try checkComparisons(.string, ["", "A", "Aa", "B", "a", "é", "\u{FFFF}", "😀", .null]) { $0 == $1 }
        try checkComparisons(.timestampLTZ, [-5, 0, 5, .null]) { $0 == $1 }
    }

    @Test func nanEqualsNothing() throws {
        let nan = Value.double(.nan)
        try expect(.equal, [.double, .double], [([nan, nan], false), ([nan, 1.0], false)])
        try expect(.notEqual, [.double, .double], [([nan, nan], true)])
        try expect(.less, [.double, .double], [([nan, 1.0], false), ([1.0, nan], false)])
        try expect(.greaterOrEqual, [.double, .double], [([nan, nan], false)])
    }

    @Test func caseTakesTheFirstTrueBranch() throws {
        try expect(
            [.boolean, .boolean, .bigint, .bigint],
            [
                ([true, true, 1, 2], 1), ([false, true, 1, 2], 2), ([.null, true, 1, 2], 2),
                ([false, .null, 1, 2], .null), ([true, false, .null, 2], .null),
            ]
        ) { a in
            .conditional(
                branches: [.init(condition: a[0], result: a[2]), .init(condition: a[1], result: a[3])],
                otherwise: nil, type: .bigint)
        }
        try expect(
            [.boolean, .string, .string],
            [([true, "ä", "b"], "ä"), ([false, "a", "b"], "b"), ([.null, "a", .null], .null)]
        ) { a in
            .conditional(
                branches: [.init(condition: a[0], result: a[1])], otherwise: a[2], type: .string)
        }
        try expect(
            [.boolean, .double], [([true, 1.5], 1.5), ([false, 1.5], -1.0)]
        ) { a in
            .conditional(
                branches: [.init(condition: a[0], result: a[1])], otherwise: literal(-1.0, .double),
                type: .double)
        }
    }

    @Test func failuresInBranchesNotTakenDoNotCount() throws {
        let x = BoundExpression.column(index: 0, type: .bigint)
        let quotient = call(.divide, literal(10, .bigint), x)
        let isZero = call(.equal, x, literal(0, .bigint))
        let columns = [makeColumn(.bigint, [0, 5, .null, 0, 2])]
        let guarded = BoundExpression.conditional(
            branches: [.init(condition: isZero, result: literal(-1, .bigint))], otherwise: quotient,
            type: .bigint)
        var (found, errors) = try evaluate(guarded, columns)
        #expect(found == [-1, 2, .null, -1, 5])
        #expect(errors == 0)
        (found, errors) = try evaluate(call(.coalesce, x, quotient), [makeColumn(.bigint, [0, .null, 4])])
        #expect(found == [0, .null, 4])
        #expect(errors == 0)
        let isBig = call(.greater, quotient, literal(3, .bigint))
        (found, errors) = try evaluate(call(.and, call(.not, isZero), isBig), columns)
        #expect(found == [false, false, .null, false, true])
        #expect(errors == 0)
        (found, errors) = try evaluate(call(.or, isZero, isBig), columns)
        #expect(found == [true, false, .null, true, true])
        #expect(errors == 0)
        // The other way round the division comes first and does count.
        (found, errors) = try evaluate(call(.and, isBig, call(.not, isZero)), columns)
        #expect(found == [false, false, .null, false, true])
        #expect(errors == 2)
        // Masks nest: a CASE inside of an AND inside of a CASE.
        let nested = BoundExpression.conditional(
            branches: [.init(condition: call(.isNotNull, x), result: call(.and, call(.not, isZero), isBig))],
            otherwise: call(.equal, quotient, quotient), type: .boolean)
        (found, errors) = try evaluate(nested, columns)
        #expect(found == [false, false, .null, false, true])
        #expect(errors == 0)
    }

    @Test func coalesceNullifGreatestLeast() throws {
        try expect(
            .coalesce, [.bigint, .bigint, .bigint],
            [
                ([.null, .null, 3], 3), ([.null, 2, 3], 2), ([1, .null, 3], 1),
                ([.null, .null, .null], .null),
            ])
        try expect(.coalesce, [.string, .string], [([.null, "ö"], "ö"), (["a", .null], "a")])
        try expect(
            .nullif, [.bigint, .bigint],
            [
                ([1, 1], .null), ([1, 2], 1), ([1, .null], 1), ([.null, 1], .null),
            ])
        try expect(.nullif, [.int, .double], [([1, 1.0], .null), ([1, 1.5], 1)])
        try expect(.nullif, [.string, .string], [(["a", "a"], .null), (["a", "b"], "a")])
        try expect(.greatest, [.bigint, .bigint, .bigint], [([1, 3, 2], 3), ([1, .null, 2], .null)])
        try expect(
            .least, [.double, .double],
            [
                ([1.5, -2.5], -2.5), ([.null, 1.0], .null), ([.double(.nan), 1.5], 1.5),
                ([1.5, .double(.nan)], 1.5),
            ])
        try expect(
            .greatest, [.double, .double],
            [
                ([.double(.nan), 1.5], .double(.nan)),
                ([.double(.infinity), .double(.nan)], .double(.nan)),
            ])
        try expect(.least, [.string, .string], [(["hello", "hellp"], "hello"), (["b", "ab"], "ab")])
        try expect(
            .greatest, [.boolean, .boolean],
            [
                ([false, true], true), ([false, false], false),
            ])
    }

    @Test func inListsAreThreeValued() throws {
        func check(_ type: DataType, _ list: [Value], _ cases: [(Value, Value)]) throws {
            let elements = list.map { literal($0, type) }
            try expect([type], cases.map { ([$0.0], $0.1) }) {
                .inList($0[0], list: elements, isNegated: false)
            }
            let negated = cases.map { ([$0.0], $0.1.isNull ? Value.null : .bool($0.1 == false)) }
            try expect([type], negated) { .inList($0[0], list: elements, isNegated: true) }
        }
        try check(.bigint, [1, 2, 42], [(1, true), (3, false), (.null, .null), (42, true)])
        try check(.bigint, [1, .null], [(1, true), (3, .null), (.null, .null)])
        try check(.string, ["a", "ü", ""], [("ü", true), ("", true), ("b", false), (.null, .null)])
        try check(.double, [0.0, 1.5], [(-0.0, true), (.double(.nan), false), (1.5, true)])
        try check(.boolean, [true], [(true, true), (false, false), (.null, .null)])
        let many = (0..<100).map { Value.int($0 * 7) }
        try check(.bigint, many, (0..<50).map { (.int($0), .bool($0 % 7 == 0)) } + [(.null, .null)])
        let doubles = (0..<20).map { Value.double(Double($0)) }
        try check(
            .double, doubles,
            [
                (-0.0, true), (19.0, true), (19.5, false), (.double(.nan), false),
            ])
        let words = (0..<200).map { Value.text("a word of some length \($0)") }
        try check(.string, words, [(words[7], true), (words[199], true), ("a word", false)])
    }

    @Test func inListsTakeExpressions() throws {
        try expect(
            [.bigint, .bigint],
            [([1, 1], true), ([1, 2], false), ([5, 2], true), ([1, .null], .null), ([5, .null], true)]
        ) { .inList($0[0], list: [literal(5, .bigint), $0[1]], isNegated: false) }
    }

    @Test func predicatesSelectTrueRowsOnly() throws {
        let schema = Schema([Field("a", .double)])
        let batch = Batch(
            schema: schema, columns: [makeColumn(.double, [81.0, 80.0, .null, 99.5, .double(.nan)])],
            rowCount: 5)
        let column = BoundExpression.column(index: 0, type: .double)
        let hot = try CompiledPredicate(call(.greater, column, literal(80.0, .double)))
        var rows = [Int32](repeating: -1, count: 5)
        var count = rows.withUnsafeMutableBufferPointer { hot.select(batch, into: $0.baseAddress!) }
        #expect(rows[0..<count] == [0, 3])
        let not = try CompiledPredicate(call(.not, call(.greater, column, literal(80.0, .double))))
        count = rows.withUnsafeMutableBufferPointer { not.select(batch, into: $0.baseAddress!) }
        #expect(rows[0..<count] == [1, 4])
        let never = try CompiledPredicate(.literal(.null, type: .boolean))
        count = rows.withUnsafeMutableBufferPointer { never.select(batch, into: $0.baseAddress!) }
        #expect(count == 0)
    }
}
