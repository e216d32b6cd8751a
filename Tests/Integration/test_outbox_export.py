"""What waits can be carried away on a stick, sealed or not, in the form that the sink would have got."""

import json
import os
import re
import subprocess
from pathlib import Path

import pyarrow.parquet
import pytest

from faults_kit import needs_mount, small_disk
from lake_kit import agent, file_sink, query, readings, require_balanced, sensors
from outbox_kit import away, listed, offline_agent, outbox, sequences, staged
from weir_kit import wait_until, weir as run_weir


def test_what_waits_can_be_carried_away_and_given_up_without_an_agent(broker, start_weir, tmp_path):
    running, lake = offline_agent(broker, start_weir, 730)
    sealed = json.loads(outbox(running, "show", "lake", "readings", "--json"))
    assert running.stop() == 0
    found = listed(running)
    assert found["state"] == "the agent does not answer" and found["rows"] == 730
    stick = tmp_path / "stick"
    copied = json.loads(outbox(running, "export", "--to", stick, "--json"))
    assert copied["rows"] == 730 and copied["open_rows"] == found["unsealed_rows"] and copied["problems"] == []
    assert copied["files"] == found["files"] + (found["unsealed_rows"] > 0) and len(sealed) == found["files"]
    assert sequences(stick / "lake") == list(range(sealed[-1]["last"]))
    assert sequences(stick / "lake" / "_open") == list(range(sealed[-1]["last"], 730))
    assert "not running" in outbox(running, "retry")
    text = outbox(running, "discard", "lake", "--stream", "readings", "--first", 1, "--last", sealed[-1]["last"], "--yes")
    assert text == f"discarded rows 1–{sealed[-1]['last']} of readings ({sealed[-1]['last']})\n"
    assert staged(running) == [] and listed(running)["expired"] == sealed[-1]["last"]
    cut = run_weir(
        "outbox", "discard", running.config, "lake", "--stream", "readings", "--first", 740, "--last", 750, "--yes",
        cwd=running.folder,
    )
    assert cut.returncode == 0 and "no rows waited" in cut.stdout
    lake.unlink()
    running.start()
    wait_until(lambda: running.pending() == 0, 20, "the rest")
    assert sequences(lake) == list(range(sealed[-1]["last"], 730))
    require_balanced(running.status())


def exported(running, stick, *more):
    """What was exported: (sealed keys, open keys) of the sink `lake`."""
    found = json.loads(outbox(running, "export", "--to", stick, "--json", *more))
    assert found["problems"] == []
    keys = {True: [], False: []}
    for segment in found["segments"]:
        keys[segment["is_sealed"]] += segment["keys"]
    assert found["open_rows"] == listed(running)["unsealed_rows"] or "--sealed-only" in more
    return keys[True], keys[False]


def test_rows_that_are_not_sealed_are_carried_away_too(broker, start_weir, tmp_path):
    running, lake = offline_agent(broker, start_weir, 1000, schedule="every 1d")
    broker.publish("plant/1", readings(37, 1000))
    wait_until(lambda: running.received("sensors") == 1037, 20, "more rows")
    stick = tmp_path / "stick"
    sealed, opened = exported(running, stick)
    assert len(opened) == 1 and opened[0].startswith("_open/readings/date=")
    first, last = re.search(r"-(\d{20})-(\d{20})\.ndjson\.gz$", opened[0]).groups()
    assert int(last) == 1037
    assert sequences(stick / "lake") == list(range(int(first) - 1))
    assert sequences(stick / "lake" / "_open") == list(range(int(first) - 1, 1037))
    # Later the same and more: what it holds again takes the place of the file before.
    broker.publish("plant/1", readings(13, 1037))
    wait_until(lambda: running.received("sensors") == 1050, 20, "more rows")
    again, opened_again = exported(running, stick)
    assert again[: len(sealed)] == sealed and first in opened_again[0] and opened_again != opened
    assert sequences(stick / "lake" / "_open") == list(range(int(first) - 1, 1050))
    everything = {path.relative_to(stick): path.read_bytes() for path in stick.rglob("*.gz")}
    text = outbox(running, "export", "--to", tmp_path / "other")
    assert f"lake readings {int(first)}–1050: exported, not sealed, " in text
    assert f"; {1051 - int(first)} of the rows are not sealed yet" in text
    # Without the agent it is the same.
    running.kill()
    exported(running, tmp_path / "third")
    assert {path.relative_to(tmp_path / "third"): path.read_bytes() for path in (tmp_path / "third").rglob("*.gz")} == everything
    only, none = exported(running, tmp_path / "fourth", "--sealed-only")
    assert only == again and none == [] and not (tmp_path / "fourth" / "lake" / "_open").exists()
    running.kill()
    lake.unlink()
    Path(running.config).write_text(Path(running.config).read_text().replace("every 1d", "every 1s"))
    running.start()
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    require_balanced(running.status())
    assert sequences(lake) == list(range(1050)), "an export takes nothing away"
    for key in again:
        assert (lake / key).read_bytes() == (stick / "lake" / key).read_bytes(), "final names have the final bytes"
    assert "nothing waits" in outbox(running, "export", "--to", tmp_path / "fifth")


