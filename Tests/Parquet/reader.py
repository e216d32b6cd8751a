#!/usr/bin/env python3
"""Files that pyarrow and DuckDB write, read by weir; and mutated files, which must be read or refused in a sentence.

    .build/venv/bin/python Tests/Parquet/reader.py --weir .build/release/weir [--cases 400] [--mutations 2000] [--seed S]

Random schemas, encodings, codecs and page versions. A mutated file that both read must give both the same rows:
where a page's checksum would tell weir of the damage, pyarrow is told to check it, too.
"""

import argparse
import datetime
import decimal
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent.parent / "Integration"))

from thrift_kit import damage  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--weir", required=True)
parser.add_argument("--cases", type=int, default=400)
parser.add_argument("--mutations", type=int, default=2000)
parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
options = parser.parse_args()
weir = os.path.abspath(options.weir)
EPOCH = datetime.datetime(1970, 1, 1)


def random_type(rng, depth=0):
    simple = [
        pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.float32(),
        pa.float64(), pa.string(), pa.binary(), pa.binary(5), pa.date32(), pa.time32("ms"), pa.time64("us"),
        pa.timestamp("ms"), pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.decimal128(9, 2), pa.decimal128(18, 3),
        pa.decimal128(38, 6), pa.decimal128(21, 0),
    ]
    if depth < 3 and rng.random() < 0.3:
        kind = rng.randrange(3)
        if kind == 0:
            return pa.list_(pa.field("element", random_type(rng, depth + 1), rng.random() < 0.8))
        if kind == 1:
            return pa.map_(rng.choice([pa.string(), pa.int32()]), random_type(rng, depth + 1))
        fields = [pa.field(f"f{i}", random_type(rng, depth + 1), rng.random() < 0.8) for i in range(rng.randint(1, 3))]
        return pa.struct(fields)
    return rng.choice(simple)


