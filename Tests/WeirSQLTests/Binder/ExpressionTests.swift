// Types and implicit casts of expressions, and which kernels SQL's functions are.

import Testing
import WeirCore
import WeirSQL

@Suite struct ExpressionTests {
    @Test(arguments: [
        ("count_now + 1", "(count_now + 1)", "INT"),
        ("count_now / 2", "(count_now / 2)", "INT"),
        ("count_now + total", "(CAST(count_now AS BIGINT) + total)", "BIGINT"),
        ("total * 2", "(total * 2L)", "BIGINT"),
        ("total - 0.5", "(total - 0.5:DECIMAL(2, 1))", "DECIMAL(21, 1)"),
        ("temperature - 0.5", "(temperature - 0.5)", "DOUBLE"),
        ("temperature + 1", "(temperature + 1.0)", "DOUBLE"),
        ("80.0", "80.0:DECIMAL(3, 1)", "DECIMAL(3, 1)"), ("1e3", "1000.0", "DOUBLE"),
        ("2147483647", "2147483647", "INT"), ("2147483648", "2147483648L", "BIGINT"),
        ("-2147483648", "-2147483648", "INT"),
        ("-9223372036854775808", "-9223372036854775808L", "BIGINT"),
        ("-count_now", "negate(count_now)", "INT"),
        ("total % 7", "(total % 7L)", "INT"),
        ("MOD(count_now, total)", "(CAST(count_now AS BIGINT) % total)", "BIGINT"),
        ("POWER(count_now, 2)", "power(CAST(count_now AS DOUBLE), 2.0)", "DOUBLE"),
        ("ABS(total)", "abs(total)", "BIGINT"),
        ("ROUND(temperature, 1)", "round(temperature, 1)", "DOUBLE"),
        ("FLOOR(temperature)", "floor(temperature)", "DOUBLE"),
        ("LOG(2, temperature)", "(ln(temperature) / ln(2.0))", "DOUBLE"),
        ("PI()", "3.141592653589793", "DOUBLE"),
    ])
    func numbersAreWidenedAsFlinkDoes(_ sql: String, _ text: String, _ type: String) throws {
        let bound = try expression(sql)
        #expect(bound.text == text)
        #expect(bound.type.description == type)
    }

    @Test(arguments: [
        ("count_now = total", "(CAST(count_now AS BIGINT) = total)"),
        ("total < 2.5", "(total < 2.5:DECIMAL(2, 1))"),
        ("ts > '2026-01-01 00:00:00'", "(ts > TIMESTAMP_LTZ(3) '2026-01-01T00:00:00.000Z')"),
        ("ts > line", "(ts > CAST(line AS TIMESTAMP_LTZ(3)))"),
        (
            "ts >= TIMESTAMP '2026-01-01 00:00:00'",
            "(ts >= TIMESTAMP_LTZ(3) '2026-01-01T00:00:00.000Z')"
        ),
        ("line = NULL", "(line = NULL:STRING)"),
        ("NULL IS NULL", "(NULL:INT IS NULL)"),
        ("is_on AND NULL", "(is_on AND NULL:BOOLEAN)"),
        ("is_on AND is_on AND NOT is_on", "(is_on AND is_on AND not(is_on))"),
        ("total IN (1, 2, NULL)", "(total IN (1L, 2L, NULL:BIGINT))"),
        (
            "count_now NOT IN (1, 2.5)",
            "(CAST(count_now AS DECIMAL(11, 1)) NOT IN (1.0:DECIMAL(11, 1), 2.5:DECIMAL(11, 1)))"
        ),
        ("ts IN ('2026-01-01')", "(ts IN (TIMESTAMP_LTZ(3) '2026-01-01T00:00:00.000Z'))"),
        (
            "total BETWEEN 1 AND count_now",
            "((total >= 1L) AND (total <= CAST(count_now AS BIGINT)))"
        ),
        ("total NOT BETWEEN 1 AND 2", "((total < 1L) OR (total > 2L))"),
        ("line IS DISTINCT FROM device", "(line IS DISTINCT FROM device)"),
        ("is_on IS NOT TRUE", "(is_on IS NOT TRUE)"),
        ("line LIKE 'a!%%' ESCAPE '!'", "like(line, 'a!%%', '!')"),
        ("line NOT LIKE 'it''s%'", "notLike(line, 'it''s%')"),
        ("STARTSWITH(line, 'a')", "startsWith(line, 'a')"),
    ])
    func conditionsCompareInOneType(_ sql: String, _ text: String) throws {
        let bound = try expression(sql)
        #expect(bound.text == text)
        #expect(bound.type == .boolean)
    }

