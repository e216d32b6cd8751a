#!/usr/bin/env python3
"""Flink 2.3 reads weir's files by its own Parquet format: each value is that of the NDJSON that the same run wrote.

    python3 -m venv V && V/bin/pip install pyarrow==21.0.0
    V/bin/python Tests/Parquet/flink_reader.py --weir .build/release/weir --jars 'FOLDER/*.jar' [--cases 60] [--seed S]

Flink is that of `make differential`. The jars are what Flink wants for Parquet beside it and PyPI does not have:
flink-sql-parquet 2.3.0 (or flink-parquet with parquet-hadoop and what that needs) and hadoop-client-api and -runtime.
Files of parquet.encodings = "plain" are read whole, and a lake of several days is read as one partitioned table. Of
files with the default's DELTA encodings Flink must say that it does not know them: if it ever does read them, this
fails, and docs/parquet.md wants to know. Left out is what Flink cannot have from any writer of 64-bit times: times
within arrays, maps and rows, and names of more than 256 characters.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--weir", required=True)
parser.add_argument("--jars", required=True, help="a pattern; several are parted by ':'")
parser.add_argument("--cases", type=int, default=60)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
os.environ["WEIR_BIN"] = os.path.abspath(options.weir)
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "Integration"), str(HERE.parent / "Differential")]

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import flink_kit  # noqa: E402
from parquet_kit import normal, objects, run_cases  # noqa: E402
from weir_kit import weir  # noqa: E402

DAYS, ROWS_A_DAY = 3, 40_000
LAKE = """
[agent]
id = "edge-1"
state_dir = "unused"
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
columns = { seq = "BIGINT", device = "STRING", value = "DOUBLE", at = { type = "TIMESTAMP_LTZ(3)", from = "rfc3339" } }
[[query]]
name = "q"
sql = "SELECT * FROM s"
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
format = "parquet"
partition_by = "at"
parquet.encodings = "plain"
parquet.row_group_size = "1MB"
"""


def flink_type(type):
    """A column's type in Flink's SQL."""
    if pa.types.is_list(type):
        return f"ARRAY<{flink_type(type.value_type)}>"
    if pa.types.is_map(type):
        return f"MAP<{flink_type(type.key_type)}, {flink_type(type.item_type)}>"
    if pa.types.is_struct(type):
        return "ROW<" + ", ".join(f"{quoted(f.name)} {flink_type(f.type)}" for f in type) + ">"
    if pa.types.is_decimal(type):
        return f"DECIMAL({type.precision}, {type.scale})"
    if pa.types.is_timestamp(type):
        return "TIMESTAMP_LTZ(3)" if type.tz else "TIMESTAMP(3)"
    return {
        "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INT", "int64": "BIGINT",
        "float": "FLOAT", "double": "DOUBLE", "string": "STRING", "binary": "BYTES", "date32[day]": "DATE",
        "time32[ms]": "TIME(3)",
    }[str(type)]


def known(field):
    """Whether Flink can have the column: see above."""
    return len(field.name) <= 256 and not has_times_within(field.type)


def has_times_within(type):
    if pa.types.is_map(type):
        parts = [type.key_type, type.item_type]
    elif pa.types.is_list(type):
        parts = [type.value_type]
    elif pa.types.is_struct(type):
        parts = [field.type for field in type]
    else:
        return False
    return any(pa.types.is_timestamp(part) or has_times_within(part) for part in parts)


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def request(path, schema, query="SELECT * FROM t", partitions=()):
    columns = ", ".join(f"{quoted(f.name)} {flink_type(f.type)}" for f in schema)
    columns += "".join(f", {quoted(name)} {type}" for name, type in partitions)
    parted = f"PARTITIONED BY ({', '.join(quoted(name) for name, _ in partitions)})" if partitions else ""
    return {
        "ddl": f"CREATE TABLE t ({columns}) {parted} WITH ('connector' = 'filesystem', 'path' = '{path}', "
        "'format' = 'parquet', 'parquet.utc-timezone' = 'true')",
        "query": query,
    }


def flink(requests, work):
    """The answers to the requests, by one Flink."""
    flinks = (flink_kit.home() / "pyflink" / "lib").glob("*.jar")
    others = [jar for pattern in options.jars.split(os.pathsep) for jar in glob.glob(pattern)]
    classpath = os.pathsep.join([str(work), *sorted(map(str, flinks)), *sorted(others)])
    subprocess.run(["javac", "-nowarn", "-cp", classpath, "-d", work, HERE / "FlinkReader.java"], check=True)
    asked, answered = work / "requests.ndjson", work / "answers.ndjson"
    asked.write_text("".join(json.dumps(each) + "\n" for each in requests))
    opened = ["java.base/java.util", "java.base/java.lang", "java.base/java.time", "java.base/java.nio"]
    logging = HERE.parent / "Differential" / "log4j2.properties"
    subprocess.run(
        ["java", "-Xmx1400m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        + [f"--add-opens={package}=ALL-UNNAMED" for package in opened]
        + [f"-Dlog4j2.configurationFile={logging}", f"-Djava.io.tmpdir={work}"]
        + ["-cp", classpath, "FlinkReader", str(asked), str(answered)],
        check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in answered.read_text().splitlines()]


def require_rows(path, schema, lines, answer):
    assert "error" not in answer, f"{path}: {answer['error']}"
    assert len(answer["rows"]) == len(lines), f"{path}: {len(answer['rows'])} rows of {len(lines)}"
    for number, (line, row) in enumerate(zip(lines, answer["rows"])):
        for field in schema:
            left, right = normal(row[field.name], field.type), normal(line[field.name], field.type)
            assert left == right, f"{path}: row {number} of {field}: {left!r} is not {right!r}"


def random_files(folder):
    rows, left_out = 0, 0
    for first in range(0, options.cases, 30):
        part = folder / str(first)
        part.mkdir()
        codec = ["zstd", "snappy", "gzip", "none"][first // 30 % 4]
        seeds = range(options.seed + first, options.seed + min(options.cases, first + 30))
        found = list(run_cases(part, seeds, codec, "plain").values())
        written = [pq.read_schema(path) for _, path in found]
        schemas = [[field for field in schema if known(field)] for schema in written]
        left_out += sum(map(len, written)) - sum(map(len, schemas))
        answers = flink([request(path, schema) for (_, path), schema in zip(found, schemas)], part)
        for (lines, path), schema, answer in zip(found, schemas, answers):
            require_rows(path, schema, lines, answer)
            rows += len(lines)
    print(
        f"{options.cases} random files of {rows} rows: Flink reads what went in; {left_out} columns left out",
        flush=True)


def lake(folder):
    with open(folder / "s.ndjson", "w") as file:
        for n in range(DAYS * ROWS_A_DAY):
            at = f"2026-03-{1 + n // ROWS_A_DAY:02}T{n % 24:02}:00:00Z"
            file.write(json.dumps({"seq": n, "device": f"d{n % 7}", "value": n / 8, "at": at}) + "\n")
    (folder / "c.toml").write_text(LAKE)
    done = weir("replay", "c.toml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    files = objects(folder, "lake", "q")
    schema = pq.read_schema(files[0])
    count = DAYS * ROWS_A_DAY
    questions = [
        ("COUNT(*), COUNT(DISTINCT seq), SUM(seq)", "TRUE", [count, count, count * (count - 1) // 2]),
        ("COUNT(*), MIN(seq), MAX(seq)", "`date` = '2026-03-02'", [ROWS_A_DAY, ROWS_A_DAY, 2 * ROWS_A_DAY - 1]),
        ("COUNT(*), MIN(seq), MAX(seq)", "seq = 50000", [1, 50_000, 50_000]),
        ("COUNT(*), COUNT(DISTINCT device), SUM(CAST(`value` * 8 AS BIGINT))", "device = 'd3' AND `value` < 1000",
         [1143, 1, sum(n for n in range(8000) if n % 7 == 3)]),
        ("COUNT(*), MIN(seq), MAX(seq)", "`at` < TO_TIMESTAMP_LTZ(1772323200000 + 3600000, 3)", None),
    ]
    partitions = [("date", "STRING"), ("hour", "STRING")]
    answers = flink(
        [request(folder / "lake" / "q", schema, f"SELECT {what} FROM t WHERE {condition}", partitions)
         for what, condition, _ in questions], folder)
    first_hour = [n for n in range(ROWS_A_DAY) if n % 24 == 0]
    for (what, condition, wanted), answer in zip(questions, answers):
        wanted = wanted or [len(first_hour), first_hour[0], first_hour[-1]]
        assert "error" not in answer, answer["error"]
        assert [list(row.values()) for row in answer["rows"]] == [wanted], f"{condition}: {answer['rows']}"
    print(f"{len(files)} files of {DAYS} days as a partitioned table: Flink's answers are right", flush=True)


def is_packed(path, schema):
    """Whether a column of single values has a DELTA encoding; within arrays, maps and rows Flink knows them."""
    group, names = pq.read_metadata(path).row_group(0), {field.name for field in schema}
    chunks = [group.column(index) for index in range(group.num_columns)]
    return any(
        encoding.startswith("DELTA_") for chunk in chunks if chunk.path_in_schema in names
        for encoding in chunk.encodings)


def delta_encodings(folder):
    found = run_cases(folder, range(options.seed, options.seed + 10)).values()
    files = [(path, [field for field in pq.read_schema(path) if known(field)]) for _, path in found]
    packed = [(path, schema) for path, schema in files if is_packed(path, schema)]
    answers = flink([request(path, schema) for path, schema in packed], folder)
    for (path, _), answer in zip(packed, answers):
        assert "Unsupported encoding: DELTA_" in answer.get("error", ""), f"{path}: {answer}"
    assert packed
    print(f"{len(packed)} files with the default's DELTA encodings: Flink says that it does not know them")


def main():
    with tempfile.TemporaryDirectory() as work:
        for each in (lake, random_files, delta_encodings):
            folder = Path(work) / each.__name__
            folder.mkdir()
            each(folder)


main()
