// Functions of timestamps, in UTC, before and after 1970; and functions of arrays.

import Testing
import WeirCore

@testable import WeirSQL

/// Milliseconds of an RFC 3339 text; nil never happens in these tests.
private func at(_ text: String) -> Value {
    TimestampText.parse(text).map { .int($0) } ?? .text("not a timestamp: \(text)")
}

@Suite struct KernelTimeTests {
    @Test func extractGivesTheCalendarsFields() throws {
        let leap = at("2020-02-29T01:56:59.987Z")
        let early = at("1969-12-31T23:59:59.999Z")
        let monday = at("2000-01-31T11:22:33.123Z")
        let newYear = at("2021-01-01T00:00:00Z")
        let wanted: [(ScalarFunction, [Int64])] = [
            (.extractYear, [2020, 1969, 2000, 2021]), (.extractQuarter, [1, 4, 1, 1]),
            (.extractMonth, [2, 12, 1, 1]), (.extractWeek, [9, 1, 5, 53]),
            (.extractDay, [29, 31, 31, 1]),
            (.extractDayOfWeek, [7, 4, 2, 6]), (.extractDayOfYear, [60, 365, 31, 1]),
            (.extractHour, [1, 23, 11, 0]), (.extractMinute, [56, 59, 22, 0]),
            (.extractSecond, [59, 59, 33, 0]), (.extractMillisecond, [987, 999, 123, 0]),
            (.extractEpoch, [1_582_941_419, 0, 949_317_753, 1_609_459_200]),
        ]
        for (function, results) in wanted {
            let moments = [leap, early, monday, newYear]
            let cases = zip(moments, results).map { ([$0], Value.int($1)) } + [([.null], .null)]
            try expect(function, [.timestamp], cases)
            try expect(function, [.timestampLTZ], cases)
        }
    }

    @Test func floorsGoToTheUnitsStart() throws {
        let moment = at("2020-02-29T01:56:59.987Z")
        let wanted: [(ScalarFunction, String)] = [
            (.floorTimeSecond, "2020-02-29T01:56:59Z"), (.floorTimeMinute, "2020-02-29T01:56:00Z"),
            (.floorTimeHour, "2020-02-29T01:00:00Z"), (.floorTimeDay, "2020-02-29T00:00:00Z"),
            (.floorTimeWeek, "2020-02-23T00:00:00Z"), (.floorTimeMonth, "2020-02-01T00:00:00Z"),
            (.floorTimeQuarter, "2020-01-01T00:00:00Z"), (.floorTimeYear, "2020-01-01T00:00:00Z"),
        ]
        for (function, start) in wanted {
            try expect(
                function, [.timestamp],
                [
                    ([moment], at(start)), ([at(start)], at(start)), ([.null], .null),
                ])
        }
        let early = at("1969-12-31T23:59:59.500Z")
        try expect(.floorTimeSecond, [.timestampLTZ], [([early], at("1969-12-31T23:59:59Z"))])
        try expect(.floorTimeDay, [.timestampLTZ], [([early], at("1969-12-31T00:00:00Z"))])
        try expect(
            .floorTimeQuarter, [.timestamp],
            [
                ([at("1969-12-31T01:00:00Z")], at("1969-10-01T00:00:00Z")),
            ])
    }

    @Test func dateFormatWritesThePattern() throws {
        let moment = at("2026-07-01T15:04:05.678Z")
        try expect(
            .dateFormat, [.timestamp, .string],
            [
                ([moment, "yyyy-MM-dd HH:mm:ss.SSS"], "2026-07-01 15:04:05.678"),
                ([moment, "yyyyMMdd"], "20260701"),
                ([moment, "'date='yyyy-MM-dd/'hour='HH"], "date=2026-07-01/hour=15"),
                ([moment, "d.M.yy"], "1.7.26"),
                ([moment, "h:mm a"], "3:04 PM"), ([moment, "DDD"], "182"), ([moment, "S"], "6"),
                ([moment, "SSSSSS"], "678000"),
                ([moment, "H''m"], "15'4"), ([moment, "''"], "'"), ([moment, "'it''s'"], "it's"),
                ([moment, ""], ""),
                ([at("2026-07-01T00:00:00Z"), "hh a"], "12 AM"),
                ([at("0099-01-01T00:00:00Z"), "yyyy u"], "0099 99"),
                ([.null, "yyyy"], .null), ([moment, .null], .null),
            ])
        // Neighbouring rows that differ less than the pattern shows.
        let (found, _) = try evaluate(
            call(.dateFormat, .column(index: 0, type: .timestampLTZ), literal("HH:mm", .string)),
            [makeColumn(.timestampLTZ, [0, 59_999, 60_000, .null, -1, -60_000, -60_001, 0])])
        #expect(found == ["00:00", "00:00", "00:01", .null, "23:59", "23:59", "23:58", "00:00"])
    }

