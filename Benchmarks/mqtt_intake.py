"""How fast weir takes in QoS 1 messages with an fsync before each acknowledgement, beside mosquitto_sub.

A private mosquitto queues the same N messages for two persistent sessions; then mosquitto_sub empties
one and weir the other, in turn, a few rounds. weir decodes, runs a window query on RocksDB and commits
before it acknowledges; mosquitto_sub only prints to /dev/null. The ratio of the medians is the figure.

    mqtt_intake.py WEIR [MESSAGES] [ROUNDS]      needs paho-mqtt, mosquitto, mosquitto-clients
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "Integration"))

import weir_kit  # noqa: E402

CONFIGURATION = """
[agent]
id = "bench"
state_dir = "state"
http = "@HTTP@"
[[source]]
name = "sensors"
type = "mqtt"
url = "{url}"
topics = ["bench/#"]
client_id = "bench-weir"
[source.columns]
device = "STRING"
ts = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}
temperature = "DOUBLE"
[source.time]
column = "ts"
watermark_delay = "5s"
[[query]]
name = "device_ten_seconds"
sql = '''
SELECT window_start, device, COUNT(*) AS n, AVG(temperature) AS average
FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, device
'''
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
schedule = "every 5s"
"""


def publish(broker, count, start):
    client = broker.publisher()
    last = None
    for i in range(start, start + count):
        payload = json.dumps({"device": f"dev-{i % 1000:04d}", "ts": 1_700_000_000_000 + i, "temperature": 20 + i % 7 / 2})
        last = client.publish("bench/line-1", payload, qos=1)
        if i % 5000 == 4999:
            last.wait_for_publish(60)
    last.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def subscriber(broker, count):
    return ["mosquitto_sub", "-V", "mqttv5", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-i", "bench-sub",
            "-c", "-x", "3600", "-D", "connect", "receive-maximum", "10000", "-t", "bench/#", "-C", str(count)]


def main():
    weir_kit.WEIR = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with tempfile.TemporaryDirectory() as folder:
        broker = weir_kit.Broker(os.path.join(folder, "broker"))
        agent = weir_kit.Weir(os.path.join(folder, "weir"), CONFIGURATION.format(url=broker.url))
        # Both sessions exist before anything is published.
        agent.start()
        agent.stop()
        publish_one = subprocess.Popen(subscriber(broker, 1), stdout=subprocess.DEVNULL)
        time.sleep(1)
        publish(broker, 1, 0)
        publish_one.wait(20)
        rates = {"mosquitto_sub": [], "weir": []}
        total = 1
        for _ in range(rounds):
            publish(broker, count, total)
            began = time.monotonic()
            subprocess.run(subscriber(broker, count), stdout=subprocess.DEVNULL, check=True)
            rates["mosquitto_sub"].append(count / (time.monotonic() - began))
            total += count
            began = time.monotonic()
            agent.start(ready=False)
            weir_kit.wait_until(lambda: agent.received("sensors") >= total, 120, "the intake", every=0.01)
            rates["weir"].append(count / (time.monotonic() - began))
            assert agent.stop() == 0
        broker.stop()
    for name, values in rates.items():
        print(f"{name:14} {statistics.median(values):10.0f} messages/s  (" + ", ".join(f"{v:.0f}" for v in values) + ")")
    print(f"ratio          {statistics.median(rates['weir']) / statistics.median(rates['mosquitto_sub']):10.2f}")


if __name__ == "__main__":
    main()
