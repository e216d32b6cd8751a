// The wall clock of a zone: what clocks show, when a time is over for good, and that the remembered stretch
// never changes an answer.

import Testing
import WeirCore

@Suite struct WallClockTests {
    private static let zones = [
        "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
    ]

    @Test(arguments: zones) func showsWhatTheRulesSay(zone: String) throws {
        let clock = try WallClock(zone: zone)
        let rules = try TimeZoneRules(identifier: zone)
        var state: UInt64 = 7
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // 1990 … 2053, and mostly near the time before.
            let time = Int64(631_152_000_000) + Int64(state >> 23)
            for near in [time, time + 1_800_000, time - 86_400_000] {
                #expect(clock.local(near) == near + Int64(rules.offsetSeconds(atUTC: near)) * 1000)
                let local = clock.local(near)
                #expect(clock.instant(ofLocal: local) == rules.utcMilliseconds(ofLocal: local))
            }
        }
    }

    @Test(arguments: zones) func timeThatIsOverDoesNotComeBack(zone: String) throws {
        let clock = try WallClock(zone: zone)
        // The whole of 2026 in steps of ten minutes, and each step with a clock that has seen nothing else.
        var (last, time) = (Int64.min, Int64(1_767_225_600_000))
        while time < 1_798_761_600_000 {
            let mark = clock.localMark(time)
            #expect(mark >= last)
            #expect(mark <= clock.local(time))
            #expect(clock.eventTime(ofLocal: mark) <= time)
            #expect(clock.eventTime(ofLocal: mark + 1) > time)
            (last, time) = (mark, time + 600_000)
        }
    }

    @Test func hoursThatComeTwiceAndNever() throws {
        let clock = try WallClock(zone: "Europe/Berlin")
        // 2026-10-25, 03:00 becomes 02:00 at 01:00 UTC.
        let change: Int64 = 1_792_890_000_000
        #expect(clock.localMark(change - 1) == change + 3_600_000 - 1)
        #expect(clock.localMark(change - 1_800_000) == change + 3_600_000 - 1)
        #expect(clock.localMark(change) == change + 3_600_000)
        #expect(clock.eventTime(ofLocal: change + 5_400_000) == change + 1_800_000)
        #expect(clock.instant(ofLocal: change + 5_400_000) == change - 1_800_000)
        // 2026-03-29, 02:00 becomes 03:00 at 01:00 UTC.
        let spring: Int64 = 1_774_746_000_000
        #expect(clock.localMark(spring - 1) == spring + 3_600_000 - 1)
        #expect(clock.localMark(spring) == spring + 7_200_000)
        #expect(clock.instant(ofLocal: spring + 5_400_000) == spring + 1_800_000)
    }

    @Test(arguments: [Int64.min, .min + 1, -9_000_000_000_000_001, 9_000_000_000_000_001, .max - 1, .max])
    func timesWithoutACalendarStayAsTheyAre(_ time: Int64) throws {
        let clock = try WallClock(zone: "Europe/Berlin")
        #expect(clock.local(time) == time)
        #expect(clock.instant(ofLocal: time) == time)
        #expect(clock.eventTime(ofLocal: time) == time)
    }
}
