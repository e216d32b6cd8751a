"""Markers of complete hours: never before the last row of their hour, once, whatever is killed when."""

import json
import os
import random

import pytest

from lake_kit import FolderLake, S3Lake, agent, file_sink, query, rows, sensors, sink
from marker_kit import COLUMNS, HOUR, MINUTES, PLACES, START, TIME, expected, look, markers, message
from weir_kit import wait_until, weir

def data(lake, stream):
    """The stream's objects; markers have other names."""
    return {
        key: (lake.folder / key).read_bytes() for key in lake.keys()
        if key.startswith(stream + "/date=") and key.endswith(".ndjson")
    }


def test_an_hour_is_marked_when_no_row_of_it_can_come_any_more(broker, start_weir):
    keys = 'partition_by = "window_start"\nmarker = "_SUCCESS-{agent}"'
    running = start_weir(
        agent() + sensors(broker, TIME, columns=COLUMNS) + query(sql=MINUTES) + file_sink(keys=keys)
    ).start()
    lake = FolderLake(os.path.join(running.folder, "lake"))
    name = "_SUCCESS-edge-1"
    for minute in range(0, 60):
        broker.publish("plant/1", [message(START + minute * 60_000)])
    # 23:00:59 and a watermark of 23:00:49: the window that begins at 22:59 has come, one of 22 might still.
    broker.publish("plant/1", [message(START + HOUR + 59_000)])
    wait_until(lambda: len(rows(data(lake, "readings"))) == 60, 20, "all windows of the hour")
    assert markers(lake, "readings", name) == []
    broker.publish("plant/1", [message(START + HOUR + 75_000)])
    wait_until(lambda: markers(lake, "readings", name), 20, "the marker")
    assert markers(lake, "readings", name) == expected("readings", [0], name)
    assert os.path.getsize(lake.folder / markers(lake, "readings", name)[0]) == 0
    # Two hours without rows are complete as well.
    broker.publish("plant/1", [message(START + 4 * HOUR), message(START + 4 * HOUR + 100_000)])
    wait_until(lambda: len(markers(lake, "readings", name)) == 4, 20, "the markers of empty hours")
    assert markers(lake, "readings", name) == expected("readings", range(4), name)
    assert "after its marker" not in running.log()


def test_a_late_row_of_a_plain_condition_is_named(broker, start_weir):
    keys = 'partition_by = "ts"\nmarker = "_SUCCESS"'
    running = start_weir(
        agent() + sensors(broker, TIME, columns=COLUMNS) + query(sql="SELECT ts, seq FROM sensors")
        + file_sink(keys=keys)
    ).start()
    lake = FolderLake(os.path.join(running.folder, "lake"))
    broker.publish("plant/1", [message(START), message(START + HOUR + 20_000)])
    wait_until(lambda: markers(lake, "readings"), 20, "the marker")
    broker.publish("plant/1", [message(START + 5)])
    wait_until(lambda: "after its marker was due" in running.log(), 20, "the warning")
    assert markers(lake, "readings") == expected("readings", [0])


@pytest.mark.parametrize("seed", [1, 2])
def test_markers_and_kills(broker, start_weir, s3, seed):
    """Twelve hours of rows, killed fifteen times at named places and at random."""
    chance = random.Random(seed)
    keys = 'partition_by = "window_start"\nmarker = "_SUCCESS"'
    running = start_weir(
        agent() + sensors(broker, TIME, columns=COLUMNS) + query(sql=MINUTES)
        + sink(s3.sink(f"marked-{seed}", keys))
    ).start()
    lake = S3Lake(s3, f"marked-{seed}")
    seen = {}
    for step in range(48):
        quarter = [message(START + step * 900_000 + n * 15_000) for n in range(60)]
        broker.publish("plant/1", quarter)
        if step % 3 == 2:
            running.kill()
            look(lake, seen)
            running.start(ready=False, environment={"WEIR_CRASH_POINT": chance.choice(PLACES)})
            wait_until(lambda: running.process.poll() is not None or running.pending() == 0, 20, "rest or death")
            running.kill()
            look(lake, seen)
            running.start()
    broker.publish("plant/1", [message(START + 12 * HOUR + 80_000)])
    wait_until(lambda: len(markers(lake, "readings")) == 12, 60, "all markers")
    look(lake, seen)
    assert markers(lake, "readings") == expected("readings", range(12))
    found = [row for key in lake.keys() if key.endswith(".ndjson") and key.startswith("readings/")
             for row in rows({key: lake.client.get_object(
                 Bucket=lake.bucket, Key=f"{lake.prefix}/{key}")["Body"].read()})]
    starts = [row["window_start"] for row in found]
    assert len(starts) == len(set(starts)) == 720
    assert all(row["seq"] == 4 for row in found)


def test_outbox_plan_tells_of_windows_beside_the_agent_and_without_it(broker, start_weir):
    keys = 'upload_windows = ["00:00-00:01"]\ndeadline = "300d"'
    running = start_weir(
        agent() + sensors(broker, columns=COLUMNS) + query(sql="SELECT device, seq FROM sensors")
        + file_sink(keys=keys) + '[uplink]\nbudget_per_day = "1GB"\n'
    ).start()
    broker.publish("plant/1", [message(START, n) for n in range(100)])
    wait_until(lambda: running.pending() == 100, 20, "the rows")
    for _ in range(2):
        done = weir("outbox", "plan", running.config, cwd=running.folder)
        assert done.returncode == 0, done.stderr
        assert "sink lake (normal): 100 rows, about" in done.stdout
        assert "next upload when its window opens, at" in done.stdout
        assert "uplink: 0 B sent today (1.0 GB left), 0 B sent this month" in done.stdout
        told = weir("outbox", "plan", "--json", running.config, cwd=running.folder)
        plan = json.loads(told.stdout)
        assert plan["sinks"][0]["rows"] == 100 and plan["sinks"][0]["next_at"] % 86_400_000 == 0
        assert plan["uplink"]["left_today"] == 1_000_000_000
        running.stop()
