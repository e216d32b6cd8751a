"""The two sample configurations as they are shipped, on a real broker and real lakes, against oracles.

Only addresses, folders and the pace of the schedule are exchanged.
"""

import datetime
import json
import os
import random
from collections import defaultdict

from lake_kit import HdfsLake, S3Lake, require_balanced, rows
from weir_kit import ROOT, wait_until

MINUTE = 60_000


def shipped(name):
    with open(os.path.join(ROOT, "configs", name)) as f:
        return f.read()


def exchanged(text, pairs):
    for old, new in pairs:
        assert old in text, f"the sample has no {old} any more"
        text = text.replace(old, new)
    return text


def wait_forwarded(running, source, count):
    wait_until(lambda: running.received(source) == count, 60, f"the intake of {count} rows")
    wait_until(lambda: running.pending() == 0, 60, "the upload of everything")
    require_balanced(running.status())


def iso(milliseconds, zone="Z"):
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}{zone}"


def local(milliseconds):
    """A TIMESTAMP, which has no zone, as window_start and window_end are."""
    return iso(milliseconds, "")


def test_sensors_into_s3(broker, start_weir, s3):
    text = exchanged(shipped("sensors.toml"), [
        ('"/var/lib/weir"', '"state"'), ("127.0.0.1:8080", "@HTTP@"), ("mqtt://127.0.0.1:1883", broker.url),
        ("s3://weir/plant", "s3://weir/sensors-job"), ("127.0.0.1:18080", f"127.0.0.1:{s3.port}"),
        ("every 5m", "every 1s"),
    ])  # fmt: skip
    keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    running = start_weir(text, environment=keys).start()
    generator = random.Random(11)
    first = 1_795_219_200_000
    events = defaultdict(list)
    windows, hot = defaultdict(list), []
    for number in range(6000):
        device, line = f"press-{number % 20:02d}", f"line-{number % 3}"
        # Up to 4 s out of order over five minutes; a sixth minute closes them.
        ts = first + number * 50 - generator.randrange(4000) * (number > 100)
        temperature = round(generator.gauss(70, 5), 2)
        event = {"device": device, "ts": ts, "temperature": temperature, "humidity": 40.5,
                 "power": {"battery": 3.7, "volts": [1, 2]}, "extra": {"a": None}}  # fmt: skip
        events[line].append(json.dumps(event))
        windows[ts // MINUTE * MINUTE, device].append(temperature)
        if temperature > 80.0:
            hot.append((iso(ts), device, line, temperature))
    # All lines through one connection, in the order in which they were made.
    client = broker.publisher()
    handles = []
    for number in range(2000):
        for line in ("line-0", "line-1", "line-2"):
            handles.append(client.publish(f"plant/{line}/telemetry", events[line][number], qos=1))
    sentinel = {"device": "clock", "ts": first + 6 * MINUTE + 5000, "temperature": 20.0}
    handles.append(client.publish("plant/line-0/telemetry", json.dumps(sentinel), qos=1))
    for handle in handles:
        handle.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
    wait_forwarded(running, "sensors", 6001)
    lake = S3Lake(s3, "sensors-job")
    found = rows(lake.objects("device_minute"))
    expected = {
        (local(start), device): (local(start + MINUTE), len(v), min(v), max(v), sum(v) / len(v))
        for (start, device), v in windows.items()
    }
    assert len(found) == len(expected) and len(expected) >= 100
    for row in found:
        end, count, low, high, mean = expected[row["window_start"], row["device"]]
        assert (row["window_end"], row["readings"]) == (end, count)
        assert (row["temperature_min"], row["temperature_max"]) == (low, high)
        assert abs(row["temperature_avg"] - mean) < 1e-9 and row["agent"] == "gateway-7"
    assert [(r["window_end"], r["device"]) for r in found] == sorted((r["window_end"], r["device"]) for r in found)
    alerts = rows(lake.objects("too_hot"))
    assert [(r["ts"], r["device"], r["line"], r["temperature"]) for r in alerts] == hot and len(hot) > 50
    assert not lake.objects("_rejected/sensors") and not lake.objects("_late/device_minute")
    assert all(key.endswith(".ndjson.gz") for key in lake.keys())
    assert running.stop() == 0
    assert s3.secret_key not in running.log()


def test_hashtags_into_hdfs(broker, start_weir, hdfs):
    folder = hdfs.make_folder("/lake/feeds-job")
    text = exchanged(shipped("tweets.toml"), [
        ('"./weir-state"', '"./weir-state"\nhttp = "@HTTP@"'), ("mqtt://127.0.0.1:1883", broker.url),
        ("webhdfs://127.0.0.1:19870/feeds", hdfs.sink(folder).split('url = "')[1].split('"')[0]),
        ("every 1m", "every 1s"),
    ])  # fmt: skip
    running = start_weir(text).start()
    generator = random.Random(12)
    first = 1_795_219_200_000
    tags = ["Swift", "edge", "wärme", "東京", "a b", "", "rocks"]
    posts, expected = [], defaultdict(lambda: [0, None])
    for number in range(3000):
        ts = first + number * 60 - generator.randrange(9000) * (number > 200)
        chosen = [generator.choice(tags) for _ in range(generator.randrange(4))]
        followers = generator.choice([None, 0, generator.randrange(10**9)])
        post = {"id": str(number), "created_at": iso(ts), "text": "…", "lang": "en",
                "user": {"screen_name": f"u{number % 50}", "followers_count": followers},
                "entities": {"hashtags": [{"text": tag, "indices": [1, 2]} for tag in chosen]}}  # fmt: skip
        if number % 10 == 0:
            del post["entities"]
            chosen = []
        posts.append(json.dumps(post, ensure_ascii=number % 2 == 0))
        for tag in chosen:
            entry = expected[local(ts // MINUTE * MINUTE), tag]
            entry[0] += 1
            entry[1] = max((v for v in (entry[1], followers) if v is not None), default=None)
    posts.append(json.dumps({"id": "end", "created_at": iso(first + 4 * MINUTE + 10_000)}))
    broker.publish("feeds/posts", posts)
    wait_forwarded(running, "posts", 3001)
    lake = HdfsLake(hdfs, folder)
    found = rows(lake.objects("hashtag_minute"))
    assert {(r["window_start"], r["tag"]): [r["posts"], r["reach"]] for r in found} == dict(expected)
    assert len(found) == len(expected) >= 20
    assert not lake.objects("_rejected/posts") and not lake.objects("_late/hashtag_minute")
    assert all(key.endswith(".ndjson") for key in lake.keys())
    assert running.stop() == 0
