// The uplink that sinks share, by a clock that the test turns and records in a real database: order, budgets
// over the ends of days and months and over clocks that jump, retries, restarts, and shares of the rate.

import Synchronization
import Testing
import WeirCore
import WeirStore

@testable import WeirAgent

private func instant(_ text: String) throws -> Int64 { try #require(TimestampText.parse(text)) }

/// Stands still until it is turned.
final class TurnedClock: MachineClock {
    private let times: Mutex<(wall: Int64, monotonic: Int64)>

    init(_ wall: Int64) { times = Mutex((wall, 1_000_000_000_000)) }

    func nowMilliseconds() -> Int64 { times.withLock { $0.wall } }
    func monotonicNanoseconds() -> Int64 { times.withLock { $0.monotonic } }

    /// Time passes.
    func pass(milliseconds: Int64) {
        times.withLock { $0 = ($0.wall + milliseconds, $0.monotonic + milliseconds * 1_000_000) }
    }

    /// Somebody sets the clock.
    func set(_ text: String) throws {
        let wall = try instant(text)
        times.withLock { $0.wall = wall }
    }
}

/// An uplink over a state directory of its own.
final class UplinkFixture {
    let clock: TurnedClock
    let uplink: Uplink
    private let folder: TemporaryFolder
    private let database: Database

    init(
        at text: String = "2026-11-21T10:00:00Z", rate: Int64? = nil, perDay: Int64? = nil,
        perMonth: Int64? = nil, reserve: Int64 = 0, zone: String = "UTC"
    ) throws {
        folder = try TemporaryFolder([:])
        clock = TurnedClock(try instant(text))
        database = try Database(StateDirectory(folder.path), DatabaseOptions())
        uplink = try Uplink(
            UplinkConfiguration(
                bytesPerSecondMax: rate, perDay: perDay, perMonth: perMonth, reserve: reserve,
                zone: try TimeZoneRules(identifier: zone)),
            database, clock: clock)
    }

    deinit { folder.remove() }

    func line(_ sink: String, _ priority: UploadPriority = .normal) throws -> UplinkLine {
        uplink.makeLine(sink: sink, priority: priority, control: try ForwarderControl())
    }

    /// What is written down, as a start after a crash finds it.
    func written() throws -> UploadBudget {
        try Uplink(uplink.configuration, database, clock: clock).budget
    }

    func left() -> (day: Int64?, month: Int64?) { uplink.budget.left(at: clock.nowMilliseconds()) }

    func allows(_ bytes: Int64, isHigh: Bool = false) -> Bool {
        uplink.budget.shortage(of: bytes, isHigh: isHigh, at: clock.nowMilliseconds()) == nil
    }
}

/// Sends `bytes` over a line in one upload.
private func send(_ bytes: Int, over line: UplinkLine, estimate: Int64? = nil) throws {
    try line.begin(estimate: estimate ?? Int64(bytes))
    line.count(bytes)
    try line.end(reported: Int64(bytes))
}

@Suite struct UplinkChargingTests {
    @Test func anUploadIsChargedBeforeItBeginsAndCorrectedWhenItEnds() throws {
        let fixture = try UplinkFixture(perDay: 1000, perMonth: 5000)
        let line = try fixture.line("lake")
        try line.begin(estimate: 400)
        #expect(fixture.left() == (600, 4600))
        #expect(try fixture.written().left(at: fixture.clock.nowMilliseconds()) == (600, 4600), "durable")
        line.count(150)
        line.count(100)
        try line.end(reported: 200)
        #expect(fixture.left() == (750, 4750), "what went over the network, not what arrived")
        #expect(try fixture.written().left(at: fixture.clock.nowMilliseconds()) == (750, 4750))
    }

    @Test func everyTryCounts() throws {
        let fixture = try UplinkFixture(perDay: 1000)
        let line = try fixture.line("lake")
        for _ in 0..<3 {
            try line.begin(estimate: 300)
            line.count(120)
            try line.end(reported: 0)
        }
        try send(300, over: line)
        #expect(fixture.left().day == 340)
        #expect(!fixture.allows(400))
        #expect(fixture.allows(300))
    }

    @Test func whereNothingIsCountedOnTheWayTheDeliveryIsBelieved() throws {
        let fixture = try UplinkFixture(perDay: 1000)
        let line = try fixture.line("broker")
        try line.begin(estimate: 50)
        try line.end(reported: 300)
        #expect(fixture.left().day == 700)
    }

    @Test func aCrashInAnUploadCountsItAsSentWhole() throws {
        let fixture = try UplinkFixture(perDay: 1000)
        let line = try fixture.line("lake")
        try send(100, over: line)
        try line.begin(estimate: 500)
        line.count(20)
        #expect(try fixture.written().left(at: fixture.clock.nowMilliseconds()).day == 400)
    }

    @Test func anUploadOverMidnightIsOfTheDayOnWhichItBegan() throws {
        let fixture = try UplinkFixture(
            at: "2026-11-30T22:59:59Z", perDay: 1000, perMonth: 2000, zone: "Europe/Berlin")
        let line = try fixture.line("lake")
        try line.begin(estimate: 900)
        line.count(700)
        #expect(!fixture.allows(200))
        fixture.clock.pass(milliseconds: 2000)
        #expect(fixture.allows(500) && fixture.left() == (1000, 2000), "a day and a month later")
        line.count(100)
        try line.end(reported: 0)
        #expect(fixture.left() == (1000, 2000))
        try send(300, over: line)
        #expect(fixture.left() == (700, 1700))
        try fixture.clock.set("2026-11-30T12:00:00Z")
        #expect(fixture.left() == (200, 1200))
    }

    @Test func daysAreThoseOfTheZoneWhenItsClocksChange() throws {
        // Berlin, 2026-10-25: a day of 25 hours, 2026-10-24T22:00Z to 2026-10-25T23:00Z.
        let fixture = try UplinkFixture(at: "2026-10-24T22:30:00Z", perDay: 1000, zone: "Europe/Berlin")
        let line = try fixture.line("lake")
        try send(600, over: line)
        for text in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T22:59:00Z"] {
            try fixture.clock.set(text)
            #expect(fixture.left().day == 400)
        }
        try fixture.clock.set("2026-10-25T23:00:00Z")
        #expect(fixture.left().day == 1000)
        // And 2026-03-29, one of 23.
        try fixture.clock.set("2026-03-28T23:00:00Z")
        try send(100, over: line)
        try fixture.clock.set("2026-03-29T21:59:00Z")
        #expect(fixture.left().day == 900)
        try fixture.clock.set("2026-03-29T22:00:00Z")
        #expect(fixture.left().day == 1000)
    }

    @Test func aClockThatIsSetBackFindsTheDayAsItWasSpent() throws {
        let fixture = try UplinkFixture(perDay: 1000, perMonth: 3000)
        let line = try fixture.line("lake")
        try send(900, over: line)
        try fixture.clock.set("2026-11-20T10:00:00Z")
        #expect(fixture.left() == (1000, 2100))
        try send(800, over: line)
        try fixture.clock.set("2026-11-21T10:00:00Z")
        #expect(fixture.left() == (100, 1300))
    }

    @Test(arguments: ["2106-02-07T06:28:00Z", "1970-01-01T00:00:10Z"])
    func aClockThatIsYearsOffAndComesBackFindsTheDayAsItWasSpent(wrong: String) throws {
        let fixture = try UplinkFixture(perDay: 1000, perMonth: 3000)
        let line = try fixture.line("lake")
        try send(900, over: line)
        try fixture.clock.set(wrong)
        try send(500, over: line)
        #expect(fixture.left() == (500, 2500))
        try fixture.clock.set("2026-11-21T11:00:00Z")
        #expect(fixture.left() == (100, 2100))
        #expect(try fixture.written().left(at: fixture.clock.nowMilliseconds()) == (100, 2100))
    }

    @Test func whatIsKeptIsBoundedAndNeverForgetsTheCurrentDay() throws {
        let fixture = try UplinkFixture(at: "1970-01-01T00:00:10Z", perDay: 1000, perMonth: 1_000_000)
        let line = try fixture.line("lake")
        try send(900, over: line)
        for day in 0..<100 {
            try fixture.clock.set("2026-01-01T00:00:10Z")
            fixture.clock.pass(milliseconds: Int64(day) * 86_400_000)
            try send(10, over: line)
        }
        let written = try fixture.written()
        #expect(written.days.count == 62 && written.days == fixture.uplink.budget.days)
        #expect(written.days.keys.min() == written.days.keys.max().map { $0 - 61 })
        try fixture.clock.set("1970-01-05T00:00:10Z")
        try send(700, over: line)
        try send(100, over: line)
        #expect(fixture.left().day == 200, "earlier than all others, and still counted")
        #expect(try fixture.written().days == fixture.uplink.budget.days)
    }

    @Test func theReserveIsForHighPriority() throws {
        let fixture = try UplinkFixture(perDay: 1000, perMonth: 1500, reserve: 300)
        let line = try fixture.line("raw", .low)
        try send(650, over: line)
        #expect(!fixture.allows(100) && fixture.allows(50))
        #expect(fixture.allows(300, isHigh: true))
        try fixture.clock.set("2026-11-22T10:00:00Z")
        #expect(fixture.allows(500) && !fixture.allows(600), "the month has 550 left beside its reserve")
    }

    @Test func whatGoesOutsideOfUploadsIsChargedOnce() throws {
        let fixture = try UplinkFixture(perDay: 1000)
        let line = try fixture.line("lake")
        line.count(70)
        #expect(fixture.left().day == 1000)
        try line.settle()
        try line.settle()
        #expect(fixture.left().day == 930)
        try line.begin(estimate: 100)
        line.count(40)
        try line.settle()
        #expect(fixture.left().day == 830, "the upload under way is charged its estimate")
        try line.end(reported: 0)
        #expect(fixture.left().day == 890)
    }
}

