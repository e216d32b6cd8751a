"""Seeded (query, data) pairs: one family a feature. A family makes a batch of queries over the same input,
so that Flink runs them as one job."""

import random

from expressions import CONDITIONS, SCALARS
from joins import interval_join, lookups, regular_join, window_join
from qualify import grouped_over, qualify
from ranking import deduplication, order_by, top_n
from streams import Batch, stream
from temporal import temporal_join
from window_sets import window_semi_join, window_sets
from windows import (
    AGGREGATES, WINDOWS, aggregate_family, aggregates, cascades, chained, collections_of, grouping_sets, older_forms,
    views_over_views, windows)


def distinct(rng, seed):
    bounds = "window_start, window_end"
    queries = {}
    for i in range(3):
        window = rng.choice(WINDOWS[rng.choice(["tumble", "hop", "cumulate"])]).format(s="s")
        columns = rng.choice(["k", "k, g", "g, b", "UPPER(k) AS u", "window_time, g"])
        where = f" WHERE {rng.choice(CONDITIONS)}" if rng.random() < 0.4 else ""
        queries[f"q{i}"] = f"SELECT DISTINCT {bounds}, {columns} FROM TABLE({window}){where}"
    counted = f"SELECT {bounds}, k, COUNT(*) AS n FROM TABLE({WINDOWS['tumble'][0].format(s='s')}) GROUP BY {bounds}, k"
    queries["g0"] = f"SELECT DISTINCT {bounds}, n FROM ({counted})"
    queries["g1"] = f"SELECT {bounds}, COUNT(*) AS n FROM (SELECT DISTINCT {bounds}, k FROM TABLE({WINDOWS['hop'][0].format(s='s')})) GROUP BY {bounds}"
    for i, word in enumerate(["UNION", "INTERSECT", "EXCEPT"]):
        window = rng.choice(WINDOWS[rng.choice(["tumble", "hop"])])
        one, other = (f"SELECT {bounds}, k, g FROM TABLE({window.format(s=name)})" for name in "sr")
        queries[f"s{i}"] = f"{one} {word} {other}"
    inputs = {"s": stream(rng, 80, late=0), "r": stream(rng, 80, late=0)}
    return Batch("distinct", seed, queries, inputs)


def scalars(rng, seed):
    """Each query has one expression: an engine that lacks a function then lacks one query."""
    # Every expression is met: the seeds go through the list.
    size = 12
    chosen = [SCALARS[(seed * size + i) % len(SCALARS)] for i in range(size)]
    queries = {f"q{i}": f"SELECT k, ts, {e} AS r FROM s" for i, e in enumerate(chosen)}
    return Batch("scalar_functions", seed, queries, {"s": stream(rng, 40, nulls=0.2)})


def filters(rng, seed):
    queries = {}
    for i in range(6):
        parts = [rng.choice(CONDITIONS) for _ in range(rng.randrange(1, 4))]
        joined = rng.choice([" AND ", " OR "]).join(f"({part})" for part in parts)
        queries[f"q{i}"] = f"SELECT k, ts, v FROM s WHERE {'NOT (' + joined + ')' if rng.random() < 0.3 else joined}"
    return Batch("filters", seed, queries, {"s": stream(rng, 80, nulls=0.25)})


def unnest(rng, seed):
    queries = {
        "q0": "SELECT k, ts, e FROM s CROSS JOIN UNNEST(a) AS u (e)",
        "q1": "SELECT k, e + v AS r FROM s CROSS JOIN UNNEST(a) AS u (e) WHERE e > 1",
        "q2": "SELECT k, ts, e FROM s LEFT JOIN UNNEST(a) AS u (e) ON TRUE",
        "q3": "SELECT window_start, window_end, e, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE tags, DESCRIPTOR(ts), "
              "INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, e",
    }
    views = [("tags", "SELECT ts, v, e FROM s CROSS JOIN UNNEST(a) AS u (e)")]
    return Batch("unnest", seed, queries, {"s": stream(rng, 100)}, views)


def nested(rng, seed):
    tumble = "FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end"
    queries = {
        "q0": "SELECT k, ts, m, r, a FROM s",
        "q1": "SELECT k, m['x'] AS x, CARDINALITY(m) AS n, r.p AS p, s.r.q.t AS t, r.q.l[1] AS l FROM s WHERE r.p > 2 OR m['y'] IS NULL",
        "q2": f"SELECT window_start, SUM(r.p) AS p, MAX(m['x']) AS x, COUNT(r.q.t) AS n {tumble}",
        "q3": f"SELECT window_start, window_end, r.q.t AS t, COUNT(*) AS n {tumble}, r.q.t",
        "q4": "SELECT l.k, l.m, q.r FROM s AS l JOIN r AS q ON l.k = q.k AND l.ts BETWEEN q.ts - INTERVAL '5' SECOND AND q.ts",
    }
    inputs = {"s": stream(rng, 80, late=0), "r": stream(rng, 80, late=0)}
    return Batch("nested", seed, queries, inputs)


