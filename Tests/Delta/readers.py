#!/usr/bin/env python3
"""Delta tables of weir, read by whoever can be had from PyPI: delta-rs, DuckDB (delta-kernel), ClickHouse, Sail, and
Spark over the files that the log names. Each must give the rows and types that went in; their filters must find what
is there and read no more files than of the same rows that delta-rs wrote.

    python3 -m venv V && V/bin/pip install -r Tests/Delta/requirements.txt
    V/bin/python Tests/Delta/readers.py --weir .build/release/weir [--seed S] [--s3] [--delta-jars FOLDER]
        [--without delta-rs duckdb clickhouse sail spark]

1.5 GB of packages and, for Spark, a JDK 17, so it is no part of `make test`. With --s3 one table is on Ceph's gateway.
With --delta-jars Delta's own readers for Java read, too: delta-spark and Delta Kernel, at each version of a table that
can still be read (spark_kit.py says which jars).
"""

import argparse
import decimal
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ["TZ"] = "UTC"
parser = argparse.ArgumentParser()
parser.add_argument("--weir", required=True)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--s3", action="store_true")
parser.add_argument("--delta-jars")
parser.add_argument("--without", nargs="*", default=[])
options = parser.parse_args()
os.environ["WEIR_BIN"] = os.path.abspath(options.weir)
jars = options.delta_jars and os.path.abspath(options.delta_jars)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Integration"))

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from deltalake import DeltaTable, write_deltalake  # noqa: E402

import reader_tables  # noqa: E402
from reader_kit import ClickHouse, DeltaRs, DuckDB, Sail, kind  # noqa: E402
from spark_kit import DeltaSpark, Kernel, Spark  # noqa: E402

# Filters on partitions, on bounds and on counts of NULLs; the column by which the rows are found again.
FILTERS = [
    ("date = DATE '2026-01-01' AND hour = 3", lambda row: (str(row["date"]), row["hour"]) == ("2026-01-01", 3)),
    ("date >= DATE '2026-01-02'", lambda row: str(row["date"]) >= "2026-01-02"),
    ("l = 1000000000000", lambda row: row["l"] == 10**12),
    ("l BETWEEN 1000000000000 AND 1500000000000", lambda row: 10**12 <= row["l"] <= 15 * 10**11),
    ("l < 0", lambda row: False),
    ("d > 4.05e1", lambda row: row["d"] is not None and row["d"] > 40.5),
    ("x = 'é000123'", lambda row: row["x"] == "é000123"),
    ("r = 0.0000000861", lambda row: row["r"] == decimal.Decimal("0.0000000861")),
    ("p < -9000000", lambda row: row["p"] is not None and row["p"] < -9_000_000),
    ("u = DATE '2026-01-02'", lambda row: str(row["u"]) == "2026-01-02"),
    ("z < {zoned} '2026-01-01 02:00:00'", lambda row: row["z"] is not None and str(row["z"]) < "2026-01-01 02"),
    ("w > {local} '2250-01-01 00:00:00'", lambda row: row["w"] is not None and str(row["w"]) > "2250-01-01"),
    ("x IS NULL", lambda row: row["x"] is None),
    ("agent = 'nobody'", lambda row: False),
    ("agent IS NOT NULL", lambda row: True),
]


def require_rows(reader, table, found):
    """Names, types, values, and each row once."""
    kinds = {field.name: kind(field.type) for field in found.schema}
    wanted = {name: reader.expected_kind(type) for name, type in table.types.items()}
    assert kinds == wanted, f"types {differences(kinds, wanted)}"
    rows = {row[table.key]: row for row in found.to_pylist()}
    assert found.num_rows == len(rows) == len(table.rows), f"{found.num_rows} rows, {len(rows)} different"
    for row in table.rows:
        got = rows[row[table.key]]
        # A row without `z` is in the partition of its seal, which the input does not say.
        for name in row:
            wanted = reader.expected(row[name], table.types[name])
            assert reader.agrees(got[name], wanted), (
                f"{table.key} = {row[table.key]}, {name}: {got[name]!r} is not {wanted!r}")


def differences(left, right):
    return {name: (left.get(name), right.get(name)) for name in left | right if left.get(name) != right.get(name)}


def control(table, folder):
    """The same rows in the same files, written by delta-rs."""
    opened = DeltaTable(table.location)
    schema = pa.schema(opened.schema().to_arrow())
    for number, action in enumerate(pa.table(opened.get_add_actions(flatten=True)).to_pylist()):
        rows = pq.ParquetFile(table.location / action["path"]).read()
        for name in ("date", "hour"):
            if f"partition.{name}" in action:
                rows = rows.append_column(name, pa.array([action[f"partition.{name}"]] * len(rows), schema.field(name).type))
        parts = ["date", "hour"] if "date" in rows.column_names else None
        write_deltalake(folder, rows.cast(pa.schema([schema.field(n) for n in rows.column_names])), mode="append", partition_by=parts)
    return folder


