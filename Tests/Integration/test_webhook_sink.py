"""Rows posted to a webhook: each batch under a key that stays, whatever the receiver answers or does not."""

import json
import random
import re
import signal
import time
from pathlib import Path

import pytest

from lake_kit import readings
from rows_kit import configuration, expected_id, row_sink, sink_status, wait_delivered
from weir_kit import ROOT, free_port, wait_until, weir
from webhook_server import WebhookServer


@pytest.fixture
def hook():
    server = WebhookServer()
    yield server
    server.stop()


def http_sink(server, keys="", path="/hooks/weir"):
    return row_sink("http", f'url = "{server.url}{path}"\n{keys}')


def rows_of(request):
    text = request.body.decode()
    kind = request.headers["content-type"]
    if kind == "application/x-ndjson":
        return [json.loads(line) for line in text.splitlines()]
    document = json.loads(text)
    return document if isinstance(document, list) else [document]


def require_every_row(requests, count):
    """Each row is there, in order of first sight; what comes again has the same key and the same bytes."""
    bodies, numbers = {}, []
    for request in requests:
        key = request.headers["idempotency-key"]
        if key in bodies:
            assert bodies[key] == request.body, f"two bodies called {key} differ"
            continue
        bodies[key] = request.body
        ids = [row["row_id"] for row in rows_of(request)]
        own = [int(i.rsplit("/", 1)[1]) for i in ids]
        first, _, last = key.rsplit("/", 1)[1].partition("-")
        assert (own[0], own[-1]) == (int(first), int(last or first))
        numbers += own
    assert numbers == list(range(1, count + 1)), "each row is in one batch, batches are in order"
    return len(requests) - len(bodies)


