// Joins without a condition on time in queries with a `state_ttl`: what they become, that they are no time
// attributes' source any more, and which joins stay refused.

import Testing
import WeirCore
import WeirSQL

@Suite struct RegularJoinTests {
    private let settings = QuerySettings(stateTTLMilliseconds: 3_600_000)

    private func bind(_ sql: String) -> Result<QueryPlan, DiagnosticList> {
        QueryBinder(catalog: catalog).bind(sql, settings)
    }

    private func complaint(_ sql: String) -> String? {
        guard case .failure(let list) = bind(sql) else { return nil }
        return list.diagnostics.first?.message
    }

    @Test func aJoinOfKeysIsBoundedByTheStatesEnd() throws {
        let plan = try bind("SELECT s.device FROM sensors AS s JOIN posts AS p ON s.device = p.id").get()
        #expect(plan.root.hasStateTTL)
        #expect(plan.explanation.contains("is -3600000 ms ... 3600000 ms by state_ttl"))
        let other = QuerySettings(stateTTLMilliseconds: 7_200_000)
        let longer = try QueryBinder(catalog: catalog).bind(
            "SELECT s.device FROM sensors AS s JOIN posts AS p ON s.device = p.id", other
        ).get()
        #expect(plan.fingerprint != longer.fingerprint)
    }

    @Test func whatTheConditionSaysOfTimeNarrowsTheBounds() throws {
        let half = try bind(
            "SELECT s.device FROM sensors AS s JOIN posts AS p ON s.device = p.id AND p.created_at >= s.ts").get()
        #expect(half.explanation.contains("is 0 ms ... 3600000 ms by state_ttl"))
        let bounded = try bind(
            """
            SELECT s.device FROM sensors AS s JOIN posts AS p ON s.device = p.id \
            AND p.created_at BETWEEN s.ts AND s.ts + INTERVAL '1' DAY
            """).get()
        #expect(bounded.explanation.contains("is 0 ms ... 86400000 ms\n"))
        #expect(!bounded.root.hasStateTTL)
        let never = """
            SELECT s.device FROM sensors AS s JOIN posts AS p ON s.device = p.id \
            AND p.created_at >= s.ts + INTERVAL '2' HOUR
            """
        #expect(complaint(never) == "no rows would ever meet: the condition wants them further apart than state_ttl")
    }

    @Test func joinsOfJoinsGoByTheLaterTime() throws {
        let sql = """
            SELECT s.device FROM sensors AS s JOIN posts AS p ON s.device = p.id \
            JOIN sensors AS t ON t.device = p.id
            """
        let plan = try bind(sql).get()
        #expect(plan.explanation.contains("event time = CASE WHEN (created_at > ts) THEN created_at ELSE ts END"))
    }

    @Test(arguments: [
        "SELECT s.ts, SUM(1) OVER (PARTITION BY s.device ORDER BY s.ts) AS n FROM %",
        "SELECT s.ts, ROW_NUMBER() OVER (PARTITION BY s.device ORDER BY s.ts) AS n FROM %",
        "SELECT COUNT(*) AS n FROM % GROUP BY TUMBLE(s.ts, INTERVAL '1' MINUTE)",
        "SELECT s.ts FROM % ORDER BY s.ts",
        "SELECT COUNT(*) AS n FROM (SELECT s.ts FROM %) GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)",
    ])
    func noColumnIsAnEventTimeAfterwards(_ sql: String) {
        let joined = "sensors AS s JOIN posts AS p ON s.device = p.id"
        #expect(complaint(sql.replacing("%", with: joined)) != nil)
        #expect(
            complaint(sql.replacing("%", with: "\(joined) AND s.ts = p.created_at")) == nil,
            "the same of a join that is bounded")
    }

    @Test(arguments: [
        (
            "SELECT s.device FROM sensors AS s LEFT JOIN posts AS p ON s.device = p.id",
            "it bounds inner joins alone: LEFT JOIN would put out a row with NULLs that had to be taken back"
        ),
        (
            "SELECT s.device FROM sensors AS s FULL JOIN posts AS p ON s.device = p.id",
            "it bounds inner joins alone: FULL JOIN would put out a row with NULLs that had to be taken back"
        ),
        (
            "SELECT device FROM sensors WHERE device IN (SELECT id FROM posts)",
            "it bounds JOIN alone, not IN (SELECT …) and EXISTS (SELECT …)"
        ),
        ("SELECT s.device FROM sensors AS s, posts AS p", "needs an equality such as a.key = b.key"),
        (
            "SELECT s.device FROM sensors AS s JOIN posts AS p ON s.temperature < p.followers",
            "needs an equality such as a.key = b.key"
        ),
    ])
    func otherJoinsStayRefused(_ wrong: (sql: String, reason: String)) {
        let message = complaint(wrong.sql)
        #expect(message?.contains(wrong.reason) == true, "\(message ?? "taken")")
    }
}
