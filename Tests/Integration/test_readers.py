"""The lake's own tools read what weir wrote: DuckDB and pyarrow, every format and compression."""

import glob
import json

import duckdb
import pyarrow.csv
import pyarrow.json
import pytest

from weir_kit import weir

CONFIGURATION = """
[agent]
id = "reader"
state_dir = "unused"
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
[source.columns]
device = "STRING"
ts = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}
temperature = "DOUBLE"
count = "BIGINT"
ok = "BOOLEAN"
{extra}
[source.time]
column = "ts"
[[query]]
name = "rows"
sql = "SELECT * FROM s"
sinks = ["lake"]
[[query]]
name = "windows"
sql = '''SELECT window_start, window_end, device, COUNT(*) AS n, AVG(temperature) AS average
FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, device'''
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
format = "{format}"
compression = "{compression}"
"""

ROWS = [
    {"device": "press \"1\", east", "ts": 1_700_000_000_000, "temperature": 21.25, "count": 2**53 + 1, "ok": True},
    {"device": "größe\n東京", "ts": 1_700_000_001_500, "temperature": -0.1, "count": -7, "ok": False},
    {"device": "", "ts": 1_700_000_012_000, "temperature": None, "count": None, "ok": None},
]


def written(tmp_path, format, compression, extra=""):
    (tmp_path / "c.toml").write_text(CONFIGURATION.format(format=format, compression=compression, extra=extra))
    (tmp_path / "s.ndjson").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    done = weir("replay", "c.toml", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    def objects(stream):
        paths = glob.glob(f"{tmp_path}/lake/{stream}/date=*/hour=*/reader-*.{format}*")
        assert len(paths) == 1, paths
        return paths[0]

    return objects


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_duckdb_reads_ndjson(tmp_path, compression):
    path = written(tmp_path, "ndjson", compression)("rows")
    rows = duckdb.sql(
        f"SELECT device, epoch_ms(ts::TIMESTAMPTZ) AS ts, temperature, count, ok, agent FROM read_json('{path}') ORDER BY ts"
    ).fetchall()
    assert rows == [(*(row[name] for name in ("device", "ts", "temperature", "count", "ok")), "reader") for row in ROWS]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_duckdb_reads_csv(tmp_path, compression):
    path = written(tmp_path, "csv", compression)("rows")
    rows = duckdb.sql(
        f"SELECT device, epoch_ms(ts) AS ts, temperature, count, ok FROM read_csv('{path}', allow_quoted_nulls = false) ORDER BY ts"
    ).fetchall()
    assert rows == [tuple(row[name] for name in ("device", "ts", "temperature", "count", "ok")) for row in ROWS]


def test_duckdb_reads_windows_as_timestamps(tmp_path):
    path = written(tmp_path, "csv", "gzip")("windows")
    described = duckdb.sql(f"DESCRIBE SELECT * FROM read_csv('{path}')").fetchall()
    types = {name: type for name, type, *_ in described}
    assert types["window_start"] == "TIMESTAMP" and types["n"] == "BIGINT" and types["average"] == "DOUBLE"


def test_pyarrow_reads_ndjson_and_csv(tmp_path):
    table = pyarrow.json.read_json(written(tmp_path, "ndjson", "gzip")("rows"))
    assert table.column("count").to_pylist() == [row["count"] for row in ROWS]
    assert table.column("device").to_pylist() == [row["device"] for row in ROWS]
    other = tmp_path / "csv"
    other.mkdir()
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    table = pyarrow.csv.read_csv(written(other, "csv", "gzip")("rows"), parse_options=options)
    assert str(table.schema.field("ts").type).startswith("timestamp")
    assert table.column("temperature").to_pylist() == [row["temperature"] for row in ROWS]


def test_arrays_are_lists(tmp_path):
    ROWS[0]["tags"] = ["a", "ü", None]
    try:
        path = written(tmp_path, "ndjson", "none", extra='tags = "ARRAY<STRING>"')("rows")
    finally:
        del ROWS[0]["tags"]
    assert duckdb.sql(f"SELECT tags FROM read_json('{path}') LIMIT 1").fetchall() == [(["a", "ü", None],)]
