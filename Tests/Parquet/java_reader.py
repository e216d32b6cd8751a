#!/usr/bin/env python3
"""parquet-java, on which the readers of Flink, Hive and Spark stand, reads weir's files row by row: each value is that
of the NDJSON that the same run wrote, filters leave few rows to read, and files of parquet.encodings = "plain" have
nothing in them but what Flink's reader decodes.

    python3 -m venv V && V/bin/pip install pyarrow==21.0.0 pyspark==4.0.1
    V/bin/python Tests/Parquet/java_reader.py --weir .build/release/weir [--cases 120] [--seed S]

Flink's reader takes pages from parquet-java and decodes them itself: flink_reader.py is for it. The jars are
pyspark's; needs a JDK 17.
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
parser.add_argument("--cases", type=int, default=120)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
os.environ["WEIR_BIN"] = os.path.abspath(options.weir)
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Integration"))

import pyarrow.parquet as pq  # noqa: E402
import pyspark  # noqa: E402

from parquet_kit import normal, objects, run_cases  # noqa: E402
from weir_kit import weir  # noqa: E402

# What Flink 2.3's column readers know by their source, beside the levels' RLE and BIT_PACKED.
DECODED_BY_FLINK = {"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED", "pages of version 1"}

SOURCE = """
[agent]
id = "edge-1"
state_dir = "unused"
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
columns = { seq = "BIGINT", serial = "STRING" }
[[query]]
name = "q"
sql = "SELECT * FROM s"
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
format = "parquet"
parquet.bloom_filter = ["serial"]
parquet.row_group_size = "1MB"
"""


def java(*commands):
    """The answers to the commands, each as lines."""
    jars = ":".join(sorted(glob.glob(f"{os.path.dirname(pyspark.__file__)}/jars/*.jar")))
    done = subprocess.run(
        ["java", "-cp", jars, HERE / "RowReader.java", *commands], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return [answer.splitlines() for answer in done.stdout.split("--\n")[:-1]]


def require_rows(lines, path, answer):
    schema = pq.read_schema(path)
    assert len(answer) == len(lines), f"{path}: {len(answer)} rows"
    for number, (line, text) in enumerate(zip(lines, answer)):
        row = json.loads(text)
        assert list(row) == schema.names, f"{path}: {list(row)}"
        for field in schema:
            left, right = normal(row[field.name], field.type), normal(line[field.name], field.type)
            assert left == right, f"{path}: row {number} of {field}: {left!r} is not {right!r}"


def random_files(folder):
    rows = 0
    for first in range(0, options.cases, 30):
        part = folder / str(first)
        part.mkdir()
        codec = ["zstd", "snappy", "gzip", "none"][first // 30 % 4]
        encodings = ["delta", "plain"][first // 30 % 2]
        seeds = range(options.seed + first, options.seed + min(options.cases, first + 30))
        found = run_cases(part, seeds, codec, encodings)
        answers = java(*(word for _, path in found.values() for word in ("rows", path, "encodings", path)))
        for (lines, path), answer, used in zip(found.values(), answers[::2], answers[1::2]):
            require_rows(lines, path, answer)
            rows += len(answer)
            if encodings == "plain":
                assert set(used) <= DECODED_BY_FLINK, f"{path}: {used}"
    print(f"{options.cases} random files of {rows} rows: parquet-java reads what went in", flush=True)


def filters(folder):
    count = 300_000
    with open(folder / "s.ndjson", "w") as file:
        file.writelines(json.dumps({"seq": n, "serial": f"sn{n * 7919 % count:06}"}) + "\n" for n in range(count))
    (folder / "c.toml").write_text(SOURCE)
    done = weir("replay", "c.toml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    path = objects(folder, "lake", "q")[0]
    questions = [("seq", "123456"), ("seq", "-1"), ("serial", "sn000001"), ("serial", "nothing")]
    answers = java(*(word for column, value in questions for word in ("candidates", path, column, value)))
    left = [int(answer[0]) for answer in answers]
    groups = pq.ParquetFile(path).metadata.num_row_groups
    print(f"rows to read of {count} in {groups} row groups: " + ", ".join(
        f"{column} = {value}: {rows}" for (column, value), rows in zip(questions, left)))
    assert groups > 3 and 0 < left[0] <= 25_000 and left[1] == left[3] == 0 and 0 < left[2] <= count // 2


def main():
    with tempfile.TemporaryDirectory() as folder:
        random_files(Path(folder))
        filters(Path(folder))


main()
