// Queries with a `state_ttl`: neither cuts nor commits nor crashes nor a lack of memory show in joins that it
// bounds and in partitions that start over, and what has ended leaves nothing behind. What values there are is
// worked out in Tests/Cases/*state_ttl.case.

import Testing
import WeirCore

@testable import WeirRuntime
@testable import WeirSQL

@Suite struct StateTTLTests {
    private static func plan(_ sql: String, milliseconds: Int64) throws -> QueryPlan {
        let table = Catalog.Table(name: "readings", schema: Reading.schema, timeColumn: "ts")
        return try QueryBinder(catalog: Catalog(tables: [table], views: []))
            .bind(sql, QuerySettings(stateTTLMilliseconds: milliseconds)).get()
    }

    private static let over = """
        SELECT device, ts, ROW_NUMBER() OVER w, COUNT(*) OVER w, SUM(value) OVER w, LISTAGG(note) OVER w, \
        COUNT(DISTINCT line) OVER w, MAX(note) OVER w, LAG(line, 2) OVER w FROM readings \
        WINDOW w AS (PARTITION BY device ORDER BY ts)
        """

    static let queries = [
        over,
        """
        SELECT device, ts, SUM(value) OVER (PARTITION BY flag ORDER BY ts ROWS 90 PRECEDING) AS s FROM readings
        """,
        """
        SELECT device, line, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY device, line ORDER BY ts) AS rn
        FROM readings) WHERE rn = 1
        """,
        """
        SELECT a.device, a.ts, b.ts AS bt, a.value FROM readings AS a JOIN readings AS b
        ON a.device = b.device AND a.line = b.line AND a.value < b.value
        """,
        """
        SELECT a.device, a.ts, b.ts AS bt, c.ts AS ct FROM readings AS a JOIN readings AS b
        ON a.device = b.device AND a.line = b.line AND a.value < b.value
        JOIN readings AS c ON b.device = c.device AND b.small = c.small
        """,
    ]

    private func run(
        _ sql: String, _ readings: [Reading], _ schedule: Schedule, ttl: Int64 = 2_000,
        options: QueryOptions = QueryOptions()
    ) throws -> QueryHarness {
        let harness = try QueryHarness(
            Self.plan(sql, milliseconds: ttl), options: options, clock: WatermarkOptions(delay: 3_000))
        try harness.run(readings, schedule)
        return harness
    }

    @Test(arguments: queries) func cutsCommitsCrashesAndLackOfMemoryDoNotShow(_ sql: String) throws {
        try QueryHarness.expectThatNothingShows(of: Self.plan(sql, milliseconds: 2_000), moreThan: 50)
    }

    @Test func aLengthBeyondTheDataChangesNothing() throws {
        let readings = Reading.random(seed: 3, count: 400)
        let kept = try QueryHarness(PatternTests.plan(Self.over), clock: WatermarkOptions(delay: 3_000))
        try kept.run(readings, .whole())
        let ending = try run(Self.over, readings, .whole(), ttl: 86_400_000)
        #expect(ending.committed.results == kept.committed.results)
        let short = try run(Self.over, readings, .whole())
        #expect(short.committed.results != kept.committed.results)
    }

    @Test(arguments: [1, 64 << 20]) func partitionsAndRowsThatHaveEndedAreForgottenOnTheWay(
        _ memory: Int
    ) throws {
        let join = "SELECT a.device FROM readings AS a JOIN readings AS b ON a.device = b.device"
        for sql in [Self.over, join] {
            let harness = try QueryHarness(
                Self.plan(sql, milliseconds: 1_000), options: QueryOptions(memoryBudgetBytes: memory),
                clock: WatermarkOptions(delay: 3_000))
            #expect(try harness.mostPairsOfPassingDevices() < 600, "\(memory) bytes")
        }
    }

    @Test func aJoinOfAJoinWaitsForTheWatermarkAlone() throws {
        let sql = Self.queries[4]
        let readings = Reading.random(seed: 7, count: 500)
        let whole = try run(sql, readings, .whole(), ttl: 86_400_000)
        let harness = try QueryHarness(
            Self.plan(sql, milliseconds: 86_400_000), clock: WatermarkOptions(delay: 3_000))
        try harness.process(readings)
        harness.commit()
        // Without the end of the input: a day has not passed in it.
        #expect(harness.committed.results.count > whole.committed.results.count / 2)
        #expect(harness.committed.results == Array(whole.committed.results.prefix(harness.committed.results.count)))
    }

    @Test func keysThatGoByTheirOwnClocksMeetThemselves() throws {
        let readings = Reading.random(seed: 9, count: 400)
        let options = QueryOptions(watermarkBy: "device")
        let whole = try run(Self.queries[3], readings, .whole(), ttl: 60_000, options: options)
        #expect(whole.committed.results.count > 100)
        let chaotic = try run(
            Self.queries[3], readings, .chaotic(seed: 4, batchMax: 20), ttl: 60_000, options: options)
        #expect(chaotic.committed.results == whole.committed.results)
    }
}
