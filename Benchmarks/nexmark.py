"""Nexmark: the queries in nexmark/ on events of generate_nexmark.py, by weir and beside it by Flink.

    nexmark.py [--weir BIN] [--events N] [--flink HOME] [query ...]

For each query: weir's CPU seconds (user and system, the whole process, state durable and commits synced),
Flink's (the job alone, in a JVM that is warm from the query before, on RocksDB with a checkpoint a second),
events a CPU second of both, and whether both gave the same rows. HOME is where Flink's jars are or will be
unpacked from PyPI (apache-flink-libraries, 329 MB); without it weir runs alone. Needs numpy, and for Flink
a JDK 17.
"""

import argparse
import collections
import decimal
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FLINK_VERSION = "2.3.0"

TABLES = {
    "person": {
        "id": "BIGINT", "name": "STRING", "emailAddress": "STRING", "creditCard": "STRING", "city": "STRING",
        "state": "STRING", "dateTime": "TIMESTAMP_LTZ(3)", "extra": "STRING",
    },
    "auction": {
        "id": "BIGINT", "itemName": "STRING", "description": "STRING", "initialBid": "BIGINT", "reserve": "BIGINT",
        "dateTime": "TIMESTAMP_LTZ(3)", "expires": "TIMESTAMP_LTZ(3)", "seller": "BIGINT", "category": "BIGINT",
        "extra": "STRING",
    },
    "bid": {
        "auction": "BIGINT", "bidder": "BIGINT", "price": "BIGINT", "channel": "STRING", "url": "STRING",
        "dateTime": "TIMESTAMP_LTZ(3)", "extra": "STRING",
    },
}
DELAY_S = 4
# q13's small table, which both read once: a value for each key.
SIDE_ROWS = 10_000
# What a query's configuration says beside its text: far longer than the events are apart, as Flink keeps all.
SETTINGS = {"q3": ['state_ttl = "7d"']}


def used(sql):
    return [name for name in TABLES if re.search(rf"\b(FROM|JOIN|TABLE)\s+{name}\b", sql)]


def reads_side(sql):
    return "side_input" in sql


def query(name):
    text = (HERE / "nexmark" / f"{name}.sql").read_text()
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def configuration(name, sql, data):
    lines = ["[agent]", 'id = "bench"', 'state_dir = "state"']
    for table in used(sql):
        lines += ["[[source]]", f'name = "{table}"', 'type = "file"', f'path = "{data}/{table}.ndjson"', "[source.columns]"]
        for column, kind in TABLES[table].items():
            origin = ', from = "epoch_ms"' if kind.startswith("TIMESTAMP") else ""
            lines.append(f'{column} = {{ type = "{kind}"{origin} }}')
        lines += ["[source.time]", 'column = "dateTime"', f'watermark_delay = "{DELAY_S}s"']
    if reads_side(sql):
        lines += [
            "[[table]]", 'name = "side_input"', f'path = "{data}/side_input.ndjson"', 'format = "ndjson"', 'key = ["key"]',
            "[table.columns]", 'key = "BIGINT"', 'value = "STRING"']
    return "\n".join(lines + ["[[query]]", 'name = "q"', *SETTINGS.get(name, []), f"sql = '''\n{sql}\n'''"]) + "\n"


def run_weir(weir, name, sql, data, work):
    config, state, out = work / f"{name}.toml", work / "state", work / f"{name}.weir.ndjson"
    config.write_text(configuration(name, sql, data))
    shutil.rmtree(state, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(out, "wb") as sink:
        run = subprocess.run(
            [weir, "replay", config, "--quiet", "--state-dir", state, "--output", "-"], stdout=sink, stderr=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode:
        return None, run.stderr.decode().strip().splitlines()[:1]
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, out


# Flink

def flink_classpath(home):
    home = pathlib.Path(home)
    if not (home / "pyflink" / "lib").is_dir():
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "-q", "download", "--no-deps", "-d", home / "dl",
             f"apache-flink-libraries=={FLINK_VERSION}"], check=True)
        for wheel in (home / "dl").glob("*.whl"):
            shutil.unpack_archive(wheel, home, "zip")
        shutil.rmtree(home / "dl")
    jars = ":".join(map(str, sorted((home / "pyflink" / "lib").glob("*.jar"))))
    classes = home / "classes"
    classes.mkdir(exist_ok=True)
    subprocess.run(["javac", "-nowarn", "-cp", jars, "-d", classes, HERE / "flink" / "FlinkRun.java"], check=True)
    return f"{classes}:{jars}"


