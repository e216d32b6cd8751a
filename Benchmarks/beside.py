"""The workloads W1 to W4 by weir, DuckDB and Flink, one after the other on the same files.

    beside.py [--weir BIN] [--flink HOME] [w1 w2 w3 w4]

CPU seconds are user plus system: of the whole process for weir (state durable, commits synced) and DuckDB (one
batch query, to CSV), of the job alone for Flink, in a JVM that a run before has warmed up (RocksDB, a checkpoint
a second). Compares the rows of all three. Run run.sh first: it makes the data. Needs duckdb, and for Flink what
nexmark.py needs.
"""

import argparse
import csv
import datetime
import json
import pathlib
import resource
import shutil
import subprocess
import sys

import nexmark

HERE = pathlib.Path(__file__).resolve().parent
SENSORS = (
    "`device` STRING, `ts_ms` BIGINT, `temperature` DOUBLE, `ts` AS TO_TIMESTAMP_LTZ(`ts_ms`, 3), "
    "WATERMARK FOR `ts` AS `ts` - INTERVAL '5' SECOND")
# Per workload: the file, Flink's columns of it, the view below the query, DuckDB's query.
WORKLOADS = {
    "w1": ("w1", SENSORS, None, """
        SELECT ts // 10000 * 10000, device, COUNT(*), AVG(temperature), MIN(temperature), MAX(temperature)
        FROM sensors GROUP BY ALL"""),
    "w2": ("w1", SENSORS, None, """
        SELECT bucket + slide * 10000, device, SUM(n), SUM(total) / SUM(n)
        FROM (SELECT ts // 10000 * 10000 AS bucket, device, COUNT(*) AS n, SUM(temperature) AS total
              FROM sensors GROUP BY ALL), (SELECT UNNEST(range(-5, 1)) AS slide)
        GROUP BY ALL"""),
    "w3": ("w3", (
        "`created_at` TIMESTAMP_LTZ(3), `user` ROW<`followers_count` BIGINT>, "
        "`entities` ROW<`hashtags` ARRAY<ROW<`text` STRING>>>, "
        "WATERMARK FOR `created_at` AS `created_at` - INTERVAL '5' SECOND"),
        "SELECT created_at, `user`.followers_count AS followers, tag "
        "FROM posts CROSS JOIN UNNEST(posts.entities.hashtags) AS t (tag)", """
        SELECT epoch_ms(created_at) // 60000 * 60000, tag, COUNT(*), MAX(followers)
        FROM (SELECT created_at, "user".followers_count AS followers, UNNEST(entities.hashtags).text AS tag
              FROM posts)
        GROUP BY ALL"""),
    "w4": ("w4", SENSORS, None, """
        SELECT MIN(ts), device, COUNT(*), AVG(temperature)
        FROM (SELECT *, SUM(begins) OVER (PARTITION BY device ORDER BY ts) AS number
              FROM (SELECT *, CASE WHEN ts - LAG(ts) OVER (PARTITION BY device ORDER BY ts) <= 30000
                                   THEN 0 ELSE 1 END AS begins FROM sensors))
        GROUP BY device, number"""),
}
DUCKDB_COLUMNS = {
    "w3": "{created_at: 'TIMESTAMP', user: 'STRUCT(followers_count BIGINT)', "
          "entities: 'STRUCT(hashtags STRUCT(text VARCHAR)[])'}",
}
DUCKDB_SENSORS = "{device: 'VARCHAR', ts: 'BIGINT', temperature: 'DOUBLE'}"