def union(rng, seed):
    both = " UNION ALL ".join(f"SELECT k, ts, v, x, g, t, b FROM {name}" for name in ("s", "r"))
    queries = {
        "q0": both,
        "q1": f"SELECT window_start, window_end, k, {aggregates(rng, ['COUNT(*)', 'SUM(v)', 'MIN(x)', 'MAX(v)'], 2)} FROM TABLE("
              "TUMBLE(TABLE both_streams, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, k",
        "q2": f"SELECT k, v FROM s WHERE {rng.choice(CONDITIONS)} UNION ALL SELECT k, g FROM r WHERE {rng.choice(CONDITIONS)}",
    }
    inputs = {"s": stream(rng, 80, late=0), "r": stream(rng, 80, late=0)}
    return Batch("union_all", seed, queries, inputs, [("both_streams", both)])


def over(rng, seed):
    bounded = ["ROWS BETWEEN 3 PRECEDING AND CURRENT ROW", "ROWS 20 PRECEDING", "ROWS BETWEEN 0 PRECEDING AND CURRENT ROW",
               "RANGE BETWEEN INTERVAL '20' SECOND PRECEDING AND CURRENT ROW", "RANGE INTERVAL '2' MINUTE PRECEDING"]
    unbounded = ["ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", ""]
    calls = ["COUNT(*)", "COUNT(v)", "SUM(v)", "AVG(v)", "MIN(v)", "MAX(x)", "SUM(w)", "MIN(t)", "COUNT(DISTINCT g)",
             "FIRST_VALUE(v)", "LAST_VALUE(v)", "SUM(x / 3)", "AVG(x * 0.1)", "MAX(b)", "FIRST_VALUE(t)", "LAST_VALUE(x)",
             "SUM(DISTINCT g)", "LISTAGG(t, '|')", "ARRAY_AGG(v)", "AVG(CAST(x AS DECIMAL(10, 2)))", "STDDEV_SAMP(x)",
             "MAX(ts)", "SUM(CAST(x AS FLOAT))", "AVG(CAST(v AS FLOAT))", "MIN(CAST(x AS DECIMAL(20, 3)))"]
    partitions = ["PARTITION BY k ", "", "PARTITION BY k, g ", "PARTITION BY b, UPPER(t) "]
    queries = {}
    # A bounded frame of Flink's takes a row that is late by the watermark if its partition has no newer
    # one (docs/over.md): the stream u has no late rows.
    for i in range(9):
        frame = rng.choice(bounded if i < 5 else unbounded)
        chosen = ", ".join(f"{call} OVER w AS c{j}" for j, call in enumerate(rng.sample(calls, 3)))
        queries[f"q{i}"] = (
            f"SELECT k, ts, v, {chosen} FROM {'u' if i < 5 else 's'} WINDOW w AS ({rng.choice(partitions)}ORDER BY ts {frame})")
    by = rng.choice(partitions)
    queries["number"] = f"SELECT k, ts, v, ROW_NUMBER() OVER ({by}ORDER BY ts) AS n FROM s"
    queries["lag"] = f"SELECT k, ts, v, LAG(v, {rng.randrange(4)}) OVER w AS p, LAG(t) OVER w AS q, SUM(x) OVER w AS r FROM s WINDOW w AS ({by}ORDER BY ts)"
    queries["otherwise"] = f"SELECT k, ts, LAG(v, 2, -1) OVER w AS p, LAG(t, 1, k) OVER w AS q FROM s WHERE v IS NOT NULL AND t IS NOT NULL AND k IS NOT NULL WINDOW w AS ({by}ORDER BY ts)"
    queries["changes"] = "SELECT k, ts, v FROM (SELECT k, ts, v, LAG(v) OVER (PARTITION BY k ORDER BY ts) AS p FROM s) WHERE v > p"
    queries["first"] = "SELECT k, ts, v FROM (SELECT k, ts, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS n FROM s) WHERE n = 1"
    queries["windows"] = (
        "SELECT window_start, k, MAX(r) AS m, COUNT(*) AS n FROM TABLE(TUMBLE((SELECT k, ts, SUM(v) OVER (PARTITION BY k ORDER BY ts "
        f"{rng.choice(bounded)}) AS r FROM u), DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, k")
    # Windows of different keys have one time, and no order in Flink.
    frame = rng.choice(bounded)
    by = "PARTITION BY k " if "ROWS" in frame else rng.choice(partitions[:2])
    queries["of_windows"] = (
        f"SELECT window_start, k, n, SUM(n) OVER w AS total, AVG(n) OVER w AS mean FROM (SELECT window_start, window_end, window_time, k, "
        "COUNT(*) AS n FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, "
        f"window_time, k) WINDOW w AS ({by}ORDER BY window_time {frame})")
    queries["twice"] = (
        "SELECT k, ts, SUM(n) OVER (ORDER BY ts RANGE INTERVAL '10' SECOND PRECEDING) AS total FROM (SELECT k, ts, COUNT(*) OVER "
        "(PARTITION BY k ORDER BY ts ROWS 4 PRECEDING) AS n FROM u)")
    return Batch("over", seed, queries, {"s": stream(rng, 120), "u": stream(rng, 120, late=0)})


