"""Limits and what happens at them: a full outbox, a full disk, more keys than memory, changed queries."""

import base64
import json
import random
import re

from faults_kit import needs_mount, small_disk
from lake_kit import FolderLake, agent, file_sink, query, readings, sensors
from weir_kit import read_lake, wait_until, weir as run_weir


def bulky(count, first=0):
    """Readings that do not compress, of about a kilobyte."""
    noise = random.Random(first)
    return [
        json.dumps({"device": base64.b64encode(noise.randbytes(750)).decode(), "seq": n})
        for n in range(first, first + count)
    ]


def sequences(folder, stream="readings"):
    return [row["seq"] for row in read_lake(folder, stream)]


def stream(weir, name="readings"):
    found = [s for sink in weir.status()["sinks"] for s in sink["streams"] if s["name"] == name]
    return found[0]


def test_a_full_outbox_pauses_the_intake_and_loses_nothing(broker, start_weir, tmp_path):
    blocked = tmp_path / "weir" / "lake"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder should be")
    sink = file_sink(keys='max_bytes = "1MB"\n[sink.outbox]\nmax_bytes = "1MB"\non_full = "pause"')
    weir = start_weir(agent('commit_interval = "20ms"') + sensors(broker, keys='client_id = "full"\nreceive_maximum = 200') + query() + sink)
    weir.start()
    broker.publish("plant/1", bulky(4000))
    wait_until(lambda: weir.status()["phase"] == "paused", what="the pause")
    assert "outbox of sink lake is full" in weir.get("/readyz")[1]
    paused_at = weir.received("sensors")
    assert paused_at < 4000
    blocked.unlink()
    wait_until(lambda: weir.received("sensors") == 4000 and weir.pending() == 0, 60, "the rest")
    # The publisher's own window may let a message overtake another; each must be there once.
    assert sorted(sequences(blocked)) == list(range(4000))


def test_a_full_outbox_drops_the_oldest_and_says_what(broker, start_weir, tmp_path):
    blocked = tmp_path / "weir" / "lake"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder should be")
    sink = file_sink(schedule="every 1h", keys='max_bytes = "1MB"\n[sink.outbox]\nmax_bytes = "3MB"\non_full = "drop_oldest"')
    weir = start_weir(agent('commit_interval = "20ms"') + sensors(broker) + query() + sink).start()
    broker.publish("plant/1", bulky(8000))
    wait_until(lambda: weir.received("sensors") == 8000, what="the intake")
    # With everything appended and the bound kept, nothing more is dropped.
    after = wait_until(
        lambda: [
            s for s in [stream(weir)] if s["appended"] == 8000 and s["pending_bytes"] <= 3_000_000
        ],
        what="the bound",
    )[0]
    assert after["expired"] > 0
    assert after["appended"] == 8000 == after["forwarded"] + after["pending"] + after["expired"]
    assert weir.status()["is_ledger_balanced"]
    ranges = re.findall(r"dropped rows (\d+)–(\d+) of readings: the outbox is full", weir.log())
    assert sum(int(last) - int(first) + 1 for first, last in ranges) == after["expired"]


@needs_mount
def test_the_reserve_of_free_space_pauses_the_intake(broker, start_weir, tmp_path):
    with small_disk(tmp_path / "disk", "200m") as disk:
        text = agent('free_space_reserve = "100MB"').replace('"state"', f'"{disk}/state"')
        weir = start_weir(text + sensors(broker) + query() + file_sink()).start()
        filler = disk / "filler"
        with open(filler, "wb") as f:
            f.write(b"x" * 120_000_000)
        wait_until(lambda: weir.status()["phase"] == "paused", what="the pause")
        broker.publish("plant/1", readings(50))
        filler.unlink()
        wait_until(lambda: weir.received("sensors") == 50 and weir.pending() == 0, what="the rest")
        assert sorted(sequences(tmp_path / "weir" / "lake")) == list(range(50))
        assert weir.stop() == 0


def replay_text(sql, keys=""):
    return (
        f'[agent]\nid = "limits"\nstate_dir = "unused"\n{keys}\n'
        '[[source]]\nname = "s"\ntype = "file"\npath = "s.ndjson"\n'
        'columns = { k = "STRING", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }, v = "BIGINT" }\n'
        'time = { column = "ts" }\n'
        f'[[query]]\nname = "q"\nsql = """{sql}"""\n'
    )


