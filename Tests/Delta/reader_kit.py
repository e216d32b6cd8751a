"""Readers of Delta tables that know nothing of weir, each behind the same three questions: which rows a table has,
of which types, and how many of its files a filter reads.

A reader's answer is a pyarrow table, brought to one form by `plain` and `kind`. What a reader lacks by its nature is
said in its class (`lacks`), so that a difference beyond it is seen.
"""

import datetime
import decimal
import glob
import json
import math
import os
import re

import pyarrow as pa


def plain(value):
    """One form for what readers give: times without zone, in UTC; maps as dictionaries, empty ones as lists;
    floats by their digits."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()} or []
    if isinstance(value, list):
        if value and all(type(item) is tuple and len(item) == 2 for item in value):
            return {key: plain(item) for key, item in value}
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, float):
        return ("float", math.copysign(1, value), repr(value))
    return value


def kind(type):
    """A type's name in Delta's words."""
    if pa.types.is_list(type) or pa.types.is_large_list(type):
        return f"array<{kind(type.value_type)}>"
    if pa.types.is_map(type):
        return f"map<{kind(type.key_type)},{kind(type.item_type)}>"
    if pa.types.is_struct(type):
        return "struct<" + ",".join(f"{field.name}:{kind(field.type)}" for field in type) + ">"
    if pa.types.is_timestamp(type):
        return "timestamp" if type.tz else "timestamp_ntz"
    if pa.types.is_decimal(type):
        return f"decimal({type.precision},{type.scale})"
    known = {
        "bool": "boolean", "int8": "byte", "int16": "short", "int32": "integer", "int64": "long", "float": "float",
        "double": "double", "date32[day]": "date", "string": "string", "large_string": "string",
        "string_view": "string", "binary": "binary", "large_binary": "binary", "binary_view": "binary",
    }
    return known[str(type)]


class Reader:
    """What all share. `zoned` and `local` begin a literal of a time with and without a zone in the reader's SQL."""

    zoned, local = "TIMESTAMP", "TIMESTAMP"

    def sql(self, condition):
        return condition.replace("{zoned}", self.zoned).replace("{local}", self.local)

    def expected_kind(self, name):
        return name

    def expected(self, value, name):
        """A value as this reader must give it, its type being `name`."""
        return value

    def agrees(self, got, wanted):
        return plain(got) == plain(wanted)


class DeltaRs(Reader):
    """delta-rs, with its own engine."""

    name = "delta-rs"

    def __init__(self, s3=None):
        self.options = s3 and {
            "AWS_ENDPOINT_URL": s3.endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key, "AWS_ALLOW_HTTP": "true", "AWS_S3_ADDRESSING_STYLE": "path",
        }

    def open(self, table):
        from deltalake import DeltaTable

        return DeltaTable(str(table), storage_options=self.options)

    def query(self, table, text):
        from deltalake import QueryBuilder

        return pa.table(QueryBuilder().register("t", self.open(table)).execute(text).read_all())

    def rows(self, table, condition="TRUE"):
        return self.query(table, f"SELECT * FROM t WHERE {self.sql(condition)}")

    def files(self, table, condition):
        plan = self.query(table, f"EXPLAIN VERBOSE SELECT * FROM t WHERE {self.sql(condition)}").to_pylist()
        return len(set(re.findall(r"[^\[ ,]+\.parquet", str([row["plan"] for row in plan]))))


class DuckDB(Reader):
    """DuckDB with its delta extension, which reads by delta-kernel. Types are those that it gives to Arrow."""

    name, zoned = "DuckDB", "TIMESTAMPTZ"

    def __init__(self, s3=None):
        import duckdb
        import duckdb_extension_delta
        import duckdb_extension_httpfs

        self.connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        for extension in (duckdb_extension_httpfs, duckdb_extension_delta):
            (path,) = glob.glob(f"{os.path.dirname(extension.__file__)}/extensions/*/*.duckdb_extension")
            self.connection.execute(f"LOAD '{path}'")
        self.connection.execute("SET TimeZone = 'UTC'")
        if s3:
            self.connection.execute(
                f"CREATE SECRET (TYPE s3, KEY_ID '{s3.access_key}', SECRET '{s3.secret_key}', REGION 'us-east-1', "
                f"ENDPOINT '{s3.endpoint.removeprefix('http://')}', URL_STYLE 'path', USE_SSL false)")

    def scan(self, table, condition):
        return f"SELECT * FROM delta_scan('{table}') WHERE {self.sql(condition)}"

    def rows(self, table, condition="TRUE"):
        return self.connection.execute(self.scan(table, condition)).fetch_arrow_table()

    def files(self, table, condition):
        plan = self.connection.execute("EXPLAIN ANALYZE " + self.scan(table, condition)).fetchall()[0][1]
        found = re.search(r"Total Files Read:\s*(\d+)", plan)
        return int(found[1]) if found else 0


