"""Generated queries with QUALIFY, and with OVER beside GROUP BY.

Flink 2.3 fails on QUALIFY beside GROUP BY, and reads another column for a plain one beside OVERs of the SELECT
list (docs/sql.md): neither is generated."""

from streams import Batch, stream

BOUNDS = "window_start, window_end"
MINUTES = "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"
WINDOWS = [
    MINUTES, "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '2' MINUTE, INTERVAL '17' SECOND)",
    "HOP(TABLE {s}, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '2' MINUTE)",
    "CUMULATE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '2' MINUTE)",
]
UNBOUNDED = ["ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", ""]
ROWS = ["ROWS BETWEEN 3 PRECEDING AND CURRENT ROW", "ROWS 1 PRECEDING"]


def ranking(rng, by=("", ", k", ", b", ", g, t")):
    """ROW_NUMBER() over the rows of a window, in an order without ties."""
    order = rng.sample(["v", "v DESC", "x DESC NULLS LAST", "t", "b DESC", "g NULLS LAST", "ts", "k DESC NULLS FIRST"], 2)
    return f"ROW_NUMBER() OVER (PARTITION BY {BOUNDS}{rng.choice(by)} ORDER BY {', '.join(order)}, ts, w)"


def qualify(rng, seed):
    queries = {}
    for i in range(3):
        window = rng.choice(WINDOWS).format(s="s")
        kept = rng.choice(["rn <= 3", "rn = 1", "rn BETWEEN 2 AND 4", "rn = 2", "3 >= rn AND rn > 1", "rn < 3"])
        queries[f"named{i}"] = (
            f"SELECT {BOUNDS}, k, g, v, x, t, b, ts, {ranking(rng)} AS rn FROM TABLE({window}) QUALIFY {kept}")
    for i in range(3):
        window = rng.choice(WINDOWS).format(s="s")
        where = rng.choice(["", " WHERE v > 0", " WHERE k IS NOT NULL"])
        also = rng.choice(["", " AND v > -20", " AND k <> 'k1'", " AND b"])
        queries[f"own{i}"] = (
            f"SELECT ts, window_end, k, v FROM TABLE({window}){where} QUALIFY {ranking(rng)} <= {rng.randrange(1, 4)}{also}")
    order = rng.choice(["ASC", "DESC"])
    queries["of_keys"] = (
        f"SELECT {BOUNDS}, k, v FROM TABLE({MINUTES.format(s='s')}) QUALIFY "
        f"ROW_NUMBER() OVER (PARTITION BY {BOUNDS}, k ORDER BY ts {order}) = 1")
    queries["first"] = "SELECT k, ts, v FROM s QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) = 1"
    by = rng.choice(["PARTITION BY k ", "", "PARTITION BY k, g "])
    queries["changes"] = f"SELECT v, ts, k FROM s WINDOW w AS ({by}ORDER BY ts) QUALIFY v > LAG(v) OVER w OR LAG(v) OVER w IS NULL"
    frame = rng.choice(ROWS + UNBOUNDED)
    queries["values"] = (
        f"SELECT k, ts, x, SUM(v) OVER w AS total, COUNT(v) OVER w AS n, MAX(x) OVER w AS m FROM s WINDOW w AS ({by}ORDER BY ts {frame}) "
        f"QUALIFY {rng.choice(['total > 10', 'MOD(n, 2) = 1 AND total < 50', 'total > n OR m > 20', 'm IS NULL OR n > 2'])}")
    queries["own_values"] = (
        f"SELECT t, k, ts, v FROM s WINDOW w AS ({by}ORDER BY ts {frame}) QUALIFY SUM(v) OVER w > AVG(v) OVER w AND v <> 3")
    queries["computed"] = (
        f"SELECT k, ts, v * 2 AS twice, SUM(v) OVER ({by}ORDER BY ts {frame}) AS total FROM s QUALIFY twice < total")
    queries["grouped"] = (
        f"SELECT {BOUNDS}, COUNT(*) AS n, SUM(v) AS total FROM (SELECT {BOUNDS}, v FROM TABLE({MINUTES.format(s='s')}) "
        f"QUALIFY {ranking(rng, (', k',))} <= 2) GROUP BY {BOUNDS}")
    queries["groups"] = (
        f"SELECT {BOUNDS}, k, n FROM (SELECT {BOUNDS}, k, COUNT(*) AS n FROM TABLE({rng.choice(WINDOWS).format(s='s')}) "
        f"GROUP BY {BOUNDS}, k) QUALIFY ROW_NUMBER() OVER (PARTITION BY {BOUNDS} ORDER BY n DESC, k) <= 2")
    return Batch("qualify", seed, queries, {"s": stream(rng, 120, late=0)})


