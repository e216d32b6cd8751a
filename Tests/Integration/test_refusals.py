"""A stream that is refused waits alone: its neighbours in the same sink go on, status and log name it and say why,
and it goes on by itself, in its order, when what was wrong is mended."""

import json
import signal
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lake_kit import agent, file_sink, query, readings, require_balanced, sensors, sink
from rows_kit import Subscriber, mqtt_sink, row_sink
from webhook_server import WebhookServer
from weir_kit import Broker, wait_until, weir

DELTA = sink('type = "file"\nurl = "file:./lake"\nformat = "delta"\n')
COLUMNS = 'device = "STRING", seq = "BIGINT"'


def tables(broker, sql="SELECT device, seq FROM sensors"):
    return (
        agent() + sensors(broker, columns=COLUMNS) + query("one", sql)
        + query("two", "SELECT seq, device FROM sensors") + DELTA
    )


def table(process, name):
    return Path(process.folder) / "lake" / name


def sequences(path):
    if not (path / "_delta_log").exists():
        return []
    return sorted(int(n) for n in DeltaTable(path).to_pyarrow_table().column("seq").to_pylist())


def of_sink(process, name="lake"):
    return next((s for s in process.status().get("sinks", []) if s["name"] == name), {})


def held(process, name="lake"):
    return {h["name"]: h["problem"] for h in of_sink(process, name).get("held", [])}


def pending(process, stream):
    return next((t["pending"] for t in of_sink(process).get("streams", []) if t["name"] == stream), -1)


def refuse(process):
    """Another writer gives the table a feature that weir does not know; returns the entry."""
    log = table(process, "one") / "_delta_log"
    entry = log / f"{len(list(log.glob('*.json'))):020}.json"
    protocol = {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["rowTracking"]}
    entry.write_text(json.dumps({"protocol": protocol}) + "\n")
    return entry


def test_a_table_that_is_refused_waits_alone_and_goes_on_when_it_is_mended(broker, start_weir):
    process = start_weir(tables(broker)).start()
    broker.publish("plant/1", readings(10))
    wait_until(lambda: process.received("sensors") == 10 and process.pending() == 0, 30, "the first rows")
    entry = refuse(process)
    sent = 10
    for _ in range(4):
        broker.publish("plant/1", readings(10, sent))
        sent += 10
        wait_until(lambda: sequences(table(process, "two")) == list(range(sent)), 20, "the neighbour's rows")
    said = "it needs the feature rowTracking, which weir lacks"
    wait_until(lambda: said in held(process).get("one", ""), 20, "the status that names the stream")
    assert list(held(process)) == ["one"] and of_sink(process)["is_failing"]
    assert "one waits: adding files to" in process.log() and said in process.log()
    wait_until(lambda: said in of_sink(process)["state"], 20, "the sentence when nothing else is to be done")
    page = weir("status", process.config, cwd=process.folder).stdout
    assert "    waits alone: adding files to" in page
    assert sequences(table(process, "one")) == list(range(10))
    # A kill changes nothing; the neighbour goes on after it, too.
    process.kill()
    process.start()
    broker.publish("plant/1", readings(10, sent))
    sent += 10
    wait_until(lambda: sequences(table(process, "two")) == list(range(sent)), 20, "the neighbour after a kill")
    wait_until(lambda: pending(process, "one") == sent - 10, 20, "what waits")
    entry.unlink()
    wait_until(lambda: process.pending() == 0, 30, "the rows that waited")
    assert sequences(table(process, "one")) == list(range(sent)), "once each"
    rows = DeltaTable(table(process, "one")).history()
    ranges = [entry["rows"] for entry in rows if "rows" in entry]
    firsts = [int(text.split("-")[0]) for text in reversed(ranges)]
    assert firsts == sorted(firsts), "in order"
    wait_until(lambda: not of_sink(process)["is_failing"] and not held(process), 10, "the end of it in the status")
    require_balanced(process.status())


