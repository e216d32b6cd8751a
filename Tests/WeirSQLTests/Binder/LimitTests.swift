// No text may crash the binder or keep it busy: deep, long, self-similar and random ones. What binds must
// also compile, so that the binder and the kernels agree about every type.

import Testing
import WeirCore
import WeirSQL

/// Compiles every expression of a plan, as the runtime does.
private func compileAll(_ plan: LogicalPlan) throws {
    var node: LogicalPlan? = plan
    while let here = node {
        switch here {
        case .filter(_, let predicate): _ = try CompiledPredicate(predicate)
        case .project(_, let expressions, _):
            for expression in expressions { _ = try CompiledExpression(expression) }
        case .windowAggregate(_, _, let keys, let aggregates, _):
            for expression in keys + aggregates.compactMap(\.argument) {
                _ = try CompiledExpression(expression)
            }
            for filter in aggregates.compactMap(\.filter) { _ = try CompiledPredicate(filter) }
        case .expand(_, let spec, _):
            for key in spec.keys { _ = try CompiledExpression(key) }
        case .scan, .unnest, .windowAssign, .lookup, .union, .ordered: break
        }
        node = here.inputs.first
    }
}

private func repeated(_ text: String, _ count: Int) -> String {
    String(repeating: text, count: count)
}

/// A long text in few words, so that the test's name stays short.
private struct Repetition: CustomTestStringConvertible {
    let before: String
    let times: Int
    let middle: String
    let after: String

    init(_ before: String, _ times: Int, _ middle: String = "", _ after: String = "") {
        (self.before, self.times, self.middle, self.after) = (before, times, middle, after)
    }

    var text: String { repeated(before, times) + middle + repeated(after, times) }
    var testDescription: String { "\(times) × \(before)" }
}

@Suite struct LimitTests {
    @Test(arguments: [
        Repetition("(", 100_000, "1", ")"), Repetition("NOT ", 50_000, "is_on"),
        Repetition("- ", 100_000, "1"),
        Repetition("+ ", 100_000, "1"), Repetition("ABS(", 50_000, "1", ")"),
        Repetition("CASE WHEN ", 20_000),
        Repetition("hashtags[", 20_000), Repetition("1 + ", 50_000, "1"),
        Repetition("(SELECT ", 20_000),
        Repetition("a.", 50_000, "a"), Repetition("1 IN (", 10_000), Repetition("CAST(", 20_000),
        Repetition("EXISTS (SELECT ", 10_000),
        Repetition("COUNT(*) FILTER (WHERE ", 10_000), Repetition("SUM(1) OVER (ORDER BY ", 10_000),
    ])
    private func deepNestingIsRefusedWithItsPlace(_ expression: Repetition) {
        let found = errors("SELECT \(expression.text) FROM sensors")
        #expect(found.count == 1)
        #expect(found.first?.contains("more than") == true, "\(found)")
    }

    @Test(arguments: [
        Repetition("SELECT a FROM sensors UNION ALL ", 5_000, "SELECT a FROM sensors"),
        Repetition("SELECT a FROM sensors INTERSECT ", 5_000, "SELECT a FROM sensors"),
        Repetition("SELECT CAST(a AS INT", 1, repeated(" ARRAY", 10_000)),
        Repetition("SELECT CAST(a AS ", 1, repeated("ARRAY<", 10_000)),
        Repetition("SELECT a FROM sensors", 1, repeated(", sensors", 20_000)),
        Repetition("SELECT a FROM ", 1, repeated("(", 100_000)),
        Repetition("SELECT a FROM (", 10_000),
        Repetition("SELECT a FROM TABLE(TUMBLE((", 5_000), Repetition("WITH a AS (", 10_000),
    ])
    private func longChainsOfTablesAreRefused(_ sql: Repetition) {
        let found = errors(sql.text)
        #expect(found.count == 1)
        #expect(found.first?.contains("more than") == true, "\(found)")
    }

    @Test func nestingWithinTheLimitBinds() throws {
        let depth = 100
        let bound = try plan(
            "SELECT \(repeated("(", depth))total\(repeated(" + 1)", depth)) AS x FROM sensors")
        try compileAll(bound.root)
        #expect(try plan("SELECT \(repeated("1 + ", 390))1 AS x FROM sensors").schema.count == 1)
    }

