"""`weir replay`: what it reads, what it prints, and where results go."""

import json
import os

from cli_kit import replay, unconnected
from lake_kit import FolderLake, S3Lake, agent, file_sink, query, readings, require_each_once, sink

ONE_QUERY = query(sinks="[]")
TWO_QUERIES = ONE_QUERY + query("odd", "SELECT seq FROM sensors WHERE MOD(seq, 2) = 1", "[]")


def test_replay_from_standard_input_prints_rows_and_nothing_else(tmp_path):
    text = unconnected() + ONE_QUERY
    done = replay(tmp_path, text, "--input", "sensors=-", "--output", "-", stdin="\n".join(readings(3)))
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [json.loads(r) for r in readings(3)]
    assert "sensors: 3 rows, 0 rejected" in done.stderr
    quiet = replay(tmp_path, text, "--input", "sensors=-", "--output", "-", "--quiet", stdin="{}\nbroken\n")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert [json.loads(line) for line in quiet.stdout.splitlines()] == [{"device": None, "seq": None}]
    empty = replay(tmp_path, text, "--input", "sensors=-", "--output", "-", "--quiet", stdin="")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert os.listdir(tmp_path) == ["weir.toml"], "no state is left behind"


def test_replay_of_one_query_of_several(tmp_path):
    text = unconnected() + TWO_QUERIES
    arguments = ["--input", "sensors=-", "--output", "-", "--quiet"]
    done = replay(tmp_path, text, *arguments, stdin="{}")
    assert done.returncode == 78 and done.stdout == ""
    assert "choose with --query: readings, odd" in done.stderr
    done = replay(tmp_path, text, *arguments, "--query", "od", stdin="{}")
    assert done.returncode == 78 and "did you mean odd?" in done.stderr
    done = replay(tmp_path, text, *arguments, "--query", "odd", stdin="\n".join(readings(4)))
    assert done.stdout == '{"seq":1}\n{"seq":3}\n'


def test_replay_into_a_folder(tmp_path):
    inputs = "\n".join(readings(4) + ["broken"])
    arguments = ["--input", "sensors=-", "--output", "out"]
    done = replay(tmp_path, unconnected() + TWO_QUERIES, *arguments, stdin=inputs)
    assert done.returncode == 0, done.stderr
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.ndjson"))
    assert [name for name in found if not name.startswith("_late")] == [
        "_rejected/sensors.ndjson", "odd.ndjson", "readings.ndjson",
    ]  # fmt: skip
    assert len((tmp_path / "out/readings.ndjson").read_text().splitlines()) == 4
    rejected = json.loads((tmp_path / "out/_rejected/sensors.ndjson").read_text())
    assert rejected["payload"] == "broken"


def test_replay_names_what_is_wrong_with_its_inputs(tmp_path):
    text = unconnected() + ONE_QUERY
    done = replay(tmp_path, text, "--input", "sensor=-", "--output", "-", stdin="")
    assert done.returncode == 78
    assert "there is no source sensor; did you mean sensors?" in done.stderr
    done = replay(tmp_path, text, "--input", "sensors=absent.ndjson", "--output", "-", "--quiet")
    assert done.returncode == 66
    assert done.stderr == "weir: opening absent.ndjson: No such file or directory\n"
    done = replay(tmp_path, text, "--output", "-")
    assert done.returncode == 66
    assert "it has no input; give it one with --input sensors=FILE" in done.stderr
    done = replay(tmp_path, text, "--input", "sensors=.", "--output", "-")
    assert done.returncode == 66, done.stderr
    assert done.stdout == ""


def test_replay_of_two_sources_lets_them_advance_together(tmp_path):
    columns = 'columns = { ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_s" }, v = "BIGINT" }\n'
    text = agent().replace("@HTTP@", "off")
    for name in ("north", "south"):
        text += f'[[source]]\nname = "{name}"\ntype = "file"\npath = "{name}.ndjson"\n{columns}'
        text += '[source.time]\ncolumn = "ts"\n'
        text += query(
            f"{name}_minute",
            "SELECT window_start, COUNT(*) AS n, SUM(v) AS v "
            f"FROM TABLE(TUMBLE(TABLE {name}, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
            "GROUP BY window_start, window_end",
            "[]",
        )
    for name, count in (("north", 600), ("south", 300)):
        lines = [json.dumps({"ts": 1_700_000_040 + n, "v": n}) + "\n" for n in range(count)]
        (tmp_path / f"{name}.ndjson").write_text("".join(lines))
    done = replay(tmp_path, text, "--output", "out", "--batch-rows", "7")
    assert done.returncode == 0, done.stderr
    for name, windows in (("north", 10), ("south", 5)):
        rows = [json.loads(line) for line in (tmp_path / f"out/{name}_minute.ndjson").read_text().splitlines()]
        assert [row["n"] for row in rows] == [60] * windows
        assert [row["v"] for row in rows] == [sum(range(60 * i, 60 * i + 60)) for i in range(windows)]


def test_replay_without_output_uses_the_configured_sinks(tmp_path):
    text = unconnected() + query() + file_sink(schedule="every 7d")
    done = replay(tmp_path, text, "--input", "sensors=-", stdin="\n".join(readings(500)))
    assert done.returncode == 0, done.stderr
    require_each_once(FolderLake(tmp_path / "lake"), range(500))
    assert sorted(os.listdir(tmp_path)) == ["lake", "weir.toml"]


def test_replay_into_an_s3_gateway(tmp_path, s3):
    text = unconnected() + query() + sink(s3.sink("replay", 'compression = "zstd"'), schedule="every 7d")
    done = replay(tmp_path, text, "--input", "sensors=-", stdin="\n".join(readings(500)))
    assert done.returncode == 0, done.stderr
    require_each_once(S3Lake(s3, "replay"), range(500))
