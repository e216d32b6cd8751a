"""Readers that run in Spark's JVM, behind the questions of reader_kit: Spark over the files that the log names, and, where
their jars are at hand, Delta's own two readers: delta-spark and the Java library Delta Kernel.

The jars are delta-spark_2.13, delta-storage, delta-kernel-api and delta-kernel-defaults of one version, in one folder; they
are on Maven Central and not on PyPI, so that readers.py does without them unless it is told where they are.
"""

import datetime
import decimal
import json
import re

import duckdb
import pyarrow as pa

from reader_kit import DeltaRs, Reader

EPOCH = datetime.datetime(1970, 1, 1)


def spark_session(jars=None):
    """The process's session; the first call says with which jars."""
    from pyspark.sql.classic.dataframe import DataFrame  # noqa: F401: the session that is not remote
    from pyspark.sql.session import SparkSession

    builder = (
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1").config("spark.log.level", "ERROR")
        .config("spark.sql.shuffle.partitions", "2"))
    if jars:
        builder = (
            builder.config("spark.driver.extraClassPath", f"{jars}/*")
            .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
            .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
            .config("spark.databricks.delta.snapshotPartitions", "2")
            .config("spark.sql.sources.parallelPartitionDiscovery.parallelism", "2"))
    return builder.getOrCreate()


class Spark(Reader):
    """Spark's reader of Parquet over the files that the log names. It takes the columns by their names and the partitions
    from the folders."""

    name, local = "Spark", "TIMESTAMP_NTZ"

    def __init__(self, jars=None):
        self.session = spark_session(jars)

    def rows(self, table, condition="TRUE"):
        from pyspark.sql.types import StructType

        opened = DeltaRs().open(table)
        schema = StructType.fromJson(json.loads(opened.schema().to_json()))
        frame = self.session.read.schema(schema).option("basePath", str(table)).parquet(*opened.file_uris())
        # Its folders make partitions of a table that has none.
        return frame.select([f"`{name}`" for name in schema.names]).where(self.sql(condition)).toArrow()


class DeltaSpark(Reader):
    """Delta's reader and writer for Spark."""

    name, local = "delta-spark", "TIMESTAMP_NTZ"

    def __init__(self, jars):
        self.session = spark_session(jars)

    def frame(self, table, condition="TRUE", version=None):
        reader = self.session.read.format("delta")
        reader = reader if version is None else reader.option("versionAsOf", version)
        return reader.load(str(table)).where(self.sql(condition))

    def rows(self, table, condition="TRUE", version=None):
        return self.frame(table, condition, version).toArrow()

    def files(self, table, condition):
        return len(self.frame(table, condition).inputFiles())

    def table(self, table):
        """Delta's own handle of the table, in the JVM."""
        return self.session._jvm.io.delta.tables.DeltaTable.forPath(self.session._jsparkSession, str(table))

    def log(self, table):
        return self.session._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.session._jsparkSession, str(table))

    def of(self, frame):
        """A frame of the JVM as a list of dictionaries."""
        from pyspark.sql.classic.dataframe import DataFrame

        return [row.asDict(recursive=True) for row in DataFrame(frame, self.session).collect()]

    def history(self, table):
        """What DESCRIBE HISTORY says, the oldest version first."""
        return self.of(self.table(table).history())[::-1]

    def detail(self, table):
        return self.of(self.table(table).detail())[0]

    def streamed(self, table, folder):
        """All rows that a streaming query has seen so far, over all calls with this `folder`."""
        (
            self.session.readStream.format("delta").option("ignoreChanges", "false").load(str(table)).writeStream
            .format("parquet").option("checkpointLocation", f"{folder}/state").trigger(availableNow=True)
            .start(f"{folder}/rows").awaitTermination())
        return self.session.read.parquet(f"{folder}/rows").toArrow()


GETTERS = {
    "boolean": "Boolean", "byte": "Byte", "short": "Short", "integer": "Int", "long": "Long", "float": "Float",
    "double": "Double", "string": "String", "binary": "Binary", "date": "Int", "timestamp": "Long", "timestamp_ntz": "Long",
}


def each(iterator):
    """What an iterator of the JVM has, its errors told: py4j takes them for its end."""
    while iterator.hasNext():
        try:
            item = iterator.next()
        except StopIteration as end:
            raise RuntimeError(str(end.__context__)) from None
        yield item
    iterator.close()


