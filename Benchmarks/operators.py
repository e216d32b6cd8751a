#!/usr/bin/env python3
"""One query for each operator over W1's five million readings: CPU seconds, peak memory, and whether DuckDB's rows
of an equal query are the same.

    .build/venv/bin/python Benchmarks/operators.py [--weir BIN] [--events N] [--runs N] [name ...]

CPU seconds are user plus system of the whole process, with durable state and synced commits; the median of the runs.
"times" is what an event costs beside W1's. Run run.sh first: it makes the data. Needs duckdb.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess

import duckdb
import pyarrow

HERE = pathlib.Path(__file__).resolve().parent
TUMBLE = "FROM TABLE(TUMBLE(TABLE {}, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
PARTITION = "OVER (PARTITION BY device ORDER BY ts"
# The first one is what all are measured by.
GROUPED = (
    "SELECT window_start, window_end, device, COUNT(*) AS n, AVG(temperature) AS a, MIN(temperature) AS lo, "
    f"MAX(temperature) AS hi {TUMBLE.format('sensors')} GROUP BY window_start, window_end, device")
GROUPED_DUCKDB = (
    "SELECT ts // 10000 * 10000 AS window_start, device, COUNT(*) AS n, AVG(temperature) AS a, "
    "MIN(temperature) AS lo, MAX(temperature) AS hi FROM sensors GROUP BY ALL")
GROUPED_COLUMNS = "*window_start T, *device S, n I, a D, lo D, hi D"


class Operator:
    """A query of weir's, DuckDB's with the same rows, and their columns: T a time, S text, I whole, D double; those
    with a star make a row unlike others."""

    def __init__(self, sql, same, columns, views=None, keys="", limits=False):
        self.sql, self.same, self.columns = sql, same, [item.split() for item in columns.split(", ")]
        self.views, self.keys, self.limits = views or {}, keys, limits


def over(frame, function="AVG(temperature)", duckdb_frame=None):
    """A value over a frame; it is for every row, so the result has as many rows as the input."""
    text = "SELECT device, ts, {} {} {}) AS v FROM sensors"
    return Operator(
        text.format(function, PARTITION, frame), text.format(function, PARTITION, duckdb_frame or frame),
        "*device S, *ts T, v D")


def ranked(order, condition):
    inner = "SELECT {}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {}) AS rn {}"
    columns = "device, ts, temperature"
    return Operator(
        f"SELECT window_start, {columns}, rn FROM ("
        + inner.format(f"window_start, window_end, {columns}", *order[:2], TUMBLE.format("sensors"))
        + f") WHERE {condition}",
        "FROM (" + inner.format(f"ts // 10000 * 10000 AS window_start, {columns}", *order[2:], "FROM sensors")
        + f") WHERE {condition}",
        "*window_start T, *device S, *ts T, temperature D, rn I")


def falls(connection):
    """What the pattern A B+ C finds, by a loop over the readings of each device."""
    read = connection.execute("SELECT device, ts, temperature FROM sensors ORDER BY device, ts").fetch_arrow_table()
    device, ts, value = (column.to_pylist() for column in read.columns)
    found, at, count = [], 0, len(ts)
    while at < count:
        end = at + 1
        while end < count and device[end] == device[at] and value[end] < value[end - 1]:
            end += 1
        if end > at + 1 and end < count and device[end] == device[at] and value[end] > value[end - 1]:
            found.append({"device": device[at], "began": ts[at], "ended": ts[end], "n": end - at - 1})
            at = end
        else:
            at += 1
    return pyarrow.Table.from_pylist(found)


OPERATORS = {
    "W1: window, four aggregates": Operator(GROUPED, GROUPED_DUCKDB, GROUPED_COLUMNS),
    "the same by clocks of keys": Operator(GROUPED, GROUPED_DUCKDB, GROUPED_COLUMNS, keys='watermark_by = "device"\n'),
    "grouping sets, three": Operator(
        "SELECT window_start, device, battery, GROUPING_ID(device, battery) AS g, COUNT(*) AS n, "
        f"AVG(temperature) AS a {TUMBLE.format('sensors')} "
        "GROUP BY window_start, window_end, GROUPING SETS ((device), (battery), ())",
        "SELECT ts // 10000 * 10000 AS window_start, device, battery, GROUPING_ID(device, battery) AS g, COUNT(*) AS n, "
        "AVG(temperature) AS a FROM sensors "
        "GROUP BY GROUPING SETS ((window_start, device), (window_start, battery), (window_start))",
        "*window_start T, *device S, *battery D, *g I, n I, a D"),
    "distinct counts": Operator(
        f"SELECT window_start, device, COUNT(DISTINCT humidity) AS n {TUMBLE.format('sensors')} "
        "GROUP BY window_start, window_end, device",
        "SELECT ts // 10000 * 10000 AS window_start, device, COUNT(DISTINCT humidity) AS n FROM sensors GROUP BY ALL",
        "*window_start T, *device S, n I"),
    "OVER, 10 rows": over("ROWS BETWEEN 9 PRECEDING AND CURRENT ROW"),
    "OVER, 10 rows, maximum": over("ROWS BETWEEN 9 PRECEDING AND CURRENT ROW", "MAX(temperature)"),
    "OVER, 10 seconds": over(
        "RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW",
        duckdb_frame="RANGE BETWEEN 10000 PRECEDING AND CURRENT ROW"),
    "OVER, unbounded": over("RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "MAX(temperature)"),
    "LAG": over("", "LAG(temperature, 1)"),
    "Top-N: 10 hottest of each window": ranked(
        ("window_start, window_end", "temperature DESC, ts", "ts // 10000", "temperature DESC, ts"), "rn <= 10"),
    "first of each device and window": ranked(
        ("window_start, window_end, device", "ts", "ts // 10000, device", "ts"), "rn = 1"),
    "last of each device and window": ranked(
        ("window_start, window_end, device", "ts DESC", "ts // 10000, device", "ts DESC"), "rn = 1"),
    "first of each seq and device, for ever": Operator(
        "SELECT device, seq, ts FROM (SELECT device, seq, ts, ROW_NUMBER() OVER (PARTITION BY device, seq ORDER BY ts) AS rn "
        "FROM readings) WHERE rn = 1",
        "SELECT device, seq // 10 AS seq, MIN(ts) AS ts FROM sensors GROUP BY ALL", "*device S, *seq I, ts T",
        views={"readings": "SELECT device, seq / 10 AS seq, ts FROM sensors"}),
    "ORDER BY time": Operator(
        "SELECT ts, device, temperature FROM sensors ORDER BY ts", "SELECT ts, device, temperature FROM sensors",
        "*ts T, *device S, temperature D"),
    "interval join with the second before": Operator(
        "SELECT a.device AS device, a.ts AS ts, b.ts AS before, b.temperature AS t FROM sensors AS a JOIN sensors AS b "
        "ON a.device = b.device AND b.ts BETWEEN a.ts - INTERVAL '1' SECOND AND a.ts - INTERVAL '0.001' SECOND",
        "SELECT a.device, a.ts, b.ts AS before, b.temperature AS t FROM sensors AS a JOIN sensors AS b "
        "ON a.device = b.device AND a.ts - b.ts BETWEEN 1 AND 1000 AND a.ts // 1000 = b.ts // 1000 UNION ALL "
        "SELECT a.device, a.ts, b.ts, b.temperature FROM sensors AS a JOIN sensors AS b "
        "ON a.device = b.device AND a.ts - b.ts BETWEEN 1 AND 1000 AND a.ts // 1000 = b.ts // 1000 + 1",
        "*device S, *ts T, *before T, t D"),
    "window join of two groupings": Operator(
        "SELECT l.window_start AS window_start, l.device AS device, l.a AS a, r.h AS h FROM l JOIN r "
        "ON l.window_start = r.window_start AND l.window_end = r.window_end AND l.device = r.device",
        "SELECT ts // 10000 * 10000 AS window_start, device, AVG(temperature) AS a, MAX(humidity) AS h FROM sensors "
        "GROUP BY ALL", "*window_start T, *device S, a D, h D",
        views={
            name: f"SELECT window_start, window_end, device, {value} {TUMBLE.format('sensors')} "
                  "GROUP BY window_start, window_end, device"
            for name, value in (("l", "AVG(temperature) AS a"), ("r", "MAX(humidity) AS h"))}),
    "temporal join, 50,000 versions": Operator(
        "SELECT s.device AS device, s.ts AS ts, temperature, most FROM sensors AS s "
        "JOIN limits FOR SYSTEM_TIME AS OF s.ts AS limits ON s.device = limits.device",
        "SELECT s.device, s.ts, temperature, most FROM sensors AS s ASOF JOIN limits ON s.device = limits.device "
        "AND s.ts >= limits.ts", "*device S, *ts T, temperature D, most I", limits=True),
    "pattern of three rising by 1": Operator(
        "SELECT * FROM sensors MATCH_RECOGNIZE (PARTITION BY device ORDER BY ts MEASURES A.ts AS began, C.ts AS ended, "
        "C.temperature - A.temperature AS rise ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW PATTERN (A B C) "
        "DEFINE B AS B.temperature > A.temperature + 1, C AS C.temperature > B.temperature + 1)",
        "SELECT device, ts AS began, ended, third - temperature AS rise FROM (SELECT device, ts, temperature, "
        "LEAD(temperature) OVER w AS second, LEAD(temperature, 2) OVER w AS third, LEAD(ts, 2) OVER w AS ended "
        "FROM sensors WINDOW w AS (PARTITION BY device ORDER BY ts)) "
        "WHERE second > temperature + 1 AND third > second + 1", "*device S, *began T, *ended T, rise D"),
    "pattern A B+ C, falling until it rises": Operator(
        "SELECT * FROM sensors MATCH_RECOGNIZE (PARTITION BY device ORDER BY ts MEASURES A.ts AS began, C.ts AS ended, "
        "COUNT(B.ts) AS n ONE ROW PER MATCH AFTER MATCH SKIP TO LAST C PATTERN (A B+ C) "
        "DEFINE B AS (LAST(B.temperature, 1) IS NULL AND B.temperature < A.temperature) "
        "OR B.temperature < LAST(B.temperature, 1), C AS C.temperature > LAST(B.temperature))", falls,
        "*device S, *began T, *ended T, n I"),
}


def configuration(operator, events):
    source = (
        '[[source]]\nname = "{0}"\ntype = "file"\npath = "{1}"\n[source.columns]\ndevice = "STRING"\n'
        'ts = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}\n{2}[source.time]\ncolumn = "ts"\nwatermark_delay = "5s"\n{3}')
    numbers = "".join(f'{name} = "DOUBLE"\n' for name in ("temperature", "humidity", "battery")) + 'seq = "BIGINT"\n'
    text = '[agent]\nid = "bench"\nstate_dir = "state"\n'
    text += source.format("sensors", f"../w1-{events}.ndjson", numbers, operator.keys)
    if operator.limits:
        text += source.format("limits", f"limits-{events}.ndjson", 'most = "BIGINT"\n', "")
    for name, sql in operator.views.items():
        text += f'[[view]]\nname = "{name}"\nsql = """{sql}"""\n'
    return text + f'[[query]]\nname = "q"\nsql = """{operator.sql}"""\n'


def prepared(data, work, events):
    """The input's first events, the versions of the temporal join, and both as tables of DuckDB."""
    readings = data / f"w1-{events}.ndjson"
    if not readings.exists():
        with open(readings, "wb") as out:
            subprocess.run(["head", "-n", str(events), data / "w1.ndjson"], stdout=out, check=True)
    limits = work / f"limits-{events}.ndjson"
    if not limits.exists():
        with open(limits, "w") as out:
            for number in range(50_000):
                ts = 1_700_000_000_000 + number // 1000 * (events // 50)
                out.write(json.dumps({"device": f"dev-{number % 1000:04}", "ts": ts, "most": number % 97}) + "\n")
    base = work / f"readings-{events}.duckdb"
    if not base.exists():
        with duckdb.connect(str(base)) as connection:
            for table, path, more in (
                    ("sensors", readings, "temperature: 'DOUBLE', humidity: 'DOUBLE', battery: 'DOUBLE', seq: 'BIGINT'"),
                    ("limits", limits, "most: 'BIGINT'")):
                connection.execute(
                    f"CREATE TABLE {table} AS FROM read_json('{path}', format = 'newline_delimited', "
                    f"columns = {{device: 'VARCHAR', ts: 'BIGINT', {more}}})")
    return base


