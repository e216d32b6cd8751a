"""Values at the ends of their types, and texts that look like syntax, in the lake's own tools."""

import json

import duckdb
import pyarrow.csv
import pyarrow.json
import pytest

from lake_kit import agent, file_sink, query
from weir_kit import weir

COLUMNS = """
[source.columns]
id = "BIGINT"
flag = "BOOLEAN"
number = "DOUBLE"
text = "STRING"
at = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }
tags = "ARRAY<STRING>"
"""

EVENTS = [
    {"id": 1, "flag": True, "number": 0.1, "text": "plain", "at": 1795244127603, "tags": ["a", "b"]},
    {"id": -9223372036854775808, "flag": False, "number": 1.7976931348623157e308, "text": 'q"uo,te\\', "at": 0,
     "tags": []},
    {"id": 9223372036854775807, "flag": None, "number": 5e-324, "text": "line\nfeed\r\ttab", "at": -1,
     "tags": ["", None, 'x"y']},
    {"id": None, "flag": True, "number": -0.0, "text": "snow \u2603 \U0001f30d \u0000 \u001b", "at": None,
     "tags": None},
    {"id": 5, "flag": True, "number": 123456789.123456789, "text": "", "at": 253402300799999, "tags": ["é"]},
    {"id": 6, "flag": None, "number": 1e21, "text": None, "at": 1795244127000, "tags": ["null"]},
]  # fmt: skip


def make_lake(folder, keys, sql):
    text = agent().replace("@HTTP@", "off")
    text += f'[[source]]\nname = "events"\ntype = "file"\npath = "in.ndjson"\n{COLUMNS}'
    (folder / "weir.toml").write_text(text + query("q", sql) + file_sink(keys=keys))
    (folder / "in.ndjson").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    done = weir("replay", "weir.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = [str(path) for path in (folder / "lake/q").rglob("*") if path.is_file()]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("compression, suffix", [("none", ""), ("gzip", ".gz"), ("zstd", ".zst")])
def test_duckdb_reads_ndjson(tmp_path, compression, suffix):
    path = make_lake(tmp_path, f'compression = "{compression}"', "SELECT id, flag, number, text, at, tags FROM events")
    assert path.endswith(f".ndjson{suffix}")
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    pattern = str(tmp_path / "lake/q/**/*")
    options = "format = 'newline_delimited', hive_partitioning = true"
    table = database.sql(f"SELECT * FROM read_json('{pattern}', {options})")
    types = dict(zip(table.columns, map(str, table.types)))
    assert types["id"] == "BIGINT" and types["number"] == "DOUBLE" and types["flag"] == "BOOLEAN"
    assert types["text"] == "VARCHAR" and types["tags"] == "VARCHAR[]"
    assert types["agent"] == "VARCHAR" and "date" in types and "hour" in types
    found = table.project('id, flag, number, text, epoch_ms("at"::TIMESTAMPTZ), tags, agent').fetchall()
    expected = [(e["id"], e["flag"], e["number"], e["text"], e["at"], e["tags"], "edge-1") for e in EVENTS]
    assert found == expected
    assert str(found[3][2]) == "-0.0"


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_pyarrow_reads_ndjson(tmp_path, compression):
    path = make_lake(tmp_path, f'compression = "{compression}"', "SELECT id, flag, number, text, at, tags FROM events")
    kind = None if compression == "none" else compression
    with pyarrow.input_stream(path, compression=kind) as stream:
        table = pyarrow.json.read_json(stream)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["id"] == "int64" and types["flag"] == "bool" and types["number"] == "double"
    assert types["text"] == "string" and types["tags"] == "list<item: string>"
    rows = table.to_pylist()
    for row, event in zip(rows, EVENTS, strict=True):
        for name in ("id", "flag", "number", "text", "tags"):
            assert row[name] == event[name], (name, row)


SCALARS = "SELECT id, flag, number, text, at FROM events"


@pytest.mark.parametrize("compression, suffix", [("none", ""), ("gzip", ".gz"), ("zstd", ".zst")])
def test_duckdb_and_pyarrow_read_csv(tmp_path, compression, suffix):
    path = make_lake(tmp_path, f'format = "csv"\ncompression = "{compression}"', SCALARS)
    assert path.endswith(f".csv{suffix}")
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    columns = (
        "{'id': 'BIGINT', 'flag': 'BOOLEAN', 'number': 'DOUBLE', 'text': 'VARCHAR', 'at': 'TIMESTAMPTZ', "
        "'agent': 'VARCHAR'}"
    )
    table = database.sql(
        'SELECT id, flag, number, text, epoch_ms("at"), agent '
        f"FROM read_csv('{path}', header = true, columns = {columns}, "
        "quote = '\"', escape = '\"', strict_mode = true, allow_quoted_nulls = false)"
    )
    expected = [(e["id"], e["flag"], e["number"], e["text"], e["at"], "edge-1") for e in EVENTS]
    assert table.fetchall() == expected
    kind = None if compression == "none" else compression
    with pyarrow.input_stream(path, compression=kind) as stream:
        table = pyarrow.csv.read_csv(
            stream,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                # Its own guess is nanoseconds, which end in 2262.
                column_types={"at": pyarrow.timestamp("ms", "UTC")},
            ),
        )
    assert table.column_names == ["id", "flag", "number", "text", "at", "agent"]
    types = {field.name: str(field.type) for field in table.schema}
    assert types["id"] == "int64" and types["flag"] == "bool" and types["number"] == "double"
    assert types["text"] == "string"
    assert table.column("at").cast(pyarrow.int64()).to_pylist() == [event["at"] for event in EVENTS]
    rows = table.drop_columns("at").to_pylist()
    for row, event in zip(rows, EVENTS, strict=True):
        for name in ("id", "flag", "number", "text"):
            assert row[name] == event[name], (name, row)
