"""Delta tables that weir writes for readers.py, each with the rows that went in, as a reader must give them."""

import base64
import datetime
import decimal
import json
import random
import shutil
import struct
from pathlib import Path

from weir_kit import Broker, Weir, wait_until, weir

HEAD = '[agent]\nid = "edge-1"\nstate_dir = "unused"\n'
LAKE = '[[sink]]\nname = "lake"\nformat = "delta"\n'
LOCAL = 'type = "file"\nurl = "file:./lake"\n'
START = datetime.datetime(2026, 1, 1)
LETTERS = 'ab"\\\n é東😀\x7f'
# Every type of columns of weir, and Delta's for it. TIME is milliseconds, which Delta has no type for.
COLUMNS = {
    "b": ("BOOLEAN", "boolean"), "t": ("TINYINT", "byte"), "s": ("SMALLINT", "short"), "i": ("INT", "integer"),
    "l": ("BIGINT", "long"), "f": ("FLOAT", "float"), "d": ("DOUBLE", "double"), "x": ("STRING", "string"),
    "y": ("BYTES", "binary"), "p": ("DECIMAL(9, 2)", "decimal(9,2)"), "q": ("DECIMAL(18, 3)", "decimal(18,3)"),
    "r": ("DECIMAL(38, 10)", "decimal(38,10)"), "u": ("DATE", "date"), "v": ("TIME", "integer"),
    "w": ("TIMESTAMP(3)", "timestamp_ntz"), "z": ("TIMESTAMP_LTZ(3)", "timestamp"),
    "lt": ("ARRAY<STRING>", "array<string>"), "lz": ("ARRAY<TIMESTAMP_LTZ(3)>", "array<timestamp>"),
    "ll": ("ARRAY<ARRAY<INT>>", "array<array<integer>>"), "m": ("MAP<STRING, DOUBLE>", "map<string,double>"),
    "o": ("ROW<a BIGINT, b ARRAY<STRING>, c ROW<e DECIMAL(20, 1)>>",
          "struct<a:long,b:array<string>,c:struct<e:decimal(20,1)>>"),
    "größe": ("DOUBLE", "double"), "x.y": ("INT", "integer"), 'a"b': ("STRING", "string"),
}
# What the source calls the columns whose names only a query can give.
SOURCE_NAMES = {"größe": "g1", "x.y": "g2", 'a"b': "g3"}


def declaration():
    """The columns of a source in TOML."""
    return ", ".join(
        f"""{SOURCE_NAMES.get(name, name)} = {{ type = "{sql}"{', from = "rfc3339"' if "LTZ" in sql else ""} }}"""
        for name, (sql, _) in COLUMNS.items())


def selection():
    return "SELECT " + ", ".join(
        f"{SOURCE_NAMES[name]} AS `{name}`" if name in SOURCE_NAMES else name for name in COLUMNS) + " FROM s"


def value(rng, type):
    """A random value, as Python has it. Times are those that all readers can say (ClickHouse: 1900 to 2299)."""
    if rng.random() < 0.2:
        return None
    if type.startswith("array<"):
        return [value(rng, type[6:-1]) for _ in range(rng.choice([0, 1, 3]))]
    if type.startswith("map<"):
        return {key: value(rng, "double") for key in rng.sample(["", "k", "é", "long key"], rng.randint(0, 3))}
    if type.startswith("struct<a"):
        return {"a": value(rng, "long"), "b": value(rng, "array<string>"), "c": value(rng, "struct<e>")}
    if type.startswith("struct<e"):
        return {"e": value(rng, "decimal(20,1)")}
    if type.startswith("decimal"):
        precision, scale = map(int, type[8:-1].split(","))
        units = rng.randint(-(10**precision) + 1, 10**precision - 1) // 10 ** rng.randrange(precision)
        return decimal.Decimal(units).scaleb(-scale, decimal.Context(prec=60))
    moment = START + datetime.timedelta(milliseconds=rng.randint(-3_900_000_000_000, 8_500_000_000_000))
    whole = {"byte": 7, "short": 15, "integer": 31, "long": 63}
    if type in whole:
        return rng.randint(-(2 ** whole[type]), 2 ** whole[type] - 1) >> rng.randrange(whole[type])
    return {
        "boolean": lambda: rng.random() < 0.5,
        "float": lambda: struct.unpack("f", struct.pack("f", rng.uniform(-1e6, 1e6)))[0],
        "double": lambda: rng.choice([0.0, round(rng.uniform(-100, 100), 2), rng.uniform(-1e300, 1e300)]),
        "string": lambda: "".join(rng.choice(LETTERS) for _ in range(rng.choice([0, 1, 5, 70, 200]))),
        "binary": lambda: rng.randbytes(rng.choice([0, 3, 80])),
        "date": moment.date, "timestamp": lambda: moment, "timestamp_ntz": lambda: moment,
    }[type]()


