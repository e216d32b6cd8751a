"""Parquet objects, read back by pyarrow and DuckDB: rows, types, statistics, indexes, filters, and by whom they
were written; the same bytes after a crash; memory that does not grow with the file."""

import base64
import json
import os
import random
import subprocess

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from faults_kit import needs_mount, small_disk
from lake_kit import FolderLake, HdfsLake, S3Lake, agent, file_sink, query, readings, sensors, sink
from parquet_kit import objects, require_equal, run_cases
from weir_kit import WEIR, wait_until, weir

HEAD = '[agent]\nid = "edge-1"\nstate_dir = "{state}"\n'


def replayed(folder, columns, rows, keys="", sql="SELECT * FROM s", more=""):
    """The Parquet files of one query over `rows`, in order."""
    text = HEAD.format(state="unused") + (
        f'[[source]]\nname = "s"\ntype = "file"\npath = "s.ndjson"\ncolumns = {{ {columns} }}\n{more}'
        f'[[query]]\nname = "q"\nsql = """{sql}"""\nsinks = ["lake"]\n'
        f'[[sink]]\nname = "lake"\ntype = "file"\nurl = "file:./lake"\nformat = "parquet"\n{keys}\n'
    )
    (folder / "c.toml").write_text(text)
    with open(folder / "s.ndjson", "w") as file:
        file.writelines(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    done = weir("replay", "c.toml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    return objects(folder, "lake", "q")


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("encodings", ["delta", "plain"])
def test_random_rows_come_back(tmp_path, compression, encodings):
    for lines, path in run_cases(tmp_path, range(100, 115), compression, encodings).values():
        table = require_equal(lines, path)
        count, = duckdb.sql(f"SELECT count(*) FROM read_parquet('{path}')").fetchone()
        assert count == len(table)
        codec = pq.ParquetFile(path).metadata.row_group(0).column(0).compression
        assert codec == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())


@pytest.mark.parametrize("compression, encodings", [("zstd", "delta"), ("snappy", "plain"), ("gzip", "delta")])
def test_weir_reads_what_it_has_written(tmp_path, compression, encodings):
    seeds = range(random.randrange(10**9), 10**9 + 1)[:12]
    for lines, path in run_cases(tmp_path, seeds, compression, encodings).values():
        done = weir("parquet", path)
        assert done.returncode == 0, (path, done.stderr)
        assert [json.loads(line, parse_float=str) for line in done.stdout.splitlines()] == lines, path
    done = weir("parquet", "--schema", path)
    assert f"rows: {len(lines)}" in done.stdout.splitlines() and "weir.agent: edge-1" in done.stdout
    done = weir("parquet", "--limit", "1", path)
    assert len(done.stdout.splitlines()) == min(1, len(lines))
    done = weir("parquet", tmp_path / "c.toml")
    assert done.returncode == 66 and "does not end as a Parquet file does" in done.stderr


def test_a_bloom_filter_of_no_column_is_refused_at_its_place(tmp_path):
    (tmp_path / "c.toml").write_text(
        HEAD.format(state="unused")
        + '[[source]]\nname = "s"\ntype = "file"\npath = "s.ndjson"\ncolumns = { device = "STRING" }\n'
        '[[query]]\nname = "q"\nsql = "SELECT * FROM s"\nsinks = ["lake"]\n'
        '[[sink]]\nname = "lake"\ntype = "file"\nurl = "file:./lake"\nformat = "parquet"\n'
        'parquet.bloom_filter = ["agent", "devcie"]\n'
    )
    done = weir("check", "c.toml", cwd=tmp_path)
    assert done.returncode == 78
    assert 'c.toml:18:34: error: no query of the sink has a column "devcie"; did you mean "device"?' in done.stderr


def test_types_are_those_of_the_query(tmp_path):
    columns = (
        'b = "BOOLEAN", t = "TINYINT", s = "SMALLINT", i = "INT", l = "BIGINT", f = "FLOAT", d = "DOUBLE", x = "STRING", '
        'y = "BYTES", p = "DECIMAL(9, 2)", q = "DECIMAL(18, 2)", r = "DECIMAL(38, 2)", u = "DATE", v = "TIME", '
        'w = "TIMESTAMP(3)", z = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }'
    )
    sql = (
        "SELECT *, ARRAY[i] AS al, MAP['k', x] AS m, ROW(i, ARRAY[x]) AS o, INTERVAL '1' HOUR AS n, INTERVAL '2' MONTH AS e "
        "FROM s"
    )
    path, = replayed(tmp_path, columns, [{}], sql=sql)
    assert pq.read_table(path).schema.types[:16] == [
        getattr(pa, name)(*rest) for name, *rest in [
            ("bool_",), ("int8",), ("int16",), ("int32",), ("int64",), ("float32",), ("float64",), ("string",),
            ("binary",), ("decimal128", 9, 2), ("decimal128", 18, 2), ("decimal128", 38, 2), ("date32",),
            ("time32", "ms"), ("timestamp", "ms"), ("timestamp", "ms", "UTC"),
        ]
    ]
    described = dict(row[:2] for row in duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{path}', hive_partitioning = false)").fetchall())
    assert list(described.values()) == [
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "DECIMAL(9,2)",
        "DECIMAL(18,2)", "DECIMAL(38,2)", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "INTEGER[]",
        "MAP(VARCHAR, VARCHAR)", 'STRUCT("EXPR$0" INTEGER, "EXPR$1" VARCHAR[])', "BIGINT", "INTEGER", "VARCHAR",
    ]


def test_numbers_without_an_order_are_in_no_bounds(tmp_path):
    rows = [{"g": g, "t": t} for g, texts in enumerate([["NaN"], ["NaN", "1.5", "-0"], ["0"], ["Infinity", "-1"]]) for t in texts]
    sql = "SELECT g, CAST(t AS DOUBLE) AS d, CAST(t AS FLOAT) AS f FROM s WHERE g = {}"
    for group, bounds in enumerate([None, (-0.0, 1.5), (-0.0, 0.0), (-1.0, float("inf"))]):
        folder = tmp_path / str(group)
        folder.mkdir()
        path, = replayed(folder, 'g = "INT", t = "STRING"', rows, sql=sql.format(group))
        file = pq.ParquetFile(path).metadata.row_group(0)
        for index in (1, 2):
            statistics = file.column(index).statistics
            if bounds is None:
                assert not statistics.has_min_max and not file.column(index).has_column_index
            else:
                assert str((statistics.min, statistics.max)) == str(bounds)
                assert file.column(index).has_column_index
        values = pq.read_table(path).column("d").to_pylist()
        assert [str(v) for v in values] == [str(float(row["t"])) for row in rows if row["g"] == group]


def test_a_file_says_whose_rows_it_holds(tmp_path):
    first, second = replayed(tmp_path, 'n = "BIGINT"', [{"n": n} for n in range(1500)], "max_rows = 1000")
    for path, range_ in ((first, ("1", "1000")), (second, ("1001", "1500"))):
        found = {key.decode(): value.decode() for key, value in pq.ParquetFile(path).metadata.metadata.items()}
        assert found.pop("weir.sealed_at").endswith("Z")
        rows = str(int(range_[1]) - int(range_[0]) + 1)
        # A tick's first piece has the counts of all that was taken in; test_source_counts adds them up.
        taken = json.loads(found.pop("weir.source.s")), json.loads(found.pop("weir.query.q"))
        assert taken[0]["received"] == taken[1]["in"] == taken[1]["emitted"] == [0 if path == first else 1500, 1500]
        assert found == {
            "weir.agent": "edge-1", "weir.stream": "q", "weir.first": range_[0], "weir.last": range_[1], "weir.rows": rows,
        }


def test_encodings_follow_the_values(tmp_path):
    rows = [{"seq": n, "device": f"d{n % 9}", "text": f"{n * 7919 % 50_000}", "ts": n * 1000} for n in range(50_000)]
    columns = 'seq = "BIGINT", device = "STRING", text = "STRING", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }'
    path, = replayed(tmp_path, columns, rows)
    group = pq.ParquetFile(path).metadata.row_group(0)
    encodings = {group.column(i).path_in_schema: set(group.column(i).encodings) for i in range(group.num_columns)}
    assert "DELTA_BINARY_PACKED" in encodings["seq"] and "DELTA_BINARY_PACKED" in encodings["ts"]
    assert "RLE_DICTIONARY" in encodings["device"] and "RLE_DICTIONARY" not in encodings["text"]
    assert group.column(0).total_compressed_size < 5_000 and group.column(1).total_compressed_size < 30_000
    other = tmp_path / "plain"
    other.mkdir()
    path, = replayed(other, columns, rows, 'parquet.encodings = "plain"')
    group = pq.ParquetFile(path).metadata.row_group(0)
    assert {e for i in range(5) for e in group.column(i).encodings} <= {"PLAIN", "RLE", "RLE_DICTIONARY"}


def test_readers_pass_over_what_cannot_match(tmp_path):
    rows = ({"seq": n, "serial": f"sn{n * 7919 % 300_000:06}"} for n in range(300_000))
    columns = 'seq = "BIGINT", serial = "STRING"'
    path, = replayed(tmp_path, columns, rows, 'parquet.bloom_filter = ["serial"]\nparquet.row_group_size = "1MB"')
    metadata = pq.ParquetFile(path).metadata
    assert metadata.num_row_groups > 3
    found = pq.read_table(path, filters=[("seq", ">=", 150_000), ("seq", "<", 150_010)])
    assert found.column("seq").to_pylist() == list(range(150_000, 150_010))
    for number in (0, 1, 299_999):
        text = f"sn{number * 7919 % 300_000:06}"
        sql = f"SELECT seq FROM read_parquet('{path}') WHERE serial = '{text}'"
        assert duckdb.sql(sql).fetchall() == [(number,)]
    # DuckDB tells which row groups its probe of the filters leaves out.
    probe = duckdb.sql(
        f"SELECT count(*) FILTER (bloom_filter_excludes), count(*) FROM parquet_bloom_probe('{path}', 'serial', 'sn000007')"
    ).fetchone()
    assert probe[1] == metadata.num_row_groups and metadata.num_row_groups - 2 <= probe[0] < metadata.num_row_groups
    present = pq.ParquetFile(path).read_row_group(1, columns=["serial"]).column(0).to_pylist()[::5000]
    for text in present:
        probe = duckdb.sql(f"SELECT bloom_filter_excludes FROM parquet_bloom_probe('{path}', 'serial', '{text}')").fetchall()
        assert probe[1] == (False,), "a value that is there is never left out"


def test_extremes(tmp_path):
    big = "é" * (8 << 20)
    path, = replayed(tmp_path, 'n = "INT", t = "STRING"', [{"n": 1, "t": "a"}, {"n": 2, "t": big}, {"n": 3}], more="max_payload = \"32MB\"\n")
    assert pq.read_table(path).column("t").to_pylist() == ["a", big, None]
    group = pq.ParquetFile(path).metadata.row_group(0)
    assert os.path.getsize(path) < 100_000 and group.column(1).statistics.null_count == 1
    folder = tmp_path / "nulls"
    folder.mkdir()
    path, = replayed(folder, 'a = "BIGINT", b = "STRING", c = "DOUBLE", d = "ARRAY<INT>"', [{}] * 30_000)
    table = pq.read_table(path)
    assert all(table.column(i).null_count == 30_000 for i in range(4)) and os.path.getsize(path) < 5_000
    assert duckdb.sql(f"SELECT count(a), count(b), count(c), count(d), count(*) FROM '{path}'").fetchone() == (0, 0, 0, 0, 30_000)


def test_a_thousand_columns(tmp_path):
    names = [f"c{n}" for n in range(1000)]
    columns = ", ".join(f'{name} = "{"DOUBLE" if n % 2 else "STRING"}"' for n, name in enumerate(names))
    rows = [{name: r + n / 2 if n % 2 else f"{r}-{n}" for n, name in enumerate(names)} for r in range(300)]
    path, = replayed(tmp_path, columns, rows)
    assert pq.ParquetFile(path).read().drop_columns("agent").to_pylist() == rows


def test_hours_are_files_of_their_own(tmp_path):
    columns = 'n = "BIGINT", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }'
    rows = [{"n": n, "ts": (n * 7 % 40) * 3_600_000 + n} for n in range(4000)]
    paths = replayed(tmp_path, columns, rows, 'partition_by = "ts"')
    assert len(paths) == 40
    for path in paths:
        times = pq.ParquetFile(path).read().column("ts")
        assert len(times) == 100 and len(pc.unique(pc.floor_temporal(times, unit="hour"))) == 1
    count = duckdb.sql(f"SELECT count(DISTINCT n), count(*) FROM read_parquet('{tmp_path}/lake/q/*/*/*.parquet')").fetchone()
    assert count == (4000, 4000)


def test_memory_does_not_grow_with_the_file(tmp_path):
    """A million rows in one object: the peak is that of a tenth of them and little more."""
    peaks = []
    for count in (100_000, 1_000_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        rows = (f'{{"seq":{n},"device":"d{n * 7919 % 50_000}","value":{n * 7919 % 1_000_003 / 7}}}\n' for n in range(count))
        (folder / "run").mkdir()
        with open(folder / "s.ndjson", "w") as file:
            file.writelines(rows)
        (folder / "c.toml").write_text(
            HEAD.format(state="unused")
            + '[[source]]\nname = "s"\ntype = "file"\npath = "s.ndjson"\n'
            + 'columns = { seq = "BIGINT", device = "STRING", value = "DOUBLE" }\n' + query("q", "SELECT * FROM s")
            + '[[sink]]\nname = "lake"\ntype = "file"\nurl = "file:./lake"\nformat = "parquet"\nparquet.row_group_size = "4MB"\n'
        )
        done = subprocess.run(
            ["/usr/bin/time", "-f", "%M", WEIR, "replay", "c.toml", "--quiet"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.split()[-1]))
        path, = objects(folder, "lake", "q")
        assert pq.ParquetFile(path).metadata.num_rows == count
    assert peaks[1] < peaks[0] + 60_000, f"{peaks} kB"


@pytest.mark.parametrize("store", ["file", "webhdfs", "s3"])
def test_every_store_takes_them(store, broker, start_weir, request, tmp_path):
    format = 'format = "parquet"\n'
    if store == "file":
        keys = file_sink(keys=format)
        lake = FolderLake(tmp_path / "weir" / "lake")
    elif store == "webhdfs":
        hdfs = request.getfixturevalue("hdfs")
        hdfs.make_folder("/parquet")
        keys = sink(hdfs.sink("/parquet", format))
        lake = HdfsLake(hdfs, "/parquet")
    else:
        s3 = request.getfixturevalue("s3")
        keys = sink(s3.sink("parquet", format))
        lake = S3Lake(s3, "parquet")
    running = start_weir(agent() + sensors(broker) + query() + keys).start()
    broker.publish("plant/1", readings(5000))
    wait_until(lambda: running.received("sensors") == 5000 and running.pending() == 0, 60, "the upload of everything")
    found = []
    for content in lake.objects("readings").values():
        path = tmp_path / "object.parquet"
        path.write_bytes(content)
        found += pq.ParquetFile(path, page_checksum_verification=True).read().column("seq").to_pylist()
    assert found == list(range(5000))


def file_rows(lake):
    return [number for content in lake.objects("readings").values() for number in numbers(content)]


def numbers(content):
    return pq.read_table(pa.BufferReader(content)).column("seq").to_pylist()


def wait_forwarded(running, count):
    wait_until(lambda: running.received("sensors") == count and running.pending() == 0, 60, "the upload of everything")


def test_an_object_that_is_put_again_is_the_same_bytes(broker, start_weir, tmp_path):
    """Killed behind the put and before its record: the rows are read from the outbox again, where small blocks
    have been merged meanwhile, and must give the same object."""
    running = start_weir(agent() + sensors(broker) + query() + file_sink(schedule="every 3s", keys='format = "parquet"'))
    lake = FolderLake(tmp_path / "weir" / "lake")
    running.start(environment={"WEIR_CRASH_POINT": "trim.before-write:1"})
    for first in range(0, 3000, 150):
        if running.process.poll() is None:
            broker.publish("plant/1", readings(150, first))
    wait_until(lambda: running.process.poll() is not None, 30, "the crash")
    before = lake.objects("readings")
    assert len(before) == 1
    running.start()
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    after = lake.objects("readings")
    key, content = next(iter(before.items()))
    assert after[key] == content and numbers(content) == list(range(len(numbers(content))))


def test_killed_at_every_step_of_sealing_no_row_is_lost_or_twice(broker, start_weir, tmp_path):
    running = start_weir(agent() + sensors(broker) + query() + file_sink(keys='format = "parquet"'))
    lake = FolderLake(tmp_path / "weir" / "lake")
    running.start()
    running.kill()
    total = 0
    for point in (
        "seal.before-write", "seal.after-write", "put.before", "put.after-temporary", "put.before-rename", "put.after",
        "trim.before-write", "trim.after-write",
    ):
        running.start(ready=False, environment={"WEIR_CRASH_POINT": f"{point}:1"})
        broker.publish("plant/1", readings(700, total))
        total += 700
        wait_until(lambda: running.process.poll() is not None, 30, f"the crash at {point}")
    running.start()
    wait_until(lambda: running.pending() == 0 and len(file_rows(lake)) >= total, 60, "the upload of everything")
    assert file_rows(lake) == list(range(total))


@needs_mount
def test_a_full_disk_passes(broker, start_weir, tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        keys = f'type = "file"\nurl = "file://{disk}/lake"\nformat = "parquet"'
        text = agent() + sensors(broker, columns='seq = "BIGINT", text = "STRING"')
        running = start_weir(text + query(sql="SELECT seq, text FROM sensors") + sink(keys)).start()
        noise = random.Random(5)
        lines = [json.dumps({"seq": n, "text": base64.b64encode(noise.randbytes(900)).decode()}) for n in range(6000)]
        broker.publish("plant/1", lines)
        wait_until(lambda: running.received("sensors") == 6000, 30, "the intake")
        wait_until(lambda: "No space left on device" in running.log(), 30, "the full disk")
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        wait_forwarded(running, 6000)
        assert sorted(file_rows(FolderLake(disk / "lake"))) == list(range(6000))
