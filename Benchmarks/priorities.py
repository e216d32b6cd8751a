"""Three classes on one slow uplink: how long alerts, summaries and raw rows take, with priorities and without.

    priorities.py WEIR [SECONDS]      needs paho-mqtt, mosquitto, google-cloud-storage

The uplink carries 50 KB a second (`[uplink] max_upload_rate`). Every second come one alert of 0.1 KB, which a
webhook gets, and a summary of 1 KB and 60 KB of raw rows that nothing compresses, which go to a bucket as files every
five seconds: a fifth more than the line carries. A delay runs from a row's publication until it is posted, or in an
object that can be listed. Raw rows that are still waiting at the end count with the time that they have waited.
"""

import base64
import json
import os
import random
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "Tests", "Integration"), os.path.join(HERE, "..", "Tests", "Servers")]

import lake_kit  # noqa: E402
import servers_kit  # noqa: E402
import weir_kit  # noqa: E402
from alert_latency import percentile  # noqa: E402
from webhook_server import WebhookServer  # noqa: E402

CLASSES = {"alerts": "high", "summaries": "normal", "raw": "low"}
RAW_A_SECOND = 60


def configuration(broker, hook, gcs, prefix, has_classes):
    text = lake_kit.agent() + '[uplink]\nmax_upload_rate = "50KB/s"\n'
    text += lake_kit.sensors(broker, columns='class = "STRING", seq = "BIGINT", text = "STRING"')
    for name, priority in CLASSES.items():
        priority = f'priority = "{priority if has_classes else "normal"}"\n'
        text += lake_kit.query(
            name, f"SELECT seq, text FROM sensors WHERE class = '{name}'", f'["{name}"]')
        if name == "alerts":
            text += f'[[sink]]\nname = "alerts"\ntype = "http"\nurl = "{hook.url}/hook"\n{priority}'
        else:
            text += lake_kit.sink(gcs.sink(f"{prefix}/{name}") + priority, name=name, schedule="every 5s")
    return text


def message(kind, seq, length):
    noise = base64.b64encode(random.randbytes(length * 3 // 4)).decode()
    return json.dumps({"class": kind, "seq": seq, "text": noise})


class Watch(threading.Thread):
    """Looks every quarter of a second which objects are new, and reads the numbers of their rows."""

    def __init__(self, lakes):
        super().__init__(daemon=True)
        self.lakes, self.came, self.stopped = lakes, {name: {} for name in lakes}, threading.Event()

    def run(self):
        seen = set()
        while not self.stopped.wait(0.25):
            for name, lake in self.lakes.items():
                now = time.monotonic()
                for key in [key for key in lake.keys() if (name, key) not in seen]:
                    seen.add((name, key))
                    content = lake.bucket.blob(f"{lake.prefix}/{key}").download_as_bytes()
                    for row in lake_kit.rows({key: content}):
                        self.came[name].setdefault(row["seq"], now)


def run(folder, gcs, has_classes, seconds):
    posted = {}

    def take(request):
        for row in json.loads(request.body):
            posted.setdefault(row["seq"], time.monotonic())
        return 200, ""

    prefix = "classes" if has_classes else "none"
    broker, hook = weir_kit.Broker(f"{folder}/broker"), WebhookServer(accept=take)
    watch = Watch({name: lake_kit.GCSLake(gcs, f"{prefix}/{name}") for name in ("summaries", "raw")})
    weir = weir_kit.Weir(f"{folder}/weir", configuration(broker, hook, gcs, prefix, has_classes))
    sent = {name: {} for name in CLASSES}
    try:
        weir.start()
        watch.start()
        publisher = broker.publisher()

        def publish(name, seq, length):
            sent[name][seq] = time.monotonic()
            publisher.publish("plant/1", message(name, seq, length), qos=1)

        begin = time.monotonic()
        for second in range(seconds):
            publish("alerts", second, 50)
            publish("summaries", second, 900)
            for part in range(RAW_A_SECOND):
                time.sleep(max(0, begin + second + part / RAW_A_SECOND - time.monotonic()))
                publish("raw", second * RAW_A_SECOND + part, 950)
        end = time.monotonic()
        weir_kit.wait_until(lambda: len(posted) == seconds, 60, "the alerts")
        weir_kit.wait_until(lambda: len(watch.came["summaries"]) == seconds, 120, "the summaries")
        uplink = weir.status()["uplink"]
        print(f"{'with' if has_classes else 'without'} classes, {uplink['sent_today'] / (time.monotonic() - begin) / 1000:.1f}"
              " KB a second sent", flush=True)
        for name in CLASSES:
            came = posted if name == "alerts" else watch.came[name]
            delays = [came.get(seq, end) - at for seq, at in sent[name].items() if came.get(seq, end) >= at]
            print(f"  {name:10} p50 {percentile(delays, 0.5) / 1000:6.2f} s   p99 {percentile(delays, 0.99) / 1000:6.2f} s"
                  f"   {sum(seq not in came for seq in sent[name])} of {len(sent[name])} still waiting", flush=True)
        publisher.disconnect()
    finally:
        watch.stopped.set()
        weir.kill()
        hook.stop()
        broker.stop()


def main():
    weir_kit.WEIR = os.path.abspath(sys.argv[1])
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    gcs = servers_kit.GCS()
    try:
        for has_classes in (True, False):
            with tempfile.TemporaryDirectory(prefix="weir-classes-") as folder:
                run(folder, gcs, has_classes, seconds)
    finally:
        gcs.stop()


if __name__ == "__main__":
    main()
