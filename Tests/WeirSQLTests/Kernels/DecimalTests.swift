// Decimals: arithmetic against plain long arithmetic on digits, the rules of result types, text, casts.

import Testing
import WeirCore

@testable import WeirSQL

private func decimal(_ precision: Int, _ scale: Int) -> DataType {
    .decimal(precision: precision, scale: scale)
}

/// Units of a decimal literal, as text that both layouts of the test kit know.
private func value(_ units: Int128, _ type: DataType) -> Value {
    type.physical == .int64 ? .int(Int64(units)) : .text("\(units)")
}

@Suite struct DecimalTypeTests {
    @Test(arguments: [
        (ScalarFunction.add, decimal(10, 2), decimal(10, 4), decimal(13, 4)),
        (.add, decimal(38, 10), decimal(38, 28), decimal(38, 9)),
        (.add, decimal(30, 0), .int, decimal(31, 0)),
        (.subtract, decimal(7, 2), .int, decimal(13, 2)),
        (.multiply, decimal(10, 2), decimal(5, 3), decimal(16, 5)),
        (.divide, decimal(20, 2), decimal(2, 1), decimal(25, 6)),
        (.divide, decimal(20, 2), decimal(4, 3), decimal(28, 7)),
        (.divide, decimal(20, 2), decimal(20, 10), decimal(38, 10)),
        (.divide, decimal(20, 2), decimal(20, 16), decimal(38, 6)),
        (.divide, .int, decimal(10, 2), decimal(23, 11)),
        (.mod, decimal(10, 2), decimal(10, 4), decimal(10, 4)),
        (.mod, .int, decimal(10, 2), decimal(10, 2)),
        (.add, decimal(10, 2), .double, .double), (.multiply, .float, decimal(5, 1), .double),
        (.add, .float, .double, .float), (.add, .float, .int, .float),
    ])
    func resultsHaveFlinksTypes(
        _ function: ScalarFunction, _ a: DataType, _ b: DataType, _ wanted: DataType
    ) {
        #expect(function.signature(for: [a, b])?.result == wanted)
    }

    @Test func casesKeepDigitsBeforeThePoint() {
        #expect(DataType.leastRestrictive([decimal(8, 4), decimal(10, 2)]) == decimal(12, 4))
        #expect(DataType.leastRestrictive([decimal(8, 4), .int]) == decimal(14, 4))
        #expect(DataType.leastRestrictive([decimal(38, 10), .bigint]) == decimal(38, 10))
        #expect(DataType.leastRestrictive([decimal(8, 4), .float]) == .double)
        #expect(decimal(10, 2).sumType == decimal(38, 2))
        #expect(decimal(10, 2).averageType == decimal(38, 6))
        #expect(DataType.leastRestrictive([.date, .timestamp]) == .timestamp)
    }
}

@Suite struct DecimalTextTests {
    @Test(arguments: [
        ("12.5", 3, 1, Decimals.Parsed.value(125)), ("-0.005", 5, 2, .value(-1)),
        ("0.0049", 5, 2, .value(0)), ("1e3", 5, 1, .value(10_000)), ("1e4", 5, 1, .outOfRange),
        ("12345.678", 5, 0, .value(12_346)), (".5", 2, 1, .value(5)), ("5.", 2, 0, .value(5)),
        ("", 5, 2, .notANumber), ("1.2.3", 5, 2, .notANumber), ("abc", 5, 2, .notANumber),
        ("1e", 5, 2, .notANumber), ("-1e-50", 5, 2, .value(0)), ("1e50", 38, 0, .outOfRange),
        ("0e999", 5, 2, .value(0)),
    ])
    func textsAreRead(_ text: String, _ precision: Int, _ scale: Int, _ wanted: Decimals.Parsed) {
        var text = text
        #expect(text.withUTF8 { Decimals.parse($0, precision: precision, scale: scale) } == wanted)
    }

    @Test func textsAreWritten() {
        #expect(Decimals.string(0, scale: 0) == "0")
        #expect(Decimals.string(-5, scale: 3) == "-0.005")
        #expect(Decimals.string(12_500, scale: 2) == "125.00")
        let most = Decimals.power(38) - 1
        #expect(Decimals.string(-most, scale: 0) == "-" + String(repeating: "9", count: 38))
        #expect(Decimals.string(most, scale: 38) == "0." + String(repeating: "9", count: 38))
    }