def test_a_changed_column_holds_up_nobody_and_is_mended_under_way(broker, start_weir):
    process = start_weir(tables(broker)).start()
    broker.publish("plant/1", readings(10))
    wait_until(lambda: process.received("sensors") == 10 and process.pending() == 0, 30, "the first rows")
    process.stop()
    text = Path(process.config).read_text()
    Path(process.config).write_text(text.replace("SELECT device, seq FROM", "SELECT device, CAST(seq AS STRING) AS seq FROM"))
    process.start()
    broker.publish("plant/1", readings(10, 10))
    wait_until(lambda: sequences(table(process, "two")) == list(range(20)), 20, "the neighbour's rows")
    wait_until(lambda: "column seq is of type string" in held(process).get("one", ""), 20, "the refusal")
    table(process, "one").rename(table(process, "one").with_name("old"))
    wait_until(lambda: process.pending() == 0, 20, "the rows that waited")
    assert sequences(table(process, "one")) == list(range(10, 20))


@pytest.mark.parametrize("point", ["delta.before-data", "delta.after-commit", "trim.before-write", "stage.after-record"])
def test_crashes_while_a_stream_waits_bring_nothing_twice(broker, start_weir, point):
    crash = {"WEIR_CRASH_POINT": f"{point}:1"}
    # What is refused is put to rest at once, the other steps are those of the neighbour.
    is_early = point.startswith("stage")
    process = start_weir(tables(broker)).start(environment=crash if is_early else {})
    broker.publish("plant/1", readings(10))
    wait_until(lambda: process.received("sensors") == 10 and process.pending() == 0, 30, "the first rows")
    entry = refuse(process)
    broker.publish("plant/1", readings(10, 10))
    if not is_early:
        wait_until(lambda: held(process) and pending(process, "two") == 0, 20, "the refusal")
        process.kill()
        process.start(environment=crash)
        broker.publish("plant/1", readings(10, 20))
    wait_until(lambda: process.process.poll() is not None, 20, "the crash")
    if is_early:
        broker.publish("plant/1", readings(10, 20))
    process.start()
    wait_until(lambda: sequences(table(process, "two")) == list(range(30)), 20, "the neighbour's rows")
    entry.unlink()
    wait_until(lambda: process.pending() == 0, 30, "the rows that waited")
    assert sequences(table(process, "one")) == list(range(30))


def test_discarding_what_is_refused_ends_the_wait(broker, start_weir):
    process = start_weir(tables(broker)).start()
    broker.publish("plant/1", readings(10))
    wait_until(lambda: process.received("sensors") == 10 and process.pending() == 0, 30, "the first rows")
    refuse(process)
    broker.publish("plant/1", readings(10, 10))
    wait_until(lambda: held(process), 20, "the refusal")
    wait_until(lambda: pending(process, "two") == 0, 20, "the neighbour")
    done = weir("outbox", "discard", process.config, "lake", "--stream", "one", "--yes", cwd=process.folder)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not held(process) and not of_sink(process)["is_failing"], 20, "the end of the wait")
    require_balanced(process.status())


def test_a_damaged_file_of_waiting_rows_stops_its_stream_alone(broker, start_weir):
    keys = "max_rows = 20\n[sink.outbox]\nfiles = \"always\"\n"
    text = (
        agent() + sensors(broker) + query("one") + query("two", "SELECT seq, device FROM sensors") + file_sink(keys=keys)
    )
    process = start_weir(text)
    lake = Path(process.folder) / "lake"
    lake.write_text("in the way")
    process.start()
    broker.publish("plant/1", readings(60))

    def first_file():
        done = weir("outbox", "show", process.config, "lake", "one", "--row", "1", "--json", cwd=process.folder)
        found = json.loads(done.stdout)[0]["files"] if done.returncode == 0 else []
        return Path(process.folder) / found[0]["path"] if found else None

    wait_until(lambda: process.received("sensors") == 60 and first_file(), 30, "a file of waiting rows")
    victim = first_file()
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    lake.unlink()
    wait_until(lambda: pending(process, "two") == 0, 30, "the neighbour")
    wait_until(lambda: "its bytes are not those that were written" in held(process).get("one", ""), 20, "the refusal")
    assert pending(process, "one") == 60, "nothing goes past it"
    victim.write_bytes(whole)
    wait_until(lambda: process.pending() == 0, 20, "the rest")


