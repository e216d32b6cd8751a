"""What the crash harness runs: a private broker, a publisher that keeps a ledger, and weir itself. Each
listens on a free loopback port, writes below the run's folder and is stopped by its process id."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import paho.mqtt.client as mqtt

from feed import DELAY_MS, HOP_MS, TUMBLE_MS

CONFIGURATION = """\
# Written by the crash harness.
[agent]
id = "crash"
state_dir = "{folder}/state"
commit_interval = "{commit_interval}"
free_space_reserve = "16MB"
http = "127.0.0.1:{http}"

[[source]]
name = "sensors"
type = "mqtt"
url = "mqtt://127.0.0.1:{port}"
topics = ["plant/+/telemetry"]
client_id = "weir-crash"
protocol = "{protocol}"
{receive_maximum}
format = "json"

[source.columns]
device      = "STRING"
seq         = "BIGINT"
ts          = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}
temperature = "DOUBLE"

[source.time]
column = "ts"
watermark_delay = "{delay}ms"

[[query]]
name = "every_row"
sql = "SELECT device, seq, ts, temperature FROM sensors"
sinks = ["lake", "archive"]

[[query]]
name = "tumbled"
sql = \"\"\"
SELECT window_start, window_end, device, COUNT(*) AS n, SUM(temperature) AS total,
       MIN(temperature) AS low, MAX(temperature) AS high
FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '{tumble}' SECOND))
GROUP BY window_start, window_end, device
\"\"\"
sinks = ["lake", "archive"]

[[query]]
name = "hopped"
sql = \"\"\"
SELECT window_start, window_end, device, COUNT(*) AS n, SUM(temperature) AS total,
       MIN(temperature) AS low, MAX(temperature) AS high
FROM TABLE(HOP(TABLE sensors, DESCRIPTOR(ts), INTERVAL '{slide}' SECOND, INTERVAL '{size}' SECOND))
GROUP BY window_start, window_end, device
\"\"\"
sinks = ["lake", "archive"]

[[sink]]
name = "lake"
type = "file"
url = "file://{folder}/lake"
format = "ndjson"
compression = "gzip"
schedule = "every 1s"
max_rows = {max_rows}
retry_min = "50ms"

# Rows wait long enough here for their blocks to be merged, and go by way of files.
[[sink]]
name = "archive"
type = "file"
url = "file://{folder}/archive"
format = "ndjson"
compression = "gzip"
schedule = "every 3s"

[sink.outbox]
files = "always"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what, every=0.01):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {seconds} s")
        time.sleep(every)


