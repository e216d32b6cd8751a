"""Families of versions: joins FOR SYSTEM_TIME AS OF, where `weir export flink` finds the key that Flink wants."""

from streams import START, Batch, stream


def versions(rng, rows, *, late=0):
    """Versions of a table: some before the stream's first row, some of one key and time, of which the last counts."""
    found = []
    for row in stream(rng, rows, late=late, start=START - 40_000):
        found.append(row)
        if rng.random() < 0.2:
            found.append({**row, "v": rng.randrange(-50, 50), "w": rng.randrange(10**6)})
    return found


def temporal_join(rng, seed):
    """A source has one key in a script, so that each number of columns has its own batches."""
    keys = [["k"], ["k", "g"], ["g"]][seed % 3]
    asof = "FOR SYSTEM_TIME AS OF s.ts ON " + " AND ".join(f"s.{key} = {{0}}.{key}" for key in keys)
    of_r, of_louder = asof.format("r"), asof.format("louder")
    chosen = "s.k, s.g, s.ts, s.v, r.ts AS since, r.v AS rv, r.w, r.t"
    rest = rng.choice(["s.v < r.v", "r.b", "(s.b OR r.x > 0)", "r.v IS NOT NULL", "s.t = r.t"])
    condition = rng.choice(["s.v > 0", "r.v > 0", "r.b AND s.v < 20", "r.k = 'k1'", "r.t LIKE '%a%'"])
    joined = f"SELECT s.k AS k, s.ts AS ts, s.v AS v, r.w AS w FROM s LEFT JOIN r {of_r}"
    queries = {
        "inner": f"SELECT {chosen} FROM s JOIN r {of_r}",
        "kept": f"SELECT {chosen} FROM s LEFT JOIN r {of_r}",
        "rest": f"SELECT {chosen} FROM s JOIN r {of_r} AND {rest}",
        "kept_rest": f"SELECT {chosen} FROM s LEFT JOIN r {of_r} AND {rest}",
        "where": f"SELECT {chosen} FROM s JOIN r {of_r} WHERE {condition}",
        "kept_where": f"SELECT {chosen} FROM s LEFT JOIN r {of_r} WHERE {condition}",
        "of_view": f"SELECT s.k, s.ts, s.v, louder.ts AS since, louder.twice, louder.loud FROM s LEFT JOIN louder {of_louder}",
        "twice": f"SELECT s.k, s.v, r.w, louder.twice, louder.loud FROM s JOIN r {of_r} LEFT JOIN louder {of_louder}",
        "windows": f"WITH j AS ({joined}) SELECT window_start, k, COUNT(w) AS n, SUM(v) AS v, MAX(w) AS w FROM TABLE(TUMBLE("
                   "TABLE j, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, k",
        "late": f"SELECT {chosen} FROM late AS s LEFT JOIN r {of_r}",
    }
    views = [("louder", "SELECT k, g, ts, v * 2 AS twice, UPPER(t) AS loud FROM r")]
    inputs = {"s": stream(rng, 100, late=0), "r": versions(rng, 60), "late": stream(rng, 60, late=0.1)}
    return Batch("temporal_join", seed, queries, inputs, views)
