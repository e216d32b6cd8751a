// What a configuration says of a query beside its text: the time zone, the allowed lateness and the end of
// state, in the plan.

import Testing
import WeirCore
import WeirSQL

@Suite struct QuerySettingsTests {
    private func plan(_ sql: String, zone: String) throws -> String {
        try QueryBinder(catalog: catalog).bind(sql, QuerySettings(timeZone: zone)).get().explanation
    }

    @Test func windowsOverInstantsFollowTheZone() throws {
        let sql = """
            SELECT device, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' DAY)) \
            GROUP BY device, window_start, window_end
            """
        #expect(try plan(sql, zone: "Europe/Berlin").contains("tumble size 86400000 ms in Europe/Berlin on ts"))
        #expect(try !plan(sql, zone: "UTC").contains(" in "))
    }

    @Test(arguments: [
        ("CAST(ts AS STRING)", "CAST(LOCAL TIME(ts, 'Europe/Berlin') AS STRING)"),
        ("CAST(ts AS TIMESTAMP(3))", "LOCAL TIME(ts, 'Europe/Berlin')"),
        ("EXTRACT(HOUR FROM ts)", "extractHour(LOCAL TIME(ts, 'Europe/Berlin'))"),
        (
            "FLOOR(ts TO DAY)",
            "INSTANT OF LOCAL TIME(floorTimeDay(LOCAL TIME(ts, 'Europe/Berlin')), 'Europe/Berlin')"
        ),
        ("ts > TIMESTAMP '2026-07-01 02:00:00'", "(ts > TIMESTAMP_LTZ(3) '2026-07-01T00:00:00.000Z')"),
        ("ts + INTERVAL '1' DAY", "(ts + INTERVAL 86400000 ms)"),
    ])
    func expressionsGoByTheZonesClocks(_ pair: (sql: String, text: String)) throws {
        let text = try plan("SELECT \(pair.sql) AS x FROM sensors", zone: "Europe/Berlin")
        #expect(text.contains("project x = \(pair.text)\n"), "\(text)")
    }

    @Test(arguments: [
        ("CAST(b.ts AS TIMESTAMP(3))", "CAST(a.ts AS TIMESTAMP(3))", false), ("b.ts", "a.ts", true),
    ])
    func instantsAreBoundedByInstants(_ join: (later: String, earlier: String, isTaken: Bool)) {
        let sql = """
            SELECT a.device FROM sensors AS a JOIN sensors AS b ON a.device = b.device \
            AND \(join.later) BETWEEN \(join.earlier) AND \(join.earlier) + INTERVAL '1' MINUTE
            """
        let binder = QueryBinder(catalog: catalog)
        #expect((try? binder.bind(sql).get()) != nil)
        let bound = binder.bind(sql, QuerySettings(timeZone: "Europe/Berlin"))
        #expect(((try? bound.get()) != nil) == join.isTaken)
    }

    @Test func onlyOneGroupingByWindowsCanCorrect() throws {
        let window = "TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"
        let good = try WeirSQLTests.plan(
            "SELECT device, COUNT(*) AS n FROM \(window) GROUP BY device, window_start, window_end HAVING COUNT(*) > 1")
        let revising = try good.allowingLateness(60_000).get()
        #expect(revising.schema.fields.last == Field("revision", .int))
        #expect(revising.fingerprint.contains("allowed lateness 60000 ms"))
        for sql in [
            "SELECT device FROM sensors", "SELECT * FROM \(window)",
            "SELECT device AS revision FROM \(window) GROUP BY device, window_start, window_end",
            "SELECT device, COUNT(*) AS n FROM sensors GROUP BY device, SESSION(ts, INTERVAL '1' MINUTE)",
        ] {
            #expect(throws: QueryPlan.LatenessRefusal.self) {
                try WeirSQLTests.plan(sql).allowingLateness(60_000).get()
            }
        }
    }

    @Test func windowsOfMonthsAreOurOwn() {
        let sql = """
            SELECT COUNT(*) AS n FROM TABLE(HOP(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MONTH, INTERVAL '1' YEAR)) \
            GROUP BY window_start, window_end
            """
        #expect(errors(sql) == [])
        #expect(Portability.complaints(about: sql).count == 1)
        #expect(Portability.complaints(about: "SELECT ts + INTERVAL '1' MONTH FROM sensors").isEmpty)
        #expect(!errors(sql.replacing("'1' MONTH", with: "'1' DAY")).isEmpty)
        #expect(!errors(sql.replacing("'1' YEAR", with: "'2' YEAR")).isEmpty)
    }
}
