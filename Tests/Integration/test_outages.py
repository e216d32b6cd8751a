"""Outages of sinks and brokers: intake goes on, and in the end each object is there once and whole.

The sinks are a folder, Ceph's S3 gateway and HDFS; they are read back with boto3 and plain WebHDFS.
"""

import json
import os
import re
import signal
import threading
import time
import urllib.parse

import pytest

from lake_kit import (
    FolderLake, HdfsLake, S3Lake, agent, file_sink, query, readings, require_balanced, require_each_once,
    sensors, sink,
)
from weir_kit import free_port, wait_until

STANDBY = {
    "RemoteException": {
        "exception": "StandbyException",
        "javaClassName": "org.apache.hadoop.ipc.StandbyException",
        "message": "Operation category WRITE is not supported in state standby",
    }
}


def configuration(broker, *sinks, names='["lake"]', keys=""):
    return agent() + sensors(broker, keys) + query(sinks=names) + "".join(sinks)


def is_failing(weir, name="lake"):
    return any(s["is_failing"] for s in weir.status().get("sinks", []) if s["name"] == name)


def is_down(weir):
    return wait_until(lambda: is_failing(weir), 20, "a failed upload")


def wait_received(weir, count):
    wait_until(lambda: weir.received("sensors") == count, 30, f"the intake of {count} rows")


def wait_forwarded(weir):
    wait_until(lambda: weir.pending() == 0, 45, "the upload of everything")
    status = weir.status()
    require_balanced(status)
    return status


def test_a_sink_down_from_the_start_holds_up_no_intake(broker, start_weir):
    weir = start_weir(configuration(broker, file_sink()))
    # A file where the folder should be.
    lake = os.path.join(weir.folder, "lake")
    open(lake, "w").close()
    weir.start()
    broker.publish("plant/1", readings(500))
    wait_received(weir, 500)
    is_down(weir)
    broker.publish("plant/1", readings(500, 500))
    wait_received(weir, 1000)
    assert weir.pending() == 1000 and is_failing(weir)
    assert weir.get("/readyz")[0] == 200, "a sink's outage is no reason to be taken out of service"
    os.remove(lake)
    wait_forwarded(weir)
    assert not is_failing(weir)
    require_each_once(FolderLake(lake), range(1000))


def test_one_sink_down_holds_up_no_other(broker, start_weir):
    sinks = (file_sink("good", name="good"), file_sink("bad", name="bad"))
    weir = start_weir(configuration(broker, *sinks, names='["good", "bad"]'))
    bad = os.path.join(weir.folder, "bad")
    open(bad, "w").close()
    weir.start()
    good = FolderLake(os.path.join(weir.folder, "good"))
    for round_number in range(3):
        broker.publish("plant/1", readings(200, 200 * round_number))
        wait_until(lambda: len(good.objects("readings")) > round_number, 20, "an object of the good sink")
    wait_until(lambda: is_failing(weir, "bad"), 20)
    assert not is_failing(weir, "good")
    os.remove(bad)
    wait_forwarded(weir)
    require_each_once(good, range(600))
    require_each_once(FolderLake(bad), range(600))


def test_a_gateway_that_stops_answering(broker, start_weir, s3):
    weir = start_weir(configuration(broker, sink(s3.sink("frozen", 'stall_timeout = "1s"'))))
    s3.signal(signal.SIGSTOP)
    try:
        weir.start()
        broker.publish("plant/1", readings(300))
        wait_received(weir, 300)
        is_down(weir)
        broker.publish("plant/1", readings(300, 300))
        wait_received(weir, 600)
        assert weir.pending() == 600
    finally:
        s3.signal(signal.SIGCONT)
    wait_forwarded(weir)
    require_each_once(S3Lake(s3, "frozen"), range(600))


def test_a_gateway_that_comes_later_and_a_restart_meanwhile(broker, start_weir, s3, fault_proxy):
    port = free_port()
    weir = start_weir(configuration(broker, sink(s3.sink("later", 'compression = "gzip"', port=port)))).start()
    broker.publish("plant/1", readings(300))
    wait_received(weir, 300)
    is_down(weir)
    weir.kill()
    weir.start()
    broker.publish("plant/1", readings(300, 300))
    wait_received(weir, 600)
    fault_proxy(s3.port, port=port)
    wait_forwarded(weir)
    require_each_once(S3Lake(s3, "later"), range(600))


def test_a_reply_lost_after_the_object_was_stored_in_s3(broker, start_weir, s3, fault_proxy):
    proxy = fault_proxy(s3.port)
    proxy.rules({"match": "^PUT /weir/reply/", "fault": "drop_reply", "times": 2})
    weir = start_weir(configuration(broker, sink(s3.sink("reply", port=proxy.port)))).start()
    broker.publish("plant/1", readings(200))
    wait_received(weir, 200)
    wait_forwarded(weir)
    lost = proxy.requests("drop_reply")
    assert len(lost) == 2 and len(set(lost)) == 1, "the same object again"
    objects = require_each_once(S3Lake(s3, "reply"), range(200))
    assert urllib.parse.unquote(lost[0][1]) == "/weir/reply/" + next(iter(objects))


