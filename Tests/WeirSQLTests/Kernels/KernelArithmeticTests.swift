// Arithmetic, rounding and functions of numbers: results, NULLs, wrapping, and what counts as
// failed.

import Testing
import WeirCore

@testable import WeirSQL

private let intMax = Int64(Int32.max)
private let intMin = Int64(Int32.min)

@Suite struct KernelArithmeticTests {
    @Test func intWrapsAt32BitsAndBigintAt64() throws {
        try expect(
            .add, [.int, .int],
            [
                ([1, 2], 3), ([.int(intMax), 1], .int(intMin)), ([.int(intMin), -1], .int(intMax)),
                ([.null, 1], .null), ([1, .null], .null), ([.null, .null], .null),
            ])
        try expect(
            .subtract, [.int, .int], [([.int(intMin), 1], .int(intMax)), ([5, 7], -2), ([.null, 7], .null)])
        try expect(
            .multiply, [.int, .int], [([65_536, 65_536], 0), ([.int(intMax), 2], -2), ([-3, 4], -12)])
        try expect(
            .add, [.bigint, .bigint],
            [
                ([.int(.max), 1], .int(.min)), ([.int(intMax), 1], .int(intMax + 1)),
                ([.null, 1], .null),
            ])
        try expect(
            .subtract, [.bigint, .bigint], [([.int(.min), 1], .int(.max)), ([3, 4], -1)])
        try expect(
            .multiply, [.bigint, .bigint],
            [
                ([.int(.max), 2], -2), ([1_099_511_627_776, 8], 8_796_093_022_208),
            ])
        try expect(
            .negate, [.int], [([.int(intMin)], .int(intMin)), ([5], -5), ([.null], .null)])
        try expect(.negate, [.bigint], [([.int(.min)], .int(.min)), ([-7], 7)])
        try expect(.negate, [.double], [([0.0], -0.0), ([1.5], -1.5), ([.null], .null)])
    }

    @Test func integerDivisionTruncatesAndByZeroIsNullAndCounted() throws {
        let cases: [([Value], Value)] = [
            ([7, 2], 3), ([-7, 2], -3), ([7, -2], -3), ([7, 0], .failed), ([0, 0], .failed),
            ([.null, 0], .null), ([7, .null], .null), ([.null, .null], .null),
        ]
        try expect(.divide, [.int, .int], cases + [([.int(intMin), -1], .int(intMin))])
        try expect(.divide, [.bigint, .bigint], cases + [([.int(.min), -1], .int(.min))])
        let remainders: [([Value], Value)] = [
            ([7, 2], 1), ([-26, 5], -1), ([26, -5], 1), ([7, 0], .failed), ([.null, 0], .null),
            ([7, -1], 0), ([.int(.min), -1], 0),
        ]
        try expect(.modulo, [.bigint, .bigint], remainders)
        try expect(.mod, [.bigint, .bigint], remainders)
    }

    @Test func theRemainderHasTheTypeOfTheDivisor() throws {
        let signature = try #require(ScalarFunction.mod.signature(for: [.bigint, .int]))
        #expect(signature.arguments == [.bigint, .bigint])
        #expect(signature.result == .int)
        #expect(ScalarFunction.modulo.signature(for: [.int, .bigint])?.result == .bigint)
    }

    @Test func doublesDivideByIEEERules() throws {
        try expect(
            .divide, [.double, .double],
            [
                ([1.0, 0.0], .double(.infinity)), ([-1.0, 0.0], .double(-.infinity)),
                ([0.0, 0.0], .double(.nan)), ([1.0, 4.0], 0.25), ([.null, 0.0], .null),
            ])
        try expect(
            .modulo, [.double, .double],
            [([7.5, 2.0], 1.5), ([-7.5, 2.0], -1.5), ([1.0, 0.0], .double(.nan))])
        try expect(
            .add, [.double, .double],
            [
                ([0.1, 0.2], .double(0.1 + 0.2)), ([1.0, .null], .null),
            ])
        try expect(.subtract, [.double, .double], [([1.0, 0.75], 0.25)])
        try expect(.multiply, [.double, .double], [([-0.5, 4.0], -2.0), ([.null, .null], .null)])
    }

    @Test func intervalsMoveTimestamps() throws {
        try expect(.add, [.timestamp, .interval], [([1000, 500], 1500), ([1000, .null], .null)])
        try expect(.add, [.interval, .timestampLTZ], [([500, 1000], 1500)])
        try expect(.subtract, [.timestampLTZ, .interval], [([1000, 1500], -500)])
        try expect(.multiply, [.interval, .bigint], [([1000, 3], 3000)])
        #expect(ScalarFunction.subtract.signature(for: [.interval, .timestamp]) == nil)
        #expect(ScalarFunction.add.signature(for: [.timestamp, .timestamp]) == nil)
    }

