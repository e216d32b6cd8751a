// The planner's answers by a clock that the test turns: windows and deadlines, conditions, budgets over the
// ends of days and months, clocks that jump, and who goes first.

import Testing
import WeirCore

@testable import WeirAgent

private func instant(_ text: String) throws -> Int64 { try #require(TimestampText.parse(text)) }

private func budget(
    perDay: Int64? = nil, perMonth: Int64? = nil, reserve: Int64 = 0, zone: String = "UTC"
) throws -> UploadBudget {
    UploadBudget(
        perDay: perDay, perMonth: perMonth, reserve: reserve, zone: try TimeZoneRules(identifier: zone))
}

extension UploadPlanner {
    fileprivate func ask(
        _ now: String, oldest: String? = nil, bytes: Int64 = 100, budget: UploadBudget? = nil,
        condition: String? = nil, holder: String? = nil
    ) throws -> String {
        let verdict = verdict(
            oldest: try oldest.map(instant), bytes: bytes, now: try instant(now), budget: budget,
            condition: { condition }, holder: { holder })
        switch verdict {
        case .go: return "go"
        case .wait(let hindrance, _, let until): return "\(hindrance) until \(UploadPlanner.text(until))"
        }
    }
}

@Suite struct UploadPlannerTests {
    private func nightly(deadline: Int64? = nil) -> UploadPlanner {
        UploadPlanner(
            windows: UploadWindows(["02:00-05:00"], zone: .utc), deadlineMilliseconds: deadline)
    }

    @Test func withoutRulesEverythingGoes() throws {
        #expect(try UploadPlanner().ask("2026-11-21T13:00:00Z") == "go")
    }

    @Test func aSegmentWaitsForItsWindow() throws {
        #expect(try nightly().ask("2026-11-21T13:00:00Z") == "window until 2026-11-22T02:00:00Z")
        #expect(try nightly().ask("2026-11-22T02:00:00Z") == "go")
        #expect(try nightly().ask("2026-11-22T05:00:00Z") == "window until 2026-11-23T02:00:00Z")
    }

    @Test func theDeadlineOverridesWindowConditionAndOrderButNoBudget() throws {
        let planner = nightly(deadline: 3_600_000)
        let old = "2026-11-21T12:30:00Z"
        #expect(
            try planner.ask("2026-11-21T13:00:00Z", oldest: old) == "window until 2026-11-21T13:30:00Z")
        #expect(
            try planner.ask("2026-11-21T13:30:00Z", oldest: old, condition: "no", holder: "alerts") == "go")
        var spent = try budget(perDay: 1000)
        spent.add(1000, to: spent.periods(at: try instant(old)))
        #expect(
            try planner.ask("2026-11-21T13:30:00Z", oldest: old, budget: spent)
                == "budget until 2026-11-22T00:00:00Z")
    }

    @Test func aClockThatIsSetBackMakesNothingOverdueAndNothingEarly() throws {
        let planner = nightly(deadline: 3_600_000)
        // The oldest row seems to come from the future.
        #expect(
            try planner.ask("2026-11-21T06:00:00Z", oldest: "2026-11-21T12:30:00Z")
                == "window until 2026-11-21T13:30:00Z")
    }

    @Test func aConditionIsAskedAgainSoonAndNotOutsideOfWindows() throws {
        let planner = nightly()
        #expect(
            try planner.ask("2026-11-22T03:00:00Z", condition: "no") == "condition until 2026-11-22T03:00:10Z")
        var asked = 0
        _ = planner.verdict(
            oldest: nil, bytes: 1, now: try instant("2026-11-21T13:00:00Z"), budget: nil,
            condition: {
                asked += 1
                return nil
            }, holder: { nil })
        #expect(asked == 0)
    }

    @Test func whoGoesFirstIsAskedLast() throws {
        #expect(
            try UploadPlanner().ask("2026-11-21T13:00:00Z", holder: "alerts")
                == "priority until 2026-11-21T13:00:01Z")
    }
}

