"""Hostile input over real MQTT: counted, kept with its reason, no crash, memory bounded, names safe."""

import json
import os
import re

import pytest

from lake_kit import FolderLake, agent, file_sink, query, require_balanced, rows, sensors
from weir_kit import wait_until

MEGABYTE = 1_000_000
COLUMNS = (
    'device = "STRING", n = "BIGINT", v = "DOUBLE", '
    'level = { type = "STRING", from = "topic[1]" }, topic = { type = "STRING", from = "$topic" }'
)
READ_ALL = "SELECT device, n, v, level, topic FROM sensors"

# Name, payload, the reason it is rejected for; None for payloads that are rows.
PAYLOADS = [
    ("depth of 100,000 arrays", b'{"device":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper"),
    ("depth of 100,000 objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper"),
    ("100,000 brackets that never close", b"[" * 100_000, "invalid JSON|nested deeper"),
    ("1e999", b'{"device":"a","v":1e999}', "v: number out of range"),
    ("-1e999 in a column nobody reads", b'{"device":"a","other":-1e999}', None),
    ("400 digits", b'{"device":"a","n":' + b"9" * 400 + b"}", "n: number out of range"),
    ("400 digits for a double", b'{"device":"a","v":' + b"9" * 400 + b"}", "v: number out of range"),
    ("300 digits for a double", b'{"device":"a","v":' + b"9" * 300 + b"}", None),
    ("2^63", b'{"device":"a","n":9223372036854775808}', "n: number out of range"),
    ("400 digits in a column nobody reads", b'{"device":"a","other":' + b"9" * 400 + b"}", None),
    ("invalid UTF-8", b'{"device":"\xff\xfe"}', "invalid UTF-8"),
    ("an overlong slash", b'{"device":"\xc0\xaf"}', "invalid UTF-8"),
    ("a surrogate in UTF-8", b'{"device":"\xed\xa0\x80"}', "invalid UTF-8"),
    ("NUL bytes alone", b"\x00" * 64, "invalid JSON|neither an object"),
    ("a NUL inside a string", b'{"device":"a\x00b"}', "invalid JSON: a control character"),
    ("an escaped NUL", b'{"device":"a\\u0000b"}', None),
    ("NUL behind the object", b'{"device":"a"}\x00', "invalid JSON"),
    ("half a surrogate pair", b'{"device":"\\ud800"}', None),
    ("duplicate keys", b'{"device":"a","n":1,"n":2}', None),
    ("duplicate keys, the last of a wrong type", b'{"device":"a","n":1,"n":"x"}', "n: expected BIGINT"),
    ("an empty payload", b"", "empty payload"),
    ("blanks", b" \n\t ", "empty payload"),
    ("a bare number", b"42", "neither an object nor an array"),
    ("null", b"null", "neither an object nor an array"),
    ("a string", b'"device"', "neither an object nor an array"),
    ("an array of numbers", b"[1]", "an element of the array is not an object"),
    ("an object and rubbish behind it", b'{"device":"a"} x', "invalid JSON"),
    ("an object cut short", b'{"device":"a","n":', "invalid JSON"),
    ("a string cut short", b'{"device":"a', "invalid JSON"),
    ("a trailing comma", b'{"device":"a",}', "invalid JSON"),
    ("single quotes", b"{'device':'a'}", "invalid JSON"),
    ("NaN", b'{"device":"a","v":NaN}', "invalid JSON"),
    ("hexadecimal", b'{"device":"a","n":0x10}', "invalid JSON"),
    ("a leading zero", b'{"device":"a","n":007}', "invalid JSON"),
    ("a byte order mark", b'\xef\xbb\xbf{"device":"a"}', None),
    ("a fraction for an integer", b'{"device":"a","n":1.5}', "n: expected BIGINT, found a fraction"),
    ("an object for a string", b'{"device":{"a":1}}', "device: expected STRING, found an object"),
    ("path and quotes as a value", b'{"device":"../../etc/passwd\\"\\n\\u001b[31m","n":1}', None),
    ("a key of 100,000 bytes", b'{"' + b"k" * 100_000 + b'":1,"device":"a"}', None),
    ("a value of 900,000 bytes", b'{"device":"' + b"x" * 900_000 + b'"}', None),
    ("a payload larger than max_payload", b'{"device":"' + b"x" * 1_100_000 + b'"}', "payload of more than"),
    ("100,000 keys", b"{" + b",".join(b'"k%d":1' % i for i in range(100_000 // 2)) + b"}", None),
]


def figure(weir, name):
    """A line of /proc/PID/status, in bytes."""
    with open(f"/proc/{weir.process.pid}/status") as f:
        return int(re.search(rf"{name}:\s+(\d+) kB", f.read()).group(1)) * 1024


def start(broker, start_weir, keys="", more=""):
    text = agent() + sensors(broker, keys, COLUMNS, '["plant/#", "/#", "../#"]') + more
    return start_weir(text + query(sql=READ_ALL) + file_sink()).start()


def wait_received(weir, count):
    wait_until(lambda: weir.received("sensors") >= count, 60, f"the intake of {count} rows")
    assert weir.received("sensors") == count, weir.status()["sources"]


def finish(weir):
    """All that is forwarded, results and rejected rows; nothing else on disk."""
    wait_until(lambda: weir.pending() == 0, 30, "the upload of everything")
    require_balanced(weir.status())
    lake = FolderLake(os.path.join(weir.folder, "lake"))
    results, rejected = rows(lake.objects("readings")), rows(lake.objects("_rejected/sensors"))
    assert weir.stop() == 0, weir.log()
    for key in lake.keys():
        assert re.fullmatch(
            r"(readings|_rejected/sensors)/date=\d{4}-\d\d-\d\d/hour=\d\d/edge-1-\d{20}-\d{20}\.ndjson", key
        ), key
    assert sorted(os.listdir(weir.folder)) == ["lake", "state", "weir.log", "weir.toml"]
    return results, rejected


def test_every_hostile_payload_is_a_row_or_is_rejected_with_its_reason(broker, start_weir):
    weir = start(broker, start_weir)
    client = broker.publisher()
    # One after the other, with a good row behind each: what is broken must not spoil its neighbours.
    for number, (_, payload, _) in enumerate(PAYLOADS):
        client.publish(f"plant/{number}", payload, qos=1).wait_for_publish(30)
        client.publish(f"plant/{number}", b'{"device":"good"}', qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
    wait_received(weir, 2 * len(PAYLOADS))
    last = weir.status()["sources"][0]["last_rejection"]
    results, rejected = finish(weir)
    assert last == rejected[-1]["reason"]
    told = re.findall(r"rejects rows: (.*) source=sensors", weir.log())
    assert 0 < len(told) == len(set(told)) <= 20 and set(told) <= {row["reason"] for row in rejected}
    assert sum(row["device"] == "good" for row in results) == len(PAYLOADS)
    rows_of = {row["level"]: row for row in results if row["device"] != "good"}
    rejected_of = {row["topic"]: row for row in rejected}
    for number, (name, payload, reason) in enumerate(PAYLOADS):
        found = rejected_of.get(f"plant/{number}")
        if reason is None:
            assert str(number) in rows_of, f"{name}: rejected for {found and found['reason']}"
            continue
        assert found, f"{name}: not rejected"
        assert re.search(reason, found["reason"]), f"{name}: {found['reason']}"
        assert len(found["payload"].encode()) <= 256 * 3, f"{name}: more than the first 256 bytes"
        if payload == b"[1]":
            payload = b"1"  # of an array each element is a row of its own
        beginning = payload[:200].decode("utf-8", errors="replace").rstrip("\ufffd")
        assert found["payload"].startswith(beginning), name
        assert found["received_at"].endswith("Z")
    assert rows_of["18"]["n"] == 2, "of a member that comes twice the last counts"
    assert rows_of["15"]["device"] == "a\0b"
    assert rows_of["17"]["device"] == "\ufffd"
    assert len(rejected) == sum(reason is not None for _, _, reason in PAYLOADS)


TOPICS = [
    "plant/..", "plant/../../../etc", "plant/../..", "plant/%2f%2e%2e%2f", "plant/", "plant//", "plant///x//",
    "/", "/plant", "//", "..", "../x", "../../lake/readings", "plant/.", "plant/ ", "plant/a b", "plant/\\..\\x",
    "plant/date=2026-01-01/hour=00", "plant/_rejected/sensors", "plant/\u202e\u0301e", "plant/\U0001f4a5",
    "plant/'; DROP TABLE sensors; --", 'plant/"\\', "plant/$topic", "plant/" + "a" * 1000,
    "plant/" + "/" * 150,
]  # fmt: skip


def test_no_topic_gets_into_an_object_name(broker, start_weir):
    weir = start(broker, start_weir)
    long_topics = ["plant/" + "b" * 2000, "plant/" + "c" * (65_535 - 6)]
    client = broker.publisher()
    for topic in TOPICS + long_topics:
        client.publish(topic, json.dumps({"device": "a", "n": 1}), qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
    wait_received(weir, len(TOPICS) + len(long_topics))
    results, rejected = finish(weir)
    assert sorted(row["topic"] for row in results) == sorted(TOPICS)
    levels = {row["topic"]: row["level"] for row in results}
    assert levels["plant/.."] == ".." and levels["plant/%2f%2e%2e%2f"] == "%2f%2e%2e%2f"
    assert levels["plant/"] == "" and levels["/"] == "" and levels[".."] is None
    assert [row["reason"] for row in rejected] == ["topic or user property of more than 1024 bytes"] * 2
    assert [len(row["topic"]) for row in rejected] == [1024, 1024]


def test_a_payload_of_100_megabytes_is_not_even_sent_on_mqtt_5(broker, start_weir):
    weir = start(broker, start_weir)
    before = figure(weir, "VmHWM")
    broker.publish("plant/1", [b'{"device":"' + b"x" * (100 * MEGABYTE) + b'"}'])
    broker.publish("plant/1", [b'{"device":"good"}'])
    wait_received(weir, 1)
    assert figure(weir, "VmHWM") < before + 20 * MEGABYTE
    results, rejected = finish(weir)
    assert [row["device"] for row in results] == ["good"] and not rejected


@pytest.mark.parametrize("keys", ['max_packet_size = "256MB"', 'protocol = "3.1.1"'], ids=["5", "3.1.1"])
def test_a_payload_of_100_megabytes_is_rejected_and_its_memory_given_back(broker, start_weir, keys):
    weir = start(broker, start_weir, keys)
    before = figure(weir, "VmHWM")
    broker.publish("plant/1", [b'{"device":"good"}', b'{"device":"' + b"x" * (100 * MEGABYTE) + b'"}'])
    broker.publish("plant/1", [b'{"device":"good"}'])
    wait_received(weir, 3)
    # The library holds the packet and makes a copy of the payload; weir makes none.
    assert figure(weir, "VmHWM") < before + 220 * MEGABYTE
    broker.publish("plant/1", [b'{"device":"good"}'])
    wait_received(weir, 4)
    assert figure(weir, "VmRSS") < before + 20 * MEGABYTE
    results, rejected = finish(weir)
    assert [row["device"] for row in results] == ["good"] * 3
    assert [row["reason"] for row in rejected] == ["payload of more than 1000000 bytes"]
    assert rejected[0]["payload"] == '{"device":"' + "x" * 245


def test_hostile_times_make_safe_partitions(broker, start_weir):
    text = (
        agent()
        + sensors(broker, columns='ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }, n = "BIGINT"')
        + query(sql="SELECT ts, n FROM sensors")
        + file_sink(keys='partition_by = "ts"')
    )
    weir = start_weir(text).start()
    times = [0, -1, -62135596800000, 253402300799999, 253402300800000, 9223372036854775807, -9223372036854775808,
             -9223372036854775809, 1e300, 1795244127603, -30610224000000]  # fmt: skip
    broker.publish("plant/1", [json.dumps({"ts": time, "n": number}) for number, time in enumerate(times)])
    wait_received(weir, len(times))
    wait_until(lambda: weir.pending() == 0, 30, "the upload of everything")
    require_balanced(weir.status())
    lake = FolderLake(os.path.join(weir.folder, "lake"))
    names = lake.keys()
    results, rejected = rows(lake.objects("readings")), rows(lake.objects("_rejected/sensors"))
    assert len(results) + len(rejected) == len(times)
    folders = {key.split("/")[1] for key in names if key.startswith("readings/")}
    assert {"date=1970-01-01", "date=1969-12-31", "date=2026-11-21", "date=9999-12-31", "date=0001-01-01"} <= folders
    assert all(re.fullmatch(r"date=\d{4}-\d\d-\d\d", folder) for folder in folders), folders
    # Rows of several partitions stand in one object each, whose names share the segment's range.
    assert {json.loads(line)["n"] for key, text in lake.objects("readings").items() for line in text.splitlines()} == {
        row["n"] for row in results
    }
    assert weir.stop() == 0
