"""Segments at rest: what waits stands in finished files, survives kills, damage and a full disk, and can be
looked at, carried away and given up by hand."""

import gzip
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pyarrow.parquet
import pytest

from faults_kit import needs_mount, small_disk
from lake_kit import FolderLake, agent, file_sink, query, readings, require_balanced, rows, sensors
from weir_kit import wait_until, weir as run_weir

# Segments of 100 rows; a sink that is away is tried seldom enough to be looked at meanwhile.
PIECES = 'max_rows = 100\ncompression = "gzip"'


def away(running):
    """The sink's folder is a file: nothing can be put there."""
    os.makedirs(running.folder, exist_ok=True)
    lake = Path(running.folder) / "lake"
    lake.write_text("a file where the folder should be")
    return lake


def offline_agent(broker, start_weir, count, keys=PIECES, more="", schedule="every 1s"):
    """An agent whose sink is away, with `count` readings of which whole hundreds are in files."""
    running = start_weir(agent() + sensors(broker) + query() + file_sink(keys=keys + more, schedule=schedule))
    lake = away(running)
    running.start()
    broker.publish("plant/1", readings(count))
    wait_until(lambda: running.received("sensors") == count, 20, "the intake")
    wait_until(lambda: listed(running)["unsealed_rows"] < 100, 20, "files of full segments")
    wait_until(lambda: len(staged(running)) == listed(running)["files"] > 0, 20, "the records of files")
    return running, lake


