"""Delta tables of weir, read by delta-rs: rows, types, partitions, statistics that may be relied on; columns that
come and change; tables of others; commits whose replies are lost or after which weir dies."""

import datetime
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from lake_kit import agent, query, readings, sensors, sink
from parquet_kit import column, scalar_types, Maker
from weir_kit import ROOT, WEIR, wait_until, weir

HEAD = '[agent]\nid = "edge-1"\nstate_dir = "unused"\n'
LAKE = '[[sink]]\nname = "lake"\ntype = "file"\nurl = "file:./lake"\nformat = "delta"\n'


def replay(folder, columns, rows, sql="SELECT * FROM s", keys="", more=""):
    """One query over `rows` into the table lake/q; returns what weir said."""
    folder.mkdir(exist_ok=True)
    (folder / "c.toml").write_text(
        HEAD + f'[[source]]\nname = "s"\ntype = "file"\npath = "s.ndjson"\ncolumns = {{ {columns} }}\n{more}'
        f'[[query]]\nname = "q"\nsql = """{sql}"""\nsinks = ["lake"]\n' + LAKE + keys
    )
    with open(folder / "s.ndjson", "w") as file:
        file.writelines(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    done = weir("replay", "c.toml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stderr


def log(table):
    """The entries of a table's log: lists of actions."""
    paths = sorted(Path(table).glob("_delta_log/*.json"))
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]


def actions(table, name):
    return [action[name] for entry in log(table) for action in entry if name in action]


def test_types_and_values_are_those_of_the_query(tmp_path):
    columns = (
        'b = "BOOLEAN", t = "TINYINT", s = "SMALLINT", i = "INT", l = "BIGINT", f = "FLOAT", d = "DOUBLE", x = "STRING", '
        'y = "BYTES", p = "DECIMAL(9, 2)", q = "DECIMAL(18, 2)", r = "DECIMAL(38, 2)", u = "DATE", v = "TIME", '
        'w = "TIMESTAMP(3)", z = { type = "TIMESTAMP_LTZ(3)", from = "rfc3339" }'
    )
    sql = "SELECT *, ARRAY[i, NULL] AS al, MAP['k', x] AS m, ROW(i, ARRAY[x]) AS o, INTERVAL '1' HOUR AS n FROM s"
    row = {
        "b": True, "t": 1, "s": 2, "i": 3, "l": 4, "f": 0.5, "d": 0.25, "x": "é", "y": "AAEC", "p": "1.25",
        "q": "2.25", "r": "3.25", "u": "2026-01-02", "v": "00:00:01.5", "w": "2026-01-02T03:04:05.678",
        "z": "1969-12-31T23:59:59.999Z",
    }
    replay(tmp_path, columns, [row, {}], sql=sql)
    table = DeltaTable(tmp_path / "lake" / "q")
    types = [(field.name, json.loads(field.type.to_json())) for field in table.schema().fields]
    assert types[:16] == [
        ("b", "boolean"), ("t", "byte"), ("s", "short"), ("i", "integer"), ("l", "long"), ("f", "float"),
        ("d", "double"), ("x", "string"), ("y", "binary"), ("p", "decimal(9,2)"), ("q", "decimal(18,2)"),
        ("r", "decimal(38,2)"), ("u", "date"), ("v", "integer"), ("w", "timestamp_ntz"), ("z", "timestamp"),
    ]
    full, empty = table.to_pyarrow_table().to_pylist()
    assert full["v"] == 1500 and full["z"].isoformat() == "1969-12-31T23:59:59.999000+00:00"
    assert full["w"].isoformat() == "2026-01-02T03:04:05.678000" and str(full["r"]) == "3.25"
    assert full["al"] == [3, None] and full["m"] == [("k", "é")] and full["n"] == 3_600_000
    assert full["agent"] == "edge-1" and list(full["o"].values()) == [3, ["é"]]
    assert all(empty[name] is None for name, _ in types[:16])
    found = duckdb.read_parquet(table.file_uris()).project("v, w, z::VARCHAR, r").fetchall()
    assert found[0][0] == 1500 and found[0][1].microsecond == 678_000 and str(found[0][3]) == "3.25"


def test_a_table_without_local_times_is_for_the_oldest_readers(tmp_path):
    replay(tmp_path, 'n = "BIGINT", z = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }', [{"n": 1}])
    assert actions(tmp_path / "lake" / "q", "protocol") == [{"minReaderVersion": 1, "minWriterVersion": 2}]


@pytest.mark.parametrize("seed", range(12))
def test_random_rows_and_what_statistics_say_of_them(tmp_path, seed):
    """Statistics are held against the rows: bounds that a reader relies on leave no row out."""
    rng = random.Random(seed)
    types = [scalar_types(rng) for _ in range(rng.randint(1, 8))]
    makers = [Maker(type, rng) for type in types]
    rows = [{f"c{i}": make() for i, make in enumerate(makers)} for _ in range(rng.randint(1, 300))]
    replay(tmp_path, ", ".join(f"c{i} = {column(type)}" for i, type in enumerate(types)), rows)
    table = DeltaTable(tmp_path / "lake" / "q")
    found = table.to_pyarrow_table()
    assert found.num_rows == len(rows)
    for add in actions(tmp_path / "lake" / "q", "add"):
        stats = json.loads(add["stats"])
        assert stats["numRecords"] == len(rows)
        for name, nulls in stats["nullCount"].items():
            assert nulls == found.column(name).null_count
    flat = pa.Table.from_batches([batch for batch in pa.table(table.get_add_actions(flatten=True)).to_batches()])
    for name in found.column_names:
        if f"min.{name}" not in flat.column_names:
            continue
        low, high = flat.column(f"min.{name}")[0].as_py(), flat.column(f"max.{name}")[0].as_py()
        values = [value for value in found.column(name).to_pylist() if value is not None and value == value]
        assert not values or low is None or low <= min(values), name
        assert not values or high is None or high >= max(values), name


def test_no_bounds_where_there_is_no_number(tmp_path):
    sql = "SELECT n, CASE WHEN n = 1 THEN SQRT(-1) ELSE 1.5 END AS x, 1 / CAST(n AS DOUBLE) AS y FROM s"
    replay(tmp_path, 'n = "BIGINT"', [{"n": 0}, {"n": 1}, {"n": 2}], sql=sql)
    stats = json.loads(actions(tmp_path / "lake" / "q", "add")[0]["stats"])
    assert "x" not in stats["minValues"] and "x" not in stats["maxValues"]
    assert stats["minValues"]["y"] == 0.5 and "y" not in stats["maxValues"]


def test_partitions_by_a_column_of_times(tmp_path):
    rows = [{"n": n, "z": f"2026-01-0{n % 3 + 1}T0{n % 10}:30:00Z"} for n in range(100)]
    columns = 'n = "BIGINT", z = { type = "TIMESTAMP_LTZ(3)", from = "rfc3339" }'
    replay(tmp_path, columns, rows + [{"n": 100}], keys='partition_by = "z"\n')
    table = DeltaTable(tmp_path / "lake" / "q")
    assert table.metadata().partition_columns == ["date", "hour"]
    assert len(log(tmp_path / "lake" / "q")) == 1, "one segment is one commit"
    found = table.to_pyarrow_table(filters=[("date", "=", datetime.date(2026, 1, 2)), ("hour", "=", 4)]).to_pylist()
    assert sorted(row["n"] for row in found) == [n for n in range(100) if n % 3 == 1 and n % 10 == 4]
    for path in Path(tmp_path / "lake").rglob("*.parquet"):
        assert "date" not in pq.read_schema(path).names, "partition columns are not in the files"


def test_late_and_rejected_rows_have_tables_of_their_own(tmp_path):
    rows = [{"n": 1, "z": 1_000_000}, {"n": 2, "z": 90_000_000}, {"n": 3, "z": 1_000_001}, "oops\n"]
    replay(
        tmp_path, 'n = "BIGINT", z = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }', rows,
        sql="SELECT window_start, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(z), INTERVAL '1' MINUTE)) "
        "GROUP BY window_start, window_end", more='[source.time]\ncolumn = "z"\n',
    )
    lake = tmp_path / "lake"
    assert sorted(row["c"] for row in DeltaTable(lake / "q").to_pyarrow_table().to_pylist()) == [1, 1]
    late, = DeltaTable(lake / "_late" / "q").to_pyarrow_table().to_pylist()
    assert late["z"] == datetime.datetime(1970, 1, 1, 0, 16, 40, 1000, tzinfo=datetime.timezone.utc)
    rejected, = DeltaTable(lake / "_rejected" / "s").to_pyarrow_table().to_pylist()
    assert rejected["reason"]


def test_a_new_column_is_added_and_one_that_goes_stays(tmp_path):
    replay(tmp_path, 'a = "BIGINT", b = "STRING"', [{"a": 1, "b": "x"}])
    replay(tmp_path, 'a = "BIGINT", w = "TIMESTAMP(3)"', [{"a": 2, "w": "2026-01-01T00:00:00"}])
    table = DeltaTable(tmp_path / "lake" / "q")
    rows = sorted(table.to_pyarrow_table().to_pylist(), key=lambda row: row["a"])
    assert [(row["a"], row["b"], row["w"] is None) for row in rows] == [(1, "x", True), (2, None, False)]
    assert len(actions(tmp_path / "lake" / "q", "metaData")) == 2
    assert table.protocol().reader_features == ["timestampNtz"], "times without a zone need it from now on"
    ids = {metadata["id"] for metadata in actions(tmp_path / "lake" / "q", "metaData")}
    assert len(ids) == 1, "the table stays the same one"


def configuration(broker, keys, sql="SELECT device, seq FROM sensors", columns='device = "STRING", seq = "BIGINT"'):
    return agent() + sensors(broker, columns=columns) + query(sql=sql) + sink(keys + '\nformat = "delta"\n')


FOLDER = 'type = "file"\nurl = "file:./lake"'


def wait_forwarded(process, count):
    wait_until(lambda: process.received("sensors") >= count and process.pending() == 0, 30, "the last rows")


def sequences(table):
    return sorted(table.to_pyarrow_table().column("seq").to_pylist())


def test_a_changed_type_is_refused_and_rows_wait_until_it_is_mended(broker, start_weir):
    process = start_weir(configuration(broker, FOLDER)).start()
    broker.publish("plant/1", readings(10))
    wait_forwarded(process, 10)
    process.stop()
    text = Path(process.config).read_text()
    changed = text.replace("SELECT device, seq FROM", "SELECT device, CAST(seq AS STRING) AS seq FROM")
    Path(process.config).write_text(changed)
    process.start()
    broker.publish("plant/1", readings(10, 10))
    said = "column seq is of type string in the result and of type long in the table"
    wait_until(lambda: said in process.log(), 20, "the refusal")
    wait_until(lambda: said in json.dumps(process.status()), 20, "the same in the status")
    wait_until(lambda: process.pending() == 10, 20, "the count of what waits")
    process.stop()
    # Whoever looks after the table moves the old one away.
    table = Path(process.folder) / "lake" / "readings"
    table.rename(table.with_name("old"))
    process.start()
    wait_until(lambda: process.pending() == 0, 20, "the rows that waited")
    assert DeltaTable(table).to_pyarrow_table().num_rows == 10
    assert DeltaTable(table.with_name("old")).to_pyarrow_table().num_rows == 10


def test_a_table_of_somebody_else_is_appended_to(broker, start_weir, tmp_path):
    table = tmp_path / "weir" / "lake" / "readings"
    table.mkdir(parents=True)
    start = pa.table({"device": ["a"], "seq": pa.array([-1], pa.int64()), "note": ["theirs"]})
    write_deltalake(str(table), start)
    process = start_weir(configuration(broker, FOLDER)).start()
    broker.publish("plant/1", readings(10))
    wait_forwarded(process, 10)
    # A commit of somebody else's in between is found and passed.
    write_deltalake(str(table), start, mode="append", schema_mode="merge")
    broker.publish("plant/1", readings(10, 10))
    wait_forwarded(process, 20)
    assert sequences(DeltaTable(table)) == [-1, -1, *range(20)]


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"protocol": {"minReaderVersion": 1, "minWriterVersion": 8}}, "it needs reader version 1 and writer version 8"),
        ({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [], "writerFeatures": ["rowTracking"]}},
         "it needs the feature rowTracking, which weir lacks"),
        ({"configuration": {"delta.columnMapping.mode": "name"}}, "its columns are mapped by name"),
        ({"configuration": {"delta.constraints.positive": "seq > 0"}}, "it has CHECK constraints"),
        ({"partitionColumns": ["device"]}, "it is partitioned by device, and the sink's tables are not partitioned"),
    ],
)
def test_tables_that_ask_for_more_are_refused(broker, start_weir, tmp_path, change, reason):
    table = tmp_path / "weir" / "lake" / "readings" / "_delta_log"
    table.mkdir(parents=True)
    fields = [{"name": name, "type": type, "nullable": True, "metadata": {}} for name, type in (("device", "string"), ("seq", "long"))]
    metadata = {
        "id": "5f3a7b02-6a13-4a5b-8a4e-0c1d2e3f4a5b", "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}), "partitionColumns": [], "configuration": {},
    } | {key: value for key, value in change.items() if key != "protocol"}
    protocol = change.get("protocol", {"minReaderVersion": 1, "minWriterVersion": 2})
    (table / f"{0:020}.json").write_text(json.dumps({"protocol": protocol}) + "\n" + json.dumps({"metaData": metadata}) + "\n")
    process = start_weir(configuration(broker, FOLDER)).start()
    broker.publish("plant/1", readings(10))
    wait_until(lambda: reason in process.log(), 20, "the refusal")
    wait_until(lambda: process.pending() == 10, 20, "the count of what waits")
    assert len(os.listdir(table)) == 1
    assert not list(table.parent.rglob("*.parquet")), "no file is put for a table that does not take it"


