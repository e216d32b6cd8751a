"""`outbox.on_full = "coarsen"`: rows of neighbouring windows are merged rather than dropped, whatever dies."""

import json
import os
import random
import re
import time
from bisect import bisect_left
from collections import defaultdict
from datetime import datetime, timezone

import pytest

from lake_kit import FolderLake, agent, file_sink, query, require_balanced, rows, sensors
from weir_kit import wait_until, weir as run_weir

COLUMNS = 'device = "STRING", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }, v = "BIGINT"'
TIME = 'time = { column = "ts", watermark_delay = "0s" }'
MINUTES = """SELECT window_start, window_end, device, COUNT(*) AS n, SUM(v) AS total, MIN(v) AS low, MAX(v) AS high,
    SUM(v) / COUNT(*) AS mean, COUNT(DISTINCT v) AS kinds
    FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, device"""
MINUTE = 60_000
START = 1_760_000_400_000  # a full hour, ms
WIDTHS = {MINUTE, 10 * MINUTE, 60 * MINUTE}


def events(minutes, first=0, devices=80):
    """Each minute some rows of most devices, in order of time; a few minutes and devices are silent."""
    noise = random.Random(first)
    found = []
    for minute in range(first, first + minutes):
        if minute % 37 == 5:
            continue
        for second in sorted(noise.sample(range(60), 3)):
            for device in range(devices):
                if noise.random() < 0.8:
                    time = START + minute * MINUTE + second * 1000
                    found.append({"device": f"device-{device:03}", "ts": time, "v": noise.randrange(-50, 50)})
    return found


def messages(found):
    return ["\n".join(json.dumps(row) for row in found[i : i + 500]) for i in range(0, len(found), 500)]


def instant(text):
    return int(datetime.fromisoformat(text.rstrip("Z").replace(" ", "T")).replace(tzinfo=timezone.utc).timestamp() * 1000)


def oracle(times, found, start, end):
    values = [row["v"] for row in found[bisect_left(times, start) : bisect_left(times, end)]]
    quotient = abs(sum(values)) // len(values) * (1 if sum(values) >= 0 else -1)
    return {
        "n": len(values), "total": sum(values), "low": min(values), "high": max(values), "mean": quotient,
        "kinds": len(set(values)),
    }


def require_oracle(lake_rows, accepted, expired=0):
    """Every row is what its window and device have in the input, whatever its width, and no event is in two."""
    by_device = defaultdict(list)
    for row in accepted:
        by_device[row["device"]].append(row)
    times = {device: [row["ts"] for row in found] for device, found in by_device.items()}
    covered = 0
    last = defaultdict(int)
    for row in lake_rows:
        start, end = instant(row["window_start"]), instant(row["window_end"])
        assert row["window_width"] == end - start and end - start in WIDTHS
        assert start % row["window_width"] == 0 and start >= last[row["device"]]
        last[row["device"]] = end
        expected = oracle(times[row["device"]], by_device[row["device"]], start, end)
        assert {name: row[name] for name in expected} == expected, row
        assert not any("state" in name for name in row), "nothing hidden is shown"
        covered += row["n"]
    if not expired:
        # The last minute's window is open.
        end = max(instant(row["window_end"]) for row in lake_rows)
        assert covered == sum(row["ts"] < end for row in accepted)


def stream(running, name="minutes"):
    return next(s for s in running.status()["sinks"][0]["streams"] if s["name"] == name)


def text(broker, keys="", outbox='on_full = "coarsen"\ncoarsen = ["10m", "1h"]', schedule="every 1s", sql=MINUTES):
    limits = f'max_bytes = "1MB"\ncompression = "zstd"\n{keys}\n[sink.outbox]\nmax_bytes = "1MB"\n{outbox}\n'
    return (
        agent('commit_interval = "20ms"')
        + sensors(broker, keys=TIME, columns=COLUMNS)
        + query(name="minutes", sql=sql)
        + file_sink(keys=limits, schedule=schedule)
    )


def block(running):
    """Puts a file where the sink's folder should be: nothing can be stored."""
    lake = os.path.join(running.folder, "lake")
    open(lake, "w").close()
    return lake


def cut_off(running, broker, first):
    """Sends the first rows and waits until they could not be stored: what comes later is not sealed."""
    broker.publish("plant/1", messages(first))
    wait_until(lambda: running.status()["sinks"][0]["upload_failures"] > 0, 30, "the first failure")


def wait_taken(running, count):
    wait_until(lambda: running.received("sensors") == count, 60, f"the intake of {count}")


def settle(running):
    """Waits until the outbox keeps to its bound and nothing in it has changed for a second."""
    wait_until(lambda: stream(running)["pending_bytes"] <= 1_000_000, 60, "room in the outbox")
    last, since = None, time.monotonic()
    while time.monotonic() - since < 1:
        s = stream(running)
        now = (s["appended"], s["merged"], s["expired"], s["pending"])
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.1)