def outbox(running, *arguments, code=0):
    done = run_weir("outbox", arguments[0], running.config, *arguments[1:], cwd=running.folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def listed(running):
    return json.loads(outbox(running, "list", "--json"))[0]


def staged(running):
    return sorted((Path(running.folder) / "state" / "outbox").glob("*/*"))


def come_back(running, lake):
    lake.unlink()
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    require_balanced(running.status())


def sequences(lake):
    return [row["seq"] for row in rows(FolderLake(lake).objects("readings"))]


def test_what_waits_is_in_files_of_full_segments_and_goes_in_order(broker, start_weir):
    running, lake = offline_agent(broker, start_weir, 1050)
    found = listed(running)
    assert found["rows"] == 1050 and found["sink"] == "lake" and found["stream"] == "readings"
    assert found["is_failing"] and "trying again" in found["state"]
    assert "readings: 1050 rows wait" in outbox(running, "list")
    files = staged(running)
    assert 9 <= len(files) <= 11
    inside = sum(len(gzip.decompress(path.read_bytes()).splitlines()) for path in files)
    assert inside == found["rows"] - found["unsealed_rows"]
    come_back(running, lake)
    assert sequences(lake) == list(range(1050))
    assert staged(running) == []


def test_always_writes_files_first_and_leaves_none(broker, start_weir):
    running = start_weir(
        agent() + sensors(broker) + query() + file_sink(keys=PIECES + '\n[sink.outbox]\nfiles = "always"\n')
    ).start()
    broker.publish("plant/1", readings(350))
    wait_until(lambda: running.received("sensors") == 350 and running.pending() == 0, 20, "the upload")
    lake = Path(running.folder) / "lake"
    assert sequences(lake) == list(range(350))
    assert (Path(running.folder) / "state" / "outbox" / "lake").is_dir()
    assert staged(running) == []


@pytest.mark.parametrize(
    "point",
    ["stage.before-files", "stage.after-files", "stage.before-record", "stage.after-record", "stage.after-files:3",
     "put.before", "put.after", "trim.before-write", "trim.after-write"],
)
def test_a_kill_at_any_step_loses_and_repeats_nothing(broker, start_weir, point):
    keys = PIECES + '\n[sink.outbox]\nfiles = "always"\n'
    running = start_weir(agent() + sensors(broker) + query() + file_sink(keys=keys))
    running.start(environment={"WEIR_CRASH_POINT": point})
    broker.publish("plant/1", readings(450))
    wait_until(lambda: running.process.poll() is not None, 20, f"the kill at {point}")
    assert running.process.returncode == -signal.SIGKILL
    running.start()
    wait_until(lambda: running.received("sensors") == 450 and running.pending() == 0, 30, "the rest")
    require_balanced(running.status())
    assert sequences(Path(running.folder) / "lake") == list(range(450))
    assert staged(running) == []


def test_kills_while_the_sink_is_away_keep_files_and_bytes(broker, start_weir):
    running, lake = offline_agent(broker, start_weir, 500)
    before = {path.name: path.read_bytes() for path in staged(running)}
    stray = staged(running)[0].with_name("0-%020d-%020d-0.ndjson.gz" % (900_000, 900_001))
    stray.write_bytes(b"cut short")
    for _ in range(3):
        running.kill()
        running.start()
        wait_until(lambda: listed(running)["is_failing"], 10, "a try")
    after = {path.name: path.read_bytes() for path in staged(running)}
    assert {name: after[name] for name in before} == before, "files stay as they are"
    assert stray.name not in after, "a file that no record names is removed"
    come_back(running, lake)
    assert sequences(lake) == list(range(500))


def test_a_flipped_bit_is_found_by_verify_and_never_leaves(broker, start_weir, tmp_path):
    running, lake = offline_agent(broker, start_weir, 500)
    assert json.loads(outbox(running, "verify", "--json"))["problems"] == []
    segments = json.loads(outbox(running, "show", "lake", "readings", "--json"))
    victim = segments[2]
    detail = json.loads(outbox(running, "show", "lake", "readings", "--row", victim["first"], "--json"))[0]
    path = Path(running.folder) / detail["files"][0]["path"]
    whole = path.read_bytes()
    path.write_bytes(whole[:20] + bytes([whole[20] ^ 4]) + whole[21:])
    found = json.loads(outbox(running, "verify", "--json", code=75))
    problems = found["problems"]
    assert len(problems) == 1 and "its bytes are not those that were written" in problems[0]
    assert found["damaged_rows"] == victim["rows"] and found["rows"] == 500 - victim["rows"]
    copied = json.loads(outbox(running, "export", "--to", tmp_path / "stick", "--json", code=75))
    assert copied["problems"] == problems and copied["rows"] == 500 - victim["rows"], "all else is carried away"
    carried = sequences(tmp_path / "stick" / "lake") + sequences(tmp_path / "stick" / "lake" / "_open")
    assert carried == [seq for seq in range(500) if not victim["first"] <= seq + 1 <= victim["last"]]
    lake.unlink()
    wait_until(lambda: "its bytes are not" in listed(running)["state"], 20, "the refusal")
    sent = sequences(lake)
    assert sent == list(range(victim["first"] - 1)), "all before it, and nothing of it"
    path.write_bytes(whole)
    outbox(running, "retry", "lake")
    wait_until(lambda: running.pending() == 0, 20, "the rest")
    assert sequences(lake) == list(range(500))


def test_a_missing_file_stops_its_sink_alone_until_it_is_discarded(broker, start_weir):
    sinks = file_sink(keys=PIECES) + file_sink("other", name="other", keys=PIECES)
    running = start_weir(agent() + sensors(broker) + query(sinks='["lake", "other"]') + sinks)
    lake = away(running)
    running.start()
    broker.publish("plant/1", readings(300))
    wait_until(lambda: listed(running)["files"] >= 2, 20, "files")
    gone = json.loads(outbox(running, "show", "lake", "readings", "--json"))[0]
    running.kill()
    staged(running)[0].unlink()
    lake.unlink()
    running.start()
    wait_until(lambda: "No such file" in listed(running)["state"], 20, "the sentence")
    broker.publish("plant/1", readings(100, 300))
    wait_until(lambda: len(sequences(Path(running.folder) / "other")) == 400, 20, "the other sink")
    rows_gone = ["--stream", "readings", "--first", gone["first"], "--last", gone["last"]]
    assert "nothing was discarded" in outbox(running, "discard", "lake", *rows_gone)
    assert listed(running)["expired"] == 0
    assert "discarded rows" in outbox(running, "discard", "lake", *rows_gone, "--yes")
    wait_until(lambda: running.pending() == 0, 20, "the rest")
    require_balanced(running.status())
    assert listed(running)["expired"] == gone["rows"]
    assert sequences(lake) == list(range(gone["last"], 400))
    assert f"dropped rows {gone['first']}–{gone['last']} of readings: they were discarded by hand" in running.log()


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


def test_only_who_can_read_the_state_may_ask_for_changes(broker, start_weir):
    running, _ = offline_agent(broker, start_weir, 200)

    def post(path, headers):
        request = urllib.request.Request(f"http://127.0.0.1:{running.http}{path}", method="POST", headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code

    path = "/v1/outbox/discard?sink=lake"
    secret = (Path(running.folder) / "state" / "control").read_text()
    assert (Path(running.folder) / "state" / "control").stat().st_mode & 0o077 == 0
    assert post(path, {}) == 403
    assert post(path, {"Authorization": "Bearer " + "0" * 64}) == 403
    assert post(path, {"Authorization": "Bearer "}) == 403
    assert post("/v1/status", {"Authorization": f"Bearer {secret}"}) == 405
    assert listed(running)["rows"] == 200, "nothing was changed"
    assert post("/v1/outbox/discard?sink=nothing", {"Authorization": f"Bearer {secret}"}) == 409
    assert post("/v1/outbox/discard", {"Authorization": f"Bearer {secret}"}) == 400
    assert post("/v1/outbox/retry?sink=lake", {"Authorization": f"Bearer {secret}"}) == 200


def test_files_count_against_the_bound_and_the_oldest_go_first(broker, start_weir):
    limits = '\nmax_bytes = "1MB"\n[sink.outbox]\nmax_bytes = "2MB"\non_full = "drop_oldest"\n'
    from test_sealing import READ_WIDE, WIDE, wide_messages

    running = start_weir(
        agent() + sensors(broker, columns=WIDE) + query(sql=READ_WIDE)
        + file_sink(keys='max_rows = 250\ncompression = "gzip"' + limits)
    )
    lake = away(running)
    running.start()
    for part in range(6):
        broker.publish("plant/1", wide_messages(10, 1000 * part))
        wait_until(lambda: running.received("sensors") == 1000 * (part + 1), 20)
    wait_until(lambda: listed(running)["bytes"] <= 2_000_000 and listed(running)["appended"] == 6000, 20, "room")
    assert listed(running)["expired"] > 0 and listed(running)["files"] > 0
    assert sum(path.stat().st_size for path in staged(running)) <= 2_300_000
    come_back(running, lake)
    dropped = re.findall(r"error dropped rows (\d+)–(\d+) of readings: the outbox is full", running.log())
    gone = [n for first, last in dropped for n in range(int(first), int(last) + 1)]
    assert len(gone) == len(set(gone)) == listed(running)["expired"]
    assert [row["seq"] for row in rows(FolderLake(lake).objects("readings"))] == sorted(
        set(range(6000)) - {n - 1 for n in gone})


@needs_mount
def test_a_full_disk_pauses_files_and_intake_and_loses_nothing(broker, start_weir, tmp_path):
    with small_disk(tmp_path / "disk", "200m") as disk:
        text = agent('free_space_reserve = "100MB"').replace('"state"', f'"{disk}/state"')
        running = start_weir(text + sensors(broker) + query() + file_sink(keys=PIECES))
        lake = away(running)
        running.start()
        broker.publish("plant/1", readings(50))
        wait_until(lambda: running.received("sensors") == 50, 20)
        filler = disk / "filler"
        filler.write_bytes(b"x" * 165_000_000)
        wait_until(lambda: running.status()["phase"] == "paused", 20, "the pause")
        broker.publish("plant/1", readings(400, 50))
        running.kill()
        running.start(ready=False)
        wait_until(lambda: running.status().get("phase") == "paused", 20, "the pause again")
        filler.unlink()
        wait_until(lambda: running.received("sensors") == 450, 20, "the rest")
        wait_until(lambda: len(list((disk / "state" / "outbox").glob("*/*"))) >= 3, 30, "files")
        come_back(running, lake)
        assert sequences(lake) == list(range(450))
        assert running.stop() == 0


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


def test_what_a_stranger_asks_for_wrongly_is_answered_in_a_sentence(broker, start_weir, tmp_path):
    text = agent() + sensors(broker) + query() + file_sink(keys=PIECES, schedule="every 1d")
    running = start_weir(text)

    def ask(*arguments, code):
        done = run_weir("outbox", arguments[0], running.config, *arguments[1:], cwd=running.folder)
        assert done.returncode == code and done.stdout == "" and done.stderr.count("\n") == 1, done.stdout + done.stderr
        return done.stderr

    assert "there is none; look at agent.state_dir" in ask("list", code=75)
    (Path(running.folder) / "state").mkdir()
    assert "there is nothing of weir in it; no agent has run with it yet" in ask("export", "--to", "x", code=75)
    running.start()
    assert "readings: nothing waits" in outbox(running, "list", "--sink", "lake")
    broker.publish("plant/1", readings(30))
    wait_until(lambda: running.received("sensors") == 30, 20, "the intake")
    assert "for sink lakes: there is none; there is lake" in ask("list", "--sink", "lakes", code=78)
    assert "of sink lakes: there is none; there is lake" in ask("retry", "lakes", code=78)
    assert "row 12 of readings: it is not sealed yet" in ask("show", "lake", "readings", "--row", 12, code=78)
    assert "row 99 of readings: no segment holds it" in ask("show", "lake", "readings", "--row", 99, code=78)
    (tmp_path / "full").write_text("a file where the stick should be")
    assert "Not a directory, when 0 files had been copied" in ask("export", "--to", tmp_path / "full", code=69)
    plan = outbox(running, "discard", "lake")
    assert plan == "would discard rows 1–30 of readings (30)\nnothing was discarded; --yes does it\n"
    assert json.loads(outbox(running, "discard", "lake", "--json")) == [
        {"stream": "readings", "first": 1, "last": 30, "rows": 30}]
    assert listed(running)["rows"] == 30
    running.stop()
    (Path(running.folder) / "state" / "format").write_text("weir state format 99\n")
    assert "written by a newer weir (format 99" in ask("verify", code=75)


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
