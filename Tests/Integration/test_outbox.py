"""Segments at rest: what waits stands in finished files, survives kills, damage and a full disk, and can be
looked at, carried away and given up by hand."""

import gzip
import json
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from faults_kit import needs_mount, small_disk
from lake_kit import FolderLake, agent, file_sink, query, readings, require_balanced, rows, sensors
from outbox_kit import PIECES, away, come_back, listed, offline_agent, outbox, sequences, staged
from weir_kit import wait_until, weir as run_weir


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
