"""Rows published to a real broker: each arrives, in order, with an id by which repeats can be told, whatever
happens to the agent and to the broker."""

import json
import os
import random
import signal
import time

import pytest

from lake_kit import agent, query, readings, sensors
from rows_kit import (
    Subscriber, configuration, expected_id, mqtt_sink, require_every_row, sink_status, wait_delivered)
from weir_kit import Broker, wait_until, weir


@pytest.fixture
def out(tmp_path):
    """The broker that rows go to, beside the one that they come from."""
    broker = Broker(tmp_path / "out")
    yield broker
    broker.stop()


@pytest.fixture
def subscribe():
    made = []

    def make(*arguments, **options):
        made.append(Subscriber(*arguments, **options))
        return made[-1]

    yield make
    for subscriber in made:
        subscriber.stop()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_rows_are_published_with_their_ids(broker, out, start_weir, subscribe, version):
    listener = subscribe(out, "alerts/#")
    process = start_weir(configuration(broker, mqtt_sink(out, keys=f'protocol = "{version}"'))).start()
    broker.publish("plant/1", readings(300))
    wait_delivered(process, 300)
    wait_until(lambda: len(listener.rows()) >= 300, 10, "the messages")
    assert require_every_row(listener.rows(), 300) == 0
    topic, identity, payload, retained = listener.rows()[8]
    assert topic == "alerts/d1" and not retained
    assert identity == (expected_id(9) if version == "5" else None)
    assert json.loads(payload) == {"row_id": expected_id(9), "device": "d1", "seq": 8, "agent": "edge-1"}
    status = sink_status(process)
    assert status["type"] == "mqtt" and status["last_object"] == expected_id(300) and not status["is_failing"]
    assert "sink alerts (mqtt): idle" in weir("status", process.config).stdout


def test_an_alert_leaves_with_its_commit(broker, out, start_weir, subscribe):
    listener = subscribe(out, "alerts/#")
    text = configuration(broker, mqtt_sink(out), agent_keys='commit_interval = "10ms"')
    process = start_weir(text).start()
    publisher = broker.publisher()
    delays = []
    for number in range(20):
        start = time.monotonic()
        publisher.publish("plant/1", readings(1, number)[0], qos=1)
        wait_until(lambda: len(listener.rows()) > number, 10, "the alert", every=0.001)
        delays.append(time.monotonic() - start)
        time.sleep(0.02)
    publisher.disconnect()
    assert sorted(delays)[10] < 0.25, delays
    require_every_row(listener.rows(), 20)
    assert process.stop() == 0


def test_topics_are_made_of_columns_and_hurt_nobody(broker, out, start_weir, subscribe):
    listener = subscribe(out, "#")
    devices = ["a/b", "#", "+", "", None, "$SYS", "50%", "grün", "x\u0001y", "\u0085", "l" * 400]
    sink = mqtt_sink(out, "{device}/{agent}/{stream}", "retain = true")
    process = start_weir(configuration(broker, sink)).start()
    broker.publish("plant/1", [json.dumps({"device": d, "seq": n}) for n, d in enumerate(devices)])
    wait_delivered(process, len(devices))
    wait_until(lambda: len(listener.rows()) >= len(devices), 10, "the messages")
    rows = sorted(listener.rows(), key=lambda row: json.loads(row[2])["seq"])
    levels = [row[0].removesuffix("/edge-1/hot") for row in rows]
    assert levels == [
        "a%2Fb", "%23", "%2B", "_", "_", "%24SYS", "50%25", "grün", "x%01y", "%C2%85", "l" * 255,
    ]
    assert [json.loads(row[2])["device"] for row in rows] == devices
    late = subscribe(out, "50%25/#", name="late")
    wait_until(lambda: late.rows(), 10, "the retained message")
    assert late.rows()[0][3], "the broker has kept it"


