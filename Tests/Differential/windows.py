"""Families of aggregates over windows: each kind of window, the older forms, grouping sets, windows over windows."""

from expressions import CONDITIONS
from streams import Batch, stream

# What queries are put together from.

NUMBERS = ["v", "w", "x", "v + 1", "CAST(v AS BIGINT)", "x * 2", "ABS(v)"]
AGGREGATES = ["COUNT(*)", "COUNT({n})", "SUM({n})", "AVG({n})", "MIN({n})", "MAX({n})", "MIN(t)", "MAX(k)", "MAX(b)"]
MORE_AGGREGATES = [
    "COUNT(DISTINCT v)", "SUM(DISTINCT g)", "STDDEV_POP(x)", "STDDEV_SAMP(x)", "VAR_POP(x)", "VAR_SAMP(x)",
    "COUNT(DISTINCT k)", "AVG(DISTINCT x)", "COUNT(DISTINCT t)", "MAX(DISTINCT v)", "STDDEV_POP(v)", "VAR_POP(w / 1000000)",
]
WINDOWS = {
    "tumble": ["TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' MINUTE)", "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '30' SECOND)",
               "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '2' MINUTE, INTERVAL '17' SECOND)",
               "TUMBLE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL -'11' SECOND)"],
    "hop": ["HOP(TABLE {s}, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '2' MINUTE)",
            "HOP(TABLE {s}, DESCRIPTOR(ts), INTERVAL '20' SECOND, INTERVAL '1' MINUTE, INTERVAL '7' SECOND)"],
    "cumulate": ["CUMULATE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '2' MINUTE)",
                 "CUMULATE(TABLE {s}, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)"],
    "session": ["SESSION(TABLE {s} PARTITION BY k, DESCRIPTOR(ts), INTERVAL '10' SECOND)",
                "SESSION(TABLE {s} PARTITION BY k, DESCRIPTOR(ts), INTERVAL '25' SECOND)"],
}


def aggregates(rng, pool, count):
    items = []
    for index in range(count):
        call = rng.choice(pool).format(n=rng.choice(NUMBERS))
        if rng.random() < 0.25:
            call += f" FILTER (WHERE {rng.choice(CONDITIONS)})"
        items.append(f"{call} AS c{index}")
    return ", ".join(items)


def window_query(rng, kind, pool=AGGREGATES):
    window = rng.choice(WINDOWS[kind]).format(s="s")
    keys = ["k"] if kind == "session" else rng.choice([[], ["k"], ["k", "g"], ["g"]])
    bounds = "window_start, window_end" + rng.choice(["", ", window_time"])
    selected = ", ".join([bounds] + keys + [aggregates(rng, pool, rng.randrange(1, 4))])
    where = f" WHERE {rng.choice(CONDITIONS)}" if rng.random() < 0.4 and kind != "session" else ""
    having = " HAVING COUNT(*) > 1" if rng.random() < 0.3 else ""
    return f"SELECT {selected} FROM TABLE({window}){where} GROUP BY {', '.join([bounds] + keys)}{having}"


def windows(kind):
    def family(rng, seed):
        return Batch(
            kind, seed, {f"q{i}": window_query(rng, kind) for i in range(6)}, {"s": stream(rng, 150)})
    return family


def aggregate_family(rng, seed):
    kind = rng.choice(["tumble", "hop", "cumulate", "session"])
    return Batch(
        "aggregates", seed, {f"q{i}": window_query(rng, kind, MORE_AGGREGATES) for i in range(6)},
        {"s": stream(rng, 150)})


def older_forms(rng, seed):
    forms = {
        "TUMBLE": "INTERVAL '1' MINUTE", "HOP": "INTERVAL '30' SECOND, INTERVAL '90' SECOND",
        "SESSION": "INTERVAL '15' SECOND",
    }
    queries = {}
    for i in range(6):
        name = rng.choice(list(forms))
        call = f"{name}(ts, {forms[name]})"
        inside = f"(ts, {forms[name]})"
        keys = rng.choice([["k"], [], ["g"]])
        chosen = ", ".join(
            keys + [f"{name}_START{inside} AS s0, {name}_END{inside} AS s1"] + [aggregates(rng, AGGREGATES, 2)])
        queries[f"q{i}"] = f"SELECT {chosen} FROM s GROUP BY {', '.join(keys + [call])}"
    return Batch("older_group_windows", seed, queries, {"s": stream(rng, 120)})