def grouped_over(rng, seed):
    inner = ["SUM(v)", "COUNT(*)", "MAX(x)", "MIN(v)", "COUNT(DISTINCT g)", "SUM(w)", "MAX(v) - MIN(v)", "SUM(v) FILTER (WHERE b)"]
    outer = ["SUM({})", "MAX({})", "MIN({})", "AVG({})", "COUNT({})", "FIRST_VALUE({})", "LAST_VALUE({})"]
    queries = {}
    for i in range(5):
        keys = rng.choice([["k"], ["k", "g"], ["UPPER(t)"], []])
        frame = rng.choice(ROWS + UNBOUNDED + ["RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW"])
        calls = [f"{rng.choice(outer).format(rng.choice(inner))} OVER w AS c{j}" for j in range(3)]
        having = rng.choice(["", " HAVING COUNT(*) > 1", " HAVING MAX(v) > 0"])
        partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
        named = [f"{key} AS key{j}" for j, key in enumerate(keys)]
        queries[f"values{i}"] = (
            f"SELECT {', '.join(named + ['window_time', 'SUM(v) AS total'] + calls)} FROM TABLE({rng.choice(WINDOWS).format(s='s')}) "
            f"GROUP BY {', '.join([BOUNDS, 'window_time'] + keys)}{having} WINDOW w AS ({partition}ORDER BY window_time {frame})")
    queries["changes"] = (
        "SELECT k, window_time, SUM(v) - LAG(SUM(v)) OVER w AS d, LAG(COUNT(*), 2) OVER w AS c FROM "
        f"TABLE({rng.choice(WINDOWS).format(s='s')}) GROUP BY {BOUNDS}, window_time, k WINDOW w AS (PARTITION BY k ORDER BY window_time)")
    queries["shares"] = (
        f"SELECT {BOUNDS}, k, SUM(v) AS own, SUM(SUM(v)) OVER (PARTITION BY {BOUNDS} ORDER BY window_time) AS of_all FROM "
        f"TABLE({rng.choice(WINDOWS).format(s='s')}) GROUP BY {BOUNDS}, window_time, k")
    for i in range(2):
        order = rng.choice(["COUNT(*) DESC, k", "SUM(v), k DESC", "MAX(x) DESC NULLS LAST, COUNT(*), k", "k"])
        having = rng.choice(["", " HAVING SUM(v) > 0", " HAVING COUNT(*) > 1"])
        queries[f"top{i}"] = (
            f"SELECT window_start, k, n, rn FROM (SELECT {BOUNDS}, k, COUNT(*) AS n, ROW_NUMBER() OVER (PARTITION BY {BOUNDS} "
            f"ORDER BY {order}) AS rn FROM TABLE({rng.choice(WINDOWS).format(s='s')}) GROUP BY {BOUNDS}, k{having}) "
            f"WHERE rn <= {rng.randrange(1, 4)}")
    queries["sets"] = (
        f"SELECT window_start, k, g, n FROM (SELECT {BOUNDS}, k, g, COUNT(*) AS n, ROW_NUMBER() OVER (PARTITION BY {BOUNDS}, "
        f"GROUPING_ID(k, g) ORDER BY COUNT(*) DESC, k, g) AS rn FROM TABLE({MINUTES.format(s='s')}) GROUP BY {BOUNDS}, "
        "GROUPING SETS ((k), (g), (k, g))) WHERE rn <= 2")
    window = rng.choice(["TUMBLE{}(ts, INTERVAL '1' MINUTE)", "HOP{}(ts, INTERVAL '30' SECOND, INTERVAL '1' MINUTE)"])
    queries["older"] = (
        f"SELECT k, {window.format('_END')} AS until, SUM(SUM(v)) OVER (PARTITION BY k ORDER BY {window.format('_ROWTIME')} "
        f"{rng.choice(ROWS + UNBOUNDED)}) AS total FROM s GROUP BY {window.format('')}, k")
    return Batch("grouped_over", seed, queries, {"s": stream(rng, 120)})
