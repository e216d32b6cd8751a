"""Pace and budget of `[uplink]` on every way that leaves over a network: HDFS, Azure, Google, a broker, a webhook
and InfluxDB, whose classes are tested here, too. The S3 gateway has them in test_planner.py.
"""

import json
import time

import pytest

from lake_kit import (
    AzureLake, GCSLake, HdfsLake, S3Lake, agent, query, require_balanced, require_each_once, rows, sensors, sink,
)
from rows_kit import Subscriber, row_sink
from test_influx_sink import influxd  # noqa: F401
from test_planner import WIDE, noise, sink_status
from test_webhook_sink import rows_of
from weir_kit import Broker, wait_until
from webhook_server import WebhookServer

RATE = 100_000


class Way:
    """A sink's keys, and what has arrived by it."""

    def __init__(self, keys, arrived, close=lambda: None, sql="SELECT device, seq, text FROM sensors"):
        self.keys, self.arrived, self.close, self.sql = keys, arrived, close, sql

    def require_once(self, numbers):
        found = self.arrived()
        assert sorted(found) == sorted(numbers), f"{len(found)} of {len(numbers)} rows, {len(set(found))} different"


def of_lake(keys, lake):
    return Way(sink(keys), lambda: [row["seq"] for row in rows(lake.objects("readings"))])


def of_broker(tmp_path):
    out = Broker(tmp_path / "out")
    listener = Subscriber(out, "out/#")

    def close():
        listener.stop()
        out.stop()

    keys = row_sink("mqtt", f'url = "{out.url}"\ntopic = "out/{{device}}"', name="lake")
    return Way(keys, lambda: [json.loads(payload)["seq"] for _, _, payload, _ in listener.rows()], close)


def of_webhook():
    hook = WebhookServer()
    keys = row_sink("http", f'url = "{hook.url}/rows"\nbatch_rows = 50', name="lake")
    return Way(keys, lambda: [row["seq"] for request in hook.taken() for row in rows_of(request)], hook.stop)


POINTS = "SELECT device, seq, text, TO_TIMESTAMP_LTZ(seq, 3) AS ts FROM sensors"


def influx_sink(influxd, keys="", database="plant"):  # noqa: F811
    place = f'url = "{influxd.url}"\ndatabase = "{database}"\ntags = ["device"]\ntime_column = "ts"\n'
    return row_sink("influxdb", place + keys, name="lake")


def of_influx(influxd):  # noqa: F811
    keys = influx_sink(influxd, "batch_rows = 50")
    return Way(keys, lambda: [row["seq"] for row in influxd.rows("readings")], sql=POINTS)


@pytest.fixture(params=["webhdfs", "blob", "dfs", "gcs", "mqtt", "http", "influxdb"])
def way(request, tmp_path):
    kind, name = request.param, request.node.name.split("[")[0]
    if kind == "webhdfs":
        hdfs = request.getfixturevalue("hdfs")
        folder = hdfs.make_folder(f"/{name}")
        made = of_lake(hdfs.sink(folder), HdfsLake(hdfs, folder))
    elif kind in ("blob", "dfs"):
        azure = request.getfixturevalue("azure")
        made = of_lake(azure.sink(name, kind), AzureLake(azure, name, kind))
    elif kind == "gcs":
        gcs = request.getfixturevalue("gcs")
        made = of_lake(gcs.sink(name), GCSLake(gcs, name))
    elif kind == "influxdb":
        made = of_influx(request.getfixturevalue("influxd"))
    else:
        made = of_broker(tmp_path) if kind == "mqtt" else of_webhook()
    yield made
    made.close()


def configuration(broker, way, uplink):
    return (
        agent() + sensors(broker, columns=WIDE) + query(sql=way.sql) + way.keys
        + f"[uplink]\n{uplink}\n"
    )


def test_nothing_goes_faster_than_the_rate(broker, start_weir, way):
    running = start_weir(configuration(broker, way, f'max_upload_rate = "{RATE // 1000}KB/s"')).start()
    began = time.monotonic()
    broker.publish("plant/1", noise(350))
    wait_until(lambda: running.received("sensors") == 350 and running.pending() == 0, 60, "all rows")
    took = time.monotonic() - began
    sent = running.status()["uplink"]["sent_today"]
    assert sent > 350 * 1000, "all that was sent is counted"
    assert sent < 350 * 1700
    # Half a second's worth may go at once when a line begins to ask.
    assert took > sent / RATE - 0.6, f"{sent} bytes in {took:.1f} s"
    wait_until(lambda: len(way.arrived()) >= 350, 20, "the rows")
    way.require_once(range(350))
    require_balanced(running.status())