class ClickHouse(Reader):
    """ClickHouse in process. Its lists, maps and tuples are never NULL: they are empty, or NULL in each part. Text and
    bytes are one type to it, and so are times with and without a zone. It reads below the current folder only."""

    name, zoned, local = "ClickHouse", "", ""

    def __init__(self, s3=None):
        from chdb import session

        self.session, self.s3 = session.Session(), s3

    def sql(self, condition):
        condition = re.sub(r"\{(?:zoned|local)\} ('[^']*')", r"toDateTime64(\1, 6, 'UTC')", condition)
        return re.sub(r"DATE ('[^']*')", r"toDate32(\1)", condition)

    def source(self, table):
        if self.s3:
            url = str(table).replace("s3://", self.s3.endpoint + "/")
            return f"deltaLake('{url}/', '{self.s3.access_key}', '{self.s3.secret_key}')"
        return f"deltaLakeLocal('{table}')"

    def rows(self, table, condition="TRUE"):
        return self.session.query(
            f"SELECT * FROM {self.source(table)} WHERE {self.sql(condition)} "
            "SETTINGS output_format_arrow_string_as_string = 0", "ArrowTable")

    def scanned(self):
        found = self.session.query("SELECT sum(value) FROM system.events WHERE event = 'DeltaLakeScannedFiles'")
        return int(str(found).strip())

    def files(self, table, condition):
        before = self.scanned()
        self.rows(table, condition)
        return self.scanned() - before

    def expected_kind(self, name):
        return re.sub(r"\bstring\b", "binary", name).replace("timestamp_ntz", "timestamp")

    def expected(self, value, name):
        if isinstance(value, str):
            return value.encode()
        if name.startswith("array<"):
            return [self.expected(item, name[6:-1]) for item in value or []]
        if name.startswith("map<"):
            return {key.encode(): self.expected(item, "") for key, item in value.items()} if value else []
        if name.startswith("struct<"):
            fields = parts(name)
            return {key: self.expected(value and value[key], type) for key, type in fields}
        return value


def parts(name):
    """The fields of `struct<…>`: (name, type)."""
    found, depth, start, text = [], 0, 0, name[7:-1]
    for index, letter in enumerate(text + ","):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            found.append(tuple(text[start:index].split(":", 1)))
            start = index + 1
    return found


class Sail(Reader):
    """Sail, an engine with Spark's language and protocol and a reader of Delta of its own. A number that is the only one of
    its column in a file is taken from the file's statistics, which Sail reads as a double: its last digits can be off,
    in tables that others wrote, too."""

    name, local = "Sail", "TIMESTAMP_NTZ"

    def __init__(self, s3=None):
        if s3:
            os.environ.update({
                "AWS_ENDPOINT": s3.endpoint, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key,
                "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false"})
        from pysail.spark import SparkConnectServer
        from pyspark.sql.connect.session import SparkSession

        self.server = SparkConnectServer(ip="127.0.0.1", port=0)
        self.server.start(background=True)
        self.session = SparkSession.builder.remote(f"sc://127.0.0.1:{self.server.listening_address[1]}").getOrCreate()
        self.session.conf.set("spark.sql.session.timeZone", "UTC")

    def frame(self, table, condition):
        return self.session.read.format("delta").load(str(table)).where(self.sql(condition))

    def rows(self, table, condition="TRUE"):
        return self.frame(table, condition).toArrow()

    def files(self, table, condition):
        plan = self.frame(table, condition)._explain_string(mode="formatted")
        return len(set(re.findall(r"[^\[ ,]+\.parquet", plan)))


    def agrees(self, got, wanted):
        if type(got) is type(wanted) and isinstance(got, (float, decimal.Decimal)):
            return math.isclose(got, wanted, rel_tol=4e-16)
        return super().agrees(got, wanted)