@Suite struct UploadBudgetTests {
    @Test func aDayAndAMonthAreThoseOfTheZone() throws {
        var berlin = try budget(perDay: 1000, perMonth: 5000, zone: "Europe/Berlin")
        let late = try instant("2026-10-31T22:59:00Z")
        berlin.add(990, to: berlin.periods(at: late))
        let short = try #require(berlin.shortage(of: 100, isHigh: false, at: late))
        // Midnight of November 1st in Berlin.
        #expect(short.until == (try instant("2026-10-31T23:00:00Z")))
        #expect(berlin.shortage(of: 100, isHigh: false, at: short.until) == nil)
        #expect(berlin.left(at: late) == (10, 4010))
        #expect(berlin.left(at: short.until) == (1000, 5000))
    }

    @Test func aSpentMonthWaitsForTheNextOne() throws {
        var month = try budget(perDay: 1000, perMonth: 3000)
        let now = try instant("2026-12-15T10:00:00Z")
        month.add(2950, to: (day: 0, month: month.periods(at: now).month))
        let short = try #require(month.shortage(of: 100, isHigh: false, at: now))
        #expect(short.period == "the month's")
        #expect(short.until == (try instant("2027-01-01T00:00:00Z")))
    }

    @Test func noDayIsHandedOutTwiceWhateverTheClockDoes() throws {
        var some = try budget(perDay: 1000)
        let today = try instant("2026-11-21T10:00:00Z")
        some.add(900, to: some.periods(at: today))
        // Back by a day and spent there, then forward again.
        let yesterday = today - 86_400_000
        some.add(1000, to: some.periods(at: yesterday))
        #expect(some.shortage(of: 200, isHigh: false, at: yesterday) != nil)
        #expect(some.shortage(of: 200, isHigh: false, at: today) != nil)
        // A wrong clock far ahead spends of that day, and blocks nothing when it is right again.
        let far = try instant("2099-01-01T00:00:00Z")
        some.add(1000, to: some.periods(at: far))
        let forgotten = some.forgetOld(at: some.periods(at: far))
        #expect(forgotten.days.isEmpty && forgotten.months.isEmpty)
        #expect(some.shortage(of: 200, isHigh: false, at: today + 86_400_000) == nil)
        #expect(some.left(at: today).day == 100)
        #expect(some.left(at: far).day == 0)
    }

    @Test func theReserveIsForHighPriority() throws {
        var some = try budget(perDay: 1000, reserve: 300)
        let now = try instant("2026-11-21T10:00:00Z")
        some.add(650, to: some.periods(at: now))
        #expect(some.shortage(of: 100, isHigh: false, at: now) != nil)
        #expect(some.shortage(of: 100, isHigh: true, at: now) == nil)
    }

    @Test func whatIsLargerThanABudgetGoesWhenHalfOfItIsLeft() throws {
        var some = try budget(perDay: 1000)
        let now = try instant("2026-11-21T10:00:00Z")
        #expect(some.shortage(of: 5000, isHigh: false, at: now) == nil)
        some.add(501, to: some.periods(at: now))
        #expect(some.shortage(of: 5000, isHigh: false, at: now) != nil)
    }

    @Test func aDayWithoutMidnightBeginsAtItsFirstMoment() throws {
        // Beirut, 2026-03-29: clocks go from 00:00 to 01:00.
        var beirut = try budget(perDay: 1000, zone: "Asia/Beirut")
        let now = try instant("2026-03-28T20:00:00Z")
        beirut.add(1000, to: beirut.periods(at: now))
        let until = try #require(beirut.shortage(of: 1, isHigh: false, at: now)).until
        #expect(beirut.periods(at: until).day == beirut.periods(at: now).day + 1)
        #expect(beirut.periods(at: until - 1).day == beirut.periods(at: now).day)
    }
}
