#!/usr/bin/env python3
"""Other readers than those of `make test`: Spark 4 (vectorised and row by row) and delta-rs read what pyarrow reads.

    python3 -m venv V && V/bin/pip install pyarrow==21.0.0 duckdb==1.4.2 deltalake==1.2.1 pyspark==4.0.1
    V/bin/python Tests/Parquet/readers.py --weir .build/release/weir [--cases 60] [--seed S]

700 MB of packages and a JDK 17, so it is no part of `make test`. delta-rs reads through a table that is made
from the files by `convert_to_deltalake`. Spark reads random files, and a file of many pages with filters that
its readers push down to statistics, indexes, dictionaries and Bloom filters.
"""

import argparse
import datetime
import json
import math
import os
import shutil
import sys
import tempfile
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--weir", required=True)
parser.add_argument("--cases", type=int, default=60)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
os.environ["WEIR_BIN"] = os.path.abspath(options.weir)
os.environ["TZ"] = "UTC"
sys.path.insert(0, str(Path(__file__).parent.parent / "Integration"))

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from deltalake import DeltaTable, QueryBuilder, convert_to_deltalake  # noqa: E402
from pyspark.sql import Row, SparkSession  # noqa: E402

from parquet_kit import objects, run_cases  # noqa: E402
from weir_kit import weir  # noqa: E402

SOURCE = """
[agent]
id = "edge-1"
state_dir = "unused"
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
columns = { seq = "BIGINT", device = "STRING", serial = "STRING", value = "DOUBLE" }
[[query]]
name = "q"
sql = "SELECT * FROM s"
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
format = "parquet"
parquet.bloom_filter = ["serial", "seq"]
parquet.row_group_size = "1MB"
"""


def plain(value):
    """One form for what readers give: rows as dictionaries, times without zone, bytes as bytes."""
    if isinstance(value, Row):
        return {key: plain(item) for key, item in value.asDict().items()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(type(item) is tuple and len(item) == 2 for item in value):
            return {key: plain(item) for key, item in value}  # a map, as pyarrow gives it
        return [plain(item) for item in value]
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, float):
        return ("float", math.copysign(1, value), repr(value))
    return value


def require_same(what, path, table, rows):
    expected = [plain(row) for row in table.to_pylist()]
    got = [{key: plain(item) for key, item in (row.asDict() if isinstance(row, Row) else row).items()} for row in rows]
    assert len(got) == len(expected), f"{what}: {path}: {len(got)} rows"
    for number, (left, right) in enumerate(zip(got, expected)):
        for name in right:
            assert left[name] == right[name], f"{what}: {path}: row {number}, {name}: {left[name]!r}, {right[name]!r}"


def read_by_spark(spark, path, table, vectorised):
    spark.conf.set("spark.sql.parquet.enableVectorizedReader", vectorised)
    spark.conf.set("spark.sql.parquet.enableNestedColumnVectorizedReader", vectorised)
    # Spark 4.0 has no TIME: such columns are left out for it.
    kept = [f.name for f in table.schema if "time32" not in str(f.type)]
    table = table.select(kept)
    import pyspark.sql.types as T

    def spark_type(type):
        if pa.types.is_list(type):
            return T.ArrayType(spark_type(type.value_type))
        if pa.types.is_map(type):
            return T.MapType(spark_type(type.key_type), spark_type(type.item_type))
        if pa.types.is_struct(type):
            return T.StructType([T.StructField(f.name, spark_type(f.type)) for f in type])
        if pa.types.is_decimal(type):
            return T.DecimalType(type.precision, type.scale)
        if pa.types.is_timestamp(type):
            return T.TimestampType() if type.tz else T.TimestampNTZType()
        return {
            "bool": T.BooleanType(), "int8": T.ByteType(), "int16": T.ShortType(), "int32": T.IntegerType(),
            "int64": T.LongType(), "float": T.FloatType(), "double": T.DoubleType(), "string": T.StringType(),
            "binary": T.BinaryType(), "date32[day]": T.DateType(),
        }[str(type)]

    wanted = T.StructType([T.StructField(f.name, spark_type(f.type)) for f in table.schema])
    if len(kept) == len(pq.read_schema(path).names):
        inferred = spark.read.parquet(path).select(kept).schema
        assert inferred == wanted, f"{path}: {inferred} is not {wanted}"
    require_same(f"spark vectorised={vectorised}", path, table, spark.read.schema(wanted).parquet(path).collect())


def converted(lake, table):
    """Makes a Delta table of the folder; false where delta-rs cannot, nor from pyarrow's file of the same rows."""
    try:
        convert_to_deltalake(str(lake))
        return True
    except Exception as error:
        other = Path(f"{lake}-pyarrow")
        other.mkdir()
        pq.write_table(table, other / "rows.parquet")
        try:
            convert_to_deltalake(str(other))
        except Exception as same:
            assert type(same) is type(error), f"{error}; of pyarrow's file {same}"
            return False
        raise


def main():
    spark = (
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1").config("spark.log.level", "ERROR").getOrCreate()
    )
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, options.cases, 20):
            group = Path(folder) / str(first)
            group.mkdir()
            codec = ["zstd", "snappy", "gzip", "none"][first // 20 % 4]
            seeds = range(options.seed + first, options.seed + min(options.cases, first + 20))
            for name, (_, path) in run_cases(group, seeds, codec, ["delta", "plain"][first // 20 % 2]).items():
                table = pq.ParquetFile(path).read()
                for vectorised in ("true", "false"):
                    read_by_spark(spark, path, table, vectorised)
                if "time32" in str(table.schema.types):
                    continue  # Delta has no type for it
                lake = group / f"delta-{name}"
                lake.mkdir()
                shutil.copy(path, lake)
                if not converted(lake, table):
                    refused += 1
                    continue
                # By delta-rs' own engine: its way over pyarrow loses lists of times, whoever wrote them.
                builder = QueryBuilder().register("t", DeltaTable(str(lake)))
                rows = pa.table(builder.execute("SELECT * FROM t").read_all()).to_pylist()
                require_same("delta-rs", path, table, rows)
        print(
            f"{options.cases} random files: spark and delta-rs read what pyarrow reads; {refused} of them delta-rs "
            "does not convert, by whomever they are written", flush=True)
        filtered(spark, Path(folder))


def filtered(spark, folder):
    count = 300_000
    with open(folder / "s.ndjson", "w") as file:
        for n in range(count):
            row = {"seq": n, "device": f"d{n // 30_000}", "serial": f"sn{n * 7919 % count:06}", "value": n / 8}
            file.write(json.dumps(row) + "\n")
    (folder / "c.toml").write_text(SOURCE)
    done = weir("replay", "c.toml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    path = objects(folder, "lake", "q")[0]
    groups = pq.ParquetFile(path).metadata.num_row_groups
    assert groups > 3, groups
    for vectorised in ("true", "false"):
        spark.conf.set("spark.sql.parquet.enableVectorizedReader", vectorised)
        frame = spark.read.parquet(path)
        assert frame.count() == count
        for condition, rows in [
            ("seq = 123456", 1), ("seq BETWEEN 99990 AND 100009", 20), ("device = 'd7'", 30_000),
            ("serial = 'sn000001'", 1), ("serial = 'nothing'", 0), ("value < 1", 8), ("seq IN (1, 299999)", 2),
            ("device IS NULL", 0), ("value > 1e9", 0),
        ]:
            assert frame.where(condition).count() == rows, condition
            assert frame.where(condition).agg({"value": "sum"}).collect() is not None
    print(f"filters over {groups} row groups: spark finds each row")


main()
