"""Rows as points: against a strict reader of line protocol with InfluxDB 2's address, and against InfluxDB 1
itself where it is installed (Debian's package influxdb)."""

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from influx_server import InfluxWrites
from lake_kit import agent, query
from rows_kit import row_sink, wait_delivered
from weir_kit import free_port, wait_until, weir
from webhook_server import WebhookServer

COLUMNS = (
    'device = "STRING", seq = "BIGINT", v = "DOUBLE", ok = "BOOLEAN", note = "STRING", '
    'ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }, list = "ARRAY<INT>", price = "DECIMAL(9, 2)"'
)
SQL = "SELECT ts, device, seq, v, ok, note, list, price FROM sensors"


def configuration(broker, sink, sql=SQL, columns=COLUMNS):
    source = (
        f'[[source]]\nname = "sensors"\ntype = "mqtt"\nurl = "{broker.url}"\ntopics = ["plant/#"]\n'
        f"columns = {{ {columns} }}\n"
    )
    return agent() + source + query("points", sql, '["alerts"]') + sink


def influx_sink(url, keys):
    return row_sink("influxdb", f'url = "{url}"\ntags = ["device"]\ntime_column = "ts"\n{keys}')


V2 = 'bucket = "plant"\norg = "works"\ntoken = "tok"'


@pytest.fixture
def influx():
    """InfluxDB 2's address, read strictly."""
    writes = InfluxWrites()
    server = WebhookServer(accept=writes)
    server.writes = writes
    yield server
    server.stop()


def message(number, **values):
    base = {
        "device": f"d{number % 5}", "seq": number, "v": number + 0.5, "ok": number % 2 == 0,
        "note": f"n {number}", "ts": 1764157980000 + number, "list": [1, None], "price": 12.5,
    }
    return json.dumps({**base, **values})


def point(server, number, device=None):
    tags = {"agent": "edge-1", "device": device or f"d{number % 5}"}
    return server.writes.points.get((("points", tuple(sorted(tags.items()))), 1764157980000 + number))


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_rows_become_points(broker, influx, start_weir, compression):
    sink = influx_sink(influx.url, V2 + f'\ncompression = "{compression}"\nbatch_rows = 70')
    process = start_weir(configuration(broker, sink)).start()
    broker.publish("plant/1", [message(n) for n in range(300)])
    wait_delivered(process, 300)
    assert len(influx.writes.points) == 300
    assert point(influx, 7) == {
        "seq": 7, "v": 7.5, "ok": False, "note": "n 7", "list": "[1,null]", "price": 12.5,
    }


def test_awkward_values_keep_what_they_are(broker, influx, start_weir):
    texts = ['say "hi"', "back\\slash", "comma, blank = sign", "two\nlines", "", "end\\", "ümläut", "\t"]
    devices = ["a b", "a,b", "a=b", "a\\", "ü", "two\nlines", 'q"q', "a\\b"]
    process = start_weir(configuration(broker, influx_sink(influx.url, V2))).start()
    broker.publish("plant/1", [message(n, note=texts[n], device=devices[n]) for n in range(8)])
    wait_delivered(process, 8)
    tags = ["a b", "a,b", "a=b", "a_", "ü", "two lines", 'q"q', "a\\b"]
    for number in range(8):
        assert point(influx, number, tags[number])["note"] == texts[number]


def test_what_has_no_form_is_left_out(broker, influx, start_weir):
    process = start_weir(configuration(broker, influx_sink(influx.url, V2))).start()
    nothing = dict.fromkeys(("seq", "v", "ok", "note", "list", "price"))
    broker.publish("plant/1", [
        message(0, v=None, note=None), message(1, **nothing), message(2, device=None), message(3, device=""),
        message(4, v=1e300), message(5, v=-5e-324, seq=-(2**63)),
    ])
    wait_delivered(process, 6)
    assert point(influx, 0) == {"seq": 0, "ok": True, "list": "[1,null]", "price": 12.5}
    assert point(influx, 1) == {"row": 2}, "a row without a value is not lost"
    for number in (2, 3):
        key = (("points", (("agent", "edge-1"),)), 1764157980000 + number)
        assert influx.writes.points[key]["seq"] == number
    assert point(influx, 4)["v"] == 1e300
    assert point(influx, 5)["v"] == -5e-324 and point(influx, 5)["seq"] == -(2**63)


def test_repeats_overwrite_themselves(broker, influx, start_weir):
    process = start_weir(configuration(broker, influx_sink(influx.url, V2 + "\nbatch_rows = 50"))).start()
    influx.rules = [{"fault": "drop_reply", "times": 4}]
    broker.publish("plant/1", [message(n) for n in range(200)])
    time.sleep(0.1)
    process.kill()
    process.start()
    wait_delivered(process, 200)
    assert len(influx.writes.points) == 200


def test_a_point_of_another_type_is_named_and_waited_for(broker, influx, start_weir):
    influx.writes.types["points", "seq"] = "float"
    process = start_weir(configuration(broker, influx_sink(influx.url, V2))).start()
    broker.publish("plant/1", [message(n) for n in range(5)])
    sentence = "it refuses the rows (400): partial write: field type conflict"
    wait_until(lambda: sentence in process.log(), 20, "the sentence in the log")
    assert "edge-1/alerts/points/1" in process.log()
    influx.writes.types.clear()
    wait_delivered(process, 5)
    assert len(influx.writes.points) == 5


