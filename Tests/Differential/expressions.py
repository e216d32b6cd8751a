"""The scalar expressions that generated queries choose from, over the columns of streams.COLUMNS."""

SCALARS = [
    "v + w", "v - 3", "x * v", "v / 7", "MOD(v, 7)", "-v", "x / 4", "ABS(x)", "FLOOR(x)", "CEIL(x)", "ROUND(x, 1)",
    "SIGN(v)", "POWER(v, 2)", "SQRT(ABS(x))", "EXP(x / 100)", "UPPER(t)", "LOWER(t)", "TRIM(t)", "CHAR_LENGTH(t)",
    "SUBSTRING(t, 2)", "SUBSTRING(t, 2, 3)", "SUBSTRING(t FROM 1 FOR 2)", "REPLACE(t, 'a', 'bb')", "POSITION('a' IN t)",
    "t || '-' || k", "CONCAT(k, t)", "CONCAT_WS('/', k, t, 'z')", "REVERSE(t)", "LPAD(t, 8, '*')", "RPAD(t, 3, '#')",
    "LEFT(t, 2)", "RIGHT(t, 2)", "REPEAT(k, 2)", "SPLIT_INDEX(t, ',', 1)", "COALESCE(v, -1)", "NULLIF(g, 1)", "IFNULL(t, 'none')",
    "CASE WHEN v > 0 THEN 'up' WHEN v < 0 THEN 'down' ELSE 'flat' END", "CASE g WHEN 0 THEN v WHEN 1 THEN w END",
    "GREATEST(v, 0)", "LEAST(v, g)", "CAST(v AS STRING)", "CAST(x AS STRING)", "CAST(x AS INT)", "CAST(w AS INT)",
    "TRY_CAST(t AS INT)", "TRY_CAST(t AS DOUBLE)", "CAST(b AS STRING)", "CAST(b AS INT)", "CAST(v AS DOUBLE)", "v > 0 AND b",
    "v > 0 OR b", "NOT b", "b IS NOT TRUE", "b IS FALSE", "v IS NULL", "v BETWEEN 0 AND 10", "v NOT IN (1, 2, 3)",
    "t LIKE '%a%'", "t LIKE 'a__ha'", "t SIMILAR TO 'a.*'", "v IS DISTINCT FROM g", "EXTRACT(YEAR FROM ts)", "EXTRACT(HOUR FROM ts)",
    "EXTRACT(MINUTE FROM ts)", "FLOOR(ts TO HOUR)", "FLOOR(ts TO DAY)", "CEIL(ts TO MINUTE)", "ts + INTERVAL '1' HOUR",
    "ts - INTERVAL '1' DAY", "DATE_FORMAT(ts, 'yyyy-MM-dd HH:mm:ss')", "CARDINALITY(a)", "a[1]", "ARRAY_CONTAINS(a, 2)",
    "STARTSWITH(t, 'a')", "ENDSWITH(t, 'a')", "LOG10(ABS(x) + 1)", "LN(ABS(x) + 1)", "TRUNCATE(x, 1)", "INSTR(t, 'a')",
    "LOCATE('a', t)", "LTRIM(t)", "RTRIM(t)", "INITCAP(t)", "ASCII(t)", "MD5(t)", "SHA256(t)", "REGEXP_REPLACE(t, 'a+', '_')",
    "REGEXP_EXTRACT(t, '([a-z]+)', 1)", "REGEXP(t, '^[a-z]')", "OVERLAY(t PLACING 'ZZ' FROM 2 FOR 1)", "TO_BASE64(t)", "HEX(v)", "BIN(g)",
    "CAST(ts AS STRING)", "CAST(ts AS DATE)", "CAST(ts AS TIMESTAMP(3))", "TIMESTAMPADD(MINUTE, 5, ts)",
    "TIMESTAMPDIFF(SECOND, TIMESTAMP '2023-11-14 22:00:00', CAST(ts AS TIMESTAMP(3)))", "CAST(x AS DECIMAL(10, 2))",
    "CAST(v AS DECIMAL(8, 3)) * 2", "CAST(v AS SMALLINT)", "CAST(v AS TINYINT)", "SIN(x)", "COS(x)", "TAN(x)", "ATAN(x)", "DEGREES(x)", "RADIANS(x)",
    "JSON_VALUE('{\"a\": 1}', '$.a')", "IF(v > 0, 'p', 'n')", "QUARTER(ts)", "DAYOFWEEK(ts)", "WEEK(ts)", "v * v * v", "w * 1000000000",
]

# What rows are filtered by.
CONDITIONS = ["v > 0", "b", "x IS NOT NULL", "k <> 'k1'", "v BETWEEN -20 AND 30", "t LIKE '%a%'", "g IN (0, 2)"]
