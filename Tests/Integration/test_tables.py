"""Tables of files beside live sources: reloading, files that cannot be taken, and kills around a reload."""

import json
import os
import time

import pytest

from lake_kit import FolderLake, agent, file_sink, query, sensors
from weir_kit import wait_until, weir

TABLE = """[[table]]
name = "places"
path = "places.csv"
format = "csv"
key = ["device"]
columns = { device = "STRING", version = "INT" }
"""
SQL = """SELECT s.device, s.seq, p.version FROM sensors AS s LEFT JOIN places AS p ON s.device = p.device"""


def replace(folder, text):
    """Renames another file into the table's place."""
    new = os.path.join(folder, "places.new")
    with open(new, "w") as file:
        file.write(text)
    os.rename(new, os.path.join(folder, "places.csv"))


def version(number, devices=7):
    return "device,version\n" + "".join(f"d{n},{number}\n" for n in range(devices))


def table(running):
    return (running.status().get("tables") or [{}])[0]


def rows(running):
    import gzip

    lake = FolderLake(os.path.join(running.folder, "lake"))
    found = []
    for key, data in lake.objects("readings").items():
        text = gzip.decompress(data) if key.endswith(".gz") else data
        found += [json.loads(line) for line in text.splitlines()]
    return found


def readings(first, count):
    return [json.dumps({"device": f"d{n % 7}", "seq": n}) for n in range(first, first + count)]


@pytest.fixture
def running(broker, start_weir):
    made = start_weir(agent() + sensors(broker) + TABLE + query(sql=SQL) + file_sink())
    return made


def test_a_file_that_is_replaced_is_in_force_for_rows_that_come_then(broker, running):
    replace(running.folder, version(1))
    running.start()
    broker.publish("plant/1", readings(0, 50))
    wait_until(lambda: running.received("sensors") == 50)
    before = table(running)
    assert before["rows"] == 7 and before["loads"] == 1 and before["problem"] == ""
    replace(running.folder, version(2, devices=3))
    wait_until(lambda: table(running)["loads"] == 2, 10, "the reload")
    broker.publish("plant/1", readings(50, 50))
    wait_until(lambda: len(rows(running)) == 100, 20, "all rows")
    for row in rows(running):
        wanted = 1 if row["seq"] < 50 else 2 if row["device"] in ("d0", "d1", "d2") else None
        assert row["version"] == wanted, row
    assert table(running)["version"] != before["version"]
    kept = os.listdir(os.path.join(running.folder, "state", "tables"))
    assert kept == [f"places@{table(running)['version']}"]
    assert 'weir_table_rows{table="places"} 3' in running.get("/metrics")[1]


def test_a_file_that_cannot_be_taken_changes_nothing(broker, running):
    replace(running.folder, version(1))
    path = os.path.join(running.folder, "places.csv")
    running.start()
    for text, reason in (
        (version(9) + "d1,8\n", "line 9: the key (device) of line 9 is that of line 3, too"),
        (version(9) + 'd8,"8', "line 9: a quote is not closed"),
        (version(9) + "d8", "line 9: it has 1 fields, and the first line names 2"),
        (version(9) + "d8,x\n", "line 9: version: expected INT"),
        (None, "No such file or directory"),
    ):
        failures = table(running)["failures"]
        replace(running.folder, text) if text else os.unlink(path)
        wait_until(lambda: table(running)["failures"] > failures, 10, reason)
        assert reason in table(running)["problem"] and table(running)["rows"] == 7
        assert reason in running.log()
    assert 'weir_table_stale{table="places"} 1' in running.get("/metrics")[1]
    assert "the file cannot be taken" in weir("status", running.config, cwd=running.folder).stdout
    broker.publish("plant/1", readings(0, 7))
    wait_until(lambda: len(rows(running)) == 7, 20)
    assert {row["version"] for row in rows(running)} == {1}
    # It starts again without the file, with what the last commit names.
    assert running.stop() == 0
    running.start()
    assert table(running)["rows"] == 7 and "No such file" in table(running)["problem"]
    replace(running.folder, version(3))
    wait_until(lambda: table(running)["problem"] == "", 10)
    broker.publish("plant/1", readings(7, 7))
    wait_until(lambda: len(rows(running)) == 14, 20)
    assert {row["version"] for row in rows(running) if row["seq"] >= 7} == {3}


def test_without_a_file_the_first_start_is_refused(running):
    running.start(ready=False)
    assert running.process.wait(10) == 66
    assert "loading table places from places.csv: No such file or directory" in running.log()


@pytest.mark.parametrize("point", ["table.before-reload:1", "table.after-reload:1", "commit.after-write:6"])
def test_kills_around_a_reload_lose_nothing_and_never_go_back(broker, running, point):
    """Each row once; versions never fall from one row to the next, whenever the process dies."""
    replace(running.folder, version(1))
    running.start(environment={"WEIR_CRASH_POINT": point})
    sent = 0
    number = 1
    for _ in range(12):
        broker.publish("plant/1", readings(sent, 70))
        sent += 70
        if number < 4:
            number += 1
            replace(running.folder, version(number))
        time.sleep(0.4)
        if running.process.poll() is not None:
            assert running.process.returncode == -9
            running.start()
    wait_until(lambda: table(running).get("version", "").endswith(f"-{len(version(4))}"), 10)
    running.process.kill()
    running.process.wait()
    running.start()
    broker.publish("plant/1", readings(sent, 70))
    sent += 70
    wait_until(lambda: len(rows(running)) >= sent, 30, "all rows")
    found = rows(running)
    assert sorted(row["seq"] for row in found) == list(range(sent))
    versions = [row["version"] for row in found]
    assert versions == sorted(versions) and versions[0] == 1 and versions[-1] == 4
