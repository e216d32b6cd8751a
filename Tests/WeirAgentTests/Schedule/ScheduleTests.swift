// Schedules: intervals aligned to the epoch, cron lines in every shape, and the nights on which
// clocks change. Instants are written as RFC 3339.

import Testing
import WeirCore

@testable import WeirAgent

private func instant(_ text: String) throws -> Int64 { try #require(TimestampText.parse(text)) }

/// The moments that follow `start`, as text.
private func moments(
    _ schedule: String, after start: String, count: Int = 1, zone: String = "UTC"
) throws -> [String] {
    let parsed = try Schedule.parse(schedule, timeZone: TimeZoneRules(identifier: zone)).get()
    var now = try instant(start)
    return (0..<count).map { _ in
        let next = parsed.nextAfter(now)
        #expect(next > now)
        now = next
        // Seconds are enough: 2026-11-21T13:05:00Z.
        return TimestampFormatter.isoString(next).prefix(19) + "Z"
    }
}

@Suite struct ScheduleTests {
    @Test func intervalsAreAlignedToTheEpoch() throws {
        #expect(
            try moments("every 5m", after: "2026-11-21T13:02:03.456Z", count: 2)
                == ["2026-11-21T13:05:00Z", "2026-11-21T13:10:00Z"])
        #expect(try moments("every 5m", after: "2026-11-21T13:05:00Z") == ["2026-11-21T13:10:00Z"])
        #expect(
            try moments("every 1d", after: "2026-11-21T13:05:00Z", zone: "Asia/Tokyo") == [
                "2026-11-22T00:00:00Z"
            ])
        #expect(
            try moments("every 7s", after: "1969-12-31T23:59:58Z", count: 2) == [
                "1970-01-01T00:00:00Z", "1970-01-01T00:00:07Z",
            ])
    }

    @Test(arguments: [
        ("* * * * *", "2026-11-21T13:02:03Z", "2026-11-21T13:03:00Z"),
        ("*/15 * * * *", "2026-11-21T13:45:00Z", "2026-11-21T14:00:00Z"),
        ("5/20 * * * *", "2026-11-21T13:26:00Z", "2026-11-21T13:45:00Z"),
        ("0 3 * * *", "2026-11-21T13:00:00Z", "2026-11-22T03:00:00Z"),
        ("30 1-5/2 * * *", "2026-11-21T03:30:00Z", "2026-11-21T05:30:00Z"),
        ("0 0 1,15 * *", "2026-11-15T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("0 0 31 * *", "2026-11-01T00:00:00Z", "2026-12-31T00:00:00Z"),
        ("0 0 * * mon", "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("0 0 * * 7", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("0 0 * * Mon-Fri", "2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("0 0 * * fri-sun", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("0 12 * FEB *", "2026-11-21T00:00:00Z", "2027-02-01T12:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 0 13 * fri", "2026-11-21T00:00:00Z", "2026-11-27T00:00:00Z"),
        ("0 0 */31 2 mon", "2026-11-21T00:00:00Z", "2027-02-01T00:00:00Z"),
        ("0 0 */31 2 mon", "2094-02-01T00:00:00Z", "2100-02-01T00:00:00Z"),
        ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"),
        ("0 0 1 1 *", "1969-06-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ])
    func cronLinesComeWhenTheySay(line: String, after: String, next: String) throws {
        #expect(try moments(line, after: after) == [next])
    }

    @Test func aTimeZoneShiftsACronLine() throws {
        #expect(
            try moments("0 3 * * *", after: "2026-06-01T00:00:00Z", count: 2, zone: "Europe/Berlin")
                == ["2026-06-01T01:00:00Z", "2026-06-02T01:00:00Z"])
        #expect(
            try moments("0 3 * * *", after: "2026-12-01T00:00:00Z", zone: "Europe/Berlin") == [
                "2026-12-01T02:00:00Z"
            ])
        #expect(
            try moments("45 5 * * mon", after: "2026-11-21T00:00:00Z", zone: "Asia/Kathmandu") == [
                "2026-11-23T00:00:00Z"
            ])
    }

    // MARK: Nights on which clocks change

    @Test func aTimeThatClocksSkipComesAsMuchLater() throws {
        // Berlin, 2026-03-29: 02:00 becomes 03:00.
        #expect(
            try moments(
                "30 2 * * *", after: "2026-03-28T02:00:00Z", count: 2, zone: "Europe/Berlin")
                == ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"])
        // 02:30 moves onto 03:30, which then comes once.
        #expect(
            try moments(
                "30 2,3 * * *", after: "2026-03-29T00:00:00Z", count: 2, zone: "Europe/Berlin")
                == ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"])
    }

    @Test func aTimeThatComesTwiceCountsOnce() throws {
        // Berlin, 2026-10-25: 03:00 becomes 02:00.
        #expect(
            try moments(
                "30 2 * * *", after: "2026-10-24T12:00:00Z", count: 2, zone: "Europe/Berlin")
                == ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"])
        #expect(
            try moments(
                "0 1-3 * * *", after: "2026-10-24T12:00:00Z", count: 3, zone: "Europe/Berlin")
                == ["2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"])
    }

    @Test func linesOfEveryHourRunThroughBothChanges() throws {
        #expect(
            try moments(
                "*/30 * * * *", after: "2026-10-25T00:00:00Z", count: 5, zone: "Europe/Berlin")
                == (1...5).map { half in
                    "2026-10-25T0\(half / 2):\(half % 2 == 0 ? "00" : "30"):00Z"
                })
        #expect(
            try moments(
                "*/30 * * * *", after: "2026-03-29T00:00:00Z", count: 5, zone: "Europe/Berlin")
                == (1...5).map { half in
                    "2026-03-29T0\(half / 2):\(half % 2 == 0 ? "00" : "30"):00Z"
                })
    }

    @Test func aChangeAtMidnightLosesNoDay() throws {
        // Santiago, 2026-09-06: 00:00 becomes 01:00; 2026-04-05: 00:00 becomes 23:00 of the day
        // before.
        #expect(
            try moments(
                "0 0 * * *", after: "2026-09-05T12:00:00Z", count: 2, zone: "America/Santiago")
                == ["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"])
        #expect(
            try moments(
                "0 * * * *", after: "2026-04-05T01:30:00Z", count: 4, zone: "America/Santiago")
                == [
                    "2026-04-05T02:00:00Z", "2026-04-05T03:00:00Z", "2026-04-05T04:00:00Z",
                    "2026-04-05T05:00:00Z",
                ])
        #expect(
            try moments(
                "30 23 * * *", after: "2026-04-04T12:00:00Z", count: 2, zone: "America/Santiago")
                == ["2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"])
    }

    @Test(arguments: ["2026-03-01T00:00:00Z", "2026-10-25T00:00:00Z", "2027-03-07T00:00:00Z"])
    func nothingIsSkippedOrDoubledAroundAChange(start: String) throws {
        let schedule = try Schedule.parse(
            "17 * * * *", timeZone: TimeZoneRules(identifier: "America/New_York")
        ).get()
        var now = try instant(start) + 17 * 60_000
        for _ in 0..<15 * 24 {
            let next = schedule.nextAfter(now)
            #expect(next == now + 3_600_000)
            now = next
        }
    }

    /// Two ways to the same answer: on steady days by local time alone, near changes by trying all
    /// times.
    @Test(arguments: [
        "*/7 3-5 * * *", "0 0 * * mon", "59 23 31 * *", "30 2 1,15 * fri", "* * * * *",
    ])
    func everyMomentIsTheFirstOneAfterAllInstantsBeforeIt(line: String) throws {
        let schedule = try Schedule.parse(
            line, timeZone: TimeZoneRules(identifier: "Europe/Berlin")
        ).get()
        var now = try instant("2026-03-26T00:00:00Z")
        for _ in 0..<40 {
            let next = schedule.nextAfter(now)
            for step in 1...4 {
                #expect(schedule.nextAfter(now + (next - now) * Int64(step) / 5) == next)
            }
            #expect(schedule.nextAfter(next - 1) == next)
            now = next
        }
    }

    @Test func theDescriptionNamesTheZoneOfACronLine() throws {
        let zone = try TimeZoneRules(identifier: "Europe/Berlin")
        #expect(
            try Schedule.parse("0 3 * * *", timeZone: zone).get().description
                == "0 3 * * * (Europe/Berlin)")
        #expect(try Schedule.parse("every 5m", timeZone: zone).get().description == "every 5m")
    }
}
