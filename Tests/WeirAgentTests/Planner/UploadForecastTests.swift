// What `weir outbox plan` foretells, from rules and a budget at a fixed instant.

import Testing
import WeirCore
import WeirStore

@testable import WeirAgent

private func instant(_ text: String) throws -> Int64 { try #require(TimestampText.parse(text)) }

private func forecast(
    _ sink: String, bytes: Int64 = 1000, age: Int64 = 60_000, sealedIn: Int64 = 0, now: Int64,
    windows: [String] = [], deadline: Int64? = nil, priority: UploadPriority = .normal,
    unmet: String? = nil
) -> UploadForecast {
    UploadForecast(
        sink: sink,
        rules: UploadRules(
            planner: UploadPlanner(
                windows: windows.isEmpty ? nil : UploadWindows(windows, zone: .utc),
                deadlineMilliseconds: deadline, priority: priority),
            usesUplink: true),
        rows: 10, bytes: bytes, oldest: now - age, sealedAt: now + sealedIn, rateMax: 100, unmet: unmet)
}

@Suite struct UploadForecastTests {
    @Test func saysWhenAndWhy() throws {
        let now = try instant("2026-11-21T13:00:00Z")
        func told(_ forecast: UploadForecast) -> String {
            let outcome = UploadForecast.outcomes(of: [forecast], budget: nil, now: now)[0].outcome
            return "\(outcome.at.map(UploadPlanner.text) ?? "-") \(outcome.reason)"
        }
        #expect(told(forecast("a", now: now)) == "2026-11-21T13:00:00Z now")
        #expect(
            told(forecast("a", sealedIn: 5000, now: now)) == "2026-11-21T13:00:05Z when its rows are sealed")
        #expect(
            told(forecast("a", now: now, windows: ["02:00-05:00"]))
                == "2026-11-22T02:00:00Z when its window opens")
        #expect(
            told(forecast("a", now: now, windows: ["02:00-05:00"], deadline: 3_660_000))
                == "2026-11-21T14:00:00Z at its deadline")
        #expect(
            told(forecast("a", now: now, windows: ["02:00-05:00"], deadline: 60_000))
                == "2026-11-21T13:00:00Z past its deadline")
        #expect(told(forecast("a", now: now, unmet: "no")) == "- when only_when holds: no")
    }

    @Test func sinksGoByClassAndByAgeOneAfterAnother() throws {
        let now = try instant("2026-11-21T13:00:00Z")
        let budget = UploadBudget(perDay: nil, perMonth: nil, reserve: 0, zone: .utc)
        let outcomes = UploadForecast.outcomes(
            of: [
                forecast("raw", now: now, priority: .low), forecast("young", age: 10, now: now),
                forecast("old", now: now), forecast("alerts", now: now, priority: .high),
            ], budget: budget, now: now)
        #expect(outcomes.map(\.forecast.sink) == ["alerts", "old", "young", "raw"])
        #expect(outcomes.map(\.outcome.seconds) == [10, 10, 10, 10])
        #expect(outcomes[1].outcome.at == now + 10_000)
        #expect(outcomes[1].outcome.reason == "after sink alerts")
    }

    @Test func aSpentBudgetPutsItOff() throws {
        let now = try instant("2026-11-21T13:00:00Z")
        var budget = UploadBudget(perDay: 5000, perMonth: nil, reserve: 0, zone: .utc)
        budget.add(4500, to: budget.periods(at: now))
        let outcome = UploadForecast.outcomes(
            of: [forecast("a", bytes: 9000, now: now)], budget: budget, now: now)[0].outcome
        #expect(outcome.at == (try instant("2026-11-22T00:00:00Z")))
        #expect(outcome.reason == "when there is a new budget: the day's is spent")
        #expect(!outcome.fitsBudget)
    }
}