@pytest.mark.parametrize(
    "point",
    ["delta.before-data", "delta.before-commit", "delta.after-commit", "trim.before-write", "trim.after-write"],
)
def test_a_crash_at_each_step_brings_nothing_twice(broker, start_weir, point):
    process = start_weir(configuration(broker, FOLDER)).start(environment={"WEIR_CRASH_POINT": f"{point}:2"})
    broker.publish("plant/1", readings(50))
    wait_forwarded(process, 50)
    broker.publish("plant/1", readings(50, 50))
    wait_until(lambda: process.process.poll() is not None, 20, "the crash")
    process.start()
    wait_forwarded(process, 0)
    table = Path(process.folder) / "lake" / "readings"
    wait_until(lambda: len(sequences(DeltaTable(table))) >= 100, 20, "the last rows")
    assert sequences(DeltaTable(table)) == list(range(100))
    assert [txn["version"] for txn in actions(table, "txn")] == [50, 100]


def test_a_state_directory_that_is_older_than_the_table_is_refused(broker, start_weir):
    """A backup that is put back would give new rows old numbers: they must neither be lost nor replace others."""
    process = start_weir(configuration(broker, FOLDER)).start()
    broker.publish("plant/1", readings(10))
    wait_forwarded(process, 10)
    process.stop()
    backup = Path(process.folder) / "backup"
    subprocess.run(["cp", "-a", f"{process.folder}/state", backup], check=True)
    process.start()
    broker.publish("plant/1", readings(20, 10))
    wait_forwarded(process, 20)
    process.stop()
    subprocess.run(["rm", "-rf", f"{process.folder}/state"], check=True)
    backup.rename(f"{process.folder}/state")
    process.start()
    broker.publish("plant/1", readings(5, 100))
    wait_until(lambda: "the state directory is older than the table" in process.log(), 20, "the refusal")
    wait_until(lambda: process.pending() == 5, 20, "the count of what waits")


