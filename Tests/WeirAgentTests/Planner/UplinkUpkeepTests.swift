// The upkeep of tables on the shared link: nobody waits for it, it waits for everybody, and half of each budget
// is out of its reach; what it is about to take is durable before the first byte of it is sent.

import Testing
import WeirCore
import WeirStore

@testable import WeirAgent

@Suite struct UplinkUpkeepTests {
    private func verdict(_ fixture: UplinkFixture, _ bytes: Int64, holder: String? = nil) -> UploadPlanner.Verdict {
        UploadPlanner(priority: .high).upkeepVerdict(
            bytes: bytes, now: fixture.clock.nowMilliseconds(), budget: fixture.uplink.budget, condition: { nil },
            holder: { holder })
    }

    private func isShort(_ verdict: UploadPlanner.Verdict) -> Bool {
        if case .wait(.budget, _, _) = verdict { true } else { false }
    }

    @Test func halfOfEachBudgetAndTheReserveAreOutOfItsReach() throws {
        let fixture = try UplinkFixture(perDay: 1000, perMonth: 10_000, reserve: 600)
        #expect(verdict(fixture, 200) == .go)
        // 400 are beside the reserve, which even the upkeep of a sink of high priority leaves alone.
        let line = try fixture.line("alerts", .high)
        try line.begin(estimate: 300, isUpkeep: true)
        #expect(isShort(verdict(fixture, 200)), "it is charged while it runs")
        line.count(300)
        try line.end(reported: 0)
        #expect(isShort(verdict(fixture, 150)))
        #expect(verdict(fixture, 100) == .go)
        let wide = try UplinkFixture(perDay: 1000)
        try wide.line("lake").begin(estimate: 450)
        #expect(isShort(verdict(wide, 100)))
        #expect(wide.uplink.budget.upkeepPieceBytes == 125)
    }

    @Test func whatItIsChargedIsDurableBeforeAByteIsSentAndCorrectedAfterwards() throws {
        let fixture = try UplinkFixture(perDay: 1000)
        let line = try fixture.line("lake")
        try line.begin(estimate: 100, isUpkeep: true)
        #expect(try fixture.written().days == fixture.uplink.budget.days)
        try line.charge(150)
        #expect(try fixture.written().days == fixture.uplink.budget.days)
        #expect(fixture.left().day == 750, "a crash here counts all that it was going to take")
        line.count(120)
        try line.end(reported: 0)
        #expect(fixture.left().day == 880)
        #expect(try fixture.written().days == fixture.uplink.budget.days)
    }

    @Test func everySinkGoesFirstAndNoneWaitsForIt() throws {
        let fixture = try UplinkFixture()
        let (lake, raw, alerts) = (try fixture.line("lake", .high), try fixture.line("raw", .low), try fixture.line("alerts"))
        #expect(lake.busySink == nil)
        #expect(raw.holder(oldest: 1) == nil)
        #expect(lake.busySink == "raw", "rows of whatever class go before it")
        raw.withdraw()
        try alerts.begin(estimate: 10)
        #expect(lake.busySink == "alerts")
        try alerts.end(reported: 10)
        try lake.begin(estimate: 1000, isUpkeep: true)
        #expect(raw.holder(oldest: 1) == nil && alerts.holder(oldest: 1) == nil)
        guard case .wait(.priority, let reason, _) = verdict(fixture, 1, holder: "raw") else {
            Issue.record("it has to wait")
            return
        }
        #expect(reason == "sink raw goes first")
    }

    @Test func besideRowsItHasTheShareOfTheLowestClass() throws {
        let fixture = try UplinkFixture(rate: 65_000)
        let (lake, alerts) = (try fixture.line("lake", .high), try fixture.line("alerts", .high))
        try lake.begin(estimate: 1 << 20, isUpkeep: true)
        try alerts.begin(estimate: 1 << 20)
        var sent = (lake: 0, alerts: 0)
        for _ in 0..<2000 {
            fixture.clock.pass(milliseconds: 5)
            sent.lake += fixture.uplink.permit(0, 4096).bytes
            sent.alerts += fixture.uplink.permit(1, 4096).bytes
        }
        #expect(sent.alerts > 20 * sent.lake, "\(sent)")
        #expect(sent.lake > 0)
    }
}