@Suite struct UplinkOrderTests {
    @Test func higherClassesGoFirstAndWithinAClassTheOldestRows() throws {
        let fixture = try UplinkFixture()
        let raw = try fixture.line("raw", .low)
        let sums = try fixture.line("sums")
        let others = try fixture.line("others")
        let alerts = try fixture.line("alerts", .high)
        #expect(raw.holder(oldest: 1) == nil, "nobody else has anything")
        #expect(sums.holder(oldest: 500) == nil)
        #expect(raw.holder(oldest: 1) == "sums")
        #expect(others.holder(oldest: 400) == nil, "older rows")
        #expect(sums.holder(oldest: 500) == "others")
        #expect(alerts.holder(oldest: 900) == nil)
        #expect(others.holder(oldest: 400) == "alerts")
        alerts.withdraw()
        #expect(others.holder(oldest: 400) == nil)
        others.withdraw()
        sums.withdraw()
        #expect(raw.holder(oldest: 1) == nil)
    }

    @Test func anUploadUnderWayHoldsItsClassAndThoseBelowButNoneAbove() throws {
        let fixture = try UplinkFixture()
        let raw = try fixture.line("raw", .low)
        let sums = try fixture.line("sums")
        let others = try fixture.line("others")
        let alerts = try fixture.line("alerts", .high)
        #expect(sums.holder(oldest: 5) == nil)
        try sums.begin(estimate: 10)
        #expect(raw.holder(oldest: 1) == "sums")
        #expect(others.holder(oldest: 1) == "sums")
        #expect(alerts.holder(oldest: 1) == nil)
        alerts.withdraw()
        try sums.end(reported: 10)
        others.withdraw()
        #expect(raw.holder(oldest: 1) == nil)
    }