    @Test func roundingGoesByTheDecimalFormHalfAwayFromZero() throws {
        try expect(
            .round, [.double, .int],
            [
                ([1.005, 2], 1.01), ([2.5, 0], 3.0), ([-2.5, 0], -3.0), ([-12.345, 2], -12.35),
                ([0.285, 2], 0.29), ([1234.5, -2], 1200.0), ([1250.0, -2], 1300.0), ([0.4, 0], 0.0),
                ([1e300, 2], 1e300), ([123.456, 20], 123.456), ([49.0, -2], 0.0),
                ([50.0, -2], 100.0),
                ([.double(.nan), 1], .double(.nan)), ([.double(.leastNonzeroMagnitude), 3], 0.0),
                ([.null, 1], .null),
                ([9.999, 2], 10.0), ([-0.4, 0], 0.0), ([-0.0, 1], 0.0), ([-0.0001, 2], 0.0),
                ([4_503_599_627_370_497.5, 0], 4_503_599_627_370_498.0),
            ])
        try expect(.round, [.double], [([0.5], 1.0), ([-0.5], -1.0), ([1.4], 1.0)])
        try expect(
            .round, [.bigint, .int],
            [
                ([1250, -2], 1300), ([-1250, -2], -1300), ([1249, -2], 1200), ([7, 3], 7),
                ([.int(.max), -19], .int(-8_446_744_073_709_551_616)), ([.int(.max), -20], 0),
                ([5, -1], 10), ([4, -1], 0), ([.null, 1], .null),
            ])
        try expect(
            .truncate, [.double, .int],
            [
                ([0.46, 1], 0.4), ([42.345, 2], 42.34), ([-42.345, 2], -42.34), ([0.46, 0], 0.0),
                ([2.3, 1], 2.3), ([-0.46, 0], 0.0), ([1e-7, 3], 0.0), ([42.9, -1], 40.0), ([.null, 1], .null),
            ])
        try expect(.truncate, [.int, .int], [([42, -1], 40), ([42, -3], 0), ([-49, -1], -40)])
    }

    @Test func roundingAgreesWithTheWrittenDigits() throws {
        let seed: UInt64 = 20_260_701
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            // Values with a known decimal form: n / 10^4, rounded to two digits by integers.
            let n = Int64.random(in: -99_999_999...99_999_999, using: &random)
            let value = Double(n) / 10_000
            let half = n.magnitude + 50
            let wanted = Double(half / 100) / 100 * (n < 0 ? -1 : 1)
            let rounded = DecimalRounding.round(value, places: 2, isTruncation: false)
            #expect(rounded == wanted, "\(value), seed \(seed)")
            let cut = DecimalRounding.round(value, places: 2, isTruncation: true)
            #expect(cut == Double(n / 100) / 100, "\(value), seed \(seed)")
        }
    }

    @Test func roundingBeyondAllDigitsWrapsAsJavaDoes() {
        let half: Int64 = 5_000_000_000_000_000_000
        let unit = Int64(truncatingIfNeeded: 10_000_000_000_000_000_000 as UInt64)
        func round(_ value: Int64, _ places: Int) -> Int64 {
            DecimalRounding.round(value, places: places, isTruncation: false)
        }
        #expect(round(half, -19) == unit && round(-half, -19) == 0 &- unit)
        #expect(round(half - 1, -19) == 0 && round(1 - half, -19) == 0)
        #expect(round(.max, -20) == 0 && round(.min, -400) == 0)
        #expect(round(half, -18) == half && round(half + half / 10, -18) == half + half / 5)
    }

    @Test func functionsOfOneNumber() throws {
        try expect(.abs, [.int], [([-5], 5), ([.int(intMin)], .int(intMin)), ([.null], .null)])
        try expect(.abs, [.bigint], [([.int(.min)], .int(.min)), ([-5], 5)])
        try expect(.abs, [.double], [([-0.0], 0.0), ([-1.5], 1.5)])
        try expect(.floor, [.double], [([2.5], 2.0), ([-2.5], -3.0), ([.null], .null)])
        try expect(.floor, [.bigint], [([-3], -3)])
        try expect(.ceil, [.double], [([2.5], 3.0), ([-2.5], -2.0)])
        try expect(
            .sign, [.double],
            [
                ([-1.1], -1.0), ([0.0], 0.0), ([.double(.nan)], .double(.nan)),
            ])
        try expect(.sign, [.bigint], [([44], 1), ([-9], -1), ([0], 0), ([.null], .null)])
        try expect(.sqrt, [.double], [([4.0], 2.0), ([-1.0], .double(.nan)), ([.null], .null)])
        try expect(.exp, [.double], [([0.0], 1.0), ([1000.0], .double(.infinity))])
        try expect(
            .ln, [.double], [([1.0], 0.0), ([0.0], .double(-.infinity)), ([-1.0], .double(.nan))])
        try expect(.log10, [.double], [([1000.0], 3.0)])
        try expect(.log2, [.double], [([4.6], 2.2016338611696504), ([100.0], 6.643856189774725)])
        try expect(
            .power, [.double, .double],
            [
                ([5.0, 5.0], 3125.0), ([-1.0, 0.5], .double(.nan)), ([0.0, 0.0], 1.0),
                ([1.0, .double(.nan)], .double(.nan)), ([-1.0, .double(.infinity)], .double(.nan)),
                ([.double(.nan), 0.0], 1.0), ([.null, 1.0], .null), ([2.0, .null], .null),
            ])
    }
}
