"""Families of joins: of two streams by time or by windows, and of a stream with tables of files."""

from expressions import CONDITIONS
from streams import WORDS, Batch, stream


def interval_join(rng, seed):
    queries = {}
    for i in range(6):
        kind = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "JOIN", "LEFT JOIN"][i]
        low, high = rng.choice([(5, 5), (0, 10), (10, 0), (20, 3)])
        rest = rng.choice(["", " AND l.v < q.v", " AND l.b"]) if i >= 4 else ""
        queries[f"q{i}"] = (
            "SELECT l.k AS lk, l.ts AS lt, l.v AS lv, q.k AS rk, q.ts AS rt, q.v AS rv FROM s AS l "
            f"{kind} r AS q ON l.k = q.k AND l.ts BETWEEN q.ts - INTERVAL '{low}' SECOND AND q.ts + INTERVAL '{high}' SECOND{rest}")
    inputs = {"s": stream(rng, 80, late=0), "r": stream(rng, 80, late=0)}
    return Batch("interval_join", seed, queries, inputs)


def regular_join(rng, seed):
    """Joins without a condition on time and OVER without a bound, kept for longer than the streams are."""
    pair = "SELECT l.k, l.g, l.v, q.v AS rv, q.t FROM s AS l JOIN r AS q ON l.k = q.k"
    rest = rng.choice(["l.v < q.v", "l.b", "(q.w > 0 OR l.w < 0)", "l.ts <= q.ts", "l.x + q.x > 10"])
    queries = {
        "plain": pair,
        "rest": f"{pair} AND {rest}",
        "comma": "SELECT l.k, l.t, q.x FROM s AS l, r AS q WHERE l.k = q.k AND l.g = q.g",
        "nulls": "SELECT l.g, l.v, q.v AS rv FROM s AS l JOIN r AS q ON l.g IS NOT DISTINCT FROM q.g AND l.k = q.k",
        "computed": "SELECT l.v, q.w FROM s AS l JOIN r AS q ON UPPER(l.t) = UPPER(q.t) WHERE l.v > 20",
        "itself": "SELECT a.k, a.v, b.v AS w FROM s AS a JOIN s AS b ON a.k = b.k AND a.v < b.v AND a.g = b.g",
        "three": "SELECT a.k, a.v, b.v AS w, c.v AS u FROM s AS a JOIN r AS b ON a.k = b.k JOIN s AS c ON b.g = c.g AND a.v = c.v",
        "of_windows": "SELECT w.k, w.n, q.v FROM (SELECT k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), "
                      "INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end) AS w JOIN r AS q ON w.k = q.k",
        "first": "SELECT k, g, ts, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k, g ORDER BY ts) AS n FROM s) WHERE n = 1",
        "running": "SELECT k, ts, SUM(v) OVER w AS v, COUNT(*) OVER w AS n FROM s WINDOW w AS (PARTITION BY k ORDER BY ts)",
        "united": "SELECT l.k, l.v FROM s AS l JOIN r AS q ON l.k = q.k AND l.g = q.g UNION ALL SELECT k, v FROM s WHERE b",
    }
    inputs = {"s": stream(rng, 50, late=0), "r": stream(rng, 50, late=0)}
    return Batch("regular_join", seed, queries, inputs, state_ttl="30d")


def window_join(rng, seed):
    left = "(SELECT * FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '30' SECOND))) AS l"
    right = "(SELECT * FROM TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '30' SECOND))) AS q"
    on = "ON l.k = q.k AND l.window_start = q.window_start AND l.window_end = q.window_end"
    chosen = "l.k AS lk, l.v AS lv, q.k AS rk, q.v AS rv"
    queries = {
        f"q{i}": f"SELECT {chosen} FROM {left} {kind} {right} {on}"
        for i, kind in enumerate(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
    }
    for i, word in enumerate(["IN", "NOT IN"]):
        queries[f"s{i}"] = (
            f"SELECT l.k, l.v, l.window_start FROM {left} WHERE l.k {word} (SELECT k FROM ("
            "SELECT * FROM TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '30' SECOND))) AS q "
            "WHERE l.window_start = q.window_start AND l.window_end = q.window_end)")
    counted = "(SELECT window_start, window_end, k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE {0}, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
    counted += "GROUP BY window_start, window_end, k) AS {1}"
    queries["a0"] = f"SELECT l.k, l.window_start, l.n AS n1, q.n AS n2 FROM {counted.format('s', 'l')} JOIN {counted.format('r', 'q')} {on}"
    inputs = {"s": stream(rng, 60, late=0), "r": stream(rng, 60, late=0)}
    return Batch("window_join", seed, queries, inputs)


def lookups(rng, seed):
    """Joins with tables of files, versioned (FOR SYSTEM_TIME AS OF) and not, alone and below windows."""
    devices = [
        {"k": f"k{n}", "place": rng.choice([*WORDS, None]), "low": rng.choice([-30, 0, 5, None]), "y": rng.randrange(9) / 4}
        for n in rng.sample(range(6), 3)
    ]
    pairs = [{"k": f"k{n}", "g": g, "price": rng.randrange(90) / 8} for n in range(4) for g in rng.sample(range(3), 2)]
    tables = [
        ("d", devices, 'key = ["k"]\ncolumns = { k = "STRING", place = "STRING", low = "INT", y = "DOUBLE" }\n'),
        ("p", pairs, 'key = ["k", "g"]\ncolumns = { k = "STRING", g = "INT", price = "DOUBLE" }\n'),
    ]
    asof, residual = "FOR SYSTEM_TIME AS OF s.ts", rng.choice(["", " AND s.v > d.low", " AND (s.b OR d.y < 1)"])
    joined = f"SELECT s.ts, s.k, s.v, d.place FROM s LEFT JOIN d {asof} ON s.k = d.k{residual}"
    queries = {
        "inner": f"SELECT s.k, s.v, d.place, d.y FROM s JOIN d {asof} ON s.k = d.k WHERE {rng.choice(CONDITIONS).replace('k ', 's.k ')}",
        "kept": f"SELECT s.k, s.v, d.place, d.low FROM s LEFT JOIN d {asof} ON s.k = d.k{residual}",
        "two_keys": f"SELECT s.k, s.g, p.price FROM s {rng.choice(['', 'LEFT '])}JOIN p {asof} ON p.g = s.g AND p.k = s.k",
        "both": f"SELECT s.v, d.y, p.price FROM s JOIN d {asof} ON s.k = d.k LEFT JOIN p {asof} ON p.k = s.k AND p.g = s.g",
        "plain": "SELECT s.k, s.v, p.price FROM s JOIN p ON s.k = p.k",
        "known": "SELECT v, w FROM s WHERE k IN (SELECT k FROM d WHERE y > 0.5)",
        "windows": f"WITH j AS ({joined}) SELECT window_start, place, COUNT(*) AS n, SUM(v) AS v FROM TABLE(TUMBLE("
                   "TABLE j, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, place",
    }
    return Batch("lookup_join", seed, queries, {"s": stream(rng, 120)}, tables=tables)
