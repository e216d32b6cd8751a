// Joins against an oracle of nested loops, cut, killed and out of memory: neither shows, and nothing is
// kept that time has passed.

import Testing
import WeirCore

@testable import WeirRuntime
@testable import WeirSQL

@Suite struct JoinTests {
    private static let delay: Int64 = 3_000
    private static let scan = LogicalPlan.scan(
        source: "readings", schema: Reading.schema, timeColumn: 2)

    /// Readings of even lines on the left, of odd lines on the right, joined by device.
    private static func plan(
        _ kind: JoinSpec.Kind, _ bounds: ClosedRange<Int64>, residual: Bool
    ) -> QueryPlan {
        let width = Reading.schema.count
        let side = { (rest: Int64) in
            LogicalPlan.filter(
                scan,
                predicate: .call(
                    .equal,
                    arguments: [
                        .call(
                            .modulo,
                            arguments: [
                                .column(index: 1, type: .bigint), .literal(.integer(2), type: .bigint),
                            ], type: .bigint), .literal(.integer(rest), type: .bigint),
                    ], type: .boolean))
        }
        let device = BoundExpression.column(index: 0, type: .string)
        let isLess = BoundExpression.call(
            .less,
            arguments: [
                .column(index: 4, type: .int), .column(index: width + 4, type: .int),
            ], type: .boolean)
        let spec = JoinSpec(
            kind: kind,
            condition: JoinCondition(
                keys: [.init(left: device, right: device, matchesNull: false)],
                residual: residual ? isLess : nil, leftWidth: width),
            leftTime: 2, rightTime: 2, lower: bounds.lowerBound, upper: bounds.upperBound)
        let fields = Reading.schema.fields
        return QueryPlan(
            root: .ordered(
                .join(spec), inputs: [side(0), side(1)],
                schema: Schema(kind.isOneSided ? fields : fields + fields)))
    }

    private func run(
        _ plan: QueryPlan, _ readings: [Reading], _ schedule: Schedule, memory: Int = 64 << 20,
        emittedRowsMax: Int = .max
    ) throws -> QueryHarness {
        let harness = try QueryHarness(
            plan,
            options: QueryOptions(memoryBudgetBytes: memory, emittedRowsMax: emittedRowsMax),
            clock: WatermarkOptions(delay: Self.delay))
        try harness.run(readings, schedule)
        return harness
    }

    /// How many rows come out, by nested loops.
    private func count(
        _ readings: [Reading], _ kind: JoinSpec.Kind, _ bounds: ClosedRange<Int64>, residual: Bool
    ) -> Int {
        var mark = Watermark.none
        var inTime: [Reading] = []
        for reading in readings {
            if reading.time > mark { inTime.append(reading) }
            mark = max(mark, reading.time - Self.delay)
        }
        let lefts = inTime.filter { $0.line.map { $0 % 2 == 0 } == true }
        let rights = inTime.filter { $0.line.map { $0 % 2 == 1 } == true }
        let meets = { (left: Reading, right: Reading) in
            left.device != nil && left.device == right.device
                && bounds.contains(right.time - left.time)
                && (!residual
                    || left.small.flatMap { small in right.small.map { small < $0 } } == true)
        }
        let pairs = lefts.reduce(0) { sum, left in sum + rights.count { meets(left, $0) } }
        let matched = lefts.count { left in rights.contains { meets(left, $0) } }
        let loneRights = rights.count { right in !lefts.contains { meets($0, right) } }
        switch kind {
        case .inner: return pairs
        case .left: return pairs + lefts.count - matched
        case .right: return pairs + loneRights
        case .full: return pairs + lefts.count - matched + loneRights
        case .semi: return matched
        case .anti: return lefts.count - matched
        }
    }

    @Test(arguments: [JoinSpec.Kind.inner, .left, .right, .full, .semi, .anti])
    func neitherCutsNorCrashesNorMemoryShow(_ kind: JoinSpec.Kind) throws {
        for (seed, bounds) in [(1, -4_000...6_000), (2, 1...9_000), (3, -8_000 ... -2), (4, 0...0)]
            as [(UInt64, ClosedRange<Int64>)]
        {
            for residual in [false, true] {
                let readings = Reading.random(seed: seed, count: 700)
                let plan = Self.plan(kind, bounds, residual: residual)
                let whole = try run(plan, readings, .whole())
                let expected = whole.committed.results
                #expect(
                    expected.count == count(readings, kind, bounds, residual: residual),
                    "\(bounds), \(residual)")
                for rows in [1, 13] {
                    let cut = try run(plan, readings, .every(rows))
                    #expect(cut.committed.results == expected, "\(bounds), \(rows) rows")
                }
                // With one byte of memory all rows are written out at each commit.
                for memory in [1, 4_000, 64 << 20] {
                    let chaotic = try run(
                        plan, readings, .chaotic(seed: seed + UInt64(memory % 7), batchMax: 25),
                        memory: memory, emittedRowsMax: 40)
                    #expect(chaotic.crashCount > 0)
                    #expect(
                        chaotic.committed.results == expected,
                        "\(bounds), residual \(residual), \(memory) bytes")
                    #expect(chaotic.committed.statistics.used == whole.committed.statistics.used)
                }
            }
        }
    }

    @Test(arguments: [1, 64 << 20]) func stateIsGoneWhenTimeHasPassed(_ memory: Int) throws {
        let readings = Reading.random(seed: 5, count: 900)
        let harness = try run(
            Self.plan(.full, -4_000...6_000, residual: false), readings,
            .every(20, commits: true), memory: memory)
        #expect(harness.pipeline.spilledCount == 0)
        let empty = try run(Self.plan(.full, -4_000...6_000, residual: false), [], .whole())
        // What is left are the numbers of how far the operator and its queues have come.
        let left = harness.store.pairs.filter { $0.key[0] == 2 && $0.key[1] == 0 }
        #expect(left.allSatisfy { [0, 0x10].contains($0.key[2]) }, "\(left.map(\.key))")
        #expect(harness.pipeline.memoryBytes < empty.pipeline.memoryBytes + 100_000)
    }

    @Test func versionsSurviveCutsCrashesAndLackOfMemory() throws {
        let device = BoundExpression.column(index: 0, type: .string)
        let fields = Reading.schema.fields
        for isOuter in [false, true] {
            let spec = TemporalJoinSpec(
                isOuter: isOuter,
                condition: JoinCondition(
                    keys: [.init(left: device, right: device, matchesNull: false)], residual: nil,
                    leftWidth: fields.count), leftTime: 2, rightTime: 2)
            let versions = LogicalPlan.filter(
                Self.scan, predicate: .column(index: 5, type: .boolean))
            let plan = QueryPlan(
                root: .ordered(
                    .temporalJoin(spec), inputs: [Self.scan, versions],
                    schema: Schema(fields + fields)))
            let readings = Reading.random(seed: 8, count: 700, devices: 60)
            let expected = try run(plan, readings, .whole()).committed.results
            #expect(expected.count > 100)
            for rows in [1, 13] {
                #expect(try run(plan, readings, .every(rows)).committed.results == expected)
            }
            for memory in [1, 2_000, 64 << 20] {
                for seed in 1...4 as ClosedRange<UInt64> {
                    let harness = try run(
                        plan, readings, .chaotic(seed: seed, batchMax: 25), memory: memory)
                    #expect(harness.committed.results == expected, "\(memory) bytes, seed \(seed)")
                }
            }
        }
    }
}