def test_more_keys_than_the_cache_holds_come_out_right(tmp_path):
    keys = 100_000
    order = list(range(keys))
    random.Random(5).shuffle(order)
    with open(tmp_path / "s.ndjson", "w") as f:
        for turn in (0, 1):
            for n in order:
                f.write(f'{{"k":"key-{n:06d}","ts":{1_700_000_000_000 + turn},"v":{n + turn}}}\n')
    sql = """SELECT k, COUNT(*) AS n, SUM(v) AS s, MAX(v) AS top
        FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end, k"""
    outputs = []
    for cache in ("1MB", "64MB"):
        (tmp_path / "c.toml").write_text(replay_text(sql, f'state_cache = "{cache}"'))
        done = run_weir("replay", "c.toml", "--output", "-", "--quiet", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    rows = [json.loads(line) for line in outputs[0].splitlines()]
    assert rows == [{"k": f"key-{n:06d}", "n": 2, "s": 2 * n + 1, "top": n + 1} for n in range(keys)]


WINDOW = """SELECT window_start, device, COUNT(*) AS n{more}
FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, device"""


def test_an_unchanged_query_keeps_its_windows_and_a_changed_one_starts_empty(broker, start_weir, tmp_path):
    columns = 'device = "STRING", seq = "BIGINT", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }'

    def text(more, comment=""):
        return (
            agent()
            + sensors(broker, columns=columns, keys='client_id = "changing"\ntime = { column = "ts" }')
            + query("counts", comment + WINDOW.format(more=more))
            + file_sink()
        )

    def reading(minute, second):
        return json.dumps({"device": "a", "seq": 1, "ts": 1_700_000_040_000 + minute * 60_000 + second * 1000})

    weir = start_weir(text("")).start()
    broker.publish("plant/1", [reading(0, 1), reading(0, 2)])
    wait_until(lambda: weir.received("sensors") == 2, what="the readings")
    assert weir.stop() == 0
    # Another text of the same query: its open window goes on.
    weir = start_weir(text("", "-- the same\n")).start()
    broker.publish("plant/1", [reading(0, 3), reading(1, 0)])
    lake = tmp_path / "weir" / "lake"
    wait_until(lambda: [row["n"] for row in read_lake(lake, "counts")] == [3], what="the first window")
    assert weir.stop() == 0
    # Another query under the same name: the open window is dropped, and that is said.
    weir = start_weir(text(", SUM(seq) AS s")).start()
    broker.publish("plant/1", [reading(1, 5), reading(2, 0)])
    wait_until(lambda: len(read_lake(lake, "counts")) == 2, what="the second window")
    assert read_lake(lake, "counts")[1]["n"] == 1
    assert "query counts has changed since the last run" in weir.log()
    assert weir.stop() == 0


def test_bounds_seal_before_the_schedule(broker, start_weir, tmp_path):
    sink = file_sink(schedule="0 0 1 1 *", keys="max_rows = 100")
    weir = start_weir(agent() + sensors(broker) + query() + sink).start()
    broker.publish("plant/1", readings(250))
    wait_until(lambda: weir.received("sensors") == 250, what="the intake")
    lake = FolderLake(tmp_path / "weir" / "lake")
    wait_until(lambda: len(lake.objects("readings")) >= 2, what="two objects")
    status = stream(weir)
    assert status["forwarded"] + status["pending"] == 250 and status["pending"] < 100
    for key in lake.objects("readings"):
        first, last = map(int, re.search(r"-(\d{20})-(\d{20})\.ndjson$", key).groups())
        assert last - first + 1 <= 100


def test_partitions_follow_the_column_and_not_the_seal(tmp_path):
    (tmp_path / "s.ndjson").write_text(
        "".join(f'{{"k":"a","ts":{1_700_000_000_000 + h * 3_600_000},"v":{h}}}\n' for h in range(40))
    )
    sql = """SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' HOUR))
        GROUP BY window_start, window_end"""
    sink = 'sinks = ["lake"]\n[[sink]]\nname = "lake"\ntype = "file"\nurl = "file:./lake"\npartition_by = "window_start"\n'
    (tmp_path / "c.toml").write_text(replay_text(sql) + sink)
    done = run_weir("replay", "c.toml", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    objects = FolderLake(tmp_path / "lake").objects("q")
    assert len(objects) == 40
    for key, content in objects.items():
        date, hour = re.match(r"q/date=(.*)/hour=(\d\d)/limits-0{19}1-0{18}40\.ndjson$", key).groups()
        rows = [json.loads(line) for line in content.splitlines()]
        assert [row["window_start"][:13] for row in rows] == [f"{date}T{hour}"]