def grouping_sets(rng, seed):
    forms = [
        "GROUPING SETS ((k), ())", "GROUPING SETS ((k, g), (g), ())", "ROLLUP (k, g)", "CUBE (k, g)", "k, ROLLUP (g)",
        "ROLLUP ((k, g), b)", "CUBE (UPPER(k), g)", "GROUPING SETS ((k, g), k)", "ROLLUP (g), GROUPING SETS ((b), ())",
    ]
    queries = {}
    for i in range(6):
        window = rng.choice(WINDOWS[rng.choice(["tumble", "hop", "cumulate"])]).format(s="s")
        sets = forms[(seed * 6 + i) % len(forms)]
        keys = [key for key in ["k", "g", "b"] if key in sets.replace("GROUPING SETS", "").replace("UPPER(k)", "").replace("CUBE", "").replace("ROLLUP", "")]
        keys += ["UPPER(k)"] if "UPPER" in sets else []
        shown = ", ".join(f"{key} AS key{j}" for j, key in enumerate(keys))
        levels = f"GROUPING_ID({', '.join(keys)}) AS id, GROUPING({keys[0]}) AS lacks"
        having = f" HAVING GROUPING({keys[-1]}) = 1 OR COUNT(*) > 1" if rng.random() < 0.3 else ""
        where = f" WHERE {rng.choice(CONDITIONS)}" if rng.random() < 0.3 else ""
        pool = AGGREGATES + ["COUNT(DISTINCT v)", "SUM(g)", "MAX(k)"]
        queries[f"q{i}"] = (
            f"SELECT window_start, window_end, {shown}, {levels}, {aggregates(rng, pool, 2)} FROM TABLE({window}){where} "
            f"GROUP BY window_start, window_end, {sets}{having}")
    return Batch("grouping_sets", seed, queries, {"s": stream(rng, 120)})


def chained(rng, seed):
    first = ("SELECT window_start AS s0, window_end AS e0, window_time AS rt, k, SUM(v) AS total, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE s, "
             "DESCRIPTOR(ts), INTERVAL '30' SECOND)) GROUP BY window_start, window_end, window_time, k")
    queries = {
        "q0": "SELECT window_start, window_end, k, SUM(total) AS total, MAX(n) AS most FROM TABLE(TUMBLE(TABLE halves, "
              "DESCRIPTOR(rt), INTERVAL '2' MINUTE)) GROUP BY window_start, window_end, k",
        "q1": "SELECT window_start, window_end, COUNT(*) AS n, SUM(total) AS total FROM TABLE(HOP(TABLE halves, DESCRIPTOR(rt), "
              "INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)) GROUP BY window_start, window_end",
        "q2": "WITH c AS (SELECT k, ts, v FROM s WHERE v > 0) SELECT window_start, window_end, k, COUNT(*) AS n FROM TABLE("
              "TUMBLE(TABLE c, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, k",
        "q3": "SELECT window_start, window_end, SUM(n) AS n FROM (SELECT window_start, window_end, k, COUNT(*) AS n FROM TABLE("
              "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, k) GROUP BY window_start, window_end",
        "q4": "SELECT window_start, k, v, ts FROM TABLE(TUMBLE(TABLE calm, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE v > 10",
    }
    views = [("halves", first), ("calm", "SELECT k, ts, v FROM s WHERE b")]
    return Batch("chained_windows_and_views", seed, queries, {"s": stream(rng, 120)}, views)


def cascades(rng, seed):
    """Windows over window_time of windows of every kind, and sums of sums in the same windows."""
    bounds, first = "window_start, window_end", rng.choice(["cumulate", "hop", "tumble"])
    inner = rng.choice(WINDOWS[first]).format(s="s")
    step = (f"SELECT window_time AS rt, k, COUNT(*) AS n, SUM(v) AS total, COUNT(DISTINCT g) AS kinds FROM TABLE({inner}) "
            f"GROUP BY {bounds}, window_time, k")
    queries = {}
    for i, kind in enumerate(["tumble", "hop", "cumulate"]):
        outer = rng.choice(WINDOWS[kind]).format(s="steps").replace("(ts)", "(rt)")
        by = rng.choice(["", ", k"])
        queries[f"q{i}"] = (
            f"SELECT {bounds}{by}, SUM(n) AS n, MAX(total) AS most, MIN(kinds) FILTER (WHERE total > 0) AS least FROM TABLE({outer}) "
            f"GROUP BY {bounds}{by}")
    queries["same"] = f"SELECT {bounds}, SUM(n) AS n, COUNT(*) AS keys FROM (SELECT {bounds}, k, COUNT(*) AS n FROM TABLE({inner}) GROUP BY {bounds}, k) GROUP BY {bounds}"
    queries["third"] = (
        f"SELECT {bounds}, COUNT(*) AS n, SUM(n) AS rows_in FROM TABLE(TUMBLE((SELECT window_time AS rt2, k, SUM(n) AS n FROM TABLE("
        f"CUMULATE(TABLE steps, DESCRIPTOR(rt), INTERVAL '1' MINUTE, INTERVAL '4' MINUTE)) GROUP BY {bounds}, window_time, k), "
        f"DESCRIPTOR(rt2), INTERVAL '4' MINUTE)) GROUP BY {bounds}")
    return Batch("cascades", seed, queries, {"s": stream(rng, 120)}, [("steps", step)])