    @Test func anUploadThatDoesNotMoveHoldsNobodyUp() throws {
        let fixture = try UplinkFixture(rate: 1000)
        let sums = try fixture.line("sums")
        let others = try fixture.line("others")
        try sums.begin(estimate: 10)
        fixture.clock.pass(milliseconds: 9000)
        #expect(others.holder(oldest: 1) == "sums")
        _ = sums.permit(1)
        fixture.clock.pass(milliseconds: 9000)
        #expect(others.holder(oldest: 1) == "sums", "it has moved in between")
        fixture.clock.pass(milliseconds: 1500)
        #expect(others.holder(oldest: 1) == nil)
    }
}

@Suite struct UplinkPacingTests {
    /// Bytes that each line gets in `seconds`, when all ask every five milliseconds.
    private func share(
        _ fixture: UplinkFixture, of lines: Range<Int>, seconds: Int64
    ) -> [Int] {
        var bytes = lines.map { _ in 0 }
        for _ in 0..<(seconds * 200) {
            for line in lines {
                while case let granted = fixture.uplink.permit(line, 1 << 20).bytes, granted > 0 {
                    bytes[line] += granted
                }
            }
            fixture.clock.pass(milliseconds: 5)
        }
        return bytes
    }

    @Test(arguments: [2000, 100_000, 50_000_000] as [Int64])
    func oneLineAloneGetsTheWholeRate(rate: Int64) throws {
        let fixture = try UplinkFixture(rate: rate)
        _ = try fixture.line("raw", .low)
        let got = share(fixture, of: 0..<1, seconds: 20)[0]
        #expect(Double(got) > 0.97 * 20 * Double(rate), "it is not wasted")
        #expect(Double(got) < 1.03 * 20.5 * Double(rate), "and not exceeded, but for half a second")
    }

