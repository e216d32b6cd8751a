// Calendar arithmetic and timestamp texts: every day of eight centuries, every field's limits, and
// texts that are nearly timestamps.

import Testing
import WeirCore

@Suite struct TimeTextTests {
    @Test func everyDayFollowsTheOneBefore() {
        var day = CivilCalendar.daysFromCivil(year: 1599, month: 12, day: 31)
        var date = CivilCalendar.civilFromDays(day)
        #expect(date == CivilDate(year: 1599, month: 12, day: 31))
        while date.year < 2405 {
            let isMonthEnd = date.day == CivilCalendar.daysInMonth(year: date.year, month: date.month)
            let next = CivilDate(
                year: isMonthEnd && date.month == 12 ? date.year + 1 : date.year,
                month: isMonthEnd ? date.month % 12 + 1 : date.month,
                day: isMonthEnd ? 1 : date.day + 1)
            day += 1
            date = CivilCalendar.civilFromDays(day)
            guard date == next else {
                Issue.record("day \(day) is \(date), not \(next)")
                return
            }
            #expect(CivilCalendar.daysFromCivil(year: date.year, month: date.month, day: date.day) == day)
        }
    }

    @Test func knownDaysHaveTheirNumbers() {
        #expect(CivilCalendar.daysFromCivil(year: 1970, month: 1, day: 1) == 0)
        #expect(CivilCalendar.daysFromCivil(year: 2000, month: 2, day: 29) == 11_016)
        #expect(CivilCalendar.daysFromCivil(year: 1, month: 1, day: 1) == -719_162)
        #expect(CivilCalendar.daysFromCivil(year: -1, month: 3, day: 1) == -719_834)
        #expect(CivilCalendar.civilFromDays(-719_834) == CivilDate(year: -1, month: 3, day: 1))
        #expect(CivilCalendar.dayOfWeek(ofDay: 0) == 4)
        #expect(CivilCalendar.dayOfWeek(ofDay: -5) == 6)
        #expect(CivilCalendar.isLeapYear(2000) && !CivilCalendar.isLeapYear(1900))
        #expect(CivilCalendar.day(ofMilliseconds: -1) == -1)
        #expect(CivilCalendar.floorDivide(.min, by: 1000) == -9_223_372_036_854_776)
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.001Z", 1),
        ("1969-12-31T23:59:59.999Z", -1), ("2026-07-01T12:30:45.123456789Z", 1_782_909_045_123),
        ("2026-07-01 12:30:45", 1_782_909_045_000), ("2026-07-01t12:30:45z", 1_782_909_045_000),
        ("2026-07-01T12:30:45,5+02:00", 1_782_901_845_500),
        ("2026-07-01T12:30-0330", 1_782_921_600_000),
        ("2026-07-01T12:30:45.9-00", 1_782_909_045_900), ("2026-07-01", 1_782_864_000_000),
        ("2026-07-01T12:30", 1_782_909_000_000), ("2016-12-31T23:59:60Z", 1_483_228_799_999),
        ("2017-01-01T00:59:60.5+01:00", 1_483_228_799_999),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
    ] as [(String, Int64)])
    func timestampsAreRead(_ text: String, _ milliseconds: Int64) {
        #expect(TimestampText.parse(text) == milliseconds, "\(text)")
    }

    @Test(arguments: [
        "", "2", "2026-07-0", "2026-07-01T", "2026-07-01T12", "2026-07-01T12:3",
        "2026-07-01T12:30:", "2026-07-01T12:30:4", "2026-07-01T12:30:45.", "2026-07-01T12:30:45.Z",
        "2026-07-01T12:30:45.1234567890Z", "2026-07-01T12:30:45ZZ", "2026-07-01T12:30:45Z ",
        " 2026-07-01T12:30:45Z", "2026-07-01T12:30:45+2", "2026-07-01T12:30:45+02:0",
        "2026-07-01T12:30:45+24:00", "2026-07-01T12:30:45+02:60", "2026-07-01T12:30:45+02-00",
        "2026-07-01T24:00:00Z", "2026-07-01T12:60:00Z", "2026-07-01T12:30:61Z",
        "2026-07-01T12:30:60Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-07-32T00:00:00Z",
        "2026-07-00T00:00:00Z", "0000-01-01T00:00:00Z", "+2026-07-01T00:00:00Z", "2026/07/01",
        "20260701T123045Z", "2026-07-01X12:30:45", "2026-07-01T12.30:45", "202a-07-01",
        "2026-0\u{0}-01", "٢٠٢٦-07-01", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "-026-07-01T00:00:00", "2026-07-01T-1:30:45", "1e10-01-01", "2026-07-01T12:30:45E",
    ])
    func nearlyTimestampsAreRefused(_ text: String) {
        #expect(TimestampText.parse(text) == nil, "\(text)")
    }

    /// Cutting a timestamp or changing any byte of it never reads beyond it and never traps.
    @Test func damagedTimestampsAreReadSafely() {
        let bytes = Array("2026-07-01T12:30:45.123+02:00".utf8)
        for count in 0...bytes.count {
            for at in 0..<max(count, 1) {
                for byte: UInt8 in [0, 0x2D, 0x2E, 0x30, 0x39, 0x3A, 0x5A, 0xFF] {
                    // A copy of the exact length, so that a sanitizer sees any read behind it.
                    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(count, 1))
                    defer { copy.deallocate() }
                    for i in 0..<count { copy[i] = bytes[i] }
                    if at < count { copy[at] = byte }
                    if let value = TimestampText.parse(copy, count: count) {
                        #expect(value >= CivilCalendar.textMillisecondsMin)
                        #expect(value <= CivilCalendar.textMillisecondsMax)
                    }
                }
            }
        }
    }

    @Test func writtenTimestampsReadBack() {
        var state: UInt64 = 20_260_701
        var formatter = TimestampFormatter()
        var buffer = [UInt8](repeating: 0, count: TimestampFormatter.lengthMax)
        for i in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let span = UInt64(CivilCalendar.textMillisecondsMax - CivilCalendar.textMillisecondsMin) + 1
            // Half of them near one another, so that the cached day is used and left.
            let value =
                i % 2 == 0
                ? Int64(state >> 11 & 0xFFF_FFFF) - 100_000_000
                : CivilCalendar.textMillisecondsMin + Int64((state >> 1) % span)
            buffer.withUnsafeMutableBufferPointer { bytes in
                guard let base = bytes.baseAddress else { return }
                let iso = formatter.writeISO(value, to: base)
                #expect(iso == 24)
                #expect(TimestampText.parse(base, count: iso) == value)
                let sql = formatter.writeSQL(value, to: base)
                #expect(sql == 23 && base[10] == 0x20)
                #expect(TimestampText.parse(base, count: sql) == value)
            }
        }
    }

    @Test func timestampsHaveTheirForm() {
        #expect(TimestampFormatter.isoString(0) == "1970-01-01T00:00:00.000Z")
        #expect(TimestampFormatter.isoString(-1) == "1969-12-31T23:59:59.999Z")
        #expect(TimestampFormatter.isoString(1_782_909_045_123) == "2026-07-01T12:30:45.123Z")
        #expect(TimestampFormatter.isoString(253_402_300_799_999) == "9999-12-31T23:59:59.999Z")
    }

    @Test func yearsWithoutFourDigitsAreWrittenWithASignAndRefusedAsText() {
        #expect(TimestampFormatter.isoString(253_402_300_800_000) == "+010000-01-01T00:00:00.000Z")
        #expect(TimestampFormatter.isoString(-62_135_596_800_001) == "+000000-12-31T23:59:59.999Z")
        #expect(TimestampFormatter.isoString(-62_167_219_200_001) == "-000001-12-31T23:59:59.999Z")
        #expect(TimestampFormatter.isoString(.max) == "+292278994-08-17T07:12:55.807Z")
        #expect(TimestampFormatter.isoString(.min) == "-292275055-05-16T16:47:04.192Z")
        for value in [Int64.min, -62_135_596_800_001, 253_402_300_800_000, .max] {
            #expect(TimestampText.parse(TimestampFormatter.isoString(value)) == nil)
        }
    }
}
