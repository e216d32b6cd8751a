"""The upkeep of tables on a shared link: it waits for windows, conditions and budgets and says so, leaves alerts their
time and their reserve, and a crash in its midst leaves none of its bytes uncounted."""

import json
import random
import time

from deltalake import DeltaTable

from lake_kit import S3Lake, agent, query, readings, sensors, sink
from test_planner import WIDE, forwarded, noise, sink_status, window
from weir_kit import wait_until, weir

ALERTS = """
[[query]]
name = "alerts"
sql = "SELECT device, seq FROM sensors WHERE device = 'alert'"
sinks = ["alerts"]
[[query]]
name = "rest"
sql = "SELECT device, seq, text FROM sensors WHERE device <> 'alert'"
sinks = ["lake"]
"""


def entries(s3, prefix, stream="readings"):
    """The operations in a table's log, and how many checkpoints it has."""
    lake = S3Lake(s3, prefix)
    names = [key for key in lake.keys() if key.startswith(f"{stream}/_delta_log/")]
    found = []
    for name in sorted(name for name in names if name.endswith(".json")):
        body = lake.client.get_object(Bucket=lake.bucket, Key=f"{prefix}/{name}")["Body"].read()
        found += [json.loads(line)["commitInfo"]["operation"] for line in body.splitlines() if b"commitInfo" in line]
    return found, sum(name.endswith(".checkpoint.parquet") for name in names)


def upkeep(running, name="lake"):
    return sink_status(running, name).get("upkeep") or {}


def lake(s3, prefix, keys, port=None):
    return sink(s3.sink(prefix, f'format = "delta"\nmax_rows = 25\n{keys}', **({"port": port} if port else {})))


def test_upkeep_waits_for_the_window_and_says_so(broker, start_weir, s3):
    """Rows have left by their deadline; nothing of the kind lets upkeep leave."""
    keys = f'delta.optimize = "every 2s"\ndelta.checkpoint_every = 2\nupload_windows = ["{window(2, 3)}"]\ndeadline = "1s"\n'
    text = agent() + sensors(broker) + query() + lake(s3, "up-window", keys)
    running = start_weir(text).start()
    for part in range(4):
        broker.publish("plant/1", readings(50, 50 * part))
        forwarded(running, 50 * (part + 1))
    wait_until(lambda: "the upload window opens at" in upkeep(running).get("reason", ""), 20, "the wait")
    assert upkeep(running)["what"] == "checkpoint" and upkeep(running)["since"] > 0
    said = weir("status", running.config)
    assert "the tables' checkpoint, due for" in said.stdout and "waits: the upload window opens at" in said.stdout, said
    time.sleep(4)
    operations, checkpoints = entries(s3, "up-window")
    assert set(operations) == {"WRITE"} and checkpoints == 0
    running.stop()
    # With the window open both come, and nothing waits any more.
    running = start_weir(text.replace(window(2, 3), window(-1, 2))).start()
    broker.publish("plant/1", readings(50, 200))
    wait_until(lambda: "OPTIMIZE" in entries(s3, "up-window")[0] and entries(s3, "up-window")[1], 30, "the upkeep")
    wait_until(lambda: not upkeep(running), 20, "the end of the wait")


def test_upkeep_waits_for_the_condition(broker, start_weir, s3, tmp_path):
    flag = tmp_path / "allowed"
    keys = f'delta.optimize = "every 2s"\nonly_when = {{ command = ["/bin/test", "-e", "{flag}"] }}\ndeadline = "1s"\n'
    running = start_weir(agent() + sensors(broker) + query() + lake(s3, "up-condition", keys)).start()
    for part in range(3):
        broker.publish("plant/1", readings(50, 50 * part))
        forwarded(running, 50 * (part + 1), 30)
    wait_until(lambda: upkeep(running).get("what") == "compaction", 30, "the wait")
    assert "OPTIMIZE" not in entries(s3, "up-condition")[0]
    flag.write_text("")
    wait_until(lambda: "OPTIMIZE" in entries(s3, "up-condition")[0], 40, "the compaction")


def test_upkeep_leaves_half_of_the_budget_to_rows(broker, start_weir, s3):
    """60 KB of rows have gone of 100 KB: a compaction would read and write as much again."""
    text = agent() + '[uplink]\nbudget_per_day = "160KB"\n' + sensors(broker, columns=WIDE)
    text += query(sql="SELECT device, seq, text FROM sensors") + lake(s3, "up-budget", 'delta.optimize = "every 2s"\n')
    running = start_weir(text).start()
    for part in range(4):
        broker.publish("plant/1", noise(20, 20 * part))
        forwarded(running, 20 * (part + 1))
    wait_until(lambda: "in the half that upkeep may use" in upkeep(running).get("reason", ""), 20, "the wait")
    sent = running.status()["uplink"]["sent_today"]
    assert sent >= 80_000
    time.sleep(3)
    assert "OPTIMIZE" not in entries(s3, "up-budget")[0]
    # Rows may still leave.
    broker.publish("plant/1", noise(20, 80))
    forwarded(running, 100)


