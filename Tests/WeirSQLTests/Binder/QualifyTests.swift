// QUALIFY and OVER beside GROUP BY give the plans of the same query with a subquery, and what Flink takes
// otherwise is said.

import Testing
import WeirCore
import WeirSQL

@Suite struct QualifyTests {
    private static let ranks = "ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY temperature)"
    private static let numbers = "ROW_NUMBER() OVER (PARTITION BY device ORDER BY ts)"
    private static let means = "AVG(temperature) OVER (PARTITION BY device ORDER BY ts ROWS 3 PRECEDING)"
    private static let groups = "FROM minutes GROUP BY window_start, window_end, device"

    @Test(arguments: [
        (
            "SELECT device, \(ranks) AS rn FROM minutes QUALIFY rn <= 3",
            "SELECT * FROM (SELECT device, \(ranks) AS rn FROM minutes) WHERE rn <= 3"
        ),
        (
            "SELECT device FROM minutes QUALIFY \(ranks) BETWEEN 2 AND 3",
            "SELECT device FROM (SELECT device, \(ranks) AS rn FROM minutes) WHERE rn BETWEEN 2 AND 3"
        ),
        (
            "SELECT device, ts FROM sensors QUALIFY \(numbers) = 1",
            "SELECT device, ts FROM (SELECT *, \(numbers) AS n FROM sensors) WHERE n = 1"
        ),
        (
            "SELECT device, \(means) AS mean FROM sensors WHERE line = 'x' QUALIFY mean > 5 AND humidity > mean",
            "SELECT device, mean FROM (SELECT *, \(means) AS mean FROM sensors WHERE line = 'x') "
                + "WHERE mean > 5 AND humidity > mean"
        ),
    ])
    func itIsAWhereOneLevelUp(_ pair: (qualify: String, subquery: String)) throws {
        #expect(try plan(pair.qualify).fingerprint == plan(pair.subquery).fingerprint)
    }

    @Test func macrosCanHaveTheOver() throws {
        var own = catalog
        own.macros = [
            Catalog.Macro(
                name: "place", parameters: [Catalog.Macro.Parameter("x")],
                sql: "ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY x)")
        ]
        let sql = "SELECT device FROM minutes QUALIFY place(temperature) <= 3"
        let written = try plan(sql.replacing("place(temperature)", with: Self.ranks))
        #expect(try QueryBinder(catalog: own).bind(sql).get().fingerprint == written.fingerprint)
    }

    @Test func overBesideGroupByGoesOverWhatHavingKeeps() throws {
        let text = try plan(
            """
            SELECT device, n FROM (SELECT window_start, window_end, device, COUNT(*) AS n, ROW_NUMBER() OVER \
            (PARTITION BY window_start, window_end ORDER BY COUNT(*) DESC) AS rn \(Self.groups) \
            HAVING MAX(temperature) > 5) WHERE rn <= 2
            """
        ).explanation
        let operators = text.split(separator: "\n").map { $0.drop { $0 == " " }.prefix { $0 != " " } }
        #expect(operators == ["project", "rank", "filter", "aggregate", "scan"])
        #expect(text.contains("rank 1…2 on window_time by (window_start, window_end) order (COUNT(*) desc)"))
    }

    @Test(arguments: [
        ("SELECT device, \(ranks) AS rn FROM minutes QUALIFY rn <= 3", nil),
        ("SELECT device, \(ranks) AS rn FROM minutes QUALIFY rn <= 3 AND device <> 'x'", "device"),
        ("SELECT device AS d, \(ranks) AS rn FROM minutes QUALIFY (rn <= 3 AND d <> 'x') LIMIT 3", "d"),
        ("SELECT UPPER(device) AS d, \(ranks) AS rn FROM minutes QUALIFY rn <= 3 AND d <> 'x'", nil),
        ("SELECT device, \(ranks) AS rn FROM minutes QUALIFY CAST(rn AS INT) <= 3 AND rn IS NOT NULL", nil),
        ("SELECT device FROM minutes QUALIFY \(ranks) <= 3 AND device <> 'x'", nil),
        ("SELECT device FROM (SELECT device, \(ranks) r FROM minutes QUALIFY r < 3) WHERE device > 'x'", nil),
        ("SELECT device \(groups) QUALIFY \(ranks) <= 3", "GROUP BY"),
    ])
    func flinksFaultsAreSaid(_ pair: (sql: String, word: String?)) {
        let complaints = Portability.complaints(about: pair.sql)
        #expect(complaints.count == (pair.word == nil ? 0 : 1))
        #expect(pair.word.map { word in complaints.allSatisfy { $0.message.contains(" \(word)") } } ?? true)
    }

    @Test(arguments: [
        ("r <= 2", "ROW_NUMBER() only"), ("r = 1", "ROW_NUMBER() only"), ("r < v", "ROW_NUMBER() only"),
        ("r > 2", "up to a number"), ("r <> 2", nil), ("r >= v", nil), ("r + 1 < 3", nil),
    ])
    func ranksAreNoConditionsOfFlink(_ pair: (condition: String, reason: String?)) throws {
        for name in ["RANK", "DENSE_RANK"] {
            let call = "\(name)() OVER (PARTITION BY device ORDER BY ts) AS r"
            let from = "FROM (SELECT *, total AS v, \(call) FROM sensors) WHERE \(pair.condition)"
            let found = Portability.complaints(about: try plan("SELECT device, r, v \(from)").root)
            #expect(found.count == (pair.reason == nil ? 0 : 1))
            #expect(pair.reason.map { found.first?.contains($0) == true } ?? true)
        }
        let both = "SELECT *, RANK() OVER w AS r, SUM(total) OVER w AS s FROM sensors WINDOW w AS (ORDER BY ts)"
        let mixed = try plan("SELECT device, s FROM (\(both)) WHERE \(pair.condition.replacing("v", with: "total"))")
        #expect(Portability.complaints(about: mixed.root).isEmpty)
    }
}