def compare(base, operator, result):
    """Counts of rows, and of those that differ; doubles to a part in 10^9."""
    kinds = {"T": "TIMESTAMP", "S": "VARCHAR", "I": "BIGINT", "D": "DOUBLE"}
    names = [(name.strip("*"), kind, name[0] == "*") for name, kind in operator.columns]
    types = ", ".join(f"{name}: '{kinds[kind]}'" for name, kind, _ in names)
    values = ", ".join(f"epoch_ms({name}) AS {name}" if kind == "T" else name for name, kind, _ in names)
    keys = " AND ".join(f"w.{name} IS NOT DISTINCT FROM d.{name}" for name, _, is_key in names if is_key)
    same = " AND ".join(
        f"(w.{name} IS NOT DISTINCT FROM d.{name}"
        + (f" OR abs(w.{name} - d.{name}) <= 1e-9 * greatest(abs(d.{name}), 1)" if kind == "D" else "") + ")"
        for name, kind, is_key in names if not is_key)
    with duckdb.connect(str(base), read_only=True) as connection:
        connection.execute(
            f"CREATE TEMP TABLE w AS SELECT {values} FROM read_json('{result}', format = 'newline_delimited', "
            f"columns = {{{types}}})")
        count = connection.execute("SELECT COUNT(*) FROM w").fetchone()[0]
        if callable(operator.same):
            found = operator.same(connection)  # noqa: F841: DuckDB reads it by its name
            connection.execute("CREATE TEMP TABLE d AS FROM found")
        else:
            connection.execute(f"CREATE TEMP TABLE d AS {operator.same}")
        expected = connection.execute("SELECT COUNT(*) FROM d").fetchone()[0]
        equal = connection.execute(f"SELECT COUNT(*) FROM w JOIN d ON {keys} WHERE {same or 'TRUE'}").fetchone()[0]
        good = count == expected == equal
        return f"{count:,} rows, " + ("equal" if good else f"DIFFERENT: DuckDB has {expected:,}, {equal:,} are equal")