    @Test func patternsThatAreNotSupportedAreRefused() throws {
        let moment = BoundExpression.column(index: 0, type: .timestamp)
        for pattern in ["MMMMMM", "aa", "XXX", "z", "yyyy-[MM]", "'open", "ddd", "yyyy-mmm"] {
            let expression = call(.dateFormat, moment, literal(.text(pattern), .string))
            #expect(throws: Failure.self, "\(pattern)") { try CompiledExpression(expression) }
        }
        let patterns = BoundExpression.column(index: 1, type: .string)
        let (found, errors) = try evaluate(
            call(.dateFormat, moment, patterns),
            [makeColumn(.timestamp, [0, 0]), makeColumn(.string, ["VV", "yyyy"])])
        #expect(found == [.null, "1970"])
        #expect(errors == 1)
    }

    @Test func toTimestampReadsThePatternOrGivesNull() throws {
        try expect(
            .toTimestamp, [.string],
            [
                (["1970-01-01 08:01:40"], 28_900_000),
                (["2017-09-15 00:00:00"], at("2017-09-15T00:00:00Z")),
                (["abc"], .null), (["2017-09-15T00:00:00Z"], .null), ([.null], .null),
            ])
        try expect(
            .toTimestamp, [.string, .string],
            [
                (["20170915000000", "yyyyMMddHHmmss"], at("2017-09-15T00:00:00Z")),
                (["2000020210", "yyyyMMddHH"], at("2000-02-02T10:00:00Z")),
                (["2017-09-15", "yyyy-MM-dd"], at("2017-09-15T00:00:00Z")),
                (["15.9.2017 3:07 PM", "d.M.yyyy h:mm a"], at("2017-09-15T15:07:00Z")),
                (["10:20", "HH:mm"], 37_200_000),
                (["2020 366", "yyyy DDD"], at("2020-12-31T00:00:00Z")),
                (["2021 366", "yyyy DDD"], .null),
                (["12:30:45.5", "HH:mm:ss.S"], 45_045_500), (["25:00", "HH:mm"], .null),
                (["10:20x", "HH:mm"], .null),
                (["2021-02-31", "yyyy-MM-dd"], at("2021-02-28T00:00:00Z")),
                (["99-1-2", "yy-M-d"], at("2099-01-02T00:00:00Z")),
                (["1999-9-10 05:20:10", "yyyyMMdd"], at("1999-09-10T05:20:10Z")),
                ([.null, "yyyy"], .null),
            ])
    }

    @Test func toTimestampLtzTakesSecondsOrMilliseconds() throws {
        try expect(
            .toTimestampLtz, [.bigint, .int],
            [
                ([100, 0], 100_000), ([1234, 3], 1234), ([-100, 0], -100_000),
                ([253_402_300_799_999, 3], 253_402_300_799_999),
                ([253_402_300_800_000, 3], .null), ([-62_167_219_200_000, 3], -62_167_219_200_000),
                ([.int(.max), 0], .null),
                ([.null, 0], .null), ([1, .null], .null),
            ])
        try expect(.toTimestampLtz, [.bigint], [([1234], 1234), ([.null], .null)])
        try expect(
            .toTimestampLtz, [.double, .int],
            [
                ([1.5, 0], 1500), ([1.5, 3], 1), ([.double(.nan), 0], .null), ([1e300, 0], .null),
            ])
        try expect(.toTimestampLtz, [.string], [(["1970-01-01 00:00:01"], 1000), (["x"], .null)])
        let wrong = call(.toTimestampLtz, .column(index: 0, type: .bigint), literal(6, .int))
        #expect(throws: Failure.self) { try CompiledExpression(wrong) }
        let precision = BoundExpression.column(index: 1, type: .int)
        let (found, errors) = try evaluate(
            call(.toTimestampLtz, .column(index: 0, type: .bigint), precision),
            [makeColumn(.bigint, [1, 1, 1]), makeColumn(.int, [0, 6, 3])])
        #expect(found == [1000, .null, 1])
        #expect(errors == 1)
    }

    @Test func arraysCountFromOne() throws {
        let words = DataType.array(.string)
        let rows: [Value] = [.array(["a", "é", .null]), .array([]), .null]
        try expect(.cardinality, [words], [([rows[0]], 3), ([rows[1]], 0), ([rows[2]], .null)])
        try expect(
            .elementAt, [words, .int],
            [
                ([rows[0], 1], "a"), ([rows[0], 2], "é"), ([rows[0], 3], .null),
                ([rows[0], 4], .null), ([rows[0], 0], .null),
                ([rows[0], -1], .null), ([rows[1], 1], .null), ([rows[2], 1], .null),
                ([rows[0], .null], .null),
            ])
        try expect(
            .arrayContains, [words, .string],
            [
                ([rows[0], "é"], true), ([rows[0], "x"], false), ([rows[0], .null], true),
                ([rows[1], "a"], false),
                ([rows[1], .null], false), ([rows[2], "a"], .null),
            ])
        try expect(
            .arrayContains, [.array(.double), .double],
            [
                ([.array([1.0, -0.0]), 0.0], true),
                ([.array([.double(.nan)]), .double(.nan)], false), ([.array([0.0]), .null], false),
            ])
    }
}
