// Upload windows: days, nights past midnight, and the nights on which clocks change. Instants are RFC 3339.

import Testing
import WeirCore

@testable import WeirAgent

private func instant(_ text: String) throws -> Int64 { try #require(TimestampText.parse(text)) }

private func text(_ instant: Int64) -> String { "\(TimestampFormatter.isoString(instant).prefix(16))Z" }

private func windows(_ texts: [String], _ zone: String = "UTC") throws -> UploadWindows {
    for text in texts { #expect(UploadWindows.complaint(about: text) == nil) }
    return UploadWindows(texts, zone: try TimeZoneRules(identifier: zone))
}

/// The opening that holds `now`, as text; "closed, next …" when none does.
private func look(_ windows: UploadWindows, _ now: String) throws -> String {
    let now = try instant(now)
    guard let open = windows.opening(at: now) else {
        return "closed, next \(text(windows.nextOpening(after: now)))"
    }
    #expect(open.contains(now))
    return "\(text(open.lowerBound)) to \(text(open.upperBound))"
}

@Suite struct UploadWindowTests {
    @Test func aWindowHoldsItsBeginningAndNotItsEnd() throws {
        let night = try windows(["02:00-05:00"])
        #expect(try look(night, "2026-11-21T01:59:59Z") == "closed, next 2026-11-21T02:00Z")
        #expect(try look(night, "2026-11-21T02:00:00Z") == "2026-11-21T02:00Z to 2026-11-21T05:00Z")
        #expect(try look(night, "2026-11-21T05:00:00Z") == "closed, next 2026-11-22T02:00Z")
    }

    @Test func aWindowPastMidnightBelongsToTheDayItBeginsOn() throws {
        // 2026-11-20 is a Friday.
        let nights = try windows(["mon-fri 22:00-05:00"])
        #expect(try look(nights, "2026-11-21T04:00:00Z") == "2026-11-20T22:00Z to 2026-11-21T05:00Z")
        #expect(try look(nights, "2026-11-22T04:00:00Z") == "closed, next 2026-11-23T22:00Z")
    }

    @Test func windowsThatTouchAreOne() throws {
        let both = try windows(["sat,sun 00:00-24:00", "22:00-06:00"])
        #expect(try look(both, "2026-11-22T12:00:00Z") == "2026-11-22T00:00Z to 2026-11-23T06:00Z")
        #expect(try look(both, "2026-11-24T12:00:00Z") == "closed, next 2026-11-24T22:00Z")
        let always = try windows(["00:00-24:00"])
        #expect(always.opening(at: try instant("2026-11-22T12:00:00Z")) != nil)
    }

    @Test func windowsFollowTheClocksOfTheirZone() throws {
        let night = try windows(["02:00-05:00"], "Europe/Berlin")
        #expect(try look(night, "2026-07-01T00:30:00Z") == "2026-07-01T00:00Z to 2026-07-01T03:00Z")
        #expect(try look(night, "2026-12-01T00:30:00Z") == "closed, next 2026-12-01T01:00Z")
    }

    @Test func aWindowThatClocksSkipComesLater() throws {
        // Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC.
        let skipped = try windows(["02:00-03:00"], "Europe/Berlin")
        #expect(try look(skipped, "2026-03-29T00:30:00Z") == "closed, next 2026-03-29T01:00Z")
        #expect(try look(skipped, "2026-03-29T01:30:00Z") == "2026-03-29T01:00Z to 2026-03-29T02:00Z")
        let longer = try windows(["01:30-04:00"], "Europe/Berlin")
        #expect(try look(longer, "2026-03-29T01:30:00Z") == "2026-03-29T00:30Z to 2026-03-29T02:00Z")
    }

    @Test func aTimeThatComesTwiceCountsOnce() throws {
        // Berlin, 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC.
        let night = try windows(["02:00-02:30", "04:00-05:00"], "Europe/Berlin")
        #expect(try look(night, "2026-10-25T00:15:00Z") == "2026-10-25T00:00Z to 2026-10-25T00:30Z")
        #expect(try look(night, "2026-10-25T01:15:00Z") == "closed, next 2026-10-25T03:00Z")
        let through = try windows(["01:00-04:00"], "Europe/Berlin")
        #expect(try look(through, "2026-10-25T01:15:00Z") == "2026-10-24T23:00Z to 2026-10-25T03:00Z")
    }

    /// At every quarter of an hour of a year, what is said of the next opening is what is then found.
    @Test(arguments: ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
    func openingsAreFoundWhereTheyWereForetold(zone: String) throws {
        let some = try windows(["mon,wed 23:30-01:15", "02:15-02:45", "sun 00:00-24:00"], zone)
        var now = try instant("2026-01-01T00:00:00Z")
        let end = try instant("2027-01-01T00:00:00Z")
        var foretold: Int64?
        while now < end {
            if let open = some.opening(at: now) {
                #expect(open.contains(now))
                if let foretold { #expect(open.lowerBound <= foretold && foretold <= now) }
                foretold = nil
            } else {
                let next = some.nextOpening(after: now)
                #expect(next > now)
                #expect(some.opening(at: next) != nil && some.opening(at: next - 1) == nil)
                if let foretold { #expect(next == foretold) }
                foretold = next
            }
            now += 900_000
        }
    }

    @Test(arguments: [
        ("2:00-05:00", "must be like"), ("02:00", "must be like"), ("02:00-24:30", "must be like"),
        ("24:00-02:00", "must be like"), ("mon 02:00 - 05:00", "must be like"),
        ("02:00-02:00", "of no length"), ("mo 02:00-03:00", "no valid days"),
        ("mon- 02:00-03:00", "no valid days"), ("mon,,tue 02:00-03:00", "no valid days"),
    ])
    func saysWhatIsWrong(text: String, reason: String) throws {
        let complaint = try #require(UploadWindows.complaint(about: text))
        #expect(complaint.message.contains(reason))
    }
}
