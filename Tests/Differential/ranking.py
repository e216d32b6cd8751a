"""Families of rows in an order: numbered within windows or without, the first or the last of a key, sorted."""

from expressions import CONDITIONS
from streams import Batch, stream
from windows import WINDOWS


def top_n(rng, seed):
    queries = {}
    for i in range(4):
        window = rng.choice(WINDOWS[rng.choice(["tumble", "hop", "cumulate"])]).format(s="s")
        bounds = "window_start, window_end"
        order = rng.choice(["n DESC, k", "total, k DESC", "k"])
        queries[f"q{i}"] = (
            f"SELECT {bounds}, k, n, total, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {bounds} ORDER BY {order}) AS rn "
            f"FROM (SELECT {bounds}, k, COUNT(*) AS n, SUM(v) AS total FROM TABLE({window}) GROUP BY {bounds}, k)) "
            f"WHERE rn <= {rng.randrange(1, 4)}")
    for i, order in enumerate(["ASC", "DESC"]):
        # The last of rows with one time depends on the order of arrival, which is the same for both.
        queries[f"d{i}"] = (
            "SELECT window_start, window_end, k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k "
            f"ORDER BY ts {order}) AS rn FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) WHERE rn = 1")
    queries["t0"] = (
        "SELECT window_start, window_end, k, w, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end "
        "ORDER BY w DESC) AS rn FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE w IS NOT NULL) WHERE rn <= 2")
    for i in range(3):
        window = rng.choice(WINDOWS[rng.choice(["tumble", "hop", "cumulate", "session"])]).format(s="s")
        by = rng.choice([", k", ", g, k"]) if "SESSION" in window else rng.choice(["", ", k", ", b", ", g, t"])
        order = ", ".join(
            rng.sample(["v", "v DESC", "x DESC NULLS LAST", "t", "t DESC", "b", "g NULLS LAST", "w DESC", "ts", "k DESC NULLS FIRST"], 2))
        kept = rng.choice(["rn <= 3", "rn = 1", "rn BETWEEN 2 AND 4", "rn = 2", "rn < 3 AND v > 0"])
        queries[f"r{i}"] = (
            f"SELECT window_start, window_end, k, g, v, x, t, b, ts, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, "
            f"window_end{by} ORDER BY {order}, ts, w) AS rn FROM TABLE({window})) WHERE {kept}")
    queries["c0"] = (
        "SELECT window_start, window_end, COUNT(*) AS n, SUM(v) AS total FROM (SELECT window_start, window_end, v, ROW_NUMBER() OVER ("
        "PARTITION BY window_start, window_end, k ORDER BY v DESC, w) AS rn FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), "
        "INTERVAL '1' MINUTE))) WHERE rn <= 2 GROUP BY window_start, window_end")
    return Batch("top_n", seed, queries, {"s": stream(rng, 120, late=0)})


def order_by(rng, seed):
    queries = {}
    for i in range(3):
        keys = ", ".join(rng.sample(["v", "v DESC", "x DESC NULLS LAST", "t", "b DESC", "g NULLS LAST", "k"], rng.randrange(3)))
        queries[f"q{i}"] = f"SELECT ts, k, v, x FROM s WHERE {rng.choice(CONDITIONS)} ORDER BY ts{', ' + keys if keys else ''}"
    queries["g0"] = (
        "SELECT window_time, k, n FROM (SELECT window_start, window_end, window_time, k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE s, "
        "DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time, k) ORDER BY window_time, n DESC, k")
    for i, by in enumerate(["k", "k, g", "t, b"]):
        queries[f"f{i}"] = (
            f"SELECT k, g, t, b, ts, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {by} ORDER BY ts ASC) AS rn FROM s "
            f"WHERE {rng.choice(CONDITIONS)}) WHERE rn = 1")
    return Batch("order_by_and_keep_first", seed, queries, {"s": stream(rng, 120, late=0)})


def deduplication(rng, seed):
    """Of each key the first or the last row: within windows of every kind, over windows' results, and for ever."""
    bounds, queries = "window_start, window_end", {}
    for i, kind in enumerate(["tumble", "hop", "cumulate", "tumble"]):
        window, order = rng.choice(WINDOWS[kind]).format(s="s"), rng.choice(["ASC", "DESC"])
        by = rng.choice([", k", ", k, g", ", b", ""])
        rows = f"SELECT *, ROW_NUMBER() OVER (PARTITION BY {bounds}{by} ORDER BY ts {order}) AS rn FROM TABLE({window})"
        where = f" WHERE {rng.choice(CONDITIONS)}" if rng.random() < 0.4 else ""
        queries[f"w{i}"] = f"SELECT {bounds}, k, g, b, ts, v, t FROM ({rows}{where}) WHERE rn = 1"
    last = (f"SELECT {bounds}, k, v, x FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {bounds}, k ORDER BY ts DESC) AS rn FROM TABLE("
            f"{rng.choice(WINDOWS['tumble']).format(s='s')})) WHERE rn = 1")
    queries["counted"] = f"SELECT {bounds}, COUNT(*) AS n, SUM(v) AS v, MAX(x) AS x FROM ({last}) GROUP BY {bounds}"
    queries["per_key"] = f"SELECT {bounds}, k, COUNT(DISTINCT v) AS n FROM ({last}) GROUP BY {bounds}, k"
    for i, by in enumerate(["k", "g, b"]):
        queries[f"f{i}"] = (f"SELECT k, g, b, ts, v, w FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {by} ORDER BY ts) AS rn FROM s) "
                            f"WHERE rn = 1 AND {rng.choice(CONDITIONS)}")
    queries["then_windows"] = (
        f"SELECT {bounds}, COUNT(*) AS n, SUM(v) AS v FROM TABLE(TUMBLE((SELECT ts, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "
        f"k, g ORDER BY ts) AS rn FROM s) WHERE rn = 1), DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY {bounds}")
    # Of rows of one key and time Flink keeps the first or the last that arrived, as weir does.
    return Batch("deduplication", seed, queries, {"s": stream(rng, 120, late=0)})