    @Test func doublesAreTheNearest() {
        #expect(Decimals.double(1, scale: 1) == 0.1)
        #expect(Decimals.double(123_456_789_012_345_678, scale: 9) == 123_456_789.012_345_678)
        #expect(Decimals.double(Decimals.power(37), scale: 0) == 1e37)
    }
}

@Suite struct DecimalArithmeticTests {
    /// Every operation over random decimals of many shapes, against products and quotients of integers
    /// that are small enough to be exact in 128 bits.
    @Test(arguments: 1...40) func smallOnesAgreeWithIntegers(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let shape = { (random: inout SeededGenerator) -> DataType in
            let precision = Int.random(in: 1...9, using: &random)
            return decimal(precision, Int.random(in: 0...precision, using: &random))
        }
        let (a, b) = (shape(&random), shape(&random))
        let bounds = [a, b].map { Int64(Decimals.power($0.decimalShape?.precision ?? 0)) - 1 }
        for function in [ScalarFunction.add, .subtract, .multiply, .divide, .mod] {
            guard let result = function.signature(for: [a, b])?.result,
                let p = a.decimalShape, let q = b.decimalShape, let r = result.decimalShape
            else { preconditionFailure("decimals") }
            let pairs = (0..<20).map { _ in
                (
                    Int64.random(in: -bounds[0]...bounds[0], using: &random),
                    Int64.random(in: -bounds[1]...bounds[1], using: &random)
                )
            }
            let cases = pairs.map { x, y -> ([Value], Value) in
                let common = max(p.scale, q.scale)
                let left = Int128(x) * Decimals.power(common - p.scale)
                let right = Int128(y) * Decimals.power(common - q.scale)
                let exact: Int128
                switch function {
                case .add: exact = left + right
                case .subtract: exact = left - right
                case .multiply: exact = Int128(x) * Int128(y)
                case .divide:
                    if y == 0 { return ([.int(x), .int(y)], .failed) }
                    exact = halfUp(Int128(x) * Decimals.power(r.scale - p.scale + q.scale), Int128(y))
                default:
                    if y == 0 { return ([.int(x), .int(y)], .failed) }
                    exact = left % right
                }
                return ([.int(x), .int(y)], value(exact, result))
            }
            try expect(function, [a, b], cases)
        }
    }

    private func halfUp(_ a: Int128, _ b: Int128) -> Int128 {
        let (quotient, remainder) = (a.magnitude / b.magnitude, a.magnitude % b.magnitude)
        let up = Int128(quotient) + (remainder * 2 >= b.magnitude ? 1 : 0)
        return (a < 0) != (b < 0) ? -up : up
    }

    @Test func whatHasTooManyDigitsIsNull() throws {
        let wide = decimal(38, 0)
        let most = Decimals.power(38) - 1
        let columns = [Column(wide), Column(wide)]
        for (a, b) in [(most, most), (most, 1), (1, -most), (most, -1)] {
            columns[0].append(a)
            columns[1].append(b)
        }
        let (sums, failed) = try evaluate(
            call(.add, .column(index: 0, type: wide), .column(index: 1, type: wide)), columns)
        #expect(sums == [.null, .null, .text("-\(most - 1)"), .text("\(most - 1)")])
        #expect(failed == 0)
    }

    @Test func longQuotientsAndProductsAreExact() {
        let most = Decimals.power(38) - 1
        #expect(DecimalMath.product(most, most, drop: 38) == most - 1)
        #expect(DecimalMath.quotient(1, 3, shift: 38) == Int128(String(repeating: "3", count: 38)))
        #expect(DecimalMath.quotient(2, 3, shift: 38) == Int128(String(repeating: "6", count: 37) + "7"))
        #expect(DecimalMath.quotient(most, 1, shift: 1) == nil)
        #expect(DecimalMath.quotient(1, Decimals.power(37), shift: 75) == Decimals.power(38))
        #expect(DecimalMath.quotient(-5, 10, shift: 0) == -1)
        #expect(DecimalMath.quotient(most, 3, shift: 0) == Int128(String(repeating: "3", count: 38)))
        // To 38 digits the quotient is 0.5, and so it is rounded up as Flink does.
        let half = Decimals.power(37) * 5
        #expect(DecimalMath.quotient(half - 1 + Decimals.power(38), Decimals.power(38), shift: 0) == 2)
    }