def test_a_new_state_directory_adds_beside_the_old_rows(broker, start_weir):
    process = start_weir(configuration(broker, FOLDER)).start()
    broker.publish("plant/1", readings(10))
    wait_forwarded(process, 10)
    process.stop()
    subprocess.run(["rm", "-rf", f"{process.folder}/state"], check=True)
    process.start()
    broker.publish("plant/1", readings(10, 10))
    wait_forwarded(process, 10)
    table = DeltaTable(Path(process.folder) / "lake" / "readings")
    assert sequences(table) == list(range(20)) and len(table.file_uris()) == 2


def test_a_table_that_was_removed_is_made_again(broker, start_weir):
    process = start_weir(configuration(broker, FOLDER)).start()
    broker.publish("plant/1", readings(10))
    wait_forwarded(process, 10)
    table = Path(process.folder) / "lake" / "readings"
    subprocess.run(["rm", "-rf", table], check=True)
    broker.publish("plant/1", readings(10, 10))
    wait_forwarded(process, 20)
    assert sequences(DeltaTable(table)) == list(range(10, 20))
    assert "entry 0 of its log, which was there, is gone" in process.log()


def test_names_that_tables_cannot_have_are_refused_with_their_place(tmp_path):
    (tmp_path / "c.toml").write_text(
        HEAD + '[[source]]\nname = "s"\ntype = "file"\npath = "s"\ncolumns = { n = "BIGINT" }\n'
        '[[query]]\nname = "q"\nsql = "SELECT n AS `a b`, n AS `A`, n AS a FROM s"\nsinks = ["lake"]\n' + LAKE
    )
    done = weir("check", "c.toml", cwd=tmp_path)
    assert done.returncode == 78
    assert 'c.toml:17:' in done.stdout + done.stderr
    assert 'column "a b" has a character' in done.stdout + done.stderr


def test_azure_and_google_hold_tables(broker, start_weir, azure, gcs):
    for name, keys, process in [("azure", azure.sink("delta"), None), ("gcs", gcs.sink("delta"), None)]:
        process = start_weir(configuration(broker, keys).replace('client_id', 'x'), name=name)
        process.start()
        broker.publish("plant/1", readings(20))
        wait_forwarded(process, 20)
        broker.publish("plant/1", readings(20, 20))
        wait_forwarded(process, 40)
        assert any("_delta_log/00000000000000000001.json" in str(line) for line in [process.status(), process.log()])
        process.stop()


@pytest.mark.parametrize("store", ["file", "s3", "hdfs"])
@pytest.mark.parametrize("agents", [1, 4])
def test_kills_and_lost_replies(tmp_path, store, agents):
    """The harness of Tests/Delta in small; `Tests/nightly.sh` runs it with 200 kills on each store."""
    if agents > 1 and store == "hdfs":
        pytest.skip("one store with many agents and a proxy is enough")
    command = [sys.executable, f"{ROOT}/Tests/Delta/exactly_once.py", "--weir", WEIR, "--store", store]
    command += ["--agents", str(agents), "--kills", "12", "--messages", "8000", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
