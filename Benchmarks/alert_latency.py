"""How long an alert takes from its publisher to its receiver, in the default configuration and with shorter commits.

    alert_latency.py WEIR [SECONDS]      needs paho-mqtt, mosquitto

Ten messages a second at QoS 1 go to a private mosquitto; each is an alert, which weir posts to a webhook and
publishes at another broker. A delay runs from just before the publication to the moment at which the receiver has
the row; publisher and receivers are this process, on loopback.
"""

import json
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "Tests", "Integration"), os.path.join(HERE, "..", "Tests", "Servers")]

import rows_kit  # noqa: E402
import weir_kit  # noqa: E402
from webhook_server import WebhookServer  # noqa: E402

CONFIGURATION = """
[agent]
id = "bench"
state_dir = "state"
http = "@HTTP@"
{agent}
[[source]]
name = "sensors"
type = "mqtt"
url = "{broker}"
topics = ["plant/#"]
columns = {{ device = "STRING", seq = "BIGINT", temperature = "DOUBLE" }}
[[query]]
name = "too_hot"
sql = "SELECT device, seq, temperature FROM sensors WHERE temperature > 90"
sinks = ["pager", "alerts"]
[[sink]]
name = "pager"
type = "http"
url = "{hook}/hook"
[[sink]]
name = "alerts"
type = "mqtt"
url = "{out}"
topic = "alerts/{{device}}"
"""


class Listener(rows_kit.Subscriber):
    """Knows when each row came."""

    def __init__(self, broker):
        self.came = {}
        super().__init__(broker, "alerts/#")

    def _received(self, client, user, message):
        self.came.setdefault(json.loads(message.payload)["seq"], time.monotonic())


def percentile(delays, part):
    ordered = sorted(delays)
    return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def run(folder, name, agent, count):
    posted = {}

    def take(request):
        for row in json.loads(request.body):
            posted.setdefault(row["seq"], time.monotonic())
        return 200, ""

    broker, out = weir_kit.Broker(f"{folder}/broker"), weir_kit.Broker(f"{folder}/out")
    hook, listener = WebhookServer(accept=take), Listener(out)
    weir = weir_kit.Weir(f"{folder}/weir", CONFIGURATION.format(
        agent=agent, broker=broker.url, hook=hook.url, out=out.url))
    try:
        weir.start()
        publisher = broker.publisher()
        sent, begin = {}, time.monotonic() + 1
        for seq in range(count):
            # Not in step with weir's commits: a tenth of a second, more or less.
            time.sleep(max(0, begin + seq / 10 + (seq * 37 % 100) / 1000 - time.monotonic()))
            sent[seq] = time.monotonic()
            publisher.publish("plant/1", json.dumps({"device": "press-1", "seq": seq, "temperature": 95.5}), qos=1)
        weir_kit.wait_until(lambda: len(posted) == count and len(listener.came) == count, 30, "all alerts")
        publisher.disconnect()
        for kind, came in (("webhook", posted), ("mqtt", listener.came)):
            delays = [came[seq] - sent[seq] for seq in sent]
            print(f"{name:32}{kind:10} p50 {percentile(delays, 0.5):6.1f} ms   p99 {percentile(delays, 0.99):6.1f} ms"
                  f"   greatest {1000 * max(delays):6.1f} ms", flush=True)
    finally:
        weir.kill()
        listener.stop()
        hook.stop()
        broker.stop()
        out.stop()


def main():
    weir_kit.WEIR = os.path.abspath(sys.argv[1])
    count = 10 * (int(sys.argv[2]) if len(sys.argv) > 2 else 60)
    cases = {"defaults": "", "commit_interval = 10ms": 'commit_interval = "10ms"'}
    for name, agent in cases.items():
        with tempfile.TemporaryDirectory(prefix="weir-latency-") as folder:
            run(folder, name, agent, count)


if __name__ == "__main__":
    main()