class Kernel(Reader):
    """Delta Kernel with its default engine, value by value. It picks files by a filter; the rows are left to the caller,
    here to DuckDB. With Java 17 it fails at a filter on times of which a file has one after 2262, whoever wrote it."""

    name, zoned = "delta-kernel", "TIMESTAMPTZ"

    def __init__(self, jars):
        session = spark_session(jars)
        self.jvm, self.java = session._jvm, session._jvm.io.delta.kernel
        self.engine = self.java.defaults.engine.DefaultEngine.create(session._jsc.hadoopConfiguration())

    def scan(self, table, condition="TRUE", version=None, columns=None):
        """A scan of the table, and its columns as Delta's JSON has them."""
        opened = self.java.Table.forPath(self.engine, str(table))
        snapshot = (
            opened.getLatestSnapshot(self.engine) if version is None
            else opened.getSnapshotAsOfVersion(self.engine, version))
        schema = snapshot.getSchema()
        serde = self.java.internal.types.DataTypeJsonSerDe
        fields = json.loads(serde.serializeStructType(schema))["fields"]
        builder = snapshot.getScanBuilder()
        if condition != "TRUE":
            builder = builder.withFilter(self.predicate(condition, {field["name"]: field["type"] for field in fields}))
        if columns:
            fields = [field for field in fields if field["name"] in columns]
            wanted = json.dumps({"type": "struct", "fields": fields})
            builder = builder.withReadSchema(serde.deserializeStructType(wanted))
        return builder.build(), fields

    def predicate(self, condition, types):
        condition = re.sub(r"(\w+) BETWEEN (\S+) AND (\S+)", r"\1 >= \2 AND \1 <= \3", condition)
        terms = [self.term(term, types) for term in condition.split(" AND ")]
        whole = terms[0]
        for term in terms[1:]:
            whole = self.java.expressions.Predicate("AND", whole, term)
        return whole

    def term(self, text, types):
        name, operator, literal = re.fullmatch(r"(\w+) (IS NULL|IS NOT NULL|[<>=]+) ?(.*)", text).groups()
        column = self.java.expressions.Column(name)
        if not literal:
            return self.java.expressions.Predicate(operator.replace(" ", "_"), column)
        return self.java.expressions.Predicate(operator, column, self.literal(types[name], literal))

    def literal(self, type, text):
        """A literal of a column's type; times are in quotes, behind a word."""
        of, quoted = self.java.expressions.Literal, text.split("'")[1] if "'" in text else text
        if type.startswith("decimal"):
            precision, scale = map(int, type[8:-1].split(","))
            value = decimal.Decimal(text).quantize(decimal.Decimal(1).scaleb(-scale), context=decimal.Context(prec=38))
            return of.ofDecimal(value, precision, scale)
        if type == "date":
            return of.ofDate((datetime.date.fromisoformat(quoted) - EPOCH.date()).days)
        if type in ("timestamp", "timestamp_ntz"):
            micros = (datetime.datetime.fromisoformat(quoted) - EPOCH) // datetime.timedelta(microseconds=1)
            return of.ofTimestamp(micros) if type == "timestamp" else of.ofTimestampNtz(micros)
        return {
            "string": of.ofString, "long": lambda text: of.ofLong(int(text)), "integer": lambda text: of.ofInt(int(text)),
            "double": lambda text: of.ofDouble(float(text)),
        }[type](quoted)

    def scan_files(self, scan):
        for batch in each(scan.getScanFiles(self.engine)):
            yield from each(batch.getRows())

    def files(self, table, condition):
        return sum(1 for _ in self.scan_files(self.scan(table, self.sql(condition))[0]))

    def rows(self, table, condition="TRUE", version=None):
        from pyspark.sql.pandas.types import to_arrow_schema
        from pyspark.sql.types import StructType

        condition = self.sql(condition)
        # Each value is a call into the JVM, so a filter's answer has its own columns and the key only.
        columns = None if condition == "TRUE" else {"l", *re.findall(r"(\w+) (?:[<>=]|IS|BETWEEN)", condition)}
        scan, fields = self.scan(table, condition, version, columns)
        rows = [row for file in self.scan_files(scan) for row in self.rows_of(scan, file, fields)]
        schema = to_arrow_schema(StructType.fromJson({"type": "struct", "fields": fields}))
        found = pa.Table.from_pylist(rows, schema)
        if condition == "TRUE":
            return found
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        return connection.from_arrow(found).filter(condition).fetch_arrow_table()

    def rows_of(self, scan, file, fields):
        internal, state = self.java.internal, scan.getScanState(self.engine)
        status = internal.util.Utils.singletonCloseableIterator(internal.InternalScanFileUtils.getAddFileStatus(file))
        physical = internal.data.ScanStateRow.getPhysicalDataReadSchema(self.engine, state)
        batches = self.java.Scan.transformPhysicalData(
            self.engine, state, file,
            self.engine.getParquetHandler().readParquetFiles(status, physical, self.jvm.java.util.Optional.empty()))
        for batch in each(batches):
            chosen = batch.getSelectionVector()
            chosen = chosen.get() if chosen.isPresent() else None
            vectors = [batch.getData().getColumnVector(ordinal) for ordinal in range(len(fields))]
            for row in range(batch.getData().getSize()):
                if chosen is None or chosen.getBoolean(row):
                    yield {field["name"]: self.value(vector, row, field["type"]) for field, vector in zip(fields, vectors)}

    def value(self, vector, row, type):
        if vector.isNullAt(row):
            return None
        if isinstance(type, str):
            return getattr(vector, "get" + ("Decimal" if type.startswith("decimal") else GETTERS[type]))(row)
        if type["type"] == "array":
            found = vector.getArray(row)
            return [self.value(found.getElements(), n, type["elementType"]) for n in range(found.getSize())]
        if type["type"] == "map":
            found = vector.getMap(row)
            return [
                (self.value(found.getKeys(), n, type["keyType"]), self.value(found.getValues(), n, type["valueType"]))
                for n in range(found.getSize())]
        return {
            field["name"]: self.value(vector.getChild(n), row, field["type"]) for n, field in enumerate(type["fields"])}