def measured(weir, operator, work, events, runs):
    (work / "c.toml").write_text(configuration(operator, events))
    result, figures = work / "result.ndjson", []
    command = [weir, "replay", "c.toml", "--quiet", "--state-dir", "state", "--output", "-"]
    for _ in range(runs):
        shutil.rmtree(work / "state", ignore_errors=True)
        with open(result, "wb") as out:
            # By GNU time: what Python starts itself begins with Python's memory as its peak.
            subprocess.run(
                ["/usr/bin/time", "-o", "times", "-f", "%U %S %M", *command], stdout=out, cwd=work, check=True)
        user, system, kilobytes = map(float, (work / "times").read_text().split())
        figures.append((user + system, round(kilobytes / 1024)))
    return sorted(figures)[len(figures) // 2], result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", default=str(HERE.parent / ".build" / "release" / "weir"))
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--data", default=str(HERE.parent / ".build" / "bench"))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    data = pathlib.Path(options.data).resolve()
    work = data / "operators"
    work.mkdir(exist_ok=True)
    base = prepared(data, work, options.events)
    print(f"{'':40} {'CPU s':>8} {'times':>6} {'MB':>6}   rows")
    first = None
    for name, operator in OPERATORS.items():
        if options.names and not any(part in name for part in options.names) and first is not None:
            continue
        (seconds, megabytes), result = measured(os.path.abspath(options.weir), operator, work, options.events, options.runs)
        first = first or seconds
        print(
            f"{name:40} {seconds:8.2f} {seconds / first:6.1f} {megabytes:6}   {compare(base, operator, result)}",
            flush=True)
    shutil.rmtree(work / "state", ignore_errors=True)


if __name__ == "__main__":
    main()