    @Test func aRemainderBeyond38DigitsHasTheDividendsSign() throws {
        let (whole, fine) = (decimal(38, 0), decimal(38, 10))
        let most = Decimals.power(38) - 1
        let columns = [Column(whole), Column(fine)]
        for (a, b) in [(most, 1), (-most, 1), (most, -1), (-most, -1)] as [(Int128, Int128)] {
            columns[0].append(a)
            columns[1].append(b * 12345678901234567890123)
        }
        let (rests, failed) = try evaluate(
            call(.mod, .column(index: 0, type: whole), .column(index: 1, type: fine)), columns)
        let rest = "4459931999628990193989"
        #expect(rests == [rest, "-" + rest, rest, "-" + rest].map { .text($0) })
        #expect(failed == 0)
    }

    @Test func scalesDoNotMatterToComparisons() throws {
        try expect(
            .equal, [decimal(5, 1), decimal(9, 3)],
            [([15, 1500], true), ([15, 1501], false), ([.null, 1], .null), ([-15, -1500], true)])
        try expect(
            .less, [decimal(5, 1), .bigint],
            [([15, 2], true), ([15, 1], false), ([15, .int(.max)], true), ([-15, .int(.min)], false)])
        #expect(DecimalComparisonKernel.order(Decimals.power(37), 0, 1, 38) > 0)
        #expect(DecimalComparisonKernel.order(-Decimals.power(37), 0, 1, 38) < 0)
    }
}

@Suite struct DecimalCastTests {
    private func cast(_ from: DataType, _ to: DataType, _ cases: [([Value], Value)]) throws {
        try expect([from], cases) { .cast($0[0], to: to, isTry: false) }
    }

    @Test func numbersBecomeDecimals() throws {
        try cast(.int, decimal(5, 2), [([7], 700), ([1000], .null), ([-999], -99900), ([.null], .null)])
        try cast(
            .double, decimal(8, 4),
            [([3.123456], 31235), ([-0.00005], -1), ([1e10], .null), ([.double(.nan)], .failed)])
        try cast(.boolean, decimal(5, 2), [([true], 100), ([false], 0)])
        try cast(
            .string, decimal(8, 4),
            [([" 12.34565 "], 123457), (["12345.6"], .failed), (["x"], .failed), ([""], .failed)])
        try cast(decimal(10, 8), decimal(8, 4), [([1_234_561_234], 123_456), ([1_234_565_000], 123_457)])
    }

    @Test func decimalsBecomeNumbers() throws {
        try cast(decimal(10, 3), .tinyint, [([9_123_870], -93), ([-1999], -1)])
        try cast(decimal(10, 3), .bigint, [([9_123_870], 9123), ([-999], 0)])
        try cast(decimal(10, 3), .double, [([9_123_870], 9123.87)])
        try cast(decimal(10, 3), .boolean, [([0], false), ([1], true)])
        try cast(decimal(10, 3), .string, [([9_123_870], "9123.870"), ([-5], "-0.005")])
    }

    @Test func roundingKeepsToItsPlaces() throws {
        let three = decimal(5, 3)
        let columns = [makeColumn(three, [12_345, -12_345, 999, .null])]
        let x = BoundExpression.column(index: 0, type: three)
        let two = BoundExpression.literal(.integer(2), type: .int)
        let rounded = BoundExpression.call(.round, arguments: [x, two], type: decimal(5, 2))
        #expect(try evaluate(rounded, columns).values == [1235, -1235, 100, .null])
        let cut = BoundExpression.call(.truncate, arguments: [x, two], type: decimal(5, 2))
        #expect(try evaluate(cut, columns).values == [1234, -1234, 99, .null])
        #expect(try evaluate(call(.floor, x), columns).values == [12, -13, 0, .null])
        #expect(try evaluate(call(.ceil, x), columns).values == [13, -12, 1, .null])
        #expect(try evaluate(call(.sign, x), columns).values == [1000, -1000, 1000, .null])
    }
}