def match(rng, seed):
    head = "SELECT * FROM s MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES "
    skip = rng.choice(["AFTER MATCH SKIP PAST LAST ROW", "AFTER MATCH SKIP TO NEXT ROW"])
    queries = {
        "q0": f"{head}A.v AS av, B.v AS bv, B.ts AS bt ONE ROW PER MATCH {skip} PATTERN (A B) DEFINE A AS v < 0, B AS v > 0)",
        "q1": f"{head}FIRST(D.v) AS f, LAST(D.v) AS l, COUNT(D.v) AS n, U.v AS u ONE ROW PER MATCH {skip} "
              "PATTERN (S D+ U) DEFINE D AS D.v < LAST(D.v, 1) OR LAST(D.v, 1) IS NULL, U AS U.v > LAST(D.v))",
        "q2": f"{head}A.ts AS t0, C.ts AS t1, AVG(B.v) AS m ONE ROW PER MATCH {skip} PATTERN (A B* C) "
              "DEFINE A AS v > 20, B AS v BETWEEN -20 AND 20, C AS v < -20)",
        "q3": f"{head}A.ts AS t0, LAST(B.ts) AS t1 ONE ROW PER MATCH {skip} PATTERN (A B{{1,3}} C) WITHIN INTERVAL '1' MINUTE "
              "DEFINE A AS b, B AS NOT b, C AS b)",
        "q4": f"{head}A.v AS a, C.v AS c ONE ROW PER MATCH {skip} PATTERN (A B*? C) DEFINE A AS g = 0, C AS g = 2)",
    }
    return Batch("match_recognize", seed, queries, {"s": stream(rng, 120, late=0)})


def json_aggregates(rng, seed):
    """In tumbling windows alone: Flink has neither function elsewhere. Keys of objects are there and differ."""
    values = ["v", "x", "t", "b", "w", "CAST(x AS DECIMAL(10, 3))", "UPPER(t)", "v + g", "JSON_OBJECT('v' VALUE v)", "g IS NULL"]
    queries = {}
    for i in range(8):
        nulls = rng.choice(["", " NULL ON NULL", " ABSENT ON NULL"])
        value, key = rng.choice(values), rng.choice(["CAST(w AS STRING)", "k || CAST(w AS STRING)", "'#' || CAST(w AS VARCHAR)"])
        call = f"JSON_ARRAYAGG({value}{nulls})" if i % 2 else rng.choice(
            [f"JSON_OBJECTAGG(KEY {key} VALUE {value}{nulls})", f"JSON_OBJECTAGG({key} VALUE {value}{nulls})"])
        other = rng.choice(["COUNT(*)", "SUM(v)", "JSON_ARRAYAGG(g)"])
        by = rng.choice([[], ["k"], ["g"], ["k", "b"]])
        where = f" WHERE {rng.choice(CONDITIONS)}" if rng.random() < 0.3 else ""
        queries[f"q{i}"] = (
            f"SELECT {', '.join(['window_start', 'window_end'] + by)}, {call} AS j, {other} AS c FROM TABLE(TUMBLE(TABLE keyed, "
            f"DESCRIPTOR(ts), INTERVAL '1' MINUTE)){where} GROUP BY {', '.join(['window_start', 'window_end'] + by)}")
    views = [("keyed", "SELECT * FROM s WHERE w IS NOT NULL AND k IS NOT NULL")]
    return Batch("json_aggregates", seed, queries, {"s": stream(rng, 100)}, views)


