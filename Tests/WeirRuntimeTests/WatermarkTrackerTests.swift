// The clock of a source: prefix maxima, refused rows, silence, clocks of keys, and what survives.

import Testing
import WeirCore

@testable import WeirRuntime

@Suite struct WatermarkTrackerTests {
    static let schema = Schema([Field("device", .string), Field("ts", .timestampLTZ)])

    static func batch(_ rows: [(String?, Int64?)]) -> Batch {
        let columns = [Column(.string), Column(.timestampLTZ)]
        for (device, time) in rows {
            if let device { columns[0].append(device) } else { columns[0].appendNull() }
            if let time { columns[1].append(time) } else { columns[1].appendNull() }
        }
        return Batch(schema: schema, columns: columns, rowCount: rows.count)
    }

    static func tracker(_ options: WatermarkOptions, byDevice: Bool = false) -> WatermarkTracker {
        WatermarkTracker(
            schema: schema, timeColumn: 1, watermarkBy: byDevice ? 0 : nil, options: options)
    }

    private func marks(_ timed: TimedBatch) -> [Int64] {
        guard let marks = timed.batch.watermarks else { return [] }
        return (0..<marks.count).map { marks.ints[$0] }
    }

    @Test func eachRowGetsTheWatermarkBeforeIt() {
        let tracker = Self.tracker(WatermarkOptions(delay: 10))
        let first = tracker.assign(Self.batch([("a", 100), ("a", 90), ("a", 130)]), now: 0)
        #expect(marks(first) == [Watermark.none, 90, 90])
        #expect(first.trace.watermarkAfter == 120)
        let second = tracker.assign(Self.batch([("a", 1), ("a", 131)]), now: 0)
        #expect(marks(second) == [120, 120])
        #expect(tracker.watermark == 121)
    }