def test_uploads_cut_and_requests_lost_on_the_way_to_s3(broker, start_weir, s3, fault_proxy):
    proxy = fault_proxy(s3.port)
    proxy.rules(
        {"match": "^PUT", "fault": "drop_request"},
        {"match": "^PUT", "fault": "cut_upload", "bytes": 1000},
        {"match": "^PUT", "fault": "drop_reply"},
    )
    weir = start_weir(configuration(broker, sink(s3.sink("cut", port=proxy.port)))).start()
    broker.publish("plant/1", readings(500))
    wait_received(weir, 500)
    wait_forwarded(weir)
    proxy.wait_for_rules()
    require_each_once(S3Lake(s3, "cut"), range(500))


@pytest.mark.parametrize(
    "status, headers, body",
    [
        (503, {"Retry-After": "2"}, "<Error><Code>SlowDown</Code><Message>slow down</Message></Error>"),
        (429, {"Retry-After": "2"}, ""),
        (412, {}, "<Error><Code>PreconditionFailed</Code></Error>"),
        (500, {}, "<Error><Code>InternalError</Code><Message>try again</Message></Error>"),
        (403, {}, "<Error><Code>AccessDenied</Code></Error>"),
    ],
)
def test_refusals_of_s3_are_only_outages(broker, start_weir, s3, fault_proxy, status, headers, body):
    proxy = fault_proxy(s3.port)
    rule = {"match": "^PUT", "fault": "status", "status": status, "headers": headers, "body": body}
    proxy.rules({**rule, "times": 2})
    prefix = f"status-{status}"
    text = configuration(broker, sink(s3.sink(prefix, port=proxy.port)))
    # Only there each try is in the log.
    weir = start_weir(text.replace('id = "edge-1"', 'id = "edge-1"\nlog_level = "debug"')).start()
    broker.publish("plant/1", readings(100))
    wait_received(weir, 100)
    broker.publish("plant/1", readings(100, 100))
    wait_received(weir, 200)
    wait_forwarded(weir)
    assert len(proxy.requests("status")) == 2
    require_each_once(S3Lake(s3, prefix), range(200))
    assert f"answered {status}" in weir.log()
    pauses = [float(text) for text in re.findall(r"retry_in=([\d.]+) s", weir.log())]
    assert len(pauses) == 2
    if "Retry-After" in headers:
        assert min(pauses) >= 2, "the server's Retry-After is obeyed"
    else:
        assert max(pauses) <= 0.5


def hdfs_proxies(hdfs, fault_proxy):
    """Proxies before the NameNodes and, by rewritten redirects, before the DataNode."""
    data = fault_proxy(hdfs.data_node)
    rewrite = [(f"127.0.0.1:{hdfs.data_node}", f"127.0.0.1:{data.port}")]
    return [fault_proxy(port, rewrite=rewrite) for port in hdfs.name_nodes], data


def through_proxies(hdfs, names, folder):
    return sink(hdfs.sink(folder, ports=[proxy.port for proxy in names]))


def set_rules(names, *rules):
    for proxy in names:
        proxy.rules(*rules)


def require_no_temporaries(lake):
    assert all("/date=" in key for key in lake.keys()), lake.keys()


def test_replies_lost_and_uploads_cut_on_the_way_to_hdfs(broker, start_weir, hdfs, fault_proxy):
    names, data = hdfs_proxies(hdfs, fault_proxy)
    folder = hdfs.make_folder("/lake/replies")
    # A cut upload leaves a closed file with what arrived; then a lost reply to the data, then one to
    # the rename: each time HDFS has more than weir knows.
    data.rules(
        {"match": "^PUT .*op=CREATE", "fault": "cut_upload", "bytes": 700},
        {"match": "^PUT .*op=CREATE", "fault": "drop_reply"},
    )
    set_rules(names, {"match": "^PUT .*op=RENAME", "fault": "drop_reply"})
    weir = start_weir(configuration(broker, through_proxies(hdfs, names, folder))).start()
    broker.publish("plant/1", readings(300))
    wait_received(weir, 300)
    wait_forwarded(weir)
    data.wait_for_rules()
    assert sum(len(proxy.requests("drop_reply")) for proxy in names) >= 1
    lake = HdfsLake(hdfs, folder)
    require_each_once(lake, range(300))
    require_no_temporaries(lake)