    @Test func classesShareByTheirWeights() throws {
        let fixture = try UplinkFixture(rate: 730_000)
        for priority in [UploadPriority.high, .normal, .low] {
            _ = try fixture.line(priority.rawValue, priority)
        }
        let got = share(fixture, of: 0..<3, seconds: 20).map { Double($0) / 20 / 10_000 }
        #expect(abs(got[0] - 64) < 3 && abs(got[1] - 8) < 1 && abs(got[2] - 1) < 0.2, "\(got)")
        #expect(got.reduce(0, +) < 76)
    }

    @Test func aLineThatAsksNoMoreLeavesItsShareToTheOthers() throws {
        let fixture = try UplinkFixture(rate: 100_000)
        _ = try fixture.line("raw", .low)
        _ = try fixture.line("alerts", .high)
        _ = share(fixture, of: 0..<2, seconds: 5)
        let alone = share(fixture, of: 0..<1, seconds: 10)[0]
        #expect(alone > 900_000, "but for the half second in which the other might have come back")
    }

    @Test func aLineWhoseUploadHasEndedTakesNoShare() throws {
        let fixture = try UplinkFixture(rate: 100_000)
        _ = try fixture.line("raw", .low)
        let alerts = try fixture.line("alerts", .high)
        var raw = 0
        for _ in 0..<20 {
            try alerts.begin(estimate: 100)
            #expect(fixture.uplink.permit(1, 100).bytes == 100, "at once")
            try alerts.end(reported: 100)
            raw += share(fixture, of: 0..<1, seconds: 1)[0]
        }
        #expect(raw > 1_900_000, "an alert a second takes what it sends")
    }

    @Test func linesThatComeAndGoDoNotSendMoreThanTheRate() throws {
        let fixture = try UplinkFixture(rate: 100_000)
        _ = try fixture.line("raw", .low)
        let alerts = try fixture.line("alerts", .high)
        var bytes = 0
        for step in 0..<4000 {
            // In turns of 0.6 seconds; the alerts' line earns while it is silent.
            if step % 120 == 0 { try alerts.begin(estimate: 1) }
            if step % 240 < 120 { bytes += fixture.uplink.permit(1, 1 << 20).bytes }
            if step % 120 == 119 { try alerts.end(reported: 1) }
            bytes += fixture.uplink.permit(0, 1 << 20).bytes
            fixture.clock.pass(milliseconds: 5)
        }
        #expect(bytes < 2_030_000 && bytes > 1_900_000, "\(bytes)")
    }

    @Test func withoutARateEverythingPassesAtOnce() throws {
        let fixture = try UplinkFixture(perDay: 1)
        #expect(try fixture.line("raw").permit(1 << 30) == 1 << 30)
    }
}
