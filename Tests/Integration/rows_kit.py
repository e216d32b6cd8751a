"""What receives rows in tests: a subscriber that keeps every message with its properties, and what must
hold of rows with ids.
"""

import json
import threading

from lake_kit import agent, query, require_balanced, sensors
from weir_kit import wait_until


class Subscriber:
    """Collects messages of a broker in a session that lasts, so that its restarts lose nothing."""

    def __init__(self, broker, topic="#", name="collector", version=5):
        import paho.mqtt.client as mqtt
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self.messages, self.lock = [], threading.Lock()
        protocol = mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311
        clean = {} if version == 5 else {"clean_session": False}
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, **clean)
        self.client.reconnect_delay_set(1, 1)
        self.subscribed = threading.Event()
        self.client.on_connect = lambda c, *_: c.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self._received
        options = {}
        if version == 5:
            session = Properties(PacketTypes.CONNECT)
            session.SessionExpiryInterval = 3600
            session.ReceiveMaximum = 1000
            options = {"clean_start": False, "properties": session}
        self.client.connect("127.0.0.1", broker.port, **options)
        self.client.loop_start()
        assert self.subscribed.wait(10)

    def _received(self, _client, _user, message):
        properties = dict(getattr(message.properties, "UserProperty", []) or []) if message.properties else {}
        with self.lock:
            self.messages.append((message.topic, properties.get("weir-id"), bytes(message.payload), message.retain))

    def rows(self):
        with self.lock:
            return list(self.messages)

    def ids(self):
        return {json.loads(payload)["row_id"] for _, _, payload, _ in self.rows()}

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


def sink_status(process):
    return next(s for s in process.status()["sinks"] if s["name"] == "alerts")


def wait_delivered(process, count, seconds=60):
    wait_until(lambda: process.received("sensors") >= count, seconds, f"the intake of {count} rows")
    wait_until(lambda: process.pending() == 0, seconds, "the delivery of everything")
    require_balanced(process.status())


def row_sink(kind, keys, name="alerts"):
    return f'[[sink]]\nname = "{name}"\ntype = "{kind}"\nretry_min = "50ms"\nretry_max = "500ms"\n{keys}\n'


def mqtt_sink(broker, topic="alerts/{device}", keys=""):
    return row_sink("mqtt", f'url = "{broker.url}"\ntopic = "{topic}"\n{keys}')


def configuration(broker, sink, sql="SELECT device, seq FROM sensors", agent_keys="", name="hot"):
    return agent(agent_keys) + sensors(broker) + query(name, sql, '["alerts"]') + sink


def expected_id(number, agent_id="edge-1", sink="alerts", stream="hot"):
    return f"{agent_id}/{sink}/{stream}/{number}"


def require_every_row(messages, count, per_id=None):
    """Every id from 1 to count is there, repeats have the same topic and bytes, and first sights are in order."""
    seen = {}
    order = []
    for topic, identity, payload, _ in messages:
        key = identity or json.loads(payload)["row_id"]
        if key not in seen:
            seen[key] = (topic, payload)
            order.append(int(key.rsplit("/", 1)[1]))
        assert seen[key] == (topic, payload), f"two messages called {key} differ"
        if identity:
            assert json.loads(payload)["row_id"] == identity
    assert sorted(order) == list(range(1, count + 1)), f"{len(order)} of {count} rows arrived"
    assert order == sorted(order), "first sights are in order"
    return len(messages) - count
