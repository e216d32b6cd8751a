#!/usr/bin/env python3
"""Random schemas and rows into Parquet files, read back by pyarrow and DuckDB: rows, types, NULLs, statistics.

    .build/venv/bin/python Tests/Parquet/roundtrip.py --weir .build/release/weir [--cases 2000] [--seed S]

Twenty cases are one run of weir. A case that fails is named by its seed; `--seed S --cases 1` repeats it.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--weir", required=True)
parser.add_argument("--cases", type=int, default=2000)
parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
options = parser.parse_args()
os.environ["WEIR_BIN"] = os.path.abspath(options.weir)
sys.path.insert(0, str(Path(__file__).parent.parent / "Integration"))

import duckdb  # noqa: E402

from parquet_kit import require_equal, run_cases  # noqa: E402

GROUP = 20


def require_duckdb(path, table):
    """DuckDB reads what pyarrow reads."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in table.column_names)
    got = connection.execute(f"SELECT {names} FROM read_parquet('{path}')").fetch_arrow_table()
    for field in table.schema:
        left = [plain(value) for value in table.column(field.name).to_pylist()]
        right = [plain(value) for value in got.column(field.name).to_pylist()]
        assert left == right, f"{path}: {field}"


def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "tzinfo") and hasattr(value, "year"):
        return value.replace(tzinfo=None)
    return value


failures = 0
print(f"seed {options.seed}, {options.cases} cases", flush=True)
for first in range(0, options.cases, GROUP):
    seeds = range(options.seed + first, options.seed + min(options.cases, first + GROUP))
    rng = random.Random(first)
    with tempfile.TemporaryDirectory() as folder:
        found = run_cases(
            Path(folder), seeds, rng.choice(["none", "snappy", "gzip", "zstd"]), rng.choice(["delta", "plain"]))
        for name, (lines, path) in found.items():
            try:
                require_duckdb(path, require_equal(lines, path))
            except Exception as error:
                failures += 1
                print(f"{name}: {type(error).__name__}: {str(error)[:600]}", flush=True)
print(f"{options.cases} cases, {failures} failed")
sys.exit(1 if failures else 0)