def test_rows_that_a_receiver_refuses_wait_alone_and_come_once(broker, start_weir):
    """Bodies before the refused one have gone: they are not sent again when the neighbour was served meanwhile."""
    refuses = [True]

    def accept(request):
        poisoned = refuses and request.body and b'"seq":7,' in request.body.replace(b" ", b"")
        return (422, "") if poisoned and "/one/" in request.headers["idempotency-key"] else (200, "")

    server = WebhookServer(accept=accept)
    try:
        keys = f'url = "{server.url}/hook"\nbatch_rows = 2\n'
        text = (
            agent() + sensors(broker) + query("one", "SELECT seq, device FROM sensors", '["alerts"]')
            + query("two", "SELECT seq, device FROM sensors", '["alerts"]') + row_sink("http", keys)
        )
        process = start_weir(text).start()
        sent = 0
        for _ in range(3):
            broker.publish("plant/1", readings(10, sent))
            sent += 10
            wait_until(
                lambda: sum(r.body.count(b'"seq"') for r in server.taken() if "/two/" in r.headers["idempotency-key"])
                >= sent, 20, "the neighbour's rows")
        wait_until(lambda: "it refuses the rows (422)" in held(process, "alerts").get("one", ""), 20, "the refusal")
        refuses.clear()
        wait_until(lambda: process.received("sensors") == sent and process.pending() == 0, 30, "the rest")
        keys = [r.headers["idempotency-key"] for r in server.taken()]
        assert len(keys) == len(set(keys)), "nothing was sent twice"
        numbers = [int(k.rsplit("/", 1)[1].split("-")[0]) for k in keys if "/one/" in k]
        assert numbers == sorted(numbers), "in order"
    finally:
        server.stop()


def test_a_topic_without_rights_holds_up_its_own_query_alone(broker, start_weir, tmp_path):
    rights = tmp_path / "acl"
    rights.write_text("topic read #\ntopic readwrite out/two\n")
    guarded = Broker(tmp_path / "guarded", f"acl_file {rights}\n")
    listener = Subscriber(guarded, "out/#")
    try:
        text = (
            agent() + sensors(broker) + query("one", "SELECT 'one' AS kind, seq FROM sensors", '["alerts"]')
            + query("two", "SELECT 'two' AS kind, seq FROM sensors", '["alerts"]') + mqtt_sink(guarded, "out/{kind}")
        )
        process = start_weir(text).start()

        def numbers(kind):
            return [json.loads(payload)["seq"] for topic, _, payload, _ in listener.rows() if topic == f"out/{kind}"]

        for start in (0, 10, 20):
            broker.publish("plant/1", readings(10, start))
            wait_until(lambda: set(numbers("two")) == set(range(start + 10)), 20, "the neighbour's rows")
        said = "the broker does not authorise us to publish to the topic"
        wait_until(lambda: said in held(process, "alerts").get("one", ""), 20, "the refusal")
        assert list(held(process, "alerts")) == ["one"] and not numbers("one")
        rights.write_text("topic readwrite #\n")
        guarded.process.send_signal(signal.SIGHUP)
        wait_until(lambda: process.received("sensors") == 30 and process.pending() == 0, 30, "the rest")
        wait_until(lambda: len(numbers("one")) >= 30, 10, "the rows that waited")
        assert list(dict.fromkeys(numbers("one"))) == list(range(30)), "in order"
    finally:
        listener.stop()
        guarded.stop()
