"""When rows become objects, and what is left of them when the outbox had to give some up."""

import base64
import json
import os
import random
import re

from lake_kit import (
    FolderLake, agent, file_sink, query, readings, require_balanced, require_each_once, rows, sensors,
)
from weir_kit import wait_until

WIDE = 'device = "STRING", seq = "BIGINT", text = "STRING"'
READ_WIDE = "SELECT seq, text FROM sensors"


def wide_messages(count, first=0, rows_each=100):
    """Messages of 100 rows of 1 kB that nothing compresses well."""
    noise = random.Random(first)
    messages = []
    for start in range(first, first + count * rows_each, rows_each):
        numbers = range(start, start + rows_each)
        lines = [json.dumps({"seq": n, "text": base64.b64encode(noise.randbytes(750)).decode()}) for n in numbers]
        messages.append("\n".join(lines))
    return messages


def lake_of(running, folder="lake"):
    return FolderLake(os.path.join(running.folder, folder))


def wait_forwarded(running):
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    require_balanced(running.status())


def stream(running, name):
    return next(s for s in running.status()["sinks"][0]["streams"] if s["name"] == name)


def test_a_paused_intake_stays_paused_over_a_crash_and_loses_nothing(broker, start_weir):
    limits = 'max_bytes = "1MB"\n[sink.outbox]\nmax_bytes = "1MB"\non_full = "pause"\n'
    running = start_weir(agent() + sensors(broker, columns=WIDE) + query(sql=READ_WIDE) + file_sink(keys=limits))
    lake = os.path.join(running.folder, "lake")
    open(lake, "w").close()  # a file where the folder should be
    running.start()
    broker.publish("plant/1", wide_messages(200))
    wait_until(lambda: running.status().get("phase") == "paused", 20, "the pause")
    assert running.get("/readyz") == (503, "paused: the outbox of sink lake is full\n")
    assert "weir_intake_paused 1" in running.get("/metrics")[1]
    wait_until(lambda: 0 < running.pending() == running.received("sensors"), 10, "the commit")
    taken = running.received("sensors")
    assert 0 < taken < 20_000
    assert stream(running, "readings")["pending_bytes"] < 1_000_000 + 2 * (4 << 20), "the bound and one poll"
    running.kill()
    running.start(ready=False)
    wait_until(lambda: running.status().get("phase") == "paused", 20, "the pause again")
    assert running.received("sensors") == taken
    os.remove(lake)
    wait_until(lambda: running.received("sensors") == 20_000, 60, "the intake of the rest")
    wait_forwarded(running)
    assert "warning the intake is paused: the outbox of sink lake is full" in running.log()
    assert "info the intake goes on" in running.log()
    require_each_once(FolderLake(lake), range(20_000))


def test_dropped_rows_are_exactly_those_that_the_log_names(broker, start_weir):
    limits = 'max_bytes = "1MB"\n[sink.outbox]\nmax_bytes = "2MB"\non_full = "drop_oldest"\n'
    running = start_weir(agent() + sensors(broker, columns=WIDE) + query(sql=READ_WIDE) + file_sink(keys=limits))
    lake = os.path.join(running.folder, "lake")
    open(lake, "w").close()
    running.start()
    for part in range(6):
        broker.publish("plant/1", wide_messages(10, 1000 * part))
        wait_until(lambda: running.received("sensors") == 1000 * (part + 1), 20)
    wait_until(lambda: stream(running, "readings")["pending_bytes"] <= 2_000_000, 20, "room in the outbox")
    figures = stream(running, "readings")
    assert figures["appended"] == 6000 and figures["expired"] > 0 and figures["forwarded"] == 0
    assert running.status()["phase"] == "running", "the intake goes on"
    os.remove(lake)
    wait_forwarded(running)
    figures = stream(running, "readings")
    assert figures["forwarded"] + figures["expired"] == figures["appended"] == 6000
    dropped = re.findall(r"error dropped rows (\d+)–(\d+) of readings: the outbox is full", running.log())
    gone = [n for first, last in dropped for n in range(int(first), int(last) + 1)]
    assert len(gone) == len(set(gone)) == figures["expired"]
    found = [row["seq"] for row in rows(lake_of(running).objects("readings"))]
    assert found == sorted(set(range(6000)) - {n - 1 for n in gone})


def test_a_row_that_comes_right_after_a_seal_goes_with_the_next(broker, start_weir):
    running = start_weir(agent() + sensors(broker) + query() + file_sink()).start()
    lake = lake_of(running)
    client = broker.publisher()
    for number in range(5):
        client.publish("plant/1", readings(1, number)[0], qos=1).wait_for_publish(10)
        wait_until(lambda: len(lake.objects("readings")) == number + 1, 10, f"object {number + 1}", every=0.005)
    client.disconnect()
    client.loop_stop()
    require_each_once(lake, range(5))


def test_bytes_and_age_seal_before_the_schedule(broker, start_weir):
    sinks = [
        file_sink("bytes", 'max_bytes = "1KB"', name="bytes", schedule="every 7d"),
        file_sink("age", 'max_age = "1s"', name="age", schedule="off"),
        file_sink("cron", 'time_zone = "Europe/Berlin"', name="cron", schedule="0 3 1 1 *"),
    ]
    names = '["bytes", "age", "cron"]'
    running = start_weir(
        agent() + sensors(broker, columns=WIDE) + query(sql=READ_WIDE, sinks=names) + "".join(sinks)
    ).start()
    broker.publish("plant/1", wide_messages(5, rows_each=50))
    wait_until(lambda: running.received("sensors") == 250)

    def pending(name):
        return next(s for s in running.status()["sinks"] if s["name"] == name)["streams"][0]["pending"]

    wait_until(lambda: pending("age") == 0, 20, "the sink with max_age")
    wait_until(lambda: pending("bytes") == 0, 20, "the sink with max_bytes")
    assert pending("cron") == 250, "not before its time"
    require_each_once(lake_of(running, "age"), range(250))
