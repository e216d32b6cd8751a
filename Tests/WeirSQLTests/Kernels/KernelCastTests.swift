// CAST and TRY_CAST among all types: values as Flink and Java write and read them, and what fails.

import Testing
import WeirCore

@testable import WeirSQL

@Suite struct KernelCastTests {
    private func check(
        _ from: DataType, _ to: DataType, _ cases: [(Value, Value)],
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        try expect([from], cases.map { ([$0.0], $0.1) }, location) {
            .cast($0[0], to: to, isTry: false)
        }
        let quiet = cases.map { ([$0.0], $0.1 == .failed ? Value.null : $0.1) }
        try expect([from], quiet, location) { .cast($0[0], to: to, isTry: true) }
    }

    @Test func numbersToNumbersNeverFail() throws {
        try check(
            .bigint, .int,
            [
                (12_345_678_901, -539_222_987), (.int(.min), 0), (5, 5), (.null, .null),
            ])
        try check(.int, .bigint, [(7, 7), (.null, .null)])
        try check(.int, .double, [(7, 7.0), (.null, .null)])
        try check(
            .double, .int,
            [
                (123.9, 123), (-123.9, -123), (1e20, 2_147_483_647), (-1e20, -2_147_483_648),
                (.double(.nan), 0), (.double(.infinity), 2_147_483_647), (.null, .null),
            ])
        try check(
            .double, .bigint,
            [
                (1e20, .int(.max)), (-1e20, .int(.min)), (9_223_372_036_854_775_807.0, .int(.max)),
                (-9_223_372_036_854_775_808.0, .int(.min)), (.double(.nan), 0), (-0.9, 0),
            ])
        try check(.boolean, .int, [(true, 1), (false, 0), (.null, .null)])
        try check(.boolean, .double, [(true, 1.0), (false, 0.0)])
        try check(.bigint, .boolean, [(0, false), (-7, true), (.null, .null)])
        try check(.double, .boolean, [(0.5, true), (0.0, false)])
        try check(.timestamp, .timestampLTZ, [(1234, 1234), (.null, .null)])
    }

    @Test func textToNumbers() throws {
        try check(
            .string, .int,
            [
                ("123", 123), ("  -123 ", -123), ("+5", 5), ("1.99", 1), ("-1.99", -1), ("7.", 7),
                ("2147483647", 2_147_483_647), ("2147483648", .failed),
                ("-2147483648", -2_147_483_648),
                ("", .failed), (" ", .failed), ("-", .failed), (".", .failed), ("1x", .failed),
                ("1.x", .failed),
                ("1e3", .failed), ("1 2", .failed), ("foo", .failed), (.null, .null),
            ])
        try check(
            .string, .bigint,
            [
                ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
                ("9223372036854775808", .failed), ("99999999999999999999999", .failed), ("0", 0),
            ])
        try check(
            .string, .double,
            [
                ("1.234", 1.234), (" -3276913443134 ", -3_276_913_443_134.0), ("1e3", 1000.0),
                (".5", 0.5), ("5.", 5.0),
                ("1E-400", 0.0), ("1e400", .double(.infinity)), ("NaN", .double(.nan)),
                ("-Infinity", .double(-.infinity)),
                ("0.1e-5", 0.000001),
                ("123456789012345678901234567890", 123456789012345678901234567890.0),
                ("4.35", 4.35), ("9007199254740993", 9007199254740992.0),
                ("1e99999999999999999999", .double(.infinity)),
                ("inf", .failed), ("nan", .failed), ("0x10", .failed), ("1e", .failed),
                ("1e+", .failed), (".", .failed),
                ("1.2.3", .failed), ("", .failed), ("1,5", .failed), ("--1", .failed),
                (.null, .null),
            ])
    }

    @Test func textAndTruth() throws {
        try check(
            .string, .boolean,
            [
                ("true", true), ("T", true), ("yes", true), ("Y", true), ("1", true),
                ("FALSE", false), ("f", false),
                ("no", false), ("N", false), ("0", false), ("2", .failed), ("", .failed),
                ("truth", .failed), (.null, .null),
            ])
        try check(.boolean, .string, [(true, "TRUE"), (false, "FALSE"), (.null, .null)])
    }

    @Test func numbersToTextAsJavaWritesThem() throws {
        try check(.int, .string, [(0, "0"), (-1_234_567, "-1234567"), (.null, .null)])
        try check(
            .bigint, .string,
            [
                (.int(.min), "-9223372036854775808"), (.int(.max), "9223372036854775807"),
            ])
        try check(
            .double, .string,
            [
                (1.0, "1.0"), (0.0, "0.0"), (-0.0, "-0.0"), (123.456, "123.456"),
                (-123.456789, "-123.456789"),
                (1e10, "1.0E10"), (12_345_678_800.0, "1.23456788E10"), (9_999_999.0, "9999999.0"),
                (1e7, "1.0E7"),
                (0.001, "0.001"), (0.0009, "9.0E-4"), (1e-7, "1.0E-7"),
                (1.7976931348623157e308, "1.7976931348623157E308"),
                (2.2250738585072014e-308, "2.2250738585072014E-308"), (0.1, "0.1"),
                (100.0, "100.0"), (1234567.891, "1234567.891"),
                (0.30000000000000004, "0.30000000000000004"),
                (3.141592653589793, "3.141592653589793"),
                (.double(.nan), "NaN"), (.double(.infinity), "Infinity"),
                (.double(-.infinity), "-Infinity"), (.null, .null),
            ])
    }

