"""Families of two streams in the same windows: rows that have a partner there or have none, and sets of rows."""

from expressions import CONDITIONS
from streams import Batch, stream
from windows import WINDOWS


def window_semi_join(rng, seed):
    """[NOT] EXISTS and [NOT] IN, of rows and of windows' results."""
    queries = {}
    same = "l.window_start = q.window_start AND l.window_end = q.window_end"
    for i, kind in enumerate(["tumble", "hop", "cumulate", "tumble"]):
        window = rng.choice(WINDOWS[kind])
        left = f"(SELECT * FROM TABLE({window.format(s='s')})) AS l"
        right = f"(SELECT * FROM TABLE({window.format(s='r')})) AS q"
        also = rng.choice(["", f" AND q.{rng.choice(['v > 0', 'b', 'x IS NOT NULL'])}", f" AND l.{rng.choice(['v > 0', 'b'])}"])
        chosen, key = "l.window_start, l.window_end, l.k, l.g, l.v, l.ts", rng.choice(["k", "g"])
        for word in ["", "NOT "]:
            name = "not_" if word else ""
            queries[f"{name}exists{i}"] = (
                f"SELECT {chosen} FROM {left} WHERE {word}EXISTS (SELECT * FROM {right} WHERE l.{key} = q.{key} AND {same}{also})")
            queries[f"{name}in{i}"] = (
                f"SELECT {chosen} FROM {left} WHERE l.{key} {word}IN (SELECT q.{key} FROM {right} WHERE {same}{also})")
    counted = ("SELECT window_start, window_end, k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE {0}, DESCRIPTOR(ts), INTERVAL '30' SECOND)) "
               "GROUP BY window_start, window_end, k")
    for word in ["", "NOT "]:
        queries[f"{'not_' if word else ''}results"] = (
            f"SELECT l.window_start, l.k, l.n FROM ({counted.format('s')}) AS l WHERE {word}EXISTS (SELECT * FROM ({counted.format('r')}) "
            f"AS q WHERE l.k = q.k AND {same} AND q.n > 1)")
    inputs = {"s": stream(rng, 60, late=0), "r": stream(rng, 40, late=0)}
    return Batch("window_semi_join", seed, queries, inputs)


def window_sets(rng, seed):
    """UNION, INTERSECT and EXCEPT of rows and of results in the same windows."""
    bounds, queries = "window_start, window_end", {}
    for i, word in enumerate(["UNION", "INTERSECT", "EXCEPT"]):
        window = rng.choice(WINDOWS[rng.choice(["tumble", "hop", "cumulate"])])
        columns = rng.choice(["k", "g, b", "k, v > 0 AS high", "UPPER(t) AS t"])
        where = f" WHERE {rng.choice(CONDITIONS)}"
        one, other = (f"SELECT {bounds}, {columns} FROM TABLE({window.format(s=name)})" for name in "sr")
        queries[f"rows{i}"] = f"{one}{where} {word} {other}"
        counted = [f"SELECT {bounds}, k, COUNT(*) AS n FROM TABLE({window.format(s=name)}) GROUP BY {bounds}, k" for name in "sr"]
        queries[f"results{i}"] = f"{counted[0]} {word} {counted[1]}"
        queries[f"counted{i}"] = f"SELECT {bounds}, COUNT(*) AS n FROM ({one} {word} {other}) GROUP BY {bounds}"
    inputs = {"s": stream(rng, 70, late=0), "r": stream(rng, 70, late=0)}
    return Batch("window_sets", seed, queries, inputs)