def test_a_name_node_that_says_it_is_on_standby(broker, start_weir, hdfs, fault_proxy):
    names, _ = hdfs_proxies(hdfs, fault_proxy)
    folder = hdfs.make_folder("/lake/standby")
    rule = {"match": "webhdfs", "fault": "status", "status": 403, "body": json.dumps(STANDBY), "times": 3}
    set_rules(names, rule)
    weir = start_weir(configuration(broker, through_proxies(hdfs, names, folder))).start()
    broker.publish("plant/1", readings(200))
    wait_received(weir, 200)
    wait_forwarded(weir)
    assert "is on standby" in weir.log()
    require_each_once(HdfsLake(hdfs, folder), range(200))


def test_a_failover_to_the_other_name_node(broker, start_weir, hdfs):
    folder = hdfs.make_folder("/lake/failover")
    weir = start_weir(configuration(broker, sink(hdfs.sink(folder)))).start()
    broker.publish("plant/1", readings(200))
    wait_received(weir, 200)
    wait_forwarded(weir)
    hdfs.admin("haadmin", "-transitionToStandby", "nn1")
    try:
        broker.publish("plant/1", readings(200, 200))
        wait_received(weir, 400)
        assert weir.pending() == 200, "nobody can take it"
    finally:
        hdfs.admin("haadmin", "-transitionToActive", "nn2")
    wait_forwarded(weir)
    require_each_once(HdfsLake(hdfs, folder), range(400))


def test_a_quota_to_which_hdfs_answers_201(broker, start_weir, hdfs):
    folder = hdfs.make_folder("/lake/quota")
    hdfs.admin("dfsadmin", "-setSpaceQuota", "1", folder)
    weir = start_weir(configuration(broker, sink(hdfs.sink(folder)))).start()
    broker.publish("plant/1", readings(200))
    wait_received(weir, 200)
    is_down(weir)
    assert weir.pending() == 200
    assert not HdfsLake(hdfs, folder).objects("readings"), "nothing incomplete under a final name"
    hdfs.admin("dfsadmin", "-clrSpaceQuota", folder)
    wait_forwarded(weir)
    lake = HdfsLake(hdfs, folder)
    require_each_once(lake, range(200))
    require_no_temporaries(lake)


def test_a_broker_restarted_while_messages_are_unacknowledged(broker, start_weir):
    # A long commit interval, so that each restart finds messages that weir has read and not acknowledged.
    text = configuration(broker, file_sink()).replace("[agent]", '[agent]\ncommit_interval = "700ms"', 1)
    weir = start_weir(text).start()
    for round_number in range(4):
        broker.publish("plant/1", readings(1000, 1000 * round_number))
        wait_until(lambda: weir.status()["sources"][0]["messages"] > 1000 * round_number, 20)
        broker.stop()
        broker.start()
    wait_received(weir, 4000)
    wait_forwarded(weir)
    assert weir.status()["sources"][0]["reconnects"] == 4
    require_each_once(FolderLake(os.path.join(weir.folder, "lake")), range(4000))


def test_a_broker_restarted_while_a_client_publishes(broker, start_weir):
    import paho.mqtt.client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    weir = start_weir(configuration(broker, file_sink())).start()
    # At QoS 2 and in a session that lasts, the publisher itself neither loses nor doubles anything.
    publisher = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="generator", protocol=mqtt.MQTTv5)
    publisher.max_inflight_messages_set(50)
    publisher.reconnect_delay_set(1, 1)
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 3600
    publisher.connect("127.0.0.1", broker.port, clean_start=False, properties=session)
    publisher.loop_start()
    stop, count, acknowledged = threading.Event(), 0, []
    publisher.on_publish = lambda *event: acknowledged.append(event[2])

    def publish():
        nonlocal count
        while not stop.is_set():
            publisher.publish("plant/1", readings(1, count)[0], qos=2)
            count += 1
            time.sleep(0.001)  # the rate of publishing

    thread = threading.Thread(target=publish)
    thread.start()
    for round_number in range(2):
        wait_until(lambda: weir.received("sensors") >= 300 * (round_number + 1), 30)
        broker.stop()
        broker.start()
    wait_until(lambda: weir.received("sensors") >= 900, 30)
    stop.set()
    thread.join()
    wait_until(lambda: len(acknowledged) == count, 30, "the broker's acknowledgement of everything")
    publisher.disconnect()
    publisher.loop_stop()
    wait_received(weir, count)
    wait_forwarded(weir)
    require_each_once(FolderLake(os.path.join(weir.folder, "lake")), range(count))


def test_a_second_client_of_the_same_id_is_asked_after(broker, start_weir):
    """mosquitto 2.0 takes the connection of the first one away without a word, and the two go on in turns."""
    text = agent() + sensors(broker, 'client_id = "gateway"') + query() + file_sink()
    both = [start_weir(text, name=name).start(ready=False) for name in ("first", "second")]
    question = "is there another client with the client id gateway?"
    wait_until(lambda: any(question in weir.log() for weir in both), 60, "the question")