def require_filters(readers, table, other):
    """What each reader finds, and how many files it reads, of weir's table and of the other one; the number of faults."""
    total = len(DeltaTable(table.location).file_uris())
    assert total == len(DeltaTable(other).file_uris())
    print(f"\nfiles read of {total}, of weir's table / of delta-rs' (-: fails)")
    print(f"{'':48}" + "".join(f"{reader.name:>14}" for reader in readers))
    faults = []
    # Rows without `z` are in the partition of their seal, of which the input says nothing.
    dated = {row["l"] for row in table.rows if "date" in row}
    for condition, holds in FILTERS:
        wanted = Counter(row["l"] for row in table.rows if row["l"] in dated and holds(row))
        line = f"{condition:48}"
        for reader in readers:
            try:
                keys = reader.rows(table.location, condition).column("l").to_pylist()
                found = Counter(key for key in keys if key in dated)
                mine, theirs = reader.files(table.location, condition), reader.files(other, condition)
                line += f"{f'{mine} / {theirs}':>14}"
                if found != wanted or mine > theirs:
                    faults.append(f"{reader.name}: {condition}: {found.total()} rows, not {wanted.total()}; {mine} files")
            except Exception as error:
                if not fails(reader, other, condition):
                    faults.append(f"{reader.name}: {condition}: {type(error).__name__}: {str(error)[:300]}")
                line += f"{'-':>14}"
        print(line, flush=True)
    print("\n".join(faults), flush=True)
    return len(faults)


def fails(reader, table, condition):
    """Whether a reader cannot do it with the other writer's table either."""
    try:
        reader.files(table, condition)
        return False
    except Exception:
        return True


def complaints(reader, table):
    try:
        require_rows(reader, table, reader.rows(table.location))
        print(f"{table.name}: {reader.name} gives the {len(table.rows)} rows that went in", flush=True)
        return 0
    except Exception as error:
        print(f"{table.name}: {reader.name}: {type(error).__name__}: {str(error)[:700]}", flush=True)
        return 1


def version_complaints(reader, table):
    """Each version of a table that can still be read is the one that delta-rs reads."""
    last = DeltaTable(table.location).version()
    # Of a log that was cleaned up the first entry is that of a checkpoint.
    first = min(int(path.stem) for path in (Path(table.location) / "_delta_log").glob("*.json"))
    try:
        for version in range(first, last + 1):
            wanted = DeltaTable(table.location, version=version).to_pyarrow_table(columns=[table.key])
            found = reader.rows(table.location, version=version).column(table.key).to_pylist()
            assert sorted(found) == sorted(wanted.column(table.key).to_pylist()), f"version {version}: {len(found)} rows"
        print(f"{table.name}: {reader.name} reads versions {first} to {last}", flush=True)
        return 0
    except Exception as error:
        print(f"{table.name}: {reader.name}: {type(error).__name__}: {str(error)[:700]}", flush=True)
        return 1


def history_complaints(reader, table):
    """What DESCRIBE HISTORY and DESCRIBE DETAIL say is what the log says."""
    entries = {}
    for path in sorted((Path(table.location) / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        entries[int(path.stem)] = next(action["commitInfo"] for action in actions if "commitInfo" in action)
    try:
        history = {row["version"]: row for row in reader.history(table.location)}
        assert set(history) == set(entries), f"{sorted(set(history) ^ set(entries))} are in one of the two only"
        for version, info in entries.items():
            row = history[version]
            wanted = (info["operation"], info["operationParameters"], info["engineInfo"], info["isBlindAppend"])
            found = (row["operation"], row["operationParameters"], row["engineInfo"], row["isBlindAppend"])
            assert found == wanted, f"version {version}: {found}, not {wanted}"
        detail = reader.detail(table.location)
        opened = DeltaTable(table.location)
        assert detail["numFiles"] == len(opened.file_uris()) and detail["id"] == str(opened.metadata().id)
        assert detail["partitionColumns"] == opened.metadata().partition_columns
        print(f"{table.name}: {reader.name} tells the history of {len(entries)} versions", flush=True)
        return 0
    except Exception as error:
        print(f"{table.name}: {reader.name}: {type(error).__name__}: {str(error)[:700]}", flush=True)
        return 1


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        makers = {"delta-rs": DeltaRs, "duckdb": DuckDB, "clickhouse": ClickHouse, "sail": Sail}
        readers = [maker() for name, maker in makers.items() if name not in options.without]
        own = [DeltaSpark(jars), Kernel(jars)] if jars else []
        readers += own + ([] if "spark" in options.without else [Spark(jars)])
        tables = [
            reader_tables.of_all_types(folder / "all-types", options.seed),
            reader_tables.behind_a_checkpoint(folder / "partitions-behind-a-checkpoint", options.seed + 1),
            reader_tables.with_columns_that_come_and_go(folder / "columns-that-come-and-go"),
            reader_tables.compacted_and_cleaned(folder / "compacted-and-cleaned"),
        ]
        failures += sum(complaints(reader, table) for table in tables for reader in readers)
        counted = [reader for reader in readers if hasattr(reader, "files")]
        for table in tables[:3]:
            failures += sum(version_complaints(reader, table) for reader in own)
        for table in tables:
            failures += sum(history_complaints(reader, table) for reader in own[:1])
        failures += require_filters(counted, tables[1], control(tables[1], folder / "control"))
        failures += on_s3(folder) if options.s3 else 0
    sys.exit(1 if failures else 0)


def on_s3(folder):
    from servers_kit import S3Gateway

    gateway = S3Gateway()
    gateway.endpoint = f"http://127.0.0.1:{gateway.port}"
    try:
        table = reader_tables.behind_a_checkpoint(
            folder / "on-S3", options.seed + 2, sink=gateway.sink("lake"), location=f"s3://{gateway.bucket}/lake/q")
        failures = sum(complaints(reader(gateway), table) for reader in (DeltaRs, DuckDB, ClickHouse, Sail))
    finally:
        gateway.stop()
    return failures


main()