def random_value(rng, type, nullable=True):
    if nullable and rng.random() < 0.15:
        return None
    if pa.types.is_list(type):
        return [random_value(rng, type.value_type, type.value_field.nullable) for _ in range(rng.randint(0, 4))]
    if pa.types.is_map(type):
        keys = {random_value(rng, type.key_type, False): None for _ in range(rng.randint(0, 3))}
        return [(key, random_value(rng, type.item_type)) for key in keys]
    if pa.types.is_struct(type):
        return {field.name: random_value(rng, field.type, field.nullable) for field in type}
    if pa.types.is_boolean(type):
        return rng.random() < 0.5
    if pa.types.is_integer(type):
        bits = type.bit_width
        if rng.random() < 0.5:
            return rng.randint(0, 5)
        return rng.randint(-(1 << bits - 1), (1 << bits - 1) - 1) if "u" not in str(type) else rng.randint(0, (1 << bits) - 1)
    if pa.types.is_float32(type):
        return struct.unpack("f", struct.pack("f", rng.uniform(-1e6, 1e6)))[0]
    if pa.types.is_floating(type):
        return rng.choice([0.0, -1.5, rng.uniform(-1e9, 1e9), 1e300])
    if pa.types.is_string(type):
        return rng.choice(["", "a", "übel", "日本", "x" * rng.randint(0, 300), f"device-{rng.randint(0, 20)}"])
    if pa.types.is_fixed_size_binary(type):
        return rng.randbytes(5)
    if pa.types.is_binary(type):
        return rng.randbytes(rng.randint(0, 20))
    if pa.types.is_date(type):
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=rng.randint(-30000, 30000))
    if pa.types.is_time(type):
        return (EPOCH + datetime.timedelta(milliseconds=rng.randint(0, 86_399_999))).time()
    if pa.types.is_timestamp(type):
        return EPOCH + datetime.timedelta(milliseconds=rng.randint(-10**12, 10**13 // 2))
    if pa.types.is_decimal(type):
        return decimal.Decimal(rng.randint(-(10**type.precision) + 1, 10**type.precision - 1)).scaleb(
            -type.scale, decimal.Context(prec=50))
    raise AssertionError(type)


def random_table(rng):
    count = rng.choice([0, 1, 10, 500, 3000])
    fields = [pa.field(f"c{i}", random_type(rng), rng.random() < 0.8) for i in range(rng.randint(1, 6))]
    columns = [pa.array([random_value(rng, f.type, f.nullable) for _ in range(count)], f.type) for f in fields]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def leaves(schema):
    """The columns as Parquet calls them, with their physical types."""
    return [(schema.column(i).path, schema.column(i).physical_type) for i in range(len(schema))]


def write(rng, table, path):
    sink = pa.BufferOutputStream()
    pq.write_table(table.slice(0, 0), sink)
    schema = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    settings = dict(
        compression=rng.choice(["none", "snappy", "gzip", "zstd"]), data_page_version=rng.choice(["1.0", "2.0"]),
        row_group_size=rng.choice([100, 1000, 100_000]), data_page_size=rng.choice([100, 1000, 1 << 20]),
        write_page_checksum=rng.random() < 0.5, store_schema=rng.random() < 0.5,
        version=rng.choice(["2.4", "2.6"]),
    )
    if rng.random() < 0.5:
        settings["use_dictionary"] = False
        choices = {
            "BOOLEAN": ["PLAIN", "RLE"], "INT32": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
            "INT64": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
            "FLOAT": ["PLAIN", "BYTE_STREAM_SPLIT"], "DOUBLE": ["PLAIN", "BYTE_STREAM_SPLIT"],
            "BYTE_ARRAY": ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"],
            "FIXED_LEN_BYTE_ARRAY": ["PLAIN", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"],
        }
        settings["column_encoding"] = {name: rng.choice(choices[type]) for name, type in leaves(schema)}
    pq.write_table(table, path, **settings)
    return settings


def as_json(value, type):
    """A value as weir writes it in NDJSON."""
    if value is None:
        return None
    if pa.types.is_list(type):
        return [as_json(item, type.value_type) for item in value]
    if pa.types.is_map(type):
        pairs = value.items() if isinstance(value, dict) else value
        return {str(key): as_json(item, type.item_type) for key, item in pairs}
    if pa.types.is_struct(type):
        return {field.name: as_json(value[field.name], field.type) for field in type}
    if pa.types.is_binary(type) or pa.types.is_fixed_size_binary(type):
        import base64

        return base64.b64encode(value).decode()
    if pa.types.is_date(type):
        return value.isoformat()
    if pa.types.is_time(type):
        text = value.strftime("%H:%M:%S")
        milliseconds = value.microsecond // 1000
        return text + (f".{milliseconds:03}".rstrip("0") if milliseconds else "")
    if pa.types.is_timestamp(type):
        text = value.strftime("%Y-%m-%dT%H:%M:%S") + f".{value.microsecond // 1000:03}"
        return text.zfill(23) + ("Z" if type.tz else "")
    if pa.types.is_decimal(type):
        return format(value, "f")
    if pa.types.is_floating(type):
        return float(value)
    return value


def run(path):
    return subprocess.run([weir, "parquet", str(path)], capture_output=True, timeout=120)


def rows_of(done):
    return [json.loads(line, parse_float=lambda text: text) for line in done.stdout.decode().splitlines()]


def normal(value):
    """Numbers of JSON as text or as number, the same."""
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float, str, decimal.Decimal)):
        try:
            return ("number", decimal.Decimal(repr(value) if isinstance(value, float) else str(value)).normalize(
                decimal.Context(prec=60)))
        except decimal.InvalidOperation:
            return value
    return value


def expected_rows(table):
    table = table.cast(pa.schema([pa.field(f.name, coarse(f.type)) for f in table.schema]), safe=False)
    return [
        {field.name: as_json(row[field.name], field.type) for field in table.schema} for row in table.to_pylist()
    ]


def coarse(type):
    """Nanoseconds, which Python lacks, as microseconds."""
    return pa.timestamp("us", type.tz) if pa.types.is_timestamp(type) else type


def same(left, right, float32):
    if float32:
        return approximately(left, right)
    return normal(left) == normal(right)


def approximately(left, right):
    """Single-precision numbers are written shortest, so they are compared as singles."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(approximately(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(approximately, left, right))
    try:
        a, b = float(left), float(right)
        return a == b or struct.pack("f", a) == struct.pack("f", b)
    except (TypeError, ValueError, OverflowError):
        return normal(left) == normal(right)


def has_float32(type):
    return "float" in str(type)


def round_trips(folder):
    failures = 0
    for case in range(options.cases):
        rng = random.Random(options.seed + case)
        table = random_table(rng)
        path = folder / f"{case}.parquet"
        if rng.random() < 0.15 and table.num_rows and not any("fixed" in str(t) for t in table.schema.types):
            try:
                duckdb.from_arrow(table).write_parquet(str(path))
                settings = "duckdb"
                table = pq.read_table(path)
            except duckdb.Error:  # a type that DuckDB lacks
                settings = write(rng, table, path)
        else:
            settings = write(rng, table, path)
        done = run(path)
        try:
            assert done.returncode == 0, done.stderr.decode()
            got, wanted = rows_of(done), expected_rows(table)
            assert len(got) == len(wanted), f"{len(got)} rows instead of {len(wanted)}"
            for number, (left, right) in enumerate(zip(got, wanted)):
                for field in table.schema:
                    assert same(left[field.name], right[field.name], has_float32(field.type)), (
                        f"row {number}, {field}: {left[field.name]!r} instead of {right[field.name]!r}")
        except Exception as error:
            failures += 1
            print(f"seed {options.seed + case} ({settings}): {type(error).__name__}: {str(error)[:500]}", flush=True)
        path.unlink()
    print(f"{options.cases} files of other writers, {failures} failed", flush=True)
    return failures


def mutated(rng, bytes):
    bytes = bytearray(bytes)
    footer = struct.unpack("<I", bytes[-8:-4])[0]
    lowest = len(bytes) - 8 - footer if rng.random() < 0.6 else 0
    for _ in range(rng.randint(1, 3)):
        damage(rng, bytes, lowest)
    return bytes


def fuzz(folder):
    failures = refused = 0
    rng = random.Random(options.seed)
    sources = []
    for index in range(12):
        path = folder / f"source-{index}.parquet"
        write(rng, random_table(random.Random(options.seed + 5000 + index)), path)
        sources.append(path.read_bytes())

    def one(number):
        rng = random.Random(options.seed * 7 + number)
        path = folder / f"mutant-{number}.parquet"
        path.write_bytes(mutated(rng, rng.choice(sources)))
        try:
            done = run(path)
        except subprocess.TimeoutExpired:
            return number, "takes longer than two minutes", path
        text = done.stderr.decode()
        if done.returncode == 66 and text.startswith("weir: reading "):
            path.unlink()
            return number, None, None
        if done.returncode == 0:
            path.unlink()
            return number, "", None
        return number, f"exit {done.returncode}: {text[-300:]}", path

    with ThreadPoolExecutor(2) as pool:
        for number, complaint, path in pool.map(one, range(options.mutations)):
            if complaint is None:
                refused += 1
            elif complaint:
                failures += 1
                print(f"mutation {number}: {complaint} {path}", flush=True)
    print(f"{options.mutations} mutated files, {refused} refused, {failures} failed", flush=True)
    return failures


print(f"seed {options.seed}", flush=True)
with tempfile.TemporaryDirectory() as name:
    count = round_trips(Path(name))
    count += fuzz(Path(name))
sys.exit(1 if count else 0)
