// Fingerprints: the same for queries whose state and results are interchangeable, different otherwise.

import Testing
import WeirCore
import WeirSQL

private let base = """
    SELECT window_start, device, COUNT(*) AS n, AVG(temperature) AS a
    FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
    WHERE humidity > 3 AND line = 'x' GROUP BY window_start, window_end, device
    """

@Suite struct FingerprintTests {
    @Test(arguments: [
        "select  window_start,device,count(*) n,avg(temperature) a\n\tfrom table(tumble(table sensors,descriptor(ts),"
            + "interval '60' second))where humidity>3 and line='x'group by window_start,window_end,device;",
        base.replacing("line = 'x'", "/* only x */ (line = 'x') -- one line\n"),
        base.replacing("device, COUNT", "s.device, COUNT").replacing("MINUTE))", "MINUTE)) AS s"),
        base.replacing("COUNT(*)", "COUNT(1)"),
        base.replacing("humidity > 3", "humidity > 3.0"),
        base.replacing("window_end, device", "device, window_end"),
        base.replacing("TABLE sensors", "DATA => (SELECT * FROM sensors WHERE humidity > 3)")
            .replacing("DESCRIPTOR", "TIMECOL => DESCRIPTOR").replacing(
                ", INTERVAL", ", SIZE => INTERVAL"
            )
            .replacing("WHERE humidity > 3 AND line", "WHERE line"),
        base.replacing(
            "SELECT window_start",
            "WITH v AS (SELECT line AS l, ts AS t, * FROM sensors) SELECT window_start"
        )
        .replacing("TABLE sensors", "TABLE v").replacing("(ts)", "(t)").replacing("line =", "l ="),
    ])
    func theSameMeaningHasTheSameFingerprint(_ sql: String) throws {
        #expect(try plan(sql).fingerprint == plan(base).fingerprint)
    }

    @Test(arguments: [
        ("AS n", "AS m"), ("AVG", "SUM"), ("AVG(temperature)", "AVG(humidity)"),
        ("'1' MINUTE", "'2' MINUTE"),
        ("'1' MINUTE", "'1' MINUTE, INTERVAL '1' SECOND"), ("humidity > 3", "humidity >= 3"),
        ("'x'", "'X'"),
        ("window_end, device", "window_end, device, line"), ("WHERE humidity > 3 AND", "WHERE"),
        ("COUNT(*)", "COUNT(device)"), ("COUNT(*)", "COUNT(*) FILTER (WHERE is_on)"),
        ("SELECT window_start,", "SELECT window_start, window_end,"),
        ("window_start, device", "device, window_start"),
    ])
    func anotherMeaningHasAnotherFingerprint(_ part: String, _ other: String) throws {
        #expect(try plan(base.replacing(part, other)).fingerprint != plan(base).fingerprint)
    }

    @Test func theTextIsStable() throws {
        #expect(
            try plan(base).fingerprint == """
                plan 1
                scan sensors (device STRING, ts TIMESTAMP_LTZ(3), temperature DOUBLE, humidity DOUBLE, \
                line STRING) event time ts
                filter ((#3 > 3.0) AND (#4 = 'x'))
                aggregate tumble size 60000 ms on #1 by (#0) compute (COUNT(*), AVG(#2))
                project #1, #0, #4, #5
                output window_start TIMESTAMP(3), device STRING, n BIGINT, a DOUBLE
                """)
    }

    @Test func namesAndTextsCannotPretendToBeOtherPlans() throws {
        let odd = try plan(
            "SELECT device AS `a STRING, b` FROM sensors WHERE line = 'x'')\noutput y' AND line <> '\\'"
        )
        let lines = odd.fingerprint.split(separator: "\n")
        #expect(lines.count == 5)
        #expect(lines[2] == "filter ((#1 = 'x'')\\u{a}output y') AND (#1 <> '\\u{5c}'))")
        #expect(lines[4] == "output `a STRING, b` STRING")
    }

    @Test func aSourcesColumnTypesAndTimeBelongToThePlan() throws {
        let other = Catalog(
            tables: [
                Catalog.Table(
                    name: "sensors",
                    schema: Schema([Field("device", .string), Field("ts", .timestamp)]),
                    timeColumn: "ts")
            ])
        let sql = "SELECT device, ts FROM sensors"
        let changed = try QueryBinder(catalog: other).bind(sql).get()
        #expect(try plan(sql).fingerprint != changed.fingerprint)
    }
}

extension String {
    /// The text with the first `part` replaced.
    fileprivate func replacing(_ part: String, _ other: String) -> String {
        guard let range = firstRange(of: part) else {
            Issue.record("\(part) does not occur")
            return self
        }
        return self[..<range.lowerBound] + other + self[range.upperBound...]
    }
}
