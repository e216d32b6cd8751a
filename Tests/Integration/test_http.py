"""The HTTP face of a running agent, to well-behaved and other clients."""

import os
import random
import re
import socket

import pytest

from lake_kit import agent, file_sink, query, readings, require_balanced, sensors
from weir_kit import wait_until

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"^({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)$")


class Metrics:
    """The Prometheus text format 0.0.4, read strictly."""

    def __init__(self, text):
        assert text.endswith("\n") and "\r" not in text
        self.types, self.samples = {}, {}
        current = None
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if line.startswith("# HELP "):
                current = line.split(" ", 3)[2]
                assert current not in self.types, f"{current} has two heads"
                assert len(line.split(" ", 3)[3]) > 3, f"{current} is not explained"
                kind = re.fullmatch(rf"# TYPE {current} (counter|gauge|histogram)", lines[number + 1])
                assert kind, f"{current}: its type does not follow"
                self.types[current] = kind.group(1)
            elif not line.startswith("# TYPE "):
                self._sample(line, current)
        for name, kind in self.types.items():
            assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
            if kind == "histogram":
                self._check_histogram(name)

    def _sample(self, line, current):
        found = SAMPLE.match(line)
        assert found, f"no sample: {line}"
        name, value = found.group(1), found.group(found.lastindex)
        base = re.sub("_(bucket|sum|count)$", "", name) if self.types[current] == "histogram" else name
        assert base == current, f"{name} stands under {current}"
        labels = tuple((each[0], each[1]) for each in re.findall(LABEL, found.group(2) or ""))
        assert len(dict(labels)) == len(labels), f"a label comes twice: {line}"
        assert (name, labels) not in self.samples, f"comes twice: {line}"
        self.samples[name, labels] = float(value)

    def _check_histogram(self, name):
        buckets = [(dict(labels)["le"], v) for (n, labels), v in self.samples.items() if n == name + "_bucket"]
        bounds = [float(bound) for bound, _ in buckets]
        counts = [count for _, count in buckets]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf") and counts == sorted(counts), name
        assert self[name + "_count"] == counts[-1]
        assert (name + "_sum", ()) in self.samples

    def __getitem__(self, key):
        name, labels = key if isinstance(key, tuple) else (key, {})
        return self.samples[name, tuple(labels.items())]


@pytest.fixture
def weir(broker, start_weir):
    return start_weir(agent() + sensors(broker) + query() + file_sink()).start()


def test_metrics_are_strict_prometheus_text_and_agree_with_the_status(broker, weir):
    broker.publish("plant/1", readings(300) + ["broken"])
    wait_until(lambda: weir.received("sensors") == 301 and weir.pending() == 0)
    wait_until(lambda: not any(s["state"] != "idle" for s in weir.status()["sinks"]))
    status = weir.status()
    metrics = Metrics(weir.get("/metrics")[1])
    require_balanced(status)
    source = status["sources"][0]
    for figure in ("received", "decoded", "rejected"):
        counted = metrics[f"weir_source_rows_{figure}_total", {"source": "sensors"}]
        assert counted == source["rows"][figure]
    assert metrics["weir_source_messages_total", {"source": "sensors"}] == source["messages"] == 301
    for figure in ("in", "used", "filtered", "late", "emitted"):
        counted = metrics[f"weir_query_rows_{figure}_total", {"query": "readings"}]
        assert counted == status["queries"][0]["rows"][figure]
    for stream in status["sinks"][0]["streams"]:
        labels = {"sink": "lake", "stream": stream["name"]}
        for figure in ("appended", "forwarded", "expired"):
            assert metrics[f"weir_outbox_rows_{figure}_total", labels] == stream[figure]
        assert metrics["weir_outbox_rows", labels] == stream["pending"] == 0
    uploads = {"sink": "lake", "result": "ok"}
    assert metrics["weir_sink_uploads_total", uploads] == status["sinks"][0]["uploads"] >= 2
    assert metrics["weir_ledger_balanced"] == 1
    assert metrics["weir_commit_duration_seconds_count"] >= 1
    assert metrics["process_resident_memory_bytes"] > 1e6