def views_over_views(rng, seed):
    """Views that read views: filtered, computed, united, in windows, and read by several queries."""
    views = [
        ("warm", f"SELECT k, g, ts, v, x FROM s WHERE {rng.choice(CONDITIONS)}"),
        ("scaled", "SELECT k, UPPER(k) AS big, ts, v * 2 AS v, x / 4 AS x, g FROM warm"),
        ("calm_rows", "SELECT k, ts, v FROM (SELECT k, ts, v, g FROM u WHERE g < 2)"),
        # Whether a row is late behind a union depends on the branches' pace in Flink: none is.
        ("all_of_it", "SELECT k, ts, v FROM calm_rows UNION ALL SELECT k, ts, g FROM u"),
        ("minutes", "SELECT window_start, window_end, window_time, k, SUM(v) AS v, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE scaled, "
                    "DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time, k"),
        ("busy", "SELECT window_start, window_end, window_time, k, v, n FROM minutes WHERE n > 1"),
    ]
    window = rng.choice(WINDOWS[rng.choice(["tumble", "hop"])])
    queries = {
        "rows": "SELECT big, ts, v, x FROM scaled WHERE v > 0",
        "of_union": f"SELECT window_start, window_end, k, COUNT(*) AS n, SUM(v) AS v FROM TABLE({window.format(s='all_of_it')}) "
                    "GROUP BY window_start, window_end, k",
        "minutes_of": "SELECT window_start, k, v, n FROM minutes",
        "busy_of": "SELECT window_start, k, n FROM busy WHERE v IS NOT NULL",
        "wider": "WITH b AS (SELECT window_time AS rt, k, n FROM busy) SELECT window_start, window_end, k, SUM(n) AS n FROM TABLE("
                 "TUMBLE(TABLE b, DESCRIPTOR(rt), INTERVAL '3' MINUTE)) GROUP BY window_start, window_end, k",
        "levels": "SELECT window_start, window_end, SUM(v) AS v, MAX(n) AS n FROM busy GROUP BY window_start, window_end",
        "running": "SELECT k, ts, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS 3 PRECEDING) AS r FROM calm_rows",
    }
    return Batch("views_over_views", seed, queries, {"s": stream(rng, 120), "u": stream(rng, 60, late=0)}, views)


def collections_of(rng, seed):
    calls = ["LISTAGG(t)", "LISTAGG(k, '|')", "ARRAY_AGG(v)", "FIRST_VALUE(v)", "LAST_VALUE(v)", "FIRST_VALUE(t)", "LAST_VALUE(x)"]
    # weir takes the first and the last by event time (docs/sql.md), Flink by arrival: the same in order.
    queries = {
        f"q{i}": f"SELECT window_start, window_end, k, {call} AS r FROM TABLE(TUMBLE(TABLE "
                 f"{'r' if '_VALUE' in call else 's'}, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, k"
        for i, call in enumerate(calls)
    }
    edges = ["FIRST_VALUE(v)", "LAST_VALUE(x)", "FIRST_VALUE(t)", "LAST_VALUE(t)"]
    # Flink merges no first and last values, as other windows than tumbling ones would need it to.
    for i in range(3):
        picked = ", ".join(f"{call} FILTER (WHERE {rng.choice(CONDITIONS)}) AS c{j}" if rng.random() < 0.5 else f"{call} AS c{j}"
                           for j, call in enumerate(rng.sample(edges, 2) + ["COUNT(*)"]))
        by = rng.choice(["", ", k", ", g"])
        queries[f"w{i}"] = (f"SELECT window_start, window_end{by}, {picked} FROM TABLE({rng.choice(WINDOWS['tumble']).format(s='r')}) "
                            f"GROUP BY window_start, window_end{by}")
    inputs = {"s": stream(rng, 100), "r": sorted(stream(rng, 100), key=lambda row: row["ts"])}
    return Batch("values_of_a_group", seed, queries, inputs)
