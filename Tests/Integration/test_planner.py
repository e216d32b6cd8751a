"""When uploads leave, how many bytes they may take, and who goes first, against the S3 gateway and folders."""

import base64
import json
import os
import random
import time
from datetime import datetime, timedelta, timezone

from lake_kit import (
    FolderLake, S3Lake, agent, file_sink, query, readings, require_balanced, require_each_once, sensors, sink,
)
from weir_kit import wait_until

WIDE = 'device = "STRING", seq = "BIGINT", text = "STRING"'


def noise(count, first=0, device="a"):
    """Messages of a kilobyte that nothing compresses."""
    random_bytes = random.Random(first)
    return [
        json.dumps({"device": device, "seq": n, "text": base64.b64encode(random_bytes.randbytes(750)).decode()})
        for n in range(first, first + count)
    ]


def sink_status(running, name="lake"):
    return next((s for s in running.status().get("sinks", []) if s["name"] == name), {})


def forwarded(running, count, seconds=20):
    """Waits until so many rows have come in and none waits."""
    wait_until(lambda: running.received("sensors") == count and running.pending() == 0, seconds, "the upload")


def window(begin, end):
    """A window between two times from now, in hours."""
    now = datetime.now(timezone.utc)
    return "-".join((now + timedelta(hours=h)).strftime("%H:%M") for h in (begin, end))


def test_nothing_leaves_while_the_window_is_closed_until_the_deadline(broker, start_weir, s3, fault_proxy):
    proxy = fault_proxy(s3.port)
    keys = s3.sink("closed", f'upload_windows = ["{window(2, 3)}"]\ndeadline = "8s"', port=proxy.port)
    running = start_weir(agent() + sensors(broker) + query() + sink(keys)).start()
    began = time.monotonic()
    for part in range(4):
        broker.publish("plant/1", readings(100, 100 * part))
        time.sleep(0.5)
    wait_until(lambda: sink_status(running).get("waiting_for") == "window", 10, "the wait for the window")
    assert "waiting: the upload window opens at" in sink_status(running)["state"]
    running.kill()
    running.start()
    time.sleep(max(0, began + 6 - time.monotonic()))
    assert proxy.state()["requests"] == [], "not one request"
    assert running.pending() == 400
    assert 'weir_sink_waiting{sink="lake",for="window"} 1' in running.get("/metrics")[1]
    wait_until(lambda: running.pending() == 0, 20, "the deadline")
    assert time.monotonic() - began >= 8
    objects = require_each_once(S3Lake(s3, "closed"), range(400))
    assert len(objects) == 1, "what has waited goes in one object, not one a tick"
    require_balanced(running.status())


def test_an_open_window_holds_up_nothing(broker, start_weir):
    running = start_weir(
        agent() + sensors(broker) + query()
        + file_sink(keys=f'upload_windows = ["{window(-1, 1)}", "mon-sun 00:00-00:01"]')
    ).start()
    broker.publish("plant/1", readings(100))
    forwarded(running, 100)
    require_each_once(FolderLake(os.path.join(running.folder, "lake")), range(100))


def test_a_command_lets_uploads_go(broker, start_weir, tmp_path):
    mark = tmp_path / "online"
    keys = f'only_when = {{ command = ["test", "-e", "{mark}"], interface = "lo" }}'
    running = start_weir(agent() + sensors(broker) + query() + file_sink(keys=keys)).start()
    broker.publish("plant/1", readings(100))
    wait_until(lambda: sink_status(running).get("waiting_for") == "condition", 10, "the wait")
    assert sink_status(running)["state"] == "waiting: test ended with 1 (only_when)"
    wait_until(lambda: running.pending() == 100, 10, "the rows that wait")
    mark.touch()
    forwarded(running, 100)
    mark.unlink()
    time.sleep(10)
    broker.publish("plant/1", readings(100, 100))
    wait_until(lambda: sink_status(running).get("waiting_for") == "condition", 15, "the second wait")
    mark.touch()
    wait_until(lambda: running.pending() == 0, 20, "the second upload")
    require_each_once(FolderLake(os.path.join(running.folder, "lake")), range(200))


def test_a_budget_holds_over_kills_and_counts_failed_tries(broker, start_weir, s3, fault_proxy):
    proxy = fault_proxy(s3.port)
    uplink = '[uplink]\nbudget_per_day = "300KB"\nbudget_per_month = "10MB"\n'
    running = start_weir(
        agent() + sensors(broker, columns=WIDE)
        + query(sql="SELECT device, seq, text FROM sensors") + sink(s3.sink("budget", port=proxy.port)) + uplink
    )
    running.start()
    # A try that breaks off counts, too.
    proxy.rules({"match": "PUT", "fault": "cut_upload", "bytes": 20_000})
    broker.publish("plant/1", noise(50))
    forwarded(running, 50)
    once = running.status()["uplink"]["sent_today"]
    assert 50_000 + 20_000 < once < 180_000
    for part in range(1, 7):
        broker.publish("plant/1", noise(50, 50 * part))
        time.sleep(1.2)
    wait_until(lambda: sink_status(running).get("waiting_for") == "budget", 15, "the end of the budget")
    assert "the day's budget of 300KB has no room" in sink_status(running)["state"]
    spent = running.status()["uplink"]
    assert spent["sent_today"] <= 300_000 and spent["left_today"] == 300_000 - spent["sent_today"]
    assert spent["sent_this_month"] == spent["sent_today"]
    waiting = running.pending()
    assert waiting > 0
    requests = len(proxy.state()["requests"])
    for _ in range(3):
        running.kill()
        running.start()
        wait_until(lambda: sink_status(running).get("waiting_for") == "budget", 15, "the budget again")
        assert running.status()["uplink"]["sent_today"] == spent["sent_today"]
    assert running.pending() == waiting and len(proxy.state()["requests"]) == requests
    require_balanced(running.status())