def test_identities_hold_at_every_look_while_messages_come(broker, weir):
    for round_number in range(5):
        client = broker.publisher()
        handles = [client.publish("plant/1", text, qos=1) for text in readings(400, 400 * round_number)]
        while not all(handle.is_published() for handle in handles):
            require_balanced(weir.status())
            metrics = Metrics(weir.get("/metrics")[1])
            assert metrics["weir_ledger_balanced"] == 1
            seen = {f: metrics[f"weir_query_rows_{f}_total", {"query": "readings"}] for f in ("in", "used")}
            assert seen["in"] == seen["used"]
        client.disconnect()
        client.loop_stop()
    wait_until(lambda: weir.received("sensors") == 2000)


def exchange(weir, request, half_close=True):
    """What comes back for raw bytes, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", weir.http), timeout=15) as connection:
        connection.settimeout(15)
        answer = b""
        try:
            connection.sendall(request)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                answer += data
        except ConnectionError:
            pass
        return answer


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


def test_pages_methods_and_what_is_not_there(weir):
    assert weir.get("/healthz") == (200, "ok\n")
    assert weir.get("/readyz") == (200, "ok\n")
    assert weir.get("/")[0] == 404
    assert weir.get("/v1/status/..")[0] == 404
    assert weir.get("/metrics?x=1")[0] == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = exchange(weir, f"{method} /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert status_of(answer) == 405, (method, answer)
        assert b"allow: GET, HEAD" in answer.replace(b"Allow", b"allow")
    head = exchange(weir, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status_of(head) == 200 and head.endswith(b"\r\n\r\n"), "HEAD has no body"
    two = exchange(weir, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert two.count(b"HTTP/1.1 200") == 2, "requests may be pipelined"


GARBAGE = {
    "zeros": b"\0" * 1000,
    "random": random.Random(7).randbytes(4000),
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500,
    "mqtt": b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00\x02ab",
    "no head's end": b"GET /metrics HTTP/1.1\r\nHost: x\r\n",
    "long target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": b"GET /metrics HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"A: a\r\n" * 5000 + b"\r\n",
    "endless header": b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"B" * 5_000_000,
    "negative length": b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "two lengths": b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a body to a GET": b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "bad chunks": b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "header injection": b"GET /%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "absolute form": b"GET http://other/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
}


def test_garbage_is_answered_or_cut_off_and_changes_nothing(broker, weir):
    for name, request in GARBAGE.items():
        answer = exchange(weir, request)
        assert b"Set-Cookie" not in answer.split(b"\r\n\r\n")[0], name
        assert answer == b"" or status_of(answer) in (200, 400, 404, 405, 413, 414, 431, 501, 505), (name, answer)
        assert weir.get("/healthz") == (200, "ok\n"), name
    broker.publish("plant/1", readings(10))
    wait_until(lambda: weir.received("sensors") == 10)
    assert weir.stop() == 0


def test_many_connections_hold_up_neither_intake_nor_memory(broker, weir):
    held = []
    try:
        for number in range(300):
            connection = socket.create_connection(("127.0.0.1", weir.http), timeout=1)
            connection.sendall(b"GET /metrics HTTP/1.1\r\n" if number % 2 else b"")
            held.append(connection)
            if number == 20:  # fewer than the most that are served at a time
                assert weir.get("/healthz")[0] == 200
    except TimeoutError:
        pass  # the kernel's queue is full, which is what bounds them
    lake = os.path.join(weir.folder, "lake", "readings")
    broker.publish("plant/1", readings(500))
    wait_until(lambda: os.path.isdir(lake), 20, "an object, in spite of the connections")
    for connection in held:
        connection.close()
    wait_until(lambda: weir.received("sensors") == 500, 20, "an answer after they left")
    assert weir.status()["storage"]["open_files"] < 100


def test_an_address_in_use_is_a_sentence_and_exit_code_78(broker, start_weir):
    weir = start_weir(agent() + sensors(broker) + query() + file_sink())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", weir.http))
        taken.listen()
        weir.start(ready=False)
        assert weir.process.wait(20) == 78
    last = weir.log().strip().splitlines()[-1]
    assert last == (
        f"weir: listening on 127.0.0.1:{weir.http}: the address is in use; "
        'choose another address as agent.http, or set it to "off"'
    )
