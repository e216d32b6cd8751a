"""Markers on HDFS, Azure and Google under kills, of queries over several sources, and of agents that share a
folder.
"""

import os
import random

import pytest

from lake_kit import AzureLake, FolderLake, GCSLake, HdfsLake, agent, file_sink, query, rows, sensors, sink
from marker_kit import COLUMNS, HOUR, MINUTES, PLACES, START, TIME, expected, look, markers, message
from weir_kit import wait_until

MINUTE = 60_000


@pytest.fixture(params=["webhdfs", "blob", "dfs", "gcs"])
def place(request):
    """The sink's keys and the lake."""
    kind = request.param
    if kind == "webhdfs":
        hdfs = request.getfixturevalue("hdfs")
        folder = hdfs.make_folder("/marked")
        return hdfs.sink(folder), HdfsLake(hdfs, folder)
    if kind == "gcs":
        gcs = request.getfixturevalue("gcs")
        return gcs.sink("marked"), GCSLake(gcs, "marked")
    azure = request.getfixturevalue("azure")
    return azure.sink("marked", kind), AzureLake(azure, "marked", kind)


def test_markers_and_kills_at_each_step(broker, start_weir, place):
    """Eight hours of rows; weir is killed once at each place and the folders are looked at in between."""
    keys, lake = place
    keys += '\npartition_by = "window_start"\nmarker = "_SUCCESS"\n'
    running = start_weir(
        agent() + sensors(broker, TIME, columns=COLUMNS) + query(sql=MINUTES) + sink(keys)
    ).start()
    seen = {}
    places = random.Random(5).sample(PLACES, len(PLACES))
    for step in range(16):
        half = [message(START + step * 30 * MINUTE + n * 15_000) for n in range(120)]
        broker.publish("plant/1", half)
        if step % 2 == 1:
            running.kill()
            look(lake, seen)
            running.start(ready=False, environment={"WEIR_CRASH_POINT": places[step // 2]})
            wait_until(lambda: running.process.poll() is not None or running.pending() == 0, 30, "rest or death")
            running.kill()
            look(lake, seen)
            running.start()
    broker.publish("plant/1", [message(START + 8 * HOUR + 80_000)])
    wait_until(lambda: len(markers(lake, "readings")) == 8, 90, "all markers")
    look(lake, seen)
    assert markers(lake, "readings") == expected("readings", range(8))
    found = rows(data(lake))
    starts = [row["window_start"] for row in found]
    assert len(starts) == len(set(starts)) == 480
    assert all(row["seq"] == 4 for row in found)


def data(lake, stream="readings"):
    """The stream's objects; markers have other names, which `sequence` refuses."""
    folders = {}
    for key in lake.keys():
        if key.startswith(stream + "/date=") and key.endswith(".ndjson"):
            folders[key] = read(lake, key)
    return folders


def read(lake, key):
    if isinstance(lake, HdfsLake):
        return lake.hdfs.get(f"{lake.folder}/{key}", "OPEN")
    if isinstance(lake, GCSLake):
        return lake.bucket.blob(f"{lake.prefix}/{key}").download_as_bytes()
    return lake.read(key) if isinstance(lake, AzureLake) else (lake.folder / key).read_bytes()


def two_sources(broker):
    first = sensors(broker, TIME, columns=COLUMNS, topics='["left/#"]')
    second = first.replace('name = "sensors"', 'name = "others"').replace("left/#", "right/#")
    return first + second


def both(running, count):
    wait_until(lambda: running.received("sensors") + running.received("others") == count, 20, "the intake")


def start_two(broker, start_weir, sql, column):
    keys = f'partition_by = "{column}"\nmarker = "_SUCCESS"'
    return start_weir(agent() + two_sources(broker) + query(sql=sql) + file_sink(keys=keys)).start()


def test_an_hour_of_a_union_is_complete_when_its_last_source_has_passed_it(broker, start_weir):
    sql = "SELECT ts, seq FROM sensors UNION ALL SELECT ts, seq FROM others"
    running = start_two(broker, start_weir, sql, "ts")
    lake = FolderLake(os.path.join(running.folder, "lake"))
    broker.publish("left/1", [message(START), message(START + 3 * HOUR)])
    both(running, 2)
    wait_until(lambda: len(rows(data(lake))) == 2, 20, "the rows of one source")
    running.kill()
    running.start()
    broker.publish("right/1", [message(START + 5), message(START + HOUR + 5000)])
    wait_until(lambda: len(rows(data(lake))) == 4, 20, "the rows of both")
    assert markers(lake, "readings") == [], "the second source has not passed the hour by its delay"
    broker.publish("right/1", [message(START + HOUR + 10_000)])
    wait_until(lambda: markers(lake, "readings"), 20, "the marker")
    assert markers(lake, "readings") == expected("readings", [0])
    broker.publish("right/1", [message(START + 9 * HOUR)])
    wait_until(lambda: len(markers(lake, "readings")) == 2, 20, "what the first source has passed")
    both(running, 6)
    assert markers(lake, "readings") == expected("readings", range(2))
    assert "after its marker" not in running.log()


def test_an_hour_of_a_join_waits_for_what_may_still_match(broker, start_weir):
    sql = """SELECT l.ts, l.seq FROM sensors AS l LEFT JOIN others AS r ON l.device = r.device
        AND r.ts BETWEEN l.ts AND l.ts + INTERVAL '10' MINUTE"""
    running = start_two(broker, start_weir, sql, "ts")
    lake = FolderLake(os.path.join(running.folder, "lake"))
    # A row of 22:58 of a device that nothing matches, and one of 22:59 that rows of 23:05 and 23:08 match.
    broker.publish("left/1", [message(START + 58 * MINUTE, 8).replace('"a"', '"b"')])
    broker.publish("left/1", [message(START + 59 * MINUTE, 7)])
    broker.publish("left/1", [message(START + HOUR + 30 * MINUTE)])
    broker.publish("right/1", [message(START), message(START + HOUR + 5 * MINUTE)])
    both(running, 5)
    assert markers(lake, "readings") == []
    broker.publish("right/1", [message(START + HOUR + 8 * MINUTE), message(START + HOUR + 30 * MINUTE)])
    wait_until(lambda: markers(lake, "readings"), 20, "the marker")
    assert markers(lake, "readings") == expected("readings", [0])
    first = {key: content for key, content in data(lake).items() if "hour=22" in key}
    assert sorted(row["seq"] for row in rows(first)) == [7, 7, 8], "two rows matched, one was left alone"


def agents(broker, start_weir, tmp_path, marker):
    """Two agents that write to one folder."""
    lake = tmp_path / "shared"
    running = []
    for number in (1, 2):
        keys = f'partition_by = "window_start"\nmarker = "{marker}"'
        text = agent() + sensors(broker, TIME, columns=COLUMNS, topics=f'["plant/{number}"]') + query(sql=MINUTES)
        text += file_sink(keys=keys).replace("file:./lake", f"file:{lake}")
        running.append(start_weir(text.replace("edge-1", f"edge-{number}"), name=f"agent-{number}").start())
    for number in (1, 2):
        broker.publish(f"plant/{number}", [message(START), message(START + 1000 * number)])
    for number, each in enumerate(running, 1):
        broker.publish(f"plant/{number}", [message(START + 10 * MINUTE)])
    wait_until(lambda: len(rows(data(FolderLake(lake)))) == 2, 20, "the rows of both")
    return running, FolderLake(lake)


def test_agents_that_share_a_folder_mark_by_their_names(broker, start_weir, tmp_path):
    running, lake = agents(broker, start_weir, tmp_path, "_SUCCESS-{agent}")
    broker.publish("plant/1", [message(START + HOUR + 80_000)])
    wait_until(lambda: markers(lake, "readings", "_SUCCESS-edge-1"), 20, "the first agent's marker")
    assert markers(lake, "readings", "_SUCCESS-edge-2") == []
    broker.publish("plant/2", [message(START + HOUR + 80_000)])
    wait_until(lambda: markers(lake, "readings", "_SUCCESS-edge-2"), 20, "the second agent's marker")
    assert all(each.status()["is_ledger_balanced"] for each in running)


def test_one_marker_is_not_written_for_two_agents(broker, start_weir, tmp_path):
    running, lake = agents(broker, start_weir, tmp_path, "_SUCCESS")
    broker.publish("plant/1", [message(START + HOUR + 80_000)])
    wait_until(lambda: "hours are not marked: agent edge-2 writes to readings/date=" in running[0].log(), 20, "the word")
    assert "put {agent} into marker" in running[0].log()
    wait_until(
        lambda: running[0].status()["sinks"][0]["state"].startswith("hours are not marked: agent edge-2"), 10,
        "the status")
    # Rows go on, and after a restart nothing is marked either.
    running[0].kill()
    running[0].start()
    broker.publish("plant/1", [message(START + HOUR + 10 * MINUTE)])
    wait_until(lambda: len(rows(data(lake))) == 4, 20, "the rows that follow")
    assert markers(lake, "readings") == []
    assert running[0].log().count("hours are not marked") == 2, "said once a start, not once a row"