def test_a_budget_holds_over_kills_and_all_rows_arrive_once(broker, start_weir, way):
    text = configuration(broker, way, 'budget_per_day = "300KB"')
    running = start_weir(text).start()
    for part in range(10):
        broker.publish("plant/1", noise(50, 50 * part))
    wait_until(lambda: running.received("sensors") == 500, 30, "the intake")
    wait_until(lambda: sink_status(running).get("waiting_for") == "budget", 60, "the end of the budget")
    # Figures of the status are a moment older than a sink's state.
    time.sleep(0.5)
    spent = running.status()["uplink"]["sent_today"]
    assert 150_000 < spent <= 300_000
    waiting, arrived = running.pending(), len(way.arrived())
    assert 0 < waiting < 500 and arrived * 1000 <= spent
    for _ in range(2):
        running.kill()
        running.start()
        wait_until(lambda: sink_status(running).get("waiting_for") == "budget", 20, "the budget again")
        time.sleep(0.5)
        # Heads of the requests by which a store looks around at a start count, too.
        assert 0 <= running.status()["uplink"]["sent_today"] - spent < 5000
    assert running.pending() == waiting and len(way.arrived()) == arrived
    running.kill()
    with open(running.config, "r+") as file:
        larger = file.read().replace('"300KB"', '"5MB"')
        file.seek(0)
        file.write(larger)
        file.truncate()
    running.start()
    wait_until(lambda: running.pending() == 0, 30, "the rest")
    wait_until(lambda: len(way.arrived()) >= 500, 20, "the rows")
    way.require_once(range(500))
    assert running.status()["uplink"]["sent_today"] > 500 * 1000
    require_balanced(running.status())


def beside_raw_rows(broker, s3, influx, prefix):
    """Points of the device `alarm` are of the class high, raw rows of the others low; 300 KB a second in all."""
    raw = sink(s3.sink(prefix, 'priority = "low"'), name="raw")
    return (
        agent() + sensors(broker, columns=WIDE)
        + query(sql=POINTS + " WHERE device = 'alarm'")
        + query(name="raw", sql="SELECT device, seq, text FROM sensors WHERE device = 'a'", sinks='["raw"]')
        + influx + raw + '[uplink]\nmax_upload_rate = "300KB/s"\n'
    )


def test_points_overtake_a_long_upload(broker, start_weir, s3, influxd):  # noqa: F811
    text = beside_raw_rows(broker, s3, influx_sink(influxd, 'priority = "high"'), "overtaken")
    running = start_weir(text).start()
    broker.publish("plant/1", noise(2400))
    wait_until(lambda: sink_status(running, "raw").get("state", "").startswith("uploading"), 20, "the raw upload")
    for number in range(3):
        began = time.monotonic()
        broker.publish("plant/1", [json.dumps({"device": "alarm", "seq": number, "text": "hot"})])
        wait_until(lambda: len(influxd.rows("readings")) == number + 1, 10, "the point")
        assert time.monotonic() - began < 3
    assert sink_status(running, "raw")["streams"][0]["pending"] > 0, "the raw rows are still on their way"
    wait_until(lambda: running.pending() == 0, 60, "the raw rows")
    require_each_once(S3Lake(s3, "overtaken"), range(2400), stream="raw")


def test_points_that_are_refused_hold_up_no_lower_class(broker, start_weir, s3, influxd):  # noqa: F811
    influx = influx_sink(influxd, 'priority = "high"', database="later")
    running = start_weir(beside_raw_rows(broker, s3, influx, "not-held-up")).start()
    broker.publish("plant/1", [json.dumps({"device": "alarm", "seq": n, "text": "hot"}) for n in range(5)])
    said = "it has no database later (404)"
    wait_until(lambda: said in sink_status(running).get("state", ""), 20, "the refusal")
    broker.publish("plant/1", noise(200))
    lake = S3Lake(s3, "not-held-up")
    wait_until(lambda: sum(content.count(b"\n") for content in lake.objects("raw").values()) == 200, 30, "raw rows")
    wait_until(lambda: running.pending() == 5, 10, "the points that wait")
    assert said in running.log()
    influxd.query("CREATE DATABASE later")
    wait_until(lambda: running.pending() == 0, 20, "the points")
    require_each_once(lake, range(200), stream="raw")