    @Test func longListsAndConjunctionsBind() throws {
        let numbers = (0..<20_000).map(String.init).joined(separator: ", ")
        try compileAll(plan("SELECT device FROM sensors WHERE count_now IN (\(numbers))").root)
        let conditions = (0..<5_000).map { "count_now <> \($0)" }.joined(separator: " AND ")
        try compileAll(plan("SELECT device FROM sensors WHERE \(conditions)").root)
        let columns = (0..<2_000).map { "total + \($0) AS c\($0)" }.joined(separator: ", ")
        #expect(try plan("SELECT \(columns) FROM sensors").schema.count == 2_000)
        #expect(errors("SELECT \(columns), 1 AS more FROM sensors").count == 1)
    }

    @Test func oneMegabyteIsRefusedAtOnce() {
        let sql = "SELECT device FROM sensors WHERE line IN ('" + repeated("x", 1 << 20) + "')"
        #expect(
            errors(sql) == ["1:1: the text has \(sql.utf8.count) bytes; a query has at most 262144"]
        )
    }

    @Test func valuesThatAreRepeatedInThePlanCannotExplode() {
        var sql = "count_now"
        for _ in 0..<60 { sql = "CASE WHEN \(sql) BETWEEN 1 AND 2 THEN 1 ELSE 2 END" }
        #expect(
            errors("SELECT \(sql) AS x FROM sensors").first?.contains("too large to be repeated")
                == true)
        sql = "count_now"
        for _ in 0..<60 { sql = "CASE \(sql) WHEN 1 THEN 1 WHEN 2 THEN 3 END" }
        #expect(
            errors("SELECT \(sql) AS x FROM sensors").first?.contains("too large to be repeated")
                == true)
    }

    @Test func chainsOfViewsAndWithAreBounded() {
        let views = (0..<300).map { index in
            Catalog.View(
                name: "v\(index)",
                sql: "SELECT total + 1 AS total FROM \(index == 299 ? "sensors" : "v\(index + 1)")")
        }
        let binder = QueryBinder(catalog: Catalog(tables: catalog.tables, views: views))
        guard case .failure(let deep) = binder.bind("SELECT * FROM v0") else {
            Issue.record("300 views above each other were bound")
            return
        }
        #expect(deep.diagnostics[0].message.contains("more than 128 deep"))
        let with = (1..<400).map { "a\($0) AS (SELECT x + 1 AS x FROM a\($0 - 1) WHERE x > 0)" }
            .joined(separator: ", ")
        let found = errors(
            "WITH a0 AS (SELECT total AS x FROM sensors), \(with) SELECT x FROM a399")
        #expect(found.contains { $0.contains("steps above each other") })
    }

    @Test func randomTokensNeitherCrashNorHang() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var boundCount = 0
        for _ in 0..<4_000 {
            let count = Int.random(in: 1...60, using: &random)
            let sql = (0..<count).map { _ in soup.randomElement(using: &random) ?? "" }.joined(
                separator: " ")
            for text in [
                sql, "SELECT \(sql) FROM sensors", "SELECT device FROM sensors WHERE \(sql)",
            ] {
                guard case .success(let plan) = QueryBinder(catalog: catalog).bind(text) else {
                    continue
                }
                boundCount += 1
                try compileAll(plan.root)
            }
        }
        #expect(boundCount > 0, "seed \(seed)")
    }

    @Test func randomExpressionsThatBindAlsoCompile() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var boundCount = 0
        for _ in 0..<6_000 {
            let sql = "SELECT \(randomExpression(3, &random)) AS x FROM posts"
            guard case .success(let plan) = QueryBinder(catalog: wide).bind(sql) else { continue }
            boundCount += 1
            do { try compileAll(plan.root) } catch {
                Issue.record("seed \(seed): \(sql): \(error)")
            }
        }
        #expect(boundCount > 300, "seed \(seed)")
    }

    @Test func cutTextsNeitherCrashNorHang() {
        let sql =
            "WITH a AS (SELECT device, `ts`, 'it''s' || line AS l FROM sensors "
            + "WHERE ts > TIMESTAMP '2026-01-01 00:00:00') "
            + "SELECT HOP_START(ts, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE) s, "
            + "COUNT(*) FILTER (WHERE l LIKE 'a!%%' ESCAPE '!') FROM a /* c */ "
            + "GROUP BY HOP(ts, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE), "
            + "CASE l WHEN 'x' THEN 1 ELSE 2 END -- end"
        for length in 0..<sql.utf8.count {
            _ = QueryBinder(catalog: catalog).bind(
                String(decoding: sql.utf8.prefix(length), as: UTF8.self))
            _ = QueryBinder(catalog: catalog).bind(
                String(decoding: sql.utf8.dropFirst(length), as: UTF8.self))
        }
        #expect(errors(sql) == [])
    }
}

