// Windows by each device's own clock: backlogs, idle devices, and devices that are forgotten.

import Testing
import WeirCore

@testable import WeirRuntime

@Suite struct KeyedWindowTests {
    private func readings(_ device: String?, _ times: [Int64]) -> [Reading] {
        times.map { Reading(device: device, time: $0, value: 1) }
    }

    private func harness(
        _ query: TestQuery, idleTimeout: Int64? = nil, keysMax: Int = 100, budget: Int = 64 << 20
    ) throws -> QueryHarness {
        try QueryHarness(
            query.plan, options: query.options(budget: budget),
            clock: WatermarkOptions(delay: 0, idleTimeout: idleTimeout, keysMax: keysMax))
    }

    /// device|start of each result so far.
    private func windows(_ harness: QueryHarness) -> [String] {
        harness.commit()
        return harness.committed.results.map {
            let parts = $0.split(separator: "|")
            return "\(parts[0]) \(parts[1]) \(parts[3...].dropFirst().first ?? "")"
        }
    }

    @Test func aBacklogIsNotLateAndAClockAheadMakesNobodyLate() throws {
        let harness = try harness(TestQuery(isKeyed: true))
        try harness.process(readings("a", [1000, 11_000, 200_000]))
        try harness.process(readings("future", [9_000_000]))
        try harness.process(readings("b", [1000, 2000, 10_000]))
        try harness.process(readings(nil, [5000, 15_000]))
        #expect(windows(harness) == ["'a' 0 1", "'a' 10000 1", "'b' 0 2", "NULL 0 1"])
        #expect(harness.committed.late.isEmpty)
    }

    @Test(arguments: [64 << 20, 1])
    func anIdleDevicesWindowsCloseOnceAndItsBacklogIsInTimeForTheRest(_ budget: Int) throws {
        for crashes in [false, true] {
            let harness = try harness(TestQuery(isKeyed: true), idleTimeout: 1000, budget: budget)
            func settle() throws {
                guard crashes else { return }
                harness.commit()
                try harness.crash()
                _ = harness.tracker.tick(monotonic: 0, isConnected: true)
            }
            _ = harness.tracker.tick(monotonic: 0, isConnected: true)
            try harness.process(readings("a", [1000, 12_000]))
            try settle()
            let idle = try #require(harness.tracker.tick(monotonic: 1000, isConnected: true))
            try harness.advance(idle)
            #expect(windows(harness) == ["'a' 0 1", "'a' 10000 1"])
            try settle()
            // 13 s falls into a window that was closed early; 20 s and 31 s do not.
            try harness.process(readings("a", [13_000, 20_000]))
            try settle()
            try harness.process(readings("a", [31_000]))
            #expect(windows(harness) == ["'a' 0 1", "'a' 10000 1", "'a' 20000 1"])
            #expect(harness.committed.late.count == 1)
            #expect(harness.committed.late.first?.contains("|13000|") ?? false)
        }
    }

    @Test func aForgottenDeviceBeginsAsANewOne() throws {
        let harness = try harness(TestQuery(isKeyed: true), idleTimeout: 1000, keysMax: 4)
        _ = harness.tracker.tick(monotonic: 0, isConnected: true)
        try harness.process(readings("a", [12_000]) + readings("b", [1]) + readings("c", [1]))
        _ = harness.tracker.tick(monotonic: 1, isConnected: true)
        try harness.process(readings("d", [1]))
        try harness.advance(try #require(harness.tracker.tick(monotonic: 1001, isConnected: true)))
        #expect(harness.tracker.keyCount == 3)
        harness.commit()
        try harness.crash()
        // "a" was silent for longest; its place went to "e", whose rows at 1 s are not late.
        try harness.process(readings("e", [1000]) + readings("a", [2000]))
        let end = harness.tracker.end()
        try harness.advance(end)
        #expect(harness.committed.late.isEmpty)
        let results = windows(harness)
        #expect(results.contains("'e' 0 1"))
        #expect(!results.contains("'a' 0 1"), "there is no place left for \"a\"")
    }

    @Test func theCombinedClockRulesWhereTheKeyIsNotGroupedBy() throws {
        var query = TestQuery(keys: ["line"])
        query.isKeyed = true
        let harness = try harness(query)
        try harness.process(readings("a", [1000, 50_000]) + readings("b", [2000, 3000]))
        harness.commit()
        // The first row alone moved the combined clock to 50 s before "b" appeared.
        #expect(harness.committed.late.count == 2)
        #expect(windows(harness) == ["NULL 0 1"])
    }
}