def cpu_seconds(command, **options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_duckdb(name, data, out):
    file, _, _, sql = WORKLOADS[name]
    table = "posts" if name == "w3" else "sensors"
    columns = DUCKDB_COLUMNS.get(name, DUCKDB_SENSORS)
    script = (
        f"SET enable_progress_bar = false; CREATE VIEW {table} AS "
        f"FROM read_json('{data / file}.ndjson', format = 'newline_delimited', "
        f"columns = {columns}); COPY ({sql}) TO '{out}' (HEADER false)")
    program = "import duckdb, sys; duckdb.execute(sys.argv[1])"
    return cpu_seconds([sys.executable, "-c", program, script])


def flink_script(name, data, work):
    file, columns, view, _ = WORKLOADS[name]
    table = "posts" if name == "w3" else "sensors"
    source = work / f"{file}.ndjson"
    if file != "w3" and not source.exists():
        source.write_bytes((data / f"{file}.ndjson").read_bytes().replace(b'"ts":', b'"ts_ms":'))
    path = data / "w3.ndjson" if file == "w3" else source
    toml = (HERE / f"{name}.toml").read_text()
    query = toml.rsplit('sql = """', 1)[1].split('"""')[0]
    out = work / f"{name}.flink"
    shutil.rmtree(out, ignore_errors=True)
    statements = [
        f"CREATE TABLE {table} ({columns}) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json', "
        "'json.timestamp-format.standard' = 'ISO-8601')"]
    if view:
        statements.append(f"CREATE TEMPORARY VIEW post_tags AS {view}")
    statements += [
        f"CREATE TEMPORARY VIEW computed AS {query}",
        f"CREATE TABLE target WITH ('connector' = 'filesystem', 'path' = '{out}', 'format' = 'json') "
        "AS SELECT * FROM computed"]
    script = work / f"{name}.flink.sql"
    script.write_text(";\n".join(statements) + ";\n")
    return script, out


def milliseconds(text):
    moment = datetime.datetime.fromisoformat(text.replace(" ", "T").removesuffix("Z"))
    return round(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


def json_rows(files):
    found = {}
    for file in files:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                start, key = row.pop("window_start"), row.pop("tag" if "tag" in row else "device")
                row.pop("window_end")
                found[(milliseconds(start), key)] = tuple(row.values())
    return found


def csv_rows(file):
    with open(file, encoding="utf-8", newline="") as lines:
        return {(int(row[0]), row[1]): tuple(map(float, row[2:])) for row in csv.reader(lines)}


def agree(one, other):
    def near(a, b):
        return abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    return one.keys() == other.keys() and all(
        len(row) == len(other[key]) and all(map(near, row, other[key])) for key, row in one.items())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", default=str(HERE.parent / ".build" / "release" / "weir"))
    parser.add_argument("--flink")
    parser.add_argument("--data", default=str(HERE.parent / ".build" / "bench"))
    parser.add_argument("workloads", nargs="*")
    options = parser.parse_args()
    names = options.workloads or list(WORKLOADS)
    data = pathlib.Path(options.data).resolve()
    work = data / "beside"
    work.mkdir(exist_ok=True)
    flink = {}
    if options.flink:
        scripts = {name: flink_script(name, data, work) for name in names}
        # The first one warms the JVM up and is not counted; that it wrote its rows once more does not show.
        order = [str(scripts[name][0]) for name in names[:1] + names]
        log = subprocess.run(
            ["java", "-Xmx2g", "--add-opens=java.base/java.util=ALL-UNNAMED",
             "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.time=ALL-UNNAMED",
             "--add-opens=java.base/java.nio=ALL-UNNAMED", "-cp", nexmark.flink_classpath(options.flink), "FlinkRun",
             str(work / "checkpoints")] + order, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in log.stdout.splitlines()[1:]:
            path, _, figure = line.partition(" ")
            flink[pathlib.Path(path).name.removesuffix(".flink.sql")] = figure
    print(f"{'':4} {'weir':>8} {'DuckDB':>8} {'Flink':>8}   CPU seconds; rows")
    for name in names:
        results = work / f"{name}.weir.ndjson"
        with open(results, "wb") as sink:
            weir = cpu_seconds(
                [options.weir, "replay", HERE / f"{name}.toml", "--quiet", "--state-dir", work / "state",
                 "--output", "-"], stdout=sink, cwd=data)
        shutil.rmtree(work / "state", ignore_errors=True)
        duckdb = run_duckdb(name, data, work / f"{name}.duckdb.csv")
        mine = json_rows([results])
        notes = [f"{len(mine)} rows", "DuckDB's are equal" if agree(mine, csv_rows(work / f"{name}.duckdb.csv"))
                 else "DuckDB's DIFFER"]
        figure = flink.get(name, "-")
        if name in flink and "failed" not in figure:
            theirs = json_rows(
                f for f in scripts[name][1].rglob("*") if f.is_file() and not f.name.startswith("_"))
            notes.append("Flink's are equal" if agree(mine, theirs) else "Flink's DIFFER")
        print(f"{name:4} {weir:8.2f} {duckdb:8.2f} {figure[:60]:>8}   {', '.join(notes)}", flush=True)


if __name__ == "__main__":
    main()
