// Promise P1 for windowed queries: the result is a function of the rows. Each stream runs whole,
// cut at every k-th row, and through random batches, commits and crashes, with memory for
// everything and with memory for almost nothing; all must give what the oracle gives, byte by byte
// and in its order.

import Testing
import WeirCore

@testable import WeirRuntime

@Suite struct WindowEquivalenceTests {
    static let queries: [TestQuery] = [
        TestQuery(),
        TestQuery(size: 20_000, slide: 5_000, delay: 0),
        TestQuery(size: 20_000, slide: 5_000, keys: ["line", "device"], countAbove: 2),
        TestQuery(size: 15_000, slide: 10_000, offset: 3_000, delay: 5_000, valueAbove: 10),
        TestQuery(size: 4_000, slide: 10_000, keys: ["line"]),
        TestQuery(size: 30_000, slide: 30_000, keys: []),
        TestQuery(isKeyed: true),
        TestQuery(
            size: 20_000, slide: 5_000, keys: ["line", "device"], valueAbove: -50, isKeyed: true),
    ]

    private func check(
        _ query: TestQuery, _ options: QueryOptions, _ readings: [Reading], _ oracle: WindowOracle,
        _ schedule: Schedule, _ label: String
    ) throws -> QueryHarness {
        let harness = try QueryHarness(query.plan, options: options, clock: query.clock)
        try harness.run(readings, schedule)
        let difference = zip(harness.committed.results, oracle.results).first { $0 != $1 }
        #expect(difference == nil, "\(label)")
        #expect(harness.committed.results.count == oracle.results.count, "\(label)")
        #expect(harness.committed.late == oracle.late, "\(label)")
        #expect(harness.committed.statistics == oracle.statistics, "\(label)")
        return harness
    }

    @Test(arguments: queries.indices)
    func aStreamGivesWhatTheOracleGives(_ index: Int) throws {
        let query = Self.queries[index]
        for seed in 1...2 as ClosedRange<UInt64> {
            let readings = Reading.random(seed: seed, count: 1500)
            let harness = try check(
                query, query.options(), readings, WindowOracle(query, readings), .whole(),
                "seed \(seed)")
            #expect(harness.committed.results.count > 20)
            #expect(!harness.committed.late.isEmpty)
        }
    }

    @Test(arguments: queries.indices)
    func cutsBetweenBatchesDoNotShow(_ index: Int) throws {
        let query = Self.queries[index]
        let readings = Reading.random(seed: 11, count: 400)
        let oracle = WindowOracle(query, readings)
        for rows in [1, 2, 3, 7] {
            _ = try check(
                query, query.options(), readings, oracle, .every(rows), "every \(rows) rows")
        }
    }

    @Test(arguments: queries.indices)
    func commitsAndCrashesDoNotShow(_ index: Int) throws {
        let query = Self.queries[index]
        let readings = Reading.random(seed: 21, count: 400)
        let oracle = WindowOracle(query, readings)
        var (crashes, midBatchCommits, spills) = (0, 0, 0)
        for seed in 1...2 as ClosedRange<UInt64> {
            for options in [
                query.options(), query.options(budget: 1500), query.options(emittedRowsMax: 3),
                query.options(budget: 600, emittedRowsMax: 1),
            ] {
                let harness = try check(
                    query, options, readings, oracle, .chaotic(seed: seed, batchMax: 60),
                    "seed \(seed), \(options)")
                crashes += harness.crashCount
                midBatchCommits += harness.midBatchCommits
                spills += harness.store.writeAheadCount
            }
        }
        #expect(crashes > 10)
        #expect(midBatchCommits > 0)
        #expect(query.keys.isEmpty || spills > 20)
    }

    /// Sums of doubles show every change in the order of additions.
    @Test(arguments: queries.indices)
    func doublesAreEqualToTheLastBit(_ index: Int) throws {
        let query = Self.queries[index]
        let readings = Reading.random(seed: 31, count: 500, isExact: false)
        for budget in [64 << 20, 2000] {
            let whole = try QueryHarness(
                query.plan, options: query.options(budget: budget), clock: query.clock)
            try whole.run(readings, .whole())
            for seed in 1...3 as ClosedRange<UInt64> {
                let other = try QueryHarness(
                    query.plan, options: query.options(budget: budget, emittedRowsMax: 5),
                    clock: query.clock)
                try other.run(readings, .chaotic(seed: seed, batchMax: 50))
                #expect(other.committed == whole.committed, "budget \(budget), seed \(seed)")
            }
        }
    }

    @Test(arguments: queries.indices)
    func nothingIsLeftInTheStoreAfterTheEnd(_ index: Int) throws {
        let query = Self.queries[index]
        let readings = Reading.random(seed: 41, count: 800)
        for budget in [64 << 20, 1500] {
            let harness = try QueryHarness(
                query.plan, options: query.options(budget: budget, emittedRowsMax: 4),
                clock: query.clock)
            try harness.run(readings, .chaotic(seed: 1, batchMax: 30))
            // One record of progress, and for clocks that were closed at the end how far.
            let left = harness.store.pairs.filter { $0.key[0] == 2 && $0.key[2] != 0x66 }
            #expect(left.map(\.key) == [[2, 0, 0x6D]])
        }
    }
}