def test_a_kill_in_an_upload_forgets_nothing_of_the_budget(broker, start_weir, s3, fault_proxy):
    proxy = fault_proxy(s3.port)
    uplink = '[uplink]\nbudget_per_day = "10MB"\n'
    running = start_weir(
        agent() + sensors(broker, columns=WIDE)
        + query(sql="SELECT device, seq, text FROM sensors") + sink(s3.sink("killed", port=proxy.port)) + uplink
    ).start()
    proxy.rules({"match": "PUT", "fault": "blackhole", "seconds": 60})
    broker.publish("plant/1", noise(100))
    wait_until(lambda: proxy.requests("blackhole"), 15, "the upload")
    running.kill()
    running.start()
    wait_until(lambda: running.pending() == 0, 20, "the second try")
    assert running.status()["uplink"]["sent_today"] > 190_000, "both tries are counted"
    require_each_once(S3Lake(s3, "killed"), range(100))


def test_an_alert_overtakes_a_long_upload(broker, start_weir, s3):
    """300 KB/s; 2.4 MB of raw rows take eight seconds, and the alert comes in the middle."""
    uplink = '[uplink]\nmax_upload_rate = "300KB/s"\n'
    raw = sink(s3.sink("raw", 'priority = "low"'), name="raw")
    alerts = sink(s3.sink("alerts", 'priority = "high"'), name="alerts")
    running = start_weir(
        agent() + sensors(broker, columns=WIDE)
        + query(name="readings", sql="SELECT device, seq, text FROM sensors WHERE device = 'a'", sinks='["raw"]')
        + query(name="alarms", sql="SELECT device, seq FROM sensors WHERE device = 'alarm'", sinks='["alerts"]')
        + raw + alerts + uplink
    ).start()
    broker.publish("plant/1", noise(2400))
    wait_until(lambda: sink_status(running, "raw").get("state", "").startswith("uploading"), 20, "the raw upload")
    began = time.monotonic()
    broker.publish("plant/1", [json.dumps({"device": "alarm", "seq": 1})])
    lake = S3Lake(s3, "alerts")
    wait_until(lambda: lake.objects("alarms"), 10, "the alert")
    assert time.monotonic() - began < 4
    assert sink_status(running, "raw")["streams"][0]["pending"] > 0, "the raw rows are still on their way"
    wait_until(lambda: running.pending() == 0, 60, "the raw rows")
    # Two seconds may have passed before the first byte was asked for, and the pieces may burst a little.
    assert time.monotonic() - began > 4, "the rate holds"
    require_each_once(S3Lake(s3, "raw"), range(2400))


def test_lower_classes_wait_for_higher_ones(broker, start_weir, s3, fault_proxy):
    """While alarms take five seconds of the line, sums and raw rows become due; then they go by class."""
    proxy = fault_proxy(s3.port)
    classes = {"raw": "low", "sums": "normal", "alarms": "high"}
    text = agent() + sensors(broker, columns=WIDE) + '[uplink]\nmax_upload_rate = "300KB/s"\n'
    for name, priority in classes.items():
        device = "alarm" if name == "alarms" else "a"
        text += sink(s3.sink(f"order-{name}", f'priority = "{priority}"', port=proxy.port), name=name)
        text += query(
            name=name, sql=f"SELECT device, seq, text FROM sensors WHERE device = '{device}'", sinks=f'["{name}"]')
    running = start_weir(text).start()
    broker.publish("plant/1", noise(1500, device="alarm"))
    wait_until(lambda: sink_status(running, "alarms").get("state", "").startswith("uploading"), 20, "the alarms")
    broker.publish("plant/1", noise(100))
    wait_until(
        lambda: all(sink_status(running, n).get("waiting_for") == "priority" for n in ("raw", "sums")), 20,
        "the waits")
    assert sink_status(running, "raw")["state"].startswith("waiting: sink ")
    forwarded(running, 1600, 60)
    puts = [target.split("/")[2] for method, target, _ in proxy.state()["requests"] if method == "PUT"]
    assert puts[0] == "order-alarms" and puts.index("order-sums") < puts.index("order-raw"), puts
    require_each_once(S3Lake(s3, "order-alarms"), range(1500), stream="alarms")
    for name in ("raw", "sums"):
        require_each_once(S3Lake(s3, f"order-{name}"), range(100), stream=name)


def test_files_are_of_the_target_size(broker, start_weir):
    keys = 'format = "parquet"\ntarget_size = "200KB"\nmax_age = "15s"\n'
    running = start_weir(
        agent() + sensors(broker, columns=WIDE) + query(sql="SELECT device, seq, text FROM sensors")
        + file_sink(keys=keys).replace('schedule = "every 1s"\n', "")
    ).start()
    lake = FolderLake(os.path.join(running.folder, "lake"))
    for part in range(10):
        broker.publish("plant/1", noise(100, 100 * part))
        time.sleep(0.3)
    broker.publish("plant/1", noise(20, 1000))
    forwarded(running, 1020, 40)
    sizes = [len(content) for content in lake.objects("readings").values()]
    assert len(sizes) >= 3 and all(150_000 < size < 450_000 for size in sizes[:-1]), sizes
