"""What the integration tests share: a private broker, a weir process, reading objects back.

Every server listens on a free loopback port, writes below the test's own folder and is stopped by its
process id. The weir under test is WEIR_BIN, or .build/release/weir.
"""

import glob
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WEIR = os.environ.get("WEIR_BIN", os.path.join(ROOT, ".build", "release", "weir"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds=30, what="the condition", every=0.05):
    """Waits until condition() is true; a test's upper bound, not a measurement."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"{what} did not come within {seconds} s")


class Broker:
    """A private mosquitto that keeps its queues over a graceful restart."""

    def __init__(self, folder, extra=""):
        self.port = free_port()
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.conf = os.path.join(self.folder, "mosquitto.conf")
        with open(self.conf, "w") as f:
            f.write(
                f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
                f"persistence_location {self.folder}/\nautosave_interval 1\n"
                f"max_queued_messages 0\nmax_inflight_messages 0\n{extra}"
            )
        self.process = None
        self.start()

    def start(self):
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        log = open(os.path.join(self.folder, "mosquitto.log"), "ab")
        self.process = subprocess.Popen([binary, "-c", self.conf], stdout=log, stderr=log)
        wait_until(self._accepts, 10, "the broker's start")

    def _accepts(self):
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def publisher(self):
        import paho.mqtt.client as mqtt

        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.max_inflight_messages_set(1000)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        return client

    def publish(self, topic, payloads):
        """Publishes at QoS 1 and returns when the broker has acknowledged everything."""
        client = self.publisher()
        handles = [client.publish(topic, payload, qos=1) for payload in payloads]
        for handle in handles:
            handle.wait_for_publish(30)
        client.disconnect()
        client.loop_stop()


class Weir:
    """A `weir run` process on a configuration text."""

    def __init__(self, folder, configuration, environment=None):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.http = free_port()
        self.config = os.path.join(self.folder, "weir.toml")
        with open(self.config, "w") as f:
            f.write(configuration.replace("@HTTP@", f"127.0.0.1:{self.http}"))
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def start(self, ready=True, environment=None, through=()):
        """`through` is a command that runs another, `nice` say."""
        log = open(os.path.join(self.folder, "weir.log"), "ab")
        self.process = subprocess.Popen(
            [*through, WEIR, "run", self.config],
            stdout=log,
            stderr=log,
            env={**self.environment, **(environment or {})},
            cwd=self.folder,
        )
        if ready:
            wait_until(self._settled, 20, "weir's readiness", every=0.01)
            assert self.process.poll() is None, self.log()
        return self

    def _settled(self):
        return self.process.poll() is not None or self.get("/readyz")[0] == 200

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def status(self):
        code, body = self.get("/v1/status")
        return json.loads(body) if code == 200 else {}

    def received(self, source):
        found = [s for s in self.status().get("sources", []) if s["name"] == source]
        return found[0]["rows"]["received"] if found else 0

    def pending(self):
        """Rows that wait, at least one while a stream is held: what sinks say is newer than the counts beside it."""
        sinks = self.status().get("sinks")
        if sinks is None:
            return -1
        is_held = any("marker" not in held for sink in sinks for held in sink.get("held", []))
        return max(sum(stream["pending"] for sink in sinks for stream in sink["streams"]), int(is_held))

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait(10)

    def stop(self):
        """SIGTERM; returns the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(15)

    def log(self):
        with open(os.path.join(self.folder, "weir.log"), errors="replace") as f:
            return f.read()


def weir(*arguments, stdin=None, environment=None, cwd=None, timeout=120):
    """Runs a weir command to its end."""
    return subprocess.run(
        [WEIR, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        timeout=timeout,
    )


def read_lake(folder, stream):
    """All rows of a stream's NDJSON objects below a folder, in the order of the objects' sequences."""
    paths = glob.glob(os.path.join(str(folder), stream, "date=*", "hour=*", "*"))
    rows = []
    for path in sorted(paths, key=os.path.basename):
        opener = gzip.open if path.endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    return rows