def in_json(item, zoned):
    """A value as a payload has it."""
    if isinstance(item, dict):
        return {key: in_json(part, zoned) for key, part in item.items()}
    if isinstance(item, list):
        return [in_json(part, zoned) for part in item]
    if isinstance(item, datetime.datetime):
        return item.isoformat(timespec="milliseconds") + ("Z" if zoned else "")
    if isinstance(item, datetime.date):
        return item.isoformat()
    if isinstance(item, bytes):
        return base64.b64encode(item).decode()
    return format(item, "f") if isinstance(item, decimal.Decimal) else item


def random_row(rng, number):
    """A row of every column. `l`, `z` and `d` grow, so that files can be told from each other by their bounds."""
    row = {name: value(rng, type) for name, (_, type) in COLUMNS.items()}
    row["l"] = number * 10**10
    row["v"] = rng.choice([None, rng.randrange(86_400_000)])
    if number % 11:
        row["z"], row["d"] = START + datetime.timedelta(minutes=number * 7, milliseconds=678), number / 8
        row["r"], row["x"], row["u"] = decimal.Decimal(number * 7).scaleb(-10), f"é{number:06}", row["z"].date()
    return row


def payload(row):
    found = {SOURCE_NAMES.get(name, name): in_json(row[name], "LTZ" in COLUMNS[name][0]) for name in row}
    if row["v"] is not None:
        found["v"] = (START + datetime.timedelta(milliseconds=row["v"])).time().isoformat(timespec="milliseconds")
    return found


class Table:
    """A table of a lake, the rows that went in (by `key`, which is in each row once), and its columns' types."""

    def __init__(self, name, location, rows, types, key):
        self.name, self.location, self.rows, self.types, self.key = name, location, rows, types, key