    @Test func rowsWithoutAUsableTimeAreRejectedWithTheirReason() {
        let tracker = Self.tracker(WatermarkOptions(delay: 0, maxAhead: 50))
        let timed = tracker.assign(
            Self.batch([
                ("a", nil), ("b", 1000), ("c", 1051), ("d", 1050), ("e", .max), ("f", .min),
                ("g", 3),
            ]), now: 1000)
        #expect(
            timed.rejected == [
                RejectedRow(row: 0, reason: .eventTimeMissing),
                RejectedRow(row: 2, reason: .eventTimeTooFarAhead),
                RejectedRow(row: 4, reason: .eventTimeOutOfRange),
                RejectedRow(row: 5, reason: .eventTimeOutOfRange),
            ])
        #expect(
            (0..<timed.batch.rowCount).map { timed.batch.columns[0].string($0) } == ["b", "d", "g"])
        #expect(tracker.watermark == 1050)
    }

    @Test func aRejectedRowDoesNotMoveTheClock() {
        let tracker = Self.tracker(WatermarkOptions(delay: 0, maxAhead: 50))
        _ = tracker.assign(Self.batch([("a", 10), ("a", 1_000_000)]), now: 100)
        #expect(tracker.watermark == 10)
    }

    @Test func silenceBeyondTheTimeoutMovesTimeOnAtTheMachinesPace() {
        let tracker = Self.tracker(WatermarkOptions(delay: 100, idleTimeout: 1000))
        #expect(tracker.tick(monotonic: 0, isConnected: true) == nil)
        #expect(tracker.tick(monotonic: 50_000, isConnected: true) == nil, "no row yet, no time")
        _ = tracker.assign(Self.batch([("a", 500)]), now: 0)
        #expect(tracker.tick(monotonic: 50_999, isConnected: true) == nil)
        #expect(tracker.tick(monotonic: 51_000, isConnected: true)?.watermarkAfter == 1400)
        #expect(tracker.tick(monotonic: 51_001, isConnected: true)?.watermarkAfter == 1401)
        _ = tracker.assign(Self.batch([("a", 600)]), now: 0)
        #expect(tracker.watermark == 1401, "a row does not take the clock back")
        #expect(tracker.tick(monotonic: 51_900, isConnected: true) == nil)
    }

    @Test func silenceWhileDisconnectedOrStoppedDoesNotCount() throws {
        let tracker = Self.tracker(WatermarkOptions(delay: 0, idleTimeout: 1000))
        _ = tracker.tick(monotonic: 0, isConnected: true)
        _ = tracker.assign(Self.batch([("a", 500)]), now: 0)
        #expect(tracker.tick(monotonic: 5000, isConnected: false) == nil)
        #expect(tracker.tick(monotonic: 5999, isConnected: true) == nil)
        #expect(tracker.tick(monotonic: 6000, isConnected: true) != nil)

        let store = MemoryStateStore()
        let writes = MemoryStateStore.Batch()
        tracker.checkpoint(into: writes)
        store.commit(writes)
        let restored = Self.tracker(WatermarkOptions(delay: 0, idleTimeout: 1000))
        try restored.restore(from: store)
        #expect(restored.watermark == tracker.watermark)
        #expect(restored.tick(monotonic: 900_000, isConnected: true) == nil)
        #expect(restored.tick(monotonic: 900_999, isConnected: true) == nil)
        #expect(restored.tick(monotonic: 901_000, isConnected: true)?.watermarkAfter == 2500)
    }

    @Test func aCheckpointWithoutChangesWritesNothing() {
        for byDevice in [false, true] {
            let tracker = Self.tracker(WatermarkOptions(delay: 0), byDevice: byDevice)
            let store = MemoryStateStore()
            _ = tracker.assign(Self.batch([("a", 5), ("b", 6)]), now: 0)
            for _ in 0..<2 {
                let writes = MemoryStateStore.Batch()
                tracker.checkpoint(into: writes)
                store.commit(writes)
            }
            #expect(store.putCount == (byDevice ? 4 : 1))
        }
    }

    // MARK: Clocks of keys

    @Test func theCombinedWatermarkIsTheLeastClockAndNeverFalls() {
        let tracker = Self.tracker(WatermarkOptions(delay: 0), byDevice: true)
        let timed = tracker.assign(
            Self.batch([
                ("a", 100), ("b", 50), ("a", 200), ("b", 150), (nil, 10), ("b", 400), (nil, 170),
            ]),
            now: 0)
        #expect(marks(timed) == [Watermark.none, 100, 100, 100, 150, 150, 150])
        #expect(tracker.watermark == 170)
        let keys = timed.trace.keys
        #expect(keys?.before == [Watermark.none, Watermark.none, 100, 50, Watermark.none, 150, 10])
        #expect(keys?.after == [100, 50, 200, 150, 10, 400, 170])
        #expect(tracker.keyCount == 3)
    }

    @Test func anIdleKeyClosesItsWindowsAndHoldsNobodyUp() {
        let tracker = Self.tracker(WatermarkOptions(delay: 0, idleTimeout: 1000), byDevice: true)
        _ = tracker.tick(monotonic: 0, isConnected: true)
        _ = tracker.assign(Self.batch([("slow", 10), ("fast", 500)]), now: 0)
        _ = tracker.tick(monotonic: 900, isConnected: true)
        _ = tracker.assign(Self.batch([("fast", 600)]), now: 0)
        #expect(tracker.watermark == 10)
        let trace = tracker.tick(monotonic: 1100, isConnected: true)
        #expect(trace?.watermarkAfter == 600)
        #expect(trace?.keys?.after == [Watermark.end])
        #expect(trace?.keys?.before == [10])
        // Back with a backlog: its own clock stands where it stood.
        let back = tracker.assign(Self.batch([("slow", 20), ("slow", 30)]), now: 0)
        #expect(back.trace.keys?.before == [10, 20])
        #expect(tracker.watermark == 600)
    }

    @Test func aboveTheLimitNewKeysAreRejectedUntilIdleOnesAreForgotten() {
        let tracker = Self.tracker(
            WatermarkOptions(delay: 0, idleTimeout: 1000, keysMax: 4), byDevice: true)
        _ = tracker.tick(monotonic: 0, isConnected: true)
        let timed = tracker.assign(
            Self.batch([
                ("a", 1), ("b", 2), ("c", nil), ("c", 3), ("d", 4), ("e", 5), ("a", 6), ("f", 7),
            ]),
            now: 0)
        #expect(
            timed.rejected == [
                RejectedRow(row: 2, reason: .eventTimeMissing),
                RejectedRow(row: 5, reason: .keysExhausted),
                RejectedRow(row: 7, reason: .keysExhausted),
            ])
        #expect(timed.trace.keys?.places == [0, 1, 2, 3, 0])
        #expect(tracker.keyCount == 4)
        let trace = tracker.tick(monotonic: 1000, isConnected: true)
        #expect(
            trace?.keys?.after == [Int64](repeating: Watermark.end, count: 4) + [Watermark.none])
        #expect(tracker.keyCount == 3)
        #expect(tracker.assign(Self.batch([("e", 8)]), now: 0).rejected.isEmpty)
    }

    @Test func ofIdleKeysTheOneSilentForLongestIsForgotten() {
        let tracker = Self.tracker(
            WatermarkOptions(delay: 0, idleTimeout: 1000, keysMax: 4), byDevice: true)
        _ = tracker.tick(monotonic: 0, isConnected: true)
        _ = tracker.assign(Self.batch([("a", 1), ("b", 2), ("c", 3), ("d", 4)]), now: 0)
        _ = tracker.tick(monotonic: 500, isConnected: true)
        _ = tracker.assign(Self.batch([("a", 5)]), now: 0)
        _ = tracker.tick(monotonic: 1500, isConnected: true)
        #expect(tracker.keyCount == 3)
        let timed = tracker.assign(Self.batch([("a", 1), ("b", 1)]), now: 0)
        #expect(timed.trace.keys?.before == [5, Watermark.none], "b begins as a new key, a does not")
    }

    @Test func keysAndTheirClocksSurviveARestart() throws {
        let store = MemoryStateStore()
        let options = WatermarkOptions(delay: 0, keysMax: 1000)
        var tracker = Self.tracker(options, byDevice: true)
        let whole = Self.tracker(options, byDevice: true)
        var random = SeededGenerator(seed: 5)
        for _ in 0..<20 {
            let rows = (0..<50).map { _ in
                (
                    "d\(Int.random(in: 0..<600, using: &random))",
                    Int64.random(in: 0...10_000, using: &random)
                )
            }
            let timed = tracker.assign(Self.batch(rows), now: 0)
            let expected = whole.assign(Self.batch(rows), now: 0)
            #expect(marks(timed) == marks(expected))
            #expect(timed.trace.keys?.places == expected.trace.keys?.places)
            #expect(timed.trace.keys?.before == expected.trace.keys?.before)
            let writes = MemoryStateStore.Batch()
            tracker.checkpoint(into: writes)
            store.commit(writes)
            tracker = Self.tracker(options, byDevice: true)
            try tracker.restore(from: store)
        }
        #expect(tracker.keyCount > 400)
    }

    @Test func aForgottenKeyHoldsNobodyUpAfterARestart() throws {
        let store = MemoryStateStore()
        let options = WatermarkOptions(delay: 0, idleTimeout: 1000, keysMax: 4)
        let before = Self.tracker(options, byDevice: true)
        _ = before.tick(monotonic: 0, isConnected: true)
        _ = before.assign(Self.batch([("a", 1), ("b", 20), ("c", 30), ("d", 40)]), now: 0)
        func save(_ tracker: WatermarkTracker) {
            let writes = MemoryStateStore.Batch()
            tracker.checkpoint(into: writes)
            store.commit(writes)
        }
        save(before)
        _ = before.tick(monotonic: 1000, isConnected: true)
        save(before)
        #expect(before.keyCount == 3)
        let after = Self.tracker(options, byDevice: true)
        try after.restore(from: store)
        #expect(after.keyCount == 3)
        _ = after.assign(Self.batch([("b", 2000), ("c", 3000), ("d", 4000)]), now: 0)
        #expect(after.watermark == 2000)
    }

    @Test func damagedClocksAreAFailureAndNotACrash() {
        let store = MemoryStateStore()
        let writes = MemoryStateStore.Batch()
        [UInt8](repeating: 1, count: 3).withUnsafeBytes { writes.put([0x77], $0) }
        store.commit(writes)
        #expect(throws: Failure.self) {
            try Self.tracker(WatermarkOptions(delay: 0)).restore(from: store)
        }
    }
}