@pytest.mark.parametrize("body", ["array", "lines", "single"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_rows_arrive_in_every_form(broker, hook, start_weir, body, compression):
    keys = f'body = "{body}"\ncompression = "{compression}"\nbatch_rows = 100\nheaders = ["X-Plant: 7"]'
    process = start_weir(configuration(broker, http_sink(hook, keys))).start()
    broker.publish("plant/1", readings(250))
    wait_delivered(process, 250)
    assert require_every_row(hook.taken(), 250) == 0
    first = hook.taken()[0]
    assert (first.method, first.path, first.headers["x-plant"]) == ("POST", "/hooks/weir", "7")
    assert rows_of(first)[0] == {"row_id": expected_id(1), "device": "d0", "seq": 0, "agent": "edge-1"}
    most = 1 if body == "single" else 100
    assert all(len(rows_of(r)) <= most for r in hook.taken())
    assert sink_status(process)["uploads"] == len(hook.taken())


def test_a_signature_verifies_as_the_documentation_says(broker, hook, start_weir):
    page = Path(ROOT, "docs", "row-sinks.md").read_text()
    scope = {}
    exec(re.search(r"```python\n(.*?)```", page, re.S).group(1), scope)
    is_genuine = scope["is_genuine"]
    keys = 'signing_secret = "hunter2 hunter2"\nbearer_token = "tok"\ncompression = "gzip"'
    process = start_weir(configuration(broker, http_sink(hook, keys))).start()
    broker.publish("plant/1", readings(30))
    wait_delivered(process, 30)
    for request in hook.taken():
        signature = request.headers["weir-signature"]
        assert is_genuine(b"hunter2 hunter2", signature, request.raw)
        assert not is_genuine(b"hunter3", signature, request.raw)
        assert not is_genuine(b"hunter2 hunter2", signature, request.raw + b" ")
        assert request.headers["authorization"] == "Bearer tok"
    assert "hunter2" not in process.log() and "Bearer" not in process.log()


def test_lost_replies_bring_the_same_batch_under_the_same_key(broker, hook, start_weir):
    process = start_weir(configuration(broker, http_sink(hook, "batch_rows = 50"))).start()
    hook.rules = [{"fault": "drop_reply", "times": 5}]
    broker.publish("plant/1", readings(400))
    wait_delivered(process, 400)
    assert require_every_row(hook.taken(), 400) == 5


@pytest.mark.parametrize(
    "status, sentence",
    [
        (401, "it does not know us (401); look at bearer_token"),
        (403, "it knows us and refuses us (403)"),
        (404, "there is nothing at the path of url (404)"),
        (429, "it asks to slow down (429)"),
        (500, "it answered 500"),
        (503, "it is not available at the moment (503)"),
        (301, "it answers with a redirect (301), which is not followed; put the new address into url"),
    ],
)
def test_what_a_receiver_answers_is_named_and_passes(broker, hook, start_weir, status, sentence):
    process = start_weir(configuration(broker, http_sink(hook, 'bearer_token = "t"'))).start()
    headers = {"Retry-After": "2"} if status in (429, 503) else {}
    hook.rules = [{"status": status, "headers": headers, "times": 2}]
    start = time.monotonic()
    broker.publish("plant/1", readings(20))
    wait_until(lambda: sentence in process.log(), 20, "the sentence in the log")
    wait_delivered(process, 20)
    assert f"posting to {hook.url}: {sentence}" in process.log()
    if headers:
        assert time.monotonic() - start >= 4, "Retry-After is obeyed, twice"
    assert require_every_row(hook.taken(), 20) == 0
    assert "/hooks/weir" not in process.log(), "a path may be a secret"


def test_a_batch_that_is_too_long_is_halved(broker, start_weir):
    hook = WebhookServer(accept=lambda r: (413, "") if len(r.body) > 2000 else (200, ""))
    try:
        process = start_weir(configuration(broker, http_sink(hook))).start()
        broker.publish("plant/1", readings(500))
        wait_delivered(process, 500)
        require_every_row(hook.taken(), 500)
    finally:
        hook.stop()


def refuses(number):
    return lambda request: (422, "no") if any(r["seq"] == number for r in rows_of(request)) else (200, "")


def test_a_refused_row_is_waited_for_and_named(broker, start_weir):
    hook = WebhookServer(accept=refuses(7))
    try:
        process = start_weir(configuration(broker, http_sink(hook, "batch_rows = 5"))).start()
        broker.publish("plant/1", readings(20))
        wait_until(lambda: "it refuses the rows (422)" in process.log(), 20, "the sentence")
        assert re.search(r"edge-1/alerts/hot/\d+-?\d*: it refuses the rows \(422\)", process.log())
        wait_until(lambda: process.pending() > 0, 10, "the rows in the status")
        hook.accept = None
        wait_delivered(process, 20)
        require_every_row(hook.taken(), 20)
    finally:
        hook.stop()


def test_a_refused_row_is_dropped_alone(broker, start_weir):
    hook = WebhookServer(accept=refuses(7))
    try:
        sink = http_sink(hook, 'on_reject = "drop"')
        process = start_weir(configuration(broker, sink)).start()
        broker.publish("plant/1", readings(20))
        wait_delivered(process, 20)
        stream = sink_status(process)["streams"][0]
        assert (stream["forwarded"], stream["expired"]) == (19, 1)
        got = [row["seq"] for request in hook.taken() for row in rows_of(request)]
        assert got == [n for n in range(20) if n != 7]
        assert "dropped row 8 of hot" in process.log()
    finally:
        hook.stop()


def test_a_receiver_that_is_slow_or_stalls(broker, hook, start_weir):
    process = start_weir(configuration(broker, http_sink(hook, 'stall_timeout = "1s"'))).start()
    hook.rules = [{"fault": "slow", "seconds": 0.5}, {"fault": "stall", "seconds": 30}]
    broker.publish("plant/1", readings(10))
    wait_until(lambda: hook.taken(), 10, "the first batch")
    broker.publish("plant/1", readings(10, 10))
    # The next try follows too soon for its failing state to be seen for sure.
    wait_until(lambda: sink_status(process)["upload_failures"] > 0, 20, "the stall in the status")
    wait_delivered(process, 20)
    require_every_row(hook.taken(), 20)


@pytest.mark.parametrize(
    "place",
    ["seal.before-write", "seal.after-write", "post.before:3", "post.after:3", "trim.before-write",
     "trim.after-write"],
)
def test_a_crash_at_each_step_keeps_batches_and_keys(broker, hook, start_weir, place):
    process = start_weir(configuration(broker, http_sink(hook, 'batch_rows = 200\nbody = "single"')))
    process.start(environment={"WEIR_CRASH_POINT": place})
    broker.publish("plant/1", readings(300))
    assert process.process.wait(30) == -signal.SIGKILL
    process.start()
    wait_delivered(process, 300)
    require_every_row(hook.taken(), 300)


def test_kills_at_random_while_replies_are_lost(broker, hook, start_weir):
    process = start_weir(configuration(broker, http_sink(hook, "batch_rows = 40"))).start()
    chance = random.Random(11)
    for number in range(20):
        hook.rules = [{"fault": "drop_reply", "times": 1}]
        broker.publish("plant/1", readings(200, 200 * number))
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.start()
    wait_delivered(process, 4000)
    repeats = require_every_row(hook.taken(), 4000)
    print(f"4000 rows, 20 kills, {repeats} batches twice")


def test_a_receiver_that_comes_later(broker, start_weir):
    port = free_port()
    sink = row_sink("http", f'url = "http://127.0.0.1:{port}/"')
    process = start_weir(configuration(broker, sink)).start()
    broker.publish("plant/1", readings(100))
    wait_until(lambda: "Connection refused" in process.log(), 20, "the outage in the log")
    hook = WebhookServer(port=port)
    try:
        wait_delivered(process, 100)
        require_every_row(hook.taken(), 100)
    finally:
        hook.stop()


def test_check_connect_asks_for_nothing_to_be_done(broker, hook, tmp_path):
    path = tmp_path / "check.toml"
    path.write_text(configuration(broker, http_sink(hook)).replace("@HTTP@", "off"))
    right = weir("check", "--connect", path)
    assert right.returncode == 0, right.stdout + right.stderr
    assert [r.method for r in hook.all()] == ["OPTIONS"]
    hook.rules = [{"status": 401}]
    assert "it answered 401" in weir("check", "--connect", path).stdout