def replay(folder, rows, columns, select, sink=LOCAL, keys=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "c.toml").write_text(
        HEAD + f'[[source]]\nname = "s"\ntype = "file"\npath = "s.ndjson"\ncolumns = {{ {columns} }}\n'
        f'[[query]]\nname = "q"\nsql = """{select}"""\nsinks = ["lake"]\n{LAKE}{sink}{keys}')
    (folder / "s.ndjson").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    done = weir("replay", "c.toml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr


def partition(row):
    """The partition of a row by `z`; rows without it are in that of their seal."""
    return {"date": row["z"].date(), "hour": row["z"].hour} if row["z"] else {}


def of_all_types(folder, seed, count=400, keys="max_rows = 100\n", sink=LOCAL, location=None, partitioned=False):
    rng = random.Random(seed)
    rows = [random_row(rng, number) for number in range(count)]
    keys += 'partition_by = "z"\n' if partitioned else ""
    replay(folder, [payload(row) for row in rows], declaration(), selection(), sink, keys)
    types = {name: type for name, (_, type) in COLUMNS.items()} | {"agent": "string"}
    found = [row | {"agent": "edge-1"} | (partition(row) if partitioned else {}) for row in rows]
    types |= {"date": "date", "hour": "integer"} if partitioned else {}
    return Table(folder.name, location or folder / "lake" / "q", found, types, "l")


def behind_a_checkpoint(folder, seed, **options):
    """Partitions, and a log whose beginning is in a checkpoint alone, cleaned up as the protocol has it: the checkpoint's
    own entry stays."""
    table = of_all_types(
        folder, seed, keys="max_rows = 40\ndelta.checkpoint_every = 4\n", partitioned=True, **options)
    if isinstance(table.location, Path):
        log = table.location / "_delta_log"
        last = json.loads((log / "_last_checkpoint").read_text())["version"]
        assert last >= 4
        for entry in log.glob("*.json"):
            if int(entry.stem) < last:
                entry.unlink()
    return table


def with_columns_that_come_and_go(folder):
    """Four queries, one after the other, into one table."""
    columns = 'n = "BIGINT", k = "STRING", w = "TIMESTAMP(3)"'
    selects = [
        ("n, k", ("n", "k")), ("n, k, w, n * 2 AS twice", ("n", "k", "w", "twice")), ("w, n", ("n", "w")),
        ("n, ARRAY[k] AS a, ROW(n, k) AS o", ("n", "a", "o")),
    ]
    types = {
        "n": "long", "k": "string", "agent": "string", "w": "timestamp_ntz", "twice": "long", "a": "array<string>",
        "o": "struct<EXPR$0:long,EXPR$1:string>",
    }
    found = []
    for turn, (select, names) in enumerate(selects):
        rows = [
            {"n": n, "k": f"k{n % 7}", "w": START + datetime.timedelta(hours=n)}
            for n in range(turn * 50, turn * 50 + 50)]
        replay(
            folder, [{key: in_json(item, False) for key, item in row.items()} for row in rows], columns,
            f"SELECT {select} FROM s", keys="max_rows = 20\ndelta.checkpoint_every = 5\n")
        for row in rows:
            row |= {"twice": row["n"] * 2, "a": [row["k"]], "o": {"EXPR$0": row["n"], "EXPR$1": row["k"]}}
            found.append({name: row[name] if name in (*names, "agent") else None for name in types if name != "agent"})
            found[-1]["agent"] = "edge-1"
    return Table(folder.name, folder / "lake" / "q", found, types, "n")


def compacted_and_cleaned(folder):
    """An agent that runs: many small files, then few, and the old ones deleted."""
    folder.mkdir(parents=True)
    broker = Broker(folder / "broker")
    keys = (
        'max_rows = 25\nschedule = "every 1s"\ndelta.optimize = "every 3s"\ndelta.vacuum = "every 1s"\n'
        'delta.vacuum_after = "2s"\ndelta.checkpoint_every = 3\n')
    agent = Weir(folder, (
        '[agent]\nid = "edge-1"\nstate_dir = "state"\nhttp = "@HTTP@"\n'
        f'[[source]]\nname = "s"\ntype = "mqtt"\nurl = "{broker.url}"\ntopics = ["plant/#"]\n'
        'columns = { n = "BIGINT", k = "STRING" }\n'
        f'[[query]]\nname = "q"\nsql = "SELECT n, k FROM s"\nsinks = ["lake"]\n{LAKE}{LOCAL}{keys}'))
    table = folder / "lake" / "q"
    rows = [{"n": n, "k": f"k{n % 5}"} for n in range(400)]
    try:
        agent.start()
        for first in range(0, 400, 100):
            broker.publish("plant/1", [json.dumps(row) for row in rows[first:first + 100]])
            wait_until(lambda: agent.received("s") == first + 100 and agent.pending() == 0, 30, "the rows")
        wait_until(lambda: len(files_below(table)) == 1, 60, "one file")
    finally:
        agent.stop()
        broker.stop()
    assert any('"OPTIMIZE"' in entry.read_text() for entry in (table / "_delta_log").glob("*.json"))
    shutil.rmtree(folder / "state")
    found = [row | {"agent": "edge-1"} for row in rows]
    return Table(folder.name, table, found, {"n": "long", "k": "string", "agent": "string"}, "n")


def files_below(table):
    return [path for path in table.rglob("*.parquet") if "_delta_log" not in path.parts]