@pytest.mark.parametrize("keys", ['format = "parquet"', 'format = "csv"\npartition_by = "ts"', 'format = "delta"'])
def test_an_export_has_the_format_and_the_names_of_the_sink(broker, start_weir, tmp_path, keys):
    columns = 'seq = "BIGINT", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }'
    running = start_weir(
        agent() + sensors(broker, columns=columns) + query(sql="SELECT seq, ts FROM sensors")
        + file_sink(keys=f"max_rows = 100\n{keys}", schedule="every 1d"))
    lake = away(running)
    running.start()
    start = 1_760_000_400_000
    lines = [json.dumps({"seq": seq, "ts": start + 60_000 * seq}) for seq in range(250)]
    broker.publish("plant/1", ["\n".join(lines[:200])])
    wait_until(lambda: running.received("sensors") == 200, 20, "the intake")
    wait_until(lambda: listed(running)["files"] >= 2 and listed(running)["unsealed_rows"] == 0, 20, "files")
    broker.publish("plant/1", ["\n".join(lines[200:])])
    wait_until(lambda: running.received("sensors") == 250, 20, "the rest")
    stick = tmp_path / "stick"
    sealed, opened = exported(running, stick)
    assert sealed and opened
    copied_open = listed(running)["unsealed_rows"]
    found = []
    for path in sorted((stick / "lake").rglob("*-*-*-*.*"), key=lambda path: path.name):
        if path.suffix == ".parquet":
            table = pyarrow.parquet.ParquetFile(path)
            assert (b"weir.is_open" in table.metadata.metadata) == ("_open" in path.parts)
            found += table.read(columns=["seq"])["seq"].to_pylist()
        else:
            found += [int(line.split(",")[0]) for line in path.read_text().splitlines()[1:]]
    assert sorted(found) == list(range(250))
    lake.unlink()
    wait_until(lambda: running.pending() == copied_open, 30, "the upload of what is sealed")
    for key in sealed:
        assert (lake / key).read_bytes() == (stick / "lake" / key).read_bytes()


def test_rows_of_a_row_sink_are_exported_as_lines(broker, start_weir, tmp_path):
    sink = '[[sink]]\nname = "hook"\ntype = "http"\nurl = "http://127.0.0.1:9/"\nretry_min = "1s"\n'
    running = start_weir(agent() + sensors(broker) + query(sinks='["hook"]') + sink).start()
    broker.publish("plant/1", readings(120))
    wait_until(lambda: running.received("sensors") == 120, 20, "the intake")
    copied = json.loads(outbox(running, "export", "--to", tmp_path / "stick", "--json"))
    assert copied["rows"] == 120
    lines = [line for path in (tmp_path / "stick").rglob("*.ndjson") for line in path.read_text().splitlines()]
    assert sorted(json.loads(line)["seq"] for line in lines) == list(range(120))


def test_a_damaged_block_is_found_by_verify_and_the_rest_is_carried_away(broker, start_weir, tmp_path):
    running, _ = offline_agent(broker, start_weir, 500, schedule="every 1d")
    for part in range(3):
        # Rows that do not compress, each commit a block of its own.
        noise = [json.dumps({"device": os.urandom(3000).hex(), "seq": 500 + part})]
        broker.publish("plant/1", noise)
        wait_until(lambda: running.received("sensors") == 501 + part, 20, "the intake")
    # Closing writes what is in the log to tables.
    assert running.stop() == 0
    running.start()
    assert running.stop() == 0
    assert listed(running)["unsealed_rows"] == 3
    tables = sorted((Path(running.folder) / "state" / "db").glob("*.blob"))
    assert tables, "rows are in blobs"
    for table in tables:
        whole = bytearray(table.read_bytes())
        whole[len(whole) // 2] ^= 255
        table.write_bytes(whole)
    found = json.loads(outbox(running, "verify", "--json", code=75))
    assert found["damaged_rows"] > 0 and "Corruption" in found["problems"][0]
    copied = json.loads(outbox(running, "export", "--to", tmp_path / "stick", "--json", code=75))
    assert sequences(tmp_path / "stick" / "lake") == list(range(500)) and len(copied["problems"]) == 1


@needs_mount
def test_a_full_stick_is_told_and_the_export_can_be_repeated(broker, start_weir, tmp_path):
    running, lake = offline_agent(broker, start_weir, 500, schedule="every 1d")
    with small_disk(tmp_path / "stick", "48k") as stick:
        (stick / "filler").write_bytes(b"x" * 36_000)
        done = run_weir("outbox", "export", running.config, "--to", stick, cwd=running.folder)
        assert done.returncode == 69 and re.search(r"No space left on device, when \d files had been copied", done.stderr)
        (stick / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=4m", str(stick)], check=True)
        exported(running, stick)
        assert sequences(stick / "lake") + sequences(stick / "lake" / "_open") == list(range(500))