    @Test(arguments: [
        ("'a' || line || total", "('a' || line || CAST(total AS STRING))", "STRING"),
        ("CONCAT(line, 1)", "concatFunction(line, CAST(1 AS STRING))", "STRING"),
        ("CONCAT_WS('-', line, device)", "concatWs('-', line, device)", "STRING"),
        ("UPPER(NULL)", "upper(NULL:STRING)", "STRING"),
        ("CHAR_LENGTH(line)", "charLength(line)", "INT"),
        ("SUBSTRING(line FROM total)", "substring(line, CAST(total AS INT))", "STRING"),
        ("TRIM(LEADING 'x' FROM line)", "ltrim(line, 'x')", "STRING"),
        ("TRIM(line)", "trim(line)", "STRING"),
        ("POSITION('a' IN line)", "position('a', line)", "INT"),
        ("INSTR(line, 'a')", "position('a', line)", "INT"),
        ("LEFT(line, 2)", "left(line, 2)", "STRING"),
        ("REPLACE(line, 'a', 'b')", "replace(line, 'a', 'b')", "STRING"),
        ("CAST(total AS STRING)", "CAST(total AS STRING)", "STRING"),
        ("CAST(line AS STRING)", "line", "STRING"),
        ("TRY_CAST(line AS INT)", "TRY_CAST(line AS INT)", "INT"),
        ("CAST(NULL AS INT)", "NULL:INT", "INT"),
        ("CAST(1 AS BIGINT)", "1L", "BIGINT"), ("CAST('1' AS INT)", "CAST('1' AS INT)", "INT"),
    ])
    func textFunctionsAndCasts(_ sql: String, _ text: String, _ type: String) throws {
        let bound = try expression(sql)
        #expect(bound.text == text)
        #expect(bound.type.description == type)
    }

    @Test(arguments: [
        ("ts + INTERVAL '1' MINUTE", "(ts + INTERVAL 60000 ms)", "TIMESTAMP_LTZ(3)"),
        ("INTERVAL '1' DAY * 2", "(INTERVAL 86400000 ms * 2L)", "INTERVAL DAY TO SECOND(3)"),
        ("EXTRACT(HOUR FROM ts)", "extractHour(ts)", "BIGINT"),
        ("HOUR(ts)", "extractHour(ts)", "BIGINT"),
        ("DAYOFWEEK(ts)", "extractDayOfWeek(ts)", "BIGINT"),
        ("FLOOR(ts TO HOUR)", "floorTimeHour(ts)", "TIMESTAMP_LTZ(3)"),
        ("CEIL(ts TO MINUTE)", "CEIL TO MINUTE(ts)", "TIMESTAMP_LTZ(3)"),
        ("DATE_FORMAT(ts, 'yyyy-MM-dd')", "dateFormat(ts, 'yyyy-MM-dd')", "STRING"),
        (
            "TO_TIMESTAMP_LTZ(count_now, 3)", "toTimestampLtz(CAST(count_now AS BIGINT), 3)",
            "TIMESTAMP_LTZ(3)"
        ),
        ("TO_TIMESTAMP(line)", "toTimestamp(line)", "TIMESTAMP(3)"),
        ("CAST(ts AS TIMESTAMP(3))", "CAST(ts AS TIMESTAMP(3))", "TIMESTAMP(3)"),
        (
            "CASE line WHEN 'a' THEN 1 WHEN 'b' THEN 2.5 END",
            "CASE WHEN (line = 'a') THEN 1.0:DECIMAL(11, 1) WHEN (line = 'b') THEN 2.5:DECIMAL(11, 1) END",
            "DECIMAL(11, 1)"
        ),
        (
            "CASE WHEN is_on THEN count_now ELSE total END",
            "CASE WHEN is_on THEN CAST(count_now AS BIGINT) ELSE total END", "BIGINT"
        ),
        ("IF(is_on, NULL, line)", "CASE WHEN is_on THEN NULL:STRING ELSE line END", "STRING"),
        (
            "COALESCE(count_now, total, 0)", "coalesce(CAST(count_now AS BIGINT), total, 0L)",
            "BIGINT"
        ),
        ("IFNULL(line, 'x')", "coalesce(line, 'x')", "STRING"),
        ("NULLIF(line, 'x')", "nullif(line, 'x')", "STRING"),
        (
            "GREATEST(count_now, 1.5)",
            "greatest(CAST(count_now AS DECIMAL(11, 1)), 1.5:DECIMAL(11, 1))", "DECIMAL(11, 1)"
        ),
    ])
    func timeAndChoice(_ sql: String, _ text: String, _ type: String) throws {
        let bound = try expression(sql)
        #expect(bound.text == text)
        #expect(bound.type.description == type)
    }

    @Test(arguments: [
        ("hashtags[1]", "elementAt(hashtags, 1)", "STRING"),
        ("scores[followers]", "elementAt(scores, CAST(followers AS INT))", "INT"),
        ("CARDINALITY(hashtags)", "cardinality(hashtags)", "INT"),
        ("ARRAY_CONTAINS(hashtags, 'a')", "arrayContains(hashtags, 'a')", "BOOLEAN"),
    ])
    func arraysGiveTheirElements(_ sql: String, _ text: String, _ type: String) throws {
        let bound = try expression(sql, from: "posts")
        #expect(bound.text == text)
        #expect(bound.type.description == type)
    }

    @Test func aggregatesHaveFlinksTypes() throws {
        let sql = """
            SELECT COUNT(line) AS a, SUM(count_now) AS b, AVG(count_now) AS c, SUM(total) AS d, AVG(temperature) AS e,
            MIN(line) AS f, MAX(ts) AS g FROM minutes GROUP BY window_start, window_end
            """
        #expect(
            try plan(sql).schema.fields.map(\.type.description)
                == ["BIGINT", "INT", "INT", "BIGINT", "DOUBLE", "STRING", "TIMESTAMP_LTZ(3)"])
    }
}