class Broker:
    """A mosquitto with the settings that docs/delivery.md asks for."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        os.makedirs(folder)
        with open(f"{folder}/mosquitto.conf", "w") as conf:
            conf.write(
                f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
                f"persistence true\npersistence_location {folder}/\nautosave_interval 3600\n"
                "max_queued_messages 0\nmax_inflight_messages 0\nlog_type error\nlog_type warning\n"
            )
        self.process = None
        self.restarts = -1
        self.start()

    def start(self):
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with open(f"{self.folder}/mosquitto.log", "ab") as log:
            self.process = subprocess.Popen(
                [program, "-c", f"{self.folder}/mosquitto.conf"], stdout=log, stderr=log
            )
        self.restarts += 1
        wait_until(self._accepts, 10, "the broker's start")

    def _accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Publisher:
    """Publishes a feed at QoS 1, in order, and knows what the broker has acknowledged.

    It never publishes anything twice: a connection of its own that breaks ends the run."""

    def __init__(self, port, feed, rate, topic="plant/all/telemetry"):
        self.topic = topic
        self.port = port
        self.feed = feed
        self.rate = rate
        self.sent = 0
        self.acknowledged = 0
        self.failure = None
        self._thread = None

    def publish(self, upto):
        """Publishes the feed up to a position, in the background."""
        self.wait()
        self._thread = threading.Thread(target=self._run, args=(upto,), daemon=True)
        self._thread.start()

    def wait(self, seconds=120):
        if self._thread:
            self._thread.join(seconds)
            if self._thread.is_alive() or self.failure:
                raise RuntimeError(f"publishing failed: {self.failure or 'no acknowledgement'}")
            self._thread = None

    def _run(self, upto):
        try:
            client = mqtt.Client(
                mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, reconnect_on_failure=False
            )
            client.max_inflight_messages_set(1000)
            client.max_queued_messages_set(0)
            client.on_publish = self._acknowledge
            client.connect("127.0.0.1", self.port)
            client.loop_start()
            begin, first = time.monotonic(), self.sent
            while self.sent < upto:
                ahead = (self.sent - first) / self.rate - (time.monotonic() - begin)
                if ahead > 0.01:
                    time.sleep(ahead)
                reading = self.feed[self.sent]
                # One topic: MQTT keeps the order within a topic, and the oracle's watermark needs it.
                client.publish(self.topic, reading.payload(), qos=1)
                self.sent += 1
                if self.sent - self.acknowledged > 5000:
                    wait_until(lambda: self.sent - self.acknowledged < 2000, 60, "the broker's PUBACK")
            wait_until(lambda: self.acknowledged == self.sent, 60, "the broker's PUBACK")
            client.disconnect()
            client.loop_stop()
        except Exception as error:  # reported by wait(), in the harness's thread
            self.failure = error

    def _acknowledge(self, _client, _user, _mid, reason, _properties):
        if reason.is_failure:
            self.failure = f"the broker refused a message: {reason}"
        self.acknowledged += 1


class Weir:
    """A `weir run`, killed and started again on one state directory."""

    def __init__(self, program, folder, port, protocol="5", commit_interval="20ms", max_rows=400):
        self.program = program
        self.folder = folder
        self.http = free_port()
        self.config = f"{folder}/weir.toml"
        os.makedirs(folder, exist_ok=True)
        with open(self.config, "w") as config:
            config.write(
                CONFIGURATION.format(
                    folder=folder, http=self.http, port=port, protocol=protocol,
                    receive_maximum="" if protocol == "5" else "receive_maximum = 10000",
                    commit_interval=commit_interval, max_rows=max_rows, delay=DELAY_MS,
                    tumble=TUMBLE_MS // 1000, slide=HOP_MS[0] // 1000, size=HOP_MS[1] // 1000,
                )
            )
        self.process = None
        self.started = 0.0

    def start(self, environment):
        with open(f"{self.folder}/weir.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "run", self.config], stdout=log, stderr=log,
                env={**os.environ, **environment}, cwd=self.folder,
            )
        self.started = time.monotonic()

    def is_dead(self):
        return self.process.poll() is not None

    def await_ready(self, seconds):
        """Seconds from the start to readiness; None if it died before."""
        while not self.is_dead():
            if self.get("/readyz") is not None:
                return time.monotonic() - self.started
            if time.monotonic() - self.started > seconds:
                raise RuntimeError(f"weir was not ready within {seconds} s; see {self.folder}/weir.log")
            time.sleep(0.002)
        return None

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def status(self):
        return json.loads(self.get("/v1/status") or "{}")

    def status_by_command(self):
        answer = subprocess.run(
            [self.program, "status", self.config, "--json"], capture_output=True, text=True, timeout=20
        )
        return json.loads(answer.stdout) if answer.returncode == 0 else {}

    def kill(self):
        """SIGKILL, unless it is dead already; its exit status."""
        if not self.is_dead():
            self.process.send_signal(signal.SIGKILL)
        return self.process.wait(10)

    def stop(self):
        """SIGTERM; the exit status and how long it took."""
        begin = time.monotonic()
        self.process.terminate()
        return self.process.wait(20), time.monotonic() - begin

    def log_tail(self):
        with open(f"{self.folder}/weir.log", errors="replace") as log:
            return log.read()[-2000:]
