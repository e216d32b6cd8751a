// Plans of right queries, as `weir explain` shows them: what is pushed down, what is inlined, and which
// columns come out under which names and types.

import Testing
import WeirCore
import WeirSQL

/// A query's plan as text, without the indentation.
private func steps(_ sql: String, _ location: SourceLocation = #_sourceLocation) throws -> [String]
{
    try plan(sql, location).explanation.split(separator: "\n").map { line in
        String(line.drop { $0 == " " })
    }
}

private func output(_ sql: String) throws -> [String] {
    try plan(sql).schema.fields.map { "\($0.name) \($0.type)" }
}

@Suite struct PlanTests {
    @Test func aStatelessQueryReadsOnlyItsColumnsAndFiltersFirst() throws {
        #expect(
            try steps("SELECT ts, device, line FROM sensors WHERE temperature > 80.0") == [
                "project ts, device, line",
                "filter (temperature > 80.0)",
                "scan sensors (device STRING, ts TIMESTAMP_LTZ(3), temperature DOUBLE, line STRING) event time ts",
            ])
    }

    @Test func selectStarIsTheScanItself() throws {
        let plan = try plan("SELECT * FROM posts")
        guard case .scan("posts", let schema, timeColumn: 1) = plan.root else {
            Issue.record("\(plan.root)")
            return
        }
        #expect(schema.count == 6)
    }

    @Test func aScanWithoutItsTimeColumnHasNone() throws {
        guard
            case .scan(_, let schema, timeColumn: nil) = try plan("SELECT device FROM sensors").root
        else {
            Issue.record("not a scan")
            return
        }
        #expect(schema.fields.map(\.name) == ["device"])
        #expect(try plan("SELECT 1 AS one FROM sensors").root.inputs.first?.schema.count == 0)
    }

    @Test func callsOverOneWindowAreOneOperatorHoweverTheyAreWritten() throws {
        let sql = """
            SELECT device, SUM(temperature) OVER w AS s, temperature - LAG(temperature) OVER (ORDER BY ts) AS d,
            COUNT(*) OVER (PARTITION BY device ORDER BY ts RANGE INTERVAL '10' SECOND PRECEDING) + 1 AS n
            FROM sensors WINDOW w AS (PARTITION BY device ORDER BY ts RANGE BETWEEN INTERVAL '10' SECOND
            PRECEDING AND CURRENT ROW)
            """
        #expect(
            try steps(sql).dropFirst().dropLast() == [
                "over range unbounded on ts by () compute (LAG(temperature, 1, NULL:DOUBLE))",
                "over range 10000 ms on ts by (device) compute (SUM(temperature), COUNT(*))",
            ])
    }

    @Test func anOverThatNobodyReadsKeepsOrderOnly() throws {
        let sql = """
            SELECT device FROM (SELECT device, COUNT(*) OVER (PARTITION BY device ORDER BY ts) AS n FROM sensors)
            """
        #expect(try steps(sql).contains("sort by ts"))
    }

    @Test func aWindowedAggregateFiltersBelowAndProjectsAbove() throws {
        let sql = """
            SELECT window_start, window_end, device, COUNT(*) AS readings, AVG(temperature) * 2 AS twice
            FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
            WHERE humidity > 3 AND window_start > '2026-01-01 00:00:00'
            GROUP BY window_start, window_end, device HAVING MAX(temperature) > 80
            """
        #expect(
            try steps(sql) == [
                "project window_start, window_end, device, readings = COUNT(*), twice = (AVG(temperature) * 2.0)",
                "filter ((window_start > TIMESTAMP(3) '2026-01-01T00:00:00.000Z') AND (MAX(temperature) > 80.0))",
                "aggregate tumble size 60000 ms on ts by (device) "
                    + "compute (MAX(temperature), COUNT(*), AVG(temperature))",
                "filter (humidity > 3.0)",
                "scan sensors (device STRING, ts TIMESTAMP_LTZ(3), temperature DOUBLE, humidity DOUBLE) "
                    + "event time ts",
            ])
        #expect(
            try output(sql) == [
                "window_start TIMESTAMP(3)", "window_end TIMESTAMP(3)", "device STRING",
                "readings BIGINT", "twice DOUBLE",
            ])
    }

    @Test func theOlderFormGivesTheSameAggregate() throws {
        let newer = """
            SELECT device, window_start AS s, window_end AS e, window_time AS t, COUNT(*) AS n
            FROM TABLE(HOP(TABLE sensors, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '1' MINUTE))
            GROUP BY device, window_start, window_end, window_time
            """
        let window = "ts, INTERVAL '10' SECOND, INTERVAL '1' MINUTE"
        let older = """
            SELECT device, HOP_START(\(window)) AS s, HOP_END(\(window)) AS e,
            HOP_ROWTIME(\(window)) AS t, COUNT(*) AS n
            FROM sensors GROUP BY device, HOP(\(window))
            """
        #expect(try plan(newer).fingerprint == plan(older).fingerprint)
        #expect(try output(newer)[3] == "t TIMESTAMP_LTZ(3)")
    }

    @Test func windowParametersAreMilliseconds() throws {
        func window(_ arguments: String) throws -> WindowSpec? {
            let sql =
                "SELECT COUNT(*) AS n FROM TABLE(\(arguments)) GROUP BY window_start, window_end"
            var node: LogicalPlan? = try plan(sql).root
            while let here = node {
                if case .windowAggregate(_, let window, _, _, _) = here { return window }
                node = here.inputs.first
            }
            return nil
        }
        #expect(
            try window(
                "TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '90' MINUTE)")
                == WindowSpec(timeColumn: 0, size: 3_600_000, slide: 3_600_000, offset: 1_800_000))
        #expect(
            try window(
                "HOP(TABLE sensors, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '20' SECOND, INTERVAL '-1' SECOND)"
            )
                == WindowSpec(timeColumn: 0, size: 20_000, slide: 5_000, offset: 4_000))
        #expect(
            try window(
                "HOP(SIZE => INTERVAL '1' DAY, SLIDE => INTERVAL '1' HOUR, "
                    + "TIMECOL => DESCRIPTOR(ts), DATA => TABLE sensors)"
            )
                == WindowSpec(timeColumn: 0, size: 86_400_000, slide: 3_600_000))
    }

    @Test func theOlderFormTakesASlideThatDoesNotDivideTheSize() throws {
        func window(_ slide: Int, _ size: Int) throws -> WindowSpec? {
            let window = "HOP(ts, INTERVAL '\(slide)' SECOND, INTERVAL '\(size)' SECOND)"
            var node: LogicalPlan? = try plan("SELECT COUNT(*) AS n FROM sensors GROUP BY \(window)")
                .root
            while let here = node {
                if case .windowAggregate(_, let window, _, _, _) = here { return window }
                node = here.inputs.first
            }
            return nil
        }
        #expect(try window(4, 10) == WindowSpec(timeColumn: 0, size: 10_000, slide: 4_000))
        #expect(try window(10, 4) == WindowSpec(timeColumn: 0, size: 4_000, slide: 10_000))
    }

    @Test func aViewOverUnnestIsInlinedBelowTheWindow() throws {
        let sql = """
            SELECT window_start, window_end, tag, COUNT(*) AS posts, MAX(followers) AS reach
            FROM TABLE(TUMBLE(TABLE post_tags, DESCRIPTOR(created_at), INTERVAL '1' MINUTE))
            WHERE tag <> 'spam' AND followers > 10
            GROUP BY window_start, window_end, tag
            """
        #expect(
            Array(try steps(sql).dropFirst()) == [
                "aggregate tumble size 60000 ms on created_at by (tag) compute (COUNT(*), MAX(followers))",
                "filter (tag <> 'spam')",
                "unnest hashtags",
                "filter (followers > 10L)",
                "scan posts (created_at TIMESTAMP_LTZ(3), followers BIGINT, hashtags ARRAY<STRING>) "
                    + "event time created_at",
            ])
    }

    @Test func eventTimePassesThroughViewsThatRenameIt() throws {
        let sql = """
            SELECT name, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE hotter, DESCRIPTOR(at), INTERVAL '1' MINUTE))
            GROUP BY name, window_start, window_end
            """
        #expect(
            try steps(sql) == [
                "project name, n = COUNT(*)",
                "aggregate tumble size 60000 ms on ts by (device) compute (COUNT(*))",
                "filter ((temperature > 80.0) AND (temperature > 90.0))",
                "scan sensors (device STRING, ts TIMESTAMP_LTZ(3), temperature DOUBLE) event time ts",
            ])
    }

    @Test func aWindowInAViewIsAggregatedByTheQueryAboveIt() throws {
        let sql =
            "SELECT line, COUNT(*) AS n FROM minutes WHERE is_on GROUP BY line, window_start, window_end"
        #expect(
            Array(try steps(sql).dropFirst()) == [
                "aggregate tumble size 60000 ms on ts by (line) compute (COUNT(*))",
                "filter is_on",
                "scan sensors (ts TIMESTAMP_LTZ(3), line STRING, is_on BOOLEAN) event time ts",
            ])
    }

    @Test func aWindowPassesThroughSubqueriesThatRenameItsColumns() throws {
        let sql = """
            SELECT s, x, SUM(d) AS total FROM (SELECT window_start AS s, window_end AS e, UPPER(line) AS x,
            count_now * 2 AS d FROM minutes WHERE window_end > '2026-01-01') AS w GROUP BY s, e, x
            """
        #expect(
            try steps(sql) == [
                "project s = window_start, x, total = SUM(d)",
                "filter (window_end > TIMESTAMP(3) '2026-01-01T00:00:00.000Z')",
                "aggregate tumble size 60000 ms on ts by (x) compute (SUM(d))",
                "project x = upper(line), d = (count_now * 2), ts",
                "scan sensors (ts TIMESTAMP_LTZ(3), line STRING, count_now INT) event time ts",
            ])
    }

    @Test func aWindowWithoutAggregateCopiesRowsIntoTheirWindows() throws {
        let sql =
            "SELECT device, window_end FROM minutes WHERE temperature > 3 AND ts < window_end - INTERVAL '1' SECOND"
        #expect(
            try steps(sql) == [
                "project device, window_end",
                "filter (ts < CAST((window_end - INTERVAL 1000 ms) AS TIMESTAMP_LTZ(3)))",
                "assign windows tumble size 60000 ms on ts",
                "filter (temperature > 3.0)",
                "scan sensors (device STRING, ts TIMESTAMP_LTZ(3), temperature DOUBLE) event time ts",
            ])
        #expect(
            try output("SELECT * FROM minutes").suffix(3) == [
                "window_start TIMESTAMP(3)", "window_end TIMESTAMP(3)",
                "window_time TIMESTAMP_LTZ(3)",
            ])
    }

    @Test func groupedExpressionsAreKeysAndFunctionsOfTheWindowAreNot() throws {
        let sql = """
            SELECT DATE_FORMAT(window_start, 'yyyy') AS y, UPPER(line) || '!' AS x, COUNT(is_on) AS n FROM minutes
            GROUP BY UPPER(line), window_start, window_end, DATE_FORMAT(window_start, 'yyyy'), 'constant' || 'key'
            """
        #expect(
            Array(try steps(sql).prefix(2)) == [
                "project y = dateFormat(window_start, 'yyyy'), x = (upper(line) || '!'), n = COUNT(is_on)",
                "aggregate tumble size 60000 ms on ts by (upper(line)) compute (COUNT(is_on))",
            ])
    }

    @Test func equalAggregatesAreComputedOnceAndCountOfAConstantIsCountStar() throws {
        let sql = """
            SELECT COUNT(*) AS a, COUNT(1) AS b, SUM(total) AS c, SUM(total) + COUNT(*) AS d,
            COUNT(*) FILTER (WHERE is_on) AS e FROM minutes GROUP BY window_start, window_end
            """
        #expect(
            try steps(sql)[1]
                == "aggregate tumble size 60000 ms on ts by () "
                + "compute (COUNT(*), SUM(total), COUNT(*) FILTER (WHERE is_on))"
        )
    }

    @Test func aggregatesThatNothingReadsAreDropped() throws {
        let sql = """
            SELECT n FROM (SELECT device, COUNT(*) AS n, MAX(temperature) AS m FROM minutes
            GROUP BY device, window_start, window_end) WHERE n > 3
            """
        #expect(
            try steps(sql) == [
                "project n = COUNT(*)", "filter (COUNT(*) > 3L)",
                "aggregate tumble size 60000 ms on ts by (device) compute (COUNT(*))",
                "scan sensors (device STRING, ts TIMESTAMP_LTZ(3)) event time ts",
            ])
    }

    @Test func withQueriesShadowSourcesAndReadEachOther() throws {
        let sql = """
            WITH sensors (d, t) AS (SELECT device, ts FROM sensors),
            late AS (SELECT d FROM sensors WHERE t > '2026-01-01') SELECT late.d AS who FROM late
            """
        #expect(try steps(sql)[0] == "project who = device")
    }

    @Test func severalArraysUnnestOneAfterTheOther() throws {
        let sql =
            "SELECT id, h, s FROM posts, UNNEST(hashtags) AS t (h), UNNEST(posts.scores) AS u (s) "
            + "WHERE h = 'a' AND s > 1"
        #expect(
            Array(try steps(sql).dropLast()) == [
                "project id, h, s", "filter (s > 1)", "unnest scores", "filter (h = 'a')",
                "unnest hashtags",
            ])
    }

    @Test func columnsWithoutANameGetFlinksName() throws {
        #expect(
            try output("SELECT device, total + 1, s.line, is_on FROM sensors AS s") == [
                "device STRING", "EXPR$1 BIGINT", "line STRING", "is_on BOOLEAN",
            ])
    }
}