def test_a_point_of_another_type_is_dropped_alone(broker, influx, start_weir):
    influx.writes.types["points", "price"] = "string"
    sink = influx_sink(influx.url, V2 + '\non_reject = "drop"')
    process = start_weir(configuration(broker, sink)).start()
    payloads = [message(n, price=12.5 if n == 3 else None) for n in range(9)]
    broker.publish("plant/1", payloads)
    wait_delivered(process, 9)
    stream = process.status()["sinks"][0]["streams"][0]
    assert (stream["forwarded"], stream["expired"]) == (8, 1)
    assert "dropped row 4 of points" in process.log() and len(influx.writes.points) == 8


@pytest.mark.parametrize(
    "keys, sentence",
    [
        (V2.replace('"tok"', '"old"'), "it does not know us (401); look at token"),
        (V2.replace("plant", "plnat"), "it has no bucket plnat (404); make it, or mend its name"),
    ],
)
def test_a_wrong_token_and_a_missing_bucket_are_named(broker, influx, start_weir, tmp_path, keys, sentence):
    text = configuration(broker, influx_sink(influx.url, keys))
    process = start_weir(text).start()
    broker.publish("plant/1", [message(1)])
    wait_until(lambda: sentence in process.log(), 20, "the sentence in the log")
    path = tmp_path / "check.toml"
    path.write_text(text.replace("@HTTP@", "off"))
    answer = weir("check", "--connect", path)
    assert answer.returncode == 69 and sentence in answer.stdout + answer.stderr
    influx.writes.token, influx.writes.bucket = ("old", "plant") if "old" in keys else ("tok", "plnat")
    wait_delivered(process, 1)
    answer = weir("check", "--connect", path)
    assert answer.returncode == 0 and "takes points" in answer.stdout


# InfluxDB 1 itself.


@pytest.fixture
def influxd(tmp_path):
    binary = shutil.which("influxd")
    if binary is None:
        pytest.skip("influxd is not installed (apt-get install influxdb)")
    port, folder = free_port(), tmp_path / "influxd"
    folder.mkdir()
    conf = folder / "influxdb.conf"
    conf.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n[meta]\ndir = "{folder}/meta"\n'
        f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n[monitor]\nstore-enabled = false\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n[subscriber]\nenabled = false\n'
    )
    log = open(folder / "log", "wb")
    process = subprocess.Popen([binary, "-config", conf], stdout=log, stderr=log, env=dict(os.environ))
    server = Influx1(port)
    try:
        wait_until(server.answers, 20, "InfluxDB's start")
        server.query("CREATE DATABASE plant")
        yield server
    finally:
        process.kill()
        process.wait(10)


class Influx1:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def answers(self):
        try:
            return urllib.request.urlopen(f"{self.url}/ping", timeout=2).status == 204
        except OSError:
            return False

    def query(self, text):
        body = urllib.parse.urlencode({"q": text, "db": "plant", "epoch": "ms"}).encode()
        with urllib.request.urlopen(f"{self.url}/query", body, timeout=10) as answer:
            return json.load(answer)["results"][0]

    def rows(self, measurement):
        series = self.query(f'SELECT * FROM "{measurement}"').get("series", [])
        return [dict(zip(series[0]["columns"], values)) for values in series[0]["values"]] if series else []


def test_influxdb_1_takes_every_row_over_kills(broker, influxd, start_weir):
    sink = influx_sink(influxd.url, 'database = "plant"\ncompression = "gzip"\nbatch_rows = 100')
    process = start_weir(configuration(broker, sink)).start()
    for round_number in range(6):
        broker.publish("plant/1", [message(n) for n in range(500 * round_number, 500 * (round_number + 1))])
        process.kill()
        process.start()
    wait_delivered(process, 3000)
    rows = influxd.rows("points")
    assert [row["seq"] for row in rows] == list(range(3000))
    assert rows[8] == {
        "time": 1764157980008, "agent": "edge-1", "device": "d3", "seq": 8, "v": 8.5, "ok": True,
        "note": "n 8", "list": "[1,null]", "price": 12.5,
    }


def test_influxdb_1_reads_awkward_values_back(broker, influxd, start_weir):
    texts = ['say "hi"', "back\\slash", "comma, blank = sign", "two\nlines", "end\\", "ümläut"]
    devices = ["a b", "a,b", "a=b", "a\\", 'q"q', "a\\b"]
    process = start_weir(configuration(broker, influx_sink(influxd.url, 'database = "plant"'))).start()
    broker.publish("plant/1", [message(n, note=texts[n], device=devices[n]) for n in range(6)])
    wait_delivered(process, 6)
    rows = influxd.rows("points")
    assert [row["note"] for row in rows] == texts
    assert [row["device"] for row in rows] == ["a b", "a,b", "a=b", "a_", 'q"q', "a\\b"]


def test_influxdb_1_without_its_database(broker, influxd, start_weir, tmp_path):
    text = configuration(broker, influx_sink(influxd.url, 'database = "later"'))
    process = start_weir(text).start()
    broker.publish("plant/1", [message(1)])
    wait_until(lambda: "it has no database later (404)" in process.log(), 20, "the sentence in the log")
    path = tmp_path / "check.toml"
    path.write_text(text.replace("@HTTP@", "off"))
    assert weir("check", "--connect", path).returncode == 69
    influxd.query("CREATE DATABASE later")
    wait_delivered(process, 1)
    answer = weir("check", "--connect", path)
    assert answer.returncode == 0, answer.stdout


def test_influxdb_1_names_a_type_conflict(broker, influxd, start_weir):
    urllib.request.urlopen(
        urllib.request.Request(f"{influxd.url}/write?db=plant", b"points,device=x seq=1.5 1764157980000000000", method="POST"))
    process = start_weir(configuration(broker, influx_sink(influxd.url, 'database = "plant"'))).start()
    broker.publish("plant/1", [message(1)])
    wait_until(lambda: "field type conflict" in process.log(), 20, "the sentence in the log")