/// One table with a column of each type.
private let wide = Catalog(
    tables: [
        Catalog.Table(
            name: "posts",
            schema: Schema([
                Field("i", .int), Field("l", .bigint), Field("d", .double), Field("s", .string),
                Field("b", .boolean),
                Field("t", .timestampLTZ), Field("w", .timestamp), Field("a", .array(.string)),
                Field("n", .array(.int)),
            ]), timeColumn: "t")
    ])

private func randomExpression(_ depth: Int, _ random: inout SeededGenerator) -> String {
    let leaves = [
        "i", "l", "d", "s", "b", "t", "w", "a", "n", "NULL", "1", "2.5", "'x'", "TRUE",
        "INTERVAL '1' DAY", "'2026-01-01'",
    ]
    if depth == 0 || Int.random(in: 0..<5, using: &random) == 0 {
        return leaves.randomElement(using: &random) ?? "i"
    }
    let forms = [
        "(# + #)", "(# - #)", "(# * #)", "(# / #)", "(# % #)", "(# = #)", "(# < #)", "(# <> #)",
        "# AND #", "# OR #", "NOT #",
        "(# || #)", "# IS NULL", "# IS NOT DISTINCT FROM #", "(# BETWEEN # AND #)", "(# IN (#, #))",
        "(# LIKE #)", "-#",
        "CASE WHEN # THEN # ELSE # END", "CASE # WHEN # THEN # END", "CAST(# AS STRING)",
        "CAST(# AS DOUBLE)",
        "CAST(# AS TIMESTAMP(3))", "TRY_CAST(# AS BOOLEAN)", "TRY_CAST(# AS INT)", "COALESCE(#, #)",
        "NULLIF(#, #)",
        "GREATEST(#, #, #)", "IF(#, #, #)", "ABS(#)", "ROUND(#, #)", "FLOOR(#)", "SIGN(#)",
        "POWER(#, #)", "LN(#)", "UPPER(#)",
        "TRIM(#)", "SUBSTRING(# FROM # FOR #)", "REPLACE(#, #, #)", "POSITION(# IN #)",
        "CONCAT(#, #)", "CONCAT_WS(#, #, #)",
        "LPAD(#, #, #)", "SPLIT_INDEX(#, #, #)", "LEFT(#, #)", "CHAR_LENGTH(#)",
        "EXTRACT(DAY FROM #)", "FLOOR(# TO MINUTE)",
        "CEIL(# TO HOUR)", "DATE_FORMAT(#, 'yyyy')", "TO_TIMESTAMP_LTZ(#, 3)", "TO_TIMESTAMP(#)",
        "CARDINALITY(#)", "#[#]",
        "ARRAY_CONTAINS(#, #)", "MOD(#, #)", "TRUNCATE(#)", "REPEAT(#, #)", "(# IS TRUE)",
    ]
    let form = forms.randomElement(using: &random) ?? "#"
    var text = ""
    for character in form {
        if character == "#" {
            text += randomExpression(depth - 1, &random)
        } else {
            text.append(character)
        }
    }
    return text
}

/// Words, operators and fragments to stir.
private let soup = [
    "SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "AS", "AND", "OR", "NOT", "IN", "IS", "NULL",
    "BETWEEN", "LIKE", "CASE",
    "WHEN", "THEN", "ELSE", "END", "CAST", "INTERVAL '1' MINUTE", "TABLE", "TUMBLE", "HOP",
    "DESCRIPTOR", "(", ")", "[", "]",
    ",", ".", ";", "=", "<", ">", "<=", "<>", "+", "-", "*", "/", "%", "||", "=>", "'a'", "''", "1",
    "2.5", "1e3", "device", "ts",
    "temperature", "is_on", "total", "sensors", "posts", "minutes", "window_start", "window_end",
    "COUNT", "SUM", "COUNT(*)",
    "UPPER", "JOIN", "CROSS JOIN", "UNNEST", "ON", "WITH", "UNION ALL", "ORDER BY", "OVER",
    "FILTER", "DISTINCT", "EXTRACT",
    "TRIM", "SUBSTRING", "POSITION", "ARRAY", "TIMESTAMP '2026-01-01 00:00:00'", "`x`", "--", "/*",
    "*/", "'", "`", "é",
]
