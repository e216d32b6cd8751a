"""How fast rows leave by the sinks that take rows, and what that costs: a recorded input is replayed into a
private mosquitto, a webhook and InfluxDB's address, each on loopback.

    row_sinks.py WEIR [ROWS]      needs paho-mqtt, mosquitto

Wall time is from start to the last acknowledgement; CPU is weir's own. The same input replayed into a folder is
what everything but sending costs.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "Tests", "Integration"), os.path.join(HERE, "..", "Tests", "Servers")]

import weir_kit  # noqa: E402
from webhook_server import WebhookServer  # noqa: E402

HEAD = """
[agent]
id = "bench"
state_dir = "state"
http = "off"
[[source]]
name = "sensors"
type = "file"
path = "unused"
columns = { device = "STRING", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }, temperature = "DOUBLE" }
[[query]]
name = "readings"
sql = "SELECT ts, device, temperature FROM sensors"
sinks = ["out"]
[[sink]]
name = "out"
"""


def run(weir, folder, sink, rows):
    config = os.path.join(folder, "weir.toml")
    with open(config, "w") as file:
        file.write(HEAD + sink)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(
        [weir, "replay", config, "--input", f"sensors={folder}/input.ndjson"], cwd=folder,
        capture_output=True, text=True)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{rows / wall:12,.0f} rows/s  {wall:6.2f} s  {cpu:6.2f} CPU s  {rows / cpu:12,.0f} rows/CPU s", flush=True)


def main():
    weir, rows = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        with open(f"{folder}/input.ndjson", "w") as file:
            for i in range(rows):
                row = {"device": f"dev-{i % 1000:04d}", "ts": 1_764_157_980_000 + i, "temperature": 20 + i % 7 / 2}
                file.write(json.dumps(row) + "\n")
        broker = weir_kit.Broker(os.path.join(folder, "broker"))
        hook = WebhookServer()
        mqtt = f'type = "mqtt"\nurl = "{broker.url}"\ntopic = "out/{{device}}"\n'
        cases = {
            "folder": 'type = "file"\nurl = "file:./lake"\n',
            "mqtt, QoS 1, window 500": mqtt,
            "mqtt, QoS 1, window 20": mqtt + "max_inflight = 20\n",
            "mqtt, QoS 0": mqtt + "qos = 0\n",
            "http, 1000 rows a request": f'type = "http"\nurl = "{hook.url}/"\n',
            "http, gzip": f'type = "http"\nurl = "{hook.url}/"\ncompression = "gzip"\n',
            "influxdb": f'type = "influxdb"\nurl = "{hook.url}"\nbucket = "b"\ntags = ["device"]\ntime_column = "ts"\n',
        }
        for name, sink in cases.items():
            print(f"{name:28}", end="")
            hook.requests.clear()
            run(weir, folder, sink, rows)
        broker.stop()
        hook.stop()


main()