def test_days_offline_come_out_in_mixed_widths(broker, start_weir):
    running = start_weir(text(broker))
    lake = block(running)
    running.start()
    accepted = events(5)
    cut_off(running, broker, accepted)
    for part in range(6):
        found = events(240, first=240 * part + 5)
        accepted += found
        broker.publish("plant/1", messages(found))
        wait_taken(running, len(accepted))
    settle(running)
    figures = stream(running)
    assert figures["merged"] > figures["made"] > 0 and figures["expired"] == 0
    assert running.status()["phase"] == "running"
    require_balanced(running.status())
    assert 'weir_outbox_rows_merged_total{sink="lake",stream="minutes"}' in running.get("/metrics")[1]
    os.remove(lake)
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    require_balanced(running.status())
    figures = stream(running)
    assert figures["appended"] + figures["made"] == figures["forwarded"] + figures["merged"]
    found = rows(FolderLake(lake).objects("minutes"))
    assert len(found) == figures["forwarded"]
    require_oracle(found, accepted)
    widths = [row["window_width"] for row in found]
    assert set(widths) >= {MINUTE, 10 * MINUTE}
    assert "the outbox is nearly full:" in running.log() and "of windows of 10m" in running.log()
    assert re.search(r"\+ \d+ merged into \d+ coarser ones", run_weir("status", running.config).stdout)
    running.stop()


@pytest.mark.parametrize("point", ["coarsen.staged", "coarsen.before-write", "coarsen.after-write"])
def test_a_crash_merges_rows_once(broker, start_weir, point):
    running = start_weir(text(broker))
    lake = block(running)
    first, later = events(5), events(1800, first=5)
    accepted = first + later
    running.start(environment={"WEIR_CRASH_POINT": point})
    cut_off(running, broker, first)
    broker.publish("plant/1", messages(later))
    wait_until(lambda: running.process.poll() is not None, 60, "the kill")
    # Once more, at the merge that follows if there is one.
    running.start(environment={"WEIR_CRASH_POINT": point}, ready=False)
    try:
        wait_until(lambda: running.process.poll() is not None, 10, "the second kill")
    except AssertionError:
        running.kill()
    running.start()
    wait_taken(running, len(accepted))
    settle(running)
    assert stream(running)["merged"] > 0
    os.remove(lake)
    running.kill()
    running.start()
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    require_balanced(running.status())
    require_oracle(rows(FolderLake(lake).objects("minutes")), accepted)


@pytest.mark.parametrize("then", ["drop_oldest", "pause"])
def test_what_comes_when_no_row_can_be_merged(broker, start_weir, then):
    sql = """SELECT window_start, window_end, device, COUNT(*) AS n
        FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, device"""
    outbox = f'on_full = "coarsen"\ncoarsen = ["2m"]\nthen = "{then}"'
    running = start_weir(text(broker, outbox=outbox, sql=sql))
    lake = block(running)
    running.start()
    noise = random.Random(9)
    accepted = [
        {"device": f"{noise.randbytes(40).hex()}", "ts": START + 10 * i, "v": 1} for i in range(46_100)
    ]
    cut_off(running, broker, accepted[:6100])
    broker.publish("plant/1", messages(accepted[6100:]))
    if then == "pause":
        wait_until(lambda: running.status().get("phase") == "paused", 30, "the pause")
        assert stream(running)["expired"] == 0
        os.remove(lake)
        wait_taken(running, len(accepted))
    else:
        wait_taken(running, len(accepted))
        wait_until(lambda: stream(running)["expired"] > 0, 30, "the drop")
        settle(running)
        os.remove(lake)
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    require_balanced(running.status())
    figures = stream(running)
    assert figures["appended"] + figures["made"] == figures["forwarded"] + figures["merged"] + figures["expired"]
    found = rows(FolderLake(lake).objects("minutes"))
    assert len(found) == figures["forwarded"]
    assert len({row["device"] for row in found}) == len(found)


def test_other_sinks_of_the_query_see_nothing_of_it(broker, start_weir):
    plain = file_sink(folder="plain", name="plain")
    running = start_weir(
        agent() + sensors(broker, keys=TIME, columns=COLUMNS)
        + query(name="minutes", sql=MINUTES, sinks='["lake", "plain"]')
        + file_sink(keys='[sink.outbox]\non_full = "coarsen"\ncoarsen = ["10m"]') + plain
    ).start()
    accepted = events(5)
    broker.publish("plant/1", messages(accepted))
    wait_taken(running, len(accepted))
    wait_until(lambda: running.pending() == 0 and len(FolderLake(os.path.join(running.folder, "plain")).keys()) > 0)
    lakes = {name: rows(FolderLake(os.path.join(running.folder, name)).objects("minutes")) for name in ("lake", "plain")}
    assert all(row.pop("window_width") == MINUTE for row in lakes["lake"])
    assert lakes["lake"] == lakes["plain"] != []