# A zone and an hour at which its clocks change, in seconds. (In zones without summer time Flink loses rows: docs/sql.md.)
CHANGES = [
    ("Europe/Berlin", 1_698_541_200), ("Europe/Berlin", 1_679_792_400), ("America/New_York", 1_699_164_000),
    ("America/New_York", 1_678_604_400), ("America/St_Johns", 1_699_158_600), ("Australia/Sydney", 1_696_089_600),
]


def time_zones(rng, seed):
    zone, change = CHANGES[seed % len(CHANGES)]
    forms = ["TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' DAY)", "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' HOUR)",
             "HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '6' HOUR, INTERVAL '12' HOUR)",
             "CUMULATE(TABLE s, DESCRIPTOR(ts), INTERVAL '2' HOUR, INTERVAL '1' DAY)",
             "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '4' HOUR, INTERVAL '90' MINUTE)"]
    queries = {}
    for i in range(4):
        by = rng.choice(["", ", k", ", g"])
        queries[f"w{i}"] = (
            f"SELECT window_start, window_end{by}, {aggregates(rng, AGGREGATES, 2)} FROM TABLE({forms[(seed + i) % len(forms)]}) "
            f"GROUP BY window_start, window_end{by}")
    texts = ["CAST(ts AS STRING)", "CAST(ts AS TIMESTAMP(3))", "CAST(ts AS DATE)",
             "DATE_FORMAT(ts, 'yyyy-MM-dd HH:mm:ss')", "EXTRACT(HOUR FROM ts)", "EXTRACT(DOY FROM ts)", "DAYOFWEEK(CAST(ts AS DATE))",
             "FLOOR(ts TO HOUR)", "CEIL(ts TO MINUTE)", "FROM_UNIXTIME(UNIX_TIMESTAMP(DATE_FORMAT(ts, 'yyyy-MM-dd HH:mm:ss')))",
             "ts > TIMESTAMP '2023-10-29 02:30:00'", "CAST(TIMESTAMP '2023-10-29 02:30:00' AS TIMESTAMP_LTZ(3))",
             "TIMESTAMPDIFF(HOUR, CAST(ts AS TIMESTAMP(3)), TIMESTAMP '2023-11-05 12:00:00')", "ts + INTERVAL '1' DAY",
             "CAST(CAST(ts AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3))", "YEAR(CAST(ts AS DATE))", "HOUR(ts)"]
    for i, text in enumerate(rng.sample(texts, 6)):
        queries[f"t{i}"] = f"SELECT k, w, {text} AS r FROM s"
    hours = 60 + rng.randrange(20)
    rows = stream(rng, 100, span=hours * 3_600_000, late=0.02, start=(change - hours * 1_800) * 1_000)
    return Batch("time_zones", seed, queries, {"s": rows}, zone=zone)


# name: (family, batches of the full run)
FAMILIES = {
    "scalar_functions": (scalars, 9), "filters": (filters, 3), "tumble": (windows("tumble"), 6), "hop": (windows("hop"), 5),
    "cumulate": (windows("cumulate"), 4), "session": (windows("session"), 4), "older_group_windows": (older_forms, 4),
    "aggregates": (aggregate_family, 6), "values_of_a_group": (collections_of, 2), "grouping_sets": (grouping_sets, 3),
    "distinct": (distinct, 3), "unnest": (unnest, 2), "nested": (nested, 2), "union_all": (union, 3), "over": (over, 5), "top_n": (top_n, 5),
    "order_by_and_keep_first": (order_by, 3), "interval_join": (interval_join, 4), "regular_join": (regular_join, 4),
    "window_join": (window_join, 4), "lookup_join": (lookups, 4), "match_recognize": (match, 5), "chained_windows_and_views": (chained, 3),
    "json_aggregates": (json_aggregates, 3), "time_zones": (time_zones, 6), "qualify": (qualify, 5), "grouped_over": (grouped_over, 5),
    "cascades": (cascades, 4), "views_over_views": (views_over_views, 3), "deduplication": (deduplication, 4),
    "temporal_join": (temporal_join, 6), "window_semi_join": (window_semi_join, 4), "window_sets": (window_sets, 3),
    "json_aggregates": (json_aggregates, 3), "time_zones": (time_zones, 6),
}


def batches(names, share, seed):
    """The batches of the named families; `share` of the full run, at least one each."""
    for name in names:
        family, count = FAMILIES[name]
        for index in range(max(1, round(count * share))):
            yield family(random.Random(f"{name} {seed} {index}"), index)
