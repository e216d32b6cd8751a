"""What generated queries run over: streams of random rows, and a batch of queries with its input as files."""

import json

MINUTE = 60_000
START = 1_700_000_040_000

# Both streams have the same columns, so that they can be united.
COLUMNS = {
    "k": '"STRING"', "g": '"INT"', "ts": '{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }',
    "v": '"INT"', "w": '"BIGINT"', "x": '"DOUBLE"', "b": '"BOOLEAN"', "t": '"STRING"',
    "a": '"ARRAY<INT>"', "m": '"MAP<STRING, INT>"', "r": '"ROW<p INT, q ROW<t STRING, l ARRAY<DOUBLE>>>"',
}

WORDS = ["alpha", "Beta", "gamma ray", "", " padded ", "x,y,z", "délta", "10", "-3.5", "a_b%c", "ALPHA", "naïve"]


def stream(rng, rows, *, keys=4, delay=5_000, late=0.05, span=None, nulls=0.1, start=START):
    """Rows of a stream in order of arrival: out of order within the delay, some later than that."""
    at, found = start, []
    step = (span or rows * 2_000) // rows
    for _ in range(rows):
        at += rng.choice([0, 1, step // 2, step, 2 * step]) if rng.random() < 0.97 else 3 * MINUTE
        back = rng.randrange(delay) if rng.random() < 0.4 else 0
        if rng.random() < late:
            back = delay + rng.randrange(3 * MINUTE)
        row = {
            "k": f"k{rng.randrange(keys)}", "g": rng.randrange(3), "ts": at - back,
            "v": rng.randrange(-50, 50), "w": rng.randrange(-10**12, 10**12),
            "x": rng.randrange(-400, 400) / 4, "b": rng.random() < 0.5, "t": rng.choice(WORDS),
            "a": [rng.randrange(5) for _ in range(rng.randrange(4))],
            "m": {name: rng.choice([1, 2, None]) for name in rng.sample("xyz", rng.randrange(4))},
            "r": {"p": rng.randrange(9), "q": {"t": rng.choice(WORDS), "l": [rng.random() for _ in range(rng.randrange(3))]}},
        }
        if rng.random() < nulls:
            row["r"].pop(rng.choice("pq"))
        for name in ("k", "g", "v", "w", "x", "b", "t", "a", "m", "r"):
            if rng.random() < (nulls if name != "k" else nulls / 3):
                row[name] = None
        found.append(row)
    return found


def source(name, folder, delay):
    columns = "".join(f"{column} = {kind}\n" for column, kind in COLUMNS.items())
    return (
        f'[[source]]\nname = "{name}"\ntype = "file"\npath = "{folder}/{name}.ndjson"\n[source.columns]\n'
        f'{columns}[source.time]\ncolumn = "ts"\nwatermark_delay = "{delay}ms"\n'
    )


class Batch:
    """Queries over one input."""

    def __init__(self, family, seed, queries, inputs, views=(), delay=5_000, tables=(), zone=None, state_ttl=None):
        self.name = f"{family}_{seed}"
        self.family, self.queries, self.inputs, self.views = family, queries, inputs, views
        self.delay, self.tables, self.zone, self.state_ttl = delay, tables, zone, state_ttl

    def write(self, folder):
        """Writes input and configuration; returns the configuration's path."""
        folder.mkdir(parents=True)
        text = '[agent]\nid = "differential"\nstate_dir = "unused"\n'
        for name, rows in self.inputs.items():
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{name}.ndjson").write_text(lines, encoding="utf-8")
            text += source(name, folder, self.delay)
        for name, rows, declaration in self.tables:
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{name}.table").write_text(lines, encoding="utf-8")
            text += f'[[table]]\nname = "{name}"\npath = "{folder}/{name}.table"\n{declaration}'
        for name, sql in self.views:
            text += f"[[view]]\nname = \"{name}\"\nsql = '''\n{sql}\n'''\n"
        path = folder / "weir.toml"
        settings = f'time_zone = "{self.zone}"\n' if self.zone else ""
        settings += f'state_ttl = "{self.state_ttl}"\n' if self.state_ttl else ""
        for name, sql in self.queries.items():
            text += f"[[query]]\nname = \"{name}\"\n{settings}sql = '''\n{sql}\n'''\n"
        path.write_text(text, encoding="utf-8")
        return path