def test_alerts_do_not_wait_for_a_compaction(broker, start_weir, s3, fault_proxy):
    """A compaction that takes ten seconds of a line of 40 KB/s; alerts go out in the midst of it, at their schedule."""
    proxy = fault_proxy(s3.port)
    head = agent() + '[uplink]\nmax_upload_rate = "40KB/s"\n' + sensors(broker, columns=WIDE) + ALERTS
    alerts = sink(s3.sink("up-alerts", 'priority = "high"', port=proxy.port), name="alerts", schedule="every 1s")
    running = start_weir(head + alerts + lake(s3, "up-raw", "", port=proxy.port)).start()
    for part in range(24):
        broker.publish("plant/1", noise(25, 25 * part, device="a"))
    wait_until(lambda: running.pending() == 0 and running.received("sensors") == 600, 90, "the raw rows")
    before = running.status()["uplink"]["sent_today"]
    running.stop()
    running = start_weir(head + alerts + lake(s3, "up-raw", 'delta.optimize = "every 1s"\n', port=proxy.port)).start()
    wait_until(lambda: running.status()["uplink"]["sent_today"] > before + 600_000, 30, "the compaction's charge")
    assert "OPTIMIZE" not in entries(s3, "up-raw", "rest")[0]
    waits = []
    for n in range(4):
        begin = time.monotonic()
        broker.publish("plant/1", [json.dumps({"device": "alert", "seq": 1000 + n})])
        wait_until(lambda: len(S3Lake(s3, "up-alerts").objects("alerts")) == n + 1, 20, "the alert", every=0.02)
        waits.append(time.monotonic() - begin)
    assert max(waits) < 4, waits
    assert "OPTIMIZE" not in entries(s3, "up-raw", "rest")[0], "they went beside it"
    wait_until(lambda: "OPTIMIZE" in entries(s3, "up-raw", "rest")[0], 90, "the compaction")


def test_a_kill_in_the_midst_leaves_nothing_uncounted(broker, start_weir, s3, fault_proxy):
    proxy = fault_proxy(s3.port)
    head = agent() + '[uplink]\nbudget_per_month = "100MB"\n' + sensors(broker, columns=WIDE)
    head += query(sql="SELECT device, seq, text FROM sensors")

    def sent(running):
        return running.status()["uplink"]["sent_today"]

    running = start_weir(head + lake(s3, "up-kill", "", port=proxy.port)).start()
    for part in range(4):
        broker.publish("plant/1", noise(25, 25 * part))
    wait_until(lambda: running.pending() == 0 and running.received("sensors") == 100, 60, "the rows")
    before = sent(running)
    running.stop()
    total = sum(len(body) for body in S3Lake(s3, "up-kill").objects("readings").values())
    # The file goes up and its answer is long in coming; then weir dies.
    proxy.rules({"match": r"^PUT .*-c\d+\.parquet", "fault": "delay", "seconds": 6})
    running = start_weir(head + lake(s3, "up-kill", 'delta.optimize = "every 1s"\n', port=proxy.port)).start()
    wait_until(lambda: proxy.requests("delay"), 30, "the compacted file")
    running.kill()
    proxy.rules()
    running = start_weir(head + lake(s3, "up-kill", "", port=proxy.port)).start()
    counted = sent(running) - before
    assert counted >= 2 * total, f"{counted} of {2 * total} bytes that went are counted"
    running.stop()
    # Once it has gone through, what it took is what is counted: not its estimate, and not the lost one again.
    before = before + counted
    running = start_weir(head + lake(s3, "up-kill", 'delta.optimize = "every 1s"\n', port=proxy.port)).start()
    wait_until(lambda: "OPTIMIZE" in entries(s3, "up-kill")[0], 30, "the compaction")
    time.sleep(2)
    took = sent(running) - before
    assert 1.7 * total < took < 2.6 * total + 50_000, (took, total)


def test_upkeep_that_rows_never_leave_time_for_is_told(broker, start_weir, s3, fault_proxy):
    """Every upload takes a second and rows never cease: the compaction is due and says that it waits."""
    proxy = fault_proxy(s3.port)
    proxy.rules({"match": r"^PUT .*\.parquet", "fault": "delay", "seconds": 1.2})
    text = agent() + sensors(broker) + query() + lake(s3, "up-busy", 'delta.optimize = "every 2s"\n', port=proxy.port)
    running = start_weir(text).start()
    seq, end = 0, time.monotonic() + 40
    while time.monotonic() < end and "rows that wait to be sent go first" not in upkeep(running).get("reason", ""):
        broker.publish("plant/1", readings(100, seq))
        seq += 100
        time.sleep(0.4)
    assert upkeep(running)["what"] == "compaction" and "go first" in upkeep(running)["reason"]
    proxy.rules()
    wait_until(lambda: "OPTIMIZE" in entries(s3, "up-busy")[0], 60, "the compaction, once there is time")