def flink_script(name, sql, data, work):
    statements = []
    for table in used(sql):
        fields = []
        for column, kind in TABLES[table].items():
            if kind.startswith("TIMESTAMP"):
                fields += [f"`{column}_ms` BIGINT", f"`{column}` AS TO_TIMESTAMP_LTZ(`{column}_ms`, 3)"]
            else:
                fields.append(f"`{column}` {kind}")
        statements.append(
            f"CREATE TABLE {table} ({', '.join(fields)}, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '{DELAY_S}' SECOND) "
            f"WITH ('connector' = 'filesystem', 'path' = '{work}/flink-in/{table}.ndjson', 'format' = 'json')")
    if reads_side(sql):
        # A table whose rows are valid from the year 1 on: Flink's file system connector looks nothing up.
        statements.append(
            "CREATE TABLE side_input (`key` BIGINT, `value` STRING, valid AS TO_TIMESTAMP_LTZ(-62135596800000, 3), "
            "PRIMARY KEY (`key`) NOT ENFORCED, WATERMARK FOR valid AS valid) "
            f"WITH ('connector' = 'filesystem', 'path' = '{data}/side_input.ndjson', 'format' = 'json')")
    out = work / f"{name}.flink"
    shutil.rmtree(out, ignore_errors=True)
    statements.append(f"CREATE TEMPORARY VIEW computed AS {sql}")
    statements.append(
        f"CREATE TABLE target WITH ('connector' = 'filesystem', 'path' = '{out}', 'format' = 'json') "
        "AS SELECT * FROM computed")
    path = work / f"{name}.flink.sql"
    # CREATE TABLE … AS runs as an INSERT of its own name, so that the columns need not be repeated.
    path.write_text(";\n".join(statements) + ";\n")
    return path, out


def normal(value):
    if isinstance(value, str):
        if re.match(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d", value):
            value = value.replace("T", " ").rstrip("Z")
            return value.rstrip("0").rstrip(".") if "." in value else value
        return value
    if isinstance(value, (decimal.Decimal, int)) and not isinstance(value, bool):
        return str(decimal.Decimal(value).normalize())
    return value


def rows(files):
    counted = collections.Counter()
    for file in files:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line, parse_float=decimal.Decimal)
                counted[tuple(normal(v) for v in row.values())] += 1
    return counted


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", default=str(HERE.parent / ".build" / "release" / "weir"))
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--flink")
    parser.add_argument("--data", default=str(HERE.parent / ".build" / "bench" / "nexmark"))
    parser.add_argument("queries", nargs="*")
    options = parser.parse_args()
    names = options.queries or sorted((p.stem for p in (HERE / "nexmark").glob("q*.sql")), key=lambda n: int(n[1:]))
    data = pathlib.Path(options.data) / str(options.events)
    if not (data / "bid.ndjson").exists():
        subprocess.run([sys.executable, HERE / "generate_nexmark.py", str(options.events), "42", data], check=True)
    side = data / "side_input.ndjson"
    side.write_text("".join(f'{{"key": {key}, "value": "{key}"}}\n' for key in range(SIDE_ROWS)))
    work = pathlib.Path(options.data) / "work"
    work.mkdir(parents=True, exist_ok=True)
    flink = {}
    if options.flink:
        classpath = flink_classpath(options.flink)
        (work / "flink-in").mkdir(exist_ok=True)
        for table, columns in TABLES.items():
            target = work / "flink-in" / f"{table}.ndjson"
            text = (data / f"{table}.ndjson").read_bytes()
            for column, kind in columns.items():
                if kind.startswith("TIMESTAMP"):
                    text = text.replace(f'"{column}":'.encode(), f'"{column}_ms":'.encode())
            target.write_bytes(text)
        scripts = {name: flink_script(name, query(name), data, work) for name in names}
        # The first one warms the JVM up and is not counted.
        scripts["warm"] = flink_script("warm", query(names[0]), data, work)
        order = ["warm"] + names
        log = subprocess.run(
            ["java", "-Xmx2g", "--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
             "--add-opens=java.base/java.time=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
             "-cp", classpath, "FlinkRun", str(work / "checkpoints")]
            + [str(scripts[n][0]) for n in order], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in log.stdout.splitlines():
            path, _, figure = line.partition(" ")
            flink[pathlib.Path(path).name.removesuffix(".flink.sql")] = figure
    print(f"{'':5} {'weir CPU s':>11} {'events/CPU s':>13} {'Flink CPU s':>12} {'times':>6}  rows")
    for name in names:
        sql = query(name)
        events = sum(sum(1 for _ in open(data / f"{t}.ndjson", "rb")) for t in used(sql))
        cpu, out = run_weir(options.weir, name, sql, data, work)
        if cpu is None:
            print(f"{name:5} {'-':>11}  {' '.join(out)[:150]}")
            continue
        line = f"{name:5} {cpu:11.2f} {events / cpu:13,.0f}"
        figure = flink.get(name, "")
        if figure and "failed" not in figure:
            mine, theirs = rows([out]), rows(f for f in scripts[name][1].rglob("*") if f.is_file() and not f.name.startswith("_"))
            same = "same rows" if mine == theirs else (
                f"DIFFERENT: {sum((mine - theirs).values())} only weir, {sum((theirs - mine).values())} only Flink")
            line += f" {float(figure):12.2f} {float(figure) / cpu:6.1f}  {sum(mine.values())}, {same}"
        else:
            line += f" {'-':>12} {'':6}  {sum(1 for _ in open(out, 'rb'))} {figure[:150]}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