    @Test func writtenDoublesReadBack() throws {
        let seed: UInt64 = 7_041_776
        var random = SeededGenerator(seed: seed)
        var bytes = [UInt8](repeating: 0, count: NumberText.lengthMax)
        for i in 0..<20_000 {
            let value =
                switch i % 3 {
                case 0: Double(bitPattern: random.next())
                case 1: Double(Int64.random(in: -10_000_000...10_000_000, using: &random)) / 1000
                default: Double.random(in: -1e8...1e8, using: &random)
                }
            guard value.isFinite else { continue }
            bytes.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                let length = NumberText.write(value, to: base)
                let text = UnsafeBufferPointer(start: UnsafePointer(base), count: length)
                let string = String(decoding: text, as: UTF8.self)
                #expect(NumberText.double(text) == value, "\(string), seed \(seed)")
                #expect(Double(string) == value, "\(string), seed \(seed)")
                // Never more digits than the shortest text of the value has (a whole number's zeros
                // and Java's one digit behind the point aside).
                func digits(_ text: String) -> String {
                    let all = text.prefix { $0 != "e" && $0 != "E" }.filter(\.isNumber)
                    return String(all.drop { $0 == "0" }.reversed().drop { $0 == "0" }.reversed())
                }
                #expect(digits(string) == digits(value.description), "\(value), seed \(seed)")
            }
        }
    }

    @Test func textAndTimestamps() throws {
        let cases: [(Value, Value)] = [
            ("2021-09-27", 1_632_700_800_000), ("2021-09-27 12:34:56.123456789", 1_632_746_096_123),
            ("1999-9-10 05:20:10.123456", 936_940_810_123), ("1999-9-1 5:2:1", 936_162_121_000),
            ("2021-02-30", 1_614_470_400_000), ("1500-04-30 12:00:00", -14_821_444_800_000),
            ("2021/09/27", .failed), ("123", .failed), ("foo", .failed), ("", .failed),
            ("2021-13-01", .failed),
            ("2021-00-01", .failed), ("2021-01-00", .failed), ("2021-01-32", .failed),
            ("2021-01-01 24:00:00", .failed),
            ("2021-01-01 10:20", .failed), ("2021-01-01T10:20:30", .failed),
            ("2021-01-01 10:20:30x", .failed),
            ("0000-01-01", .failed), (" 2021-01-01", .failed), (.null, .null),
        ]
        try check(.string, .timestamp, cases)
        try check(.string, .timestampLTZ, cases)
        try check(
            .timestamp, .string,
            [
                (1_632_746_096_100, "2021-09-27 12:34:56.100"), (-1, "1969-12-31 23:59:59.999"),
                (.null, .null),
            ])
        try check(.timestampLTZ, .string, [(0, "1970-01-01 00:00:00.000")])
        try check(
            .interval, .string,
            [
                (172_800_000, "+2 00:00:00.000"), (-10_000, "-0 00:00:10.000"),
                (29_412_005, "+0 08:10:12.005"), (.null, .null),
            ])
    }

    @Test func arraysAreCastElementByElement() throws {
        let numbers: [(Value, Value)] = [
            (.array([1, .null, -3]), .array([1.0, .null, -3.0])), (.null, .null),
            (.array([]), .array([])),
        ]
        try check(.array(.bigint), .array(.double), numbers)
        try check(
            .array(.bigint), .string, [(.array([1, .null, 3]), "[1, NULL, 3]"), (.null, .null), (.array([]), "[]")])
        let texts = makeColumn(.array(.string), [.array(["1", "x"]), .null, .array(["y", "2"])])
        let cast = BoundExpression.cast(.column(index: 0, type: .array(.string)), to: .array(.int), isTry: false)
        let (found, errors) = try evaluate(cast, [texts])
        #expect(found == [.array([1, .null]), .null, .array([.null, 2])])
        #expect(errors == 2)
        // In rows that do not count, elements do not count.
        let guarded = BoundExpression.conditional(
            branches: [.init(condition: .column(index: 1, type: .boolean), result: cast)], otherwise: nil,
            type: .array(.int))
        let (kept, counted) = try evaluate(guarded, [texts, makeColumn(.boolean, [false, false, true])])
        #expect(kept == [.null, .null, .array([.null, 2])])
        #expect(counted == 1)
    }

    @Test func nullLiteralsTakeAnyType() throws {
        for type in [DataType.boolean, .int, .double, .string, .timestamp, .array(.string)] {
            let (found, errors) = try evaluate(
                .cast(.literal(.null, type: .null), to: type, isTry: false), [makeColumn(.int, [1, 2])])
            #expect(found == [.null, .null])
            #expect(errors == 0)
        }
        let (found, _) = try evaluate(.literal(.null, type: .null), [makeColumn(.int, [1, 2])])
        #expect(found == [.null, .null])
    }
}