def test_the_agent_is_killed_thirty_times_while_rows_go_out(broker, out, start_weir, subscribe):
    count = int(os.environ.get("WEIR_KILL_ROWS", "20000"))
    listener = subscribe(out, "alerts/#")
    process = start_weir(configuration(broker, mqtt_sink(out, keys="max_inflight = 50")))
    broker_side = [readings(count // 40, n * (count // 40)) for n in range(40)]
    process.start()
    chance = random.Random(5)
    for number, payloads in enumerate(broker_side):
        broker.publish("plant/1", payloads)
        if number < 30:
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
            process.start()
    wait_delivered(process, count, 120)
    wait_until(lambda: len(listener.ids()) == count, 60, "every row")
    repeats = require_every_row(listener.rows(), count)
    print(f"{count} rows, 30 kills, {repeats} repeats")
    assert {json.loads(p)["seq"] for _, _, p, _ in listener.rows()} == set(range(count))


@pytest.mark.parametrize(
    "place",
    [
        "seal.before-write", "seal.after-write", "publish.after-row:150", "publish.before-flush",
        "publish.after-flush", "trim.before-write", "trim.after-write",
    ],
)
def test_a_crash_at_each_step_loses_nothing(broker, out, start_weir, subscribe, place):
    listener = subscribe(out, "alerts/#")
    process = start_weir(configuration(broker, mqtt_sink(out)))
    process.start(environment={"WEIR_CRASH_POINT": place})
    broker.publish("plant/1", readings(400))
    assert process.process.wait(30) == -signal.SIGKILL
    process.start()
    broker.publish("plant/1", readings(100, 400))
    wait_delivered(process, 500)
    wait_until(lambda: len(listener.ids()) == 500, 10, "every row")
    require_every_row(listener.rows(), 500)


def test_the_broker_is_restarted_and_stopped_in_between(broker, out, start_weir, subscribe):
    listener = subscribe(out, "alerts/#")
    process = start_weir(configuration(broker, mqtt_sink(out))).start()
    for number in range(4):
        broker.publish("plant/1", readings(500, 500 * number))
        wait_until(lambda: process.received("sensors") > 500 * number, 20, "some rows")
        out.stop()
        wait_until(lambda: sink_status(process)["is_failing"], 20, "the outage in the status")
        assert "refused" in sink_status(process)["state"] or "closed the connection" in sink_status(process)["state"]
        broker.publish("plant/1", readings(100, 2000 + 100 * number))
        out.start()
    wait_delivered(process, 2400)
    wait_until(lambda: not sink_status(process)["is_failing"], 10, "a sink that fails no more")
    wait_until(lambda: len(listener.ids()) == 2400, 20, "every row")
    require_every_row(listener.rows(), 2400)


def test_a_broker_that_answers_nothing_is_left_and_found_again(broker, out, start_weir, subscribe):
    listener = subscribe(out, "alerts/#")
    process = start_weir(configuration(broker, mqtt_sink(out, keys='stall_timeout = "1s"'))).start()
    broker.publish("plant/1", readings(100))
    wait_delivered(process, 100)
    out.process.send_signal(signal.SIGSTOP)
    try:
        broker.publish("plant/1", readings(100, 100))
        wait_until(lambda: "acknowledged nothing for 1 s" in process.log(), 20, "the sentence in the log")
        assert process.pending() == 100, "nothing counts as sent without its acknowledgement"
    finally:
        out.process.send_signal(signal.SIGCONT)
    wait_delivered(process, 200)
    wait_until(lambda: len(listener.ids()) == 200, 20, "every row")
    require_every_row(listener.rows(), 200)


def test_a_publisher_without_rights_is_told_so(broker, tmp_path, start_weir):
    rights = tmp_path / "acl"
    rights.write_text("topic read #\n")
    guarded = Broker(tmp_path / "guarded", f"acl_file {rights}\n")
    try:
        process = start_weir(configuration(broker, mqtt_sink(guarded))).start()
        broker.publish("plant/1", readings(10))
        sentence = "the broker does not authorise us to publish to the topic"
        wait_until(lambda: sentence in process.log(), 20, "the sentence in the log")
        wait_until(lambda: process.pending() == 10, 10, "the rows in the status")
        assert sentence in sink_status(process)["state"]
        rights.write_text("topic readwrite #\n")
        guarded.process.send_signal(signal.SIGHUP)
        wait_delivered(process, 10)
    finally:
        guarded.stop()


def test_a_message_that_is_too_long_for_the_broker_waits_or_is_dropped(broker, tmp_path, start_weir, subscribe):
    small = Broker(tmp_path / "small", "max_packet_size 2000\n")
    try:
        listener = subscribe(small, "alerts/#")
        process = start_weir(configuration(broker, mqtt_sink(small, "alerts", 'on_reject = "drop"'))).start()
        payloads = readings(5) + [json.dumps({"device": "x" * 3000, "seq": 5})] + readings(5, 6)
        broker.publish("plant/1", payloads)
        wait_delivered(process, 11)
        stream = sink_status(process)["streams"][0]
        assert (stream["forwarded"], stream["expired"]) == (10, 1)
        assert "dropped row 6 of hot: the message" in process.log()
        wait_until(lambda: len(listener.rows()) >= 10, 10, "the others")
        assert [json.loads(row[2])["seq"] for row in listener.rows()] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    finally:
        small.stop()


def test_late_and_rejected_rows_do_not_go_out(broker, out, start_weir, subscribe):
    listener = subscribe(out, "#")
    text = configuration(broker, mqtt_sink(out))
    process = start_weir(text).start()
    broker.publish("plant/1", readings(3) + ['{"device": 1', "[]7"])
    wait_until(lambda: process.received("sensors") >= 5, 10, "the intake")
    wait_until(lambda: len(listener.rows()) >= 3, 10, "the rows")
    assert [s["name"] for s in sink_status(process)["streams"]] == ["hot"]
    wait_until(lambda: process.pending() == 0, 10, "a status that is of now")


def test_check_connect_names_what_is_wrong(broker, out, tmp_path):
    def checked(sink):
        path = tmp_path / "check.toml"
        path.write_text(configuration(broker, sink).replace("@HTTP@", "off"))
        return weir("check", "--connect", path)

    right = checked(mqtt_sink(out))
    assert right.returncode == 0 and "lets us in" in right.stdout + right.stderr
    out.stop()
    wrong = checked(mqtt_sink(out))
    assert wrong.returncode == 69 and "refused" in wrong.stdout + wrong.stderr


def test_a_lake_beside_gets_the_same_rows_and_the_rejected_ones(broker, out, start_weir, subscribe):
    listener = subscribe(out, "alerts/#")
    lake = '[[sink]]\nname = "lake"\ntype = "file"\nurl = "file:./lake"\nschedule = "every 1s"\n'
    text = agent() + sensors(broker) + query("hot", sinks='["alerts", "lake"]') + mqtt_sink(out) + lake
    process = start_weir(text).start()
    broker.publish("plant/1", readings(50) + ["nothing"])
    wait_delivered(process, 51)
    names = {s["name"]: sorted(t["name"] for t in s["streams"]) for s in process.status()["sinks"]}
    assert names == {"alerts": ["hot"], "lake": ["_rejected/sensors", "hot"]}
    wait_until(lambda: len(listener.rows()) >= 50, 10, "the messages")
    require_every_row(listener.rows(), 50)
