"""What files say was taken in for them: whoever adds up the footers of a stream finds the ledger, over kills, with
several sources, late rows and rejected ones."""

import json
import random
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lake_kit import agent, file_sink, query
from weir_kit import wait_until, weir

TIME = '[source.time]\ncolumn = "at"\nwatermark_delay = "1s"\n'
MINUTES = (
    "SELECT device, window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(at), INTERVAL '1' MINUTE)) "
    "GROUP BY device, window_start, window_end"
)
BOTH = "SELECT device, seq FROM sensors WHERE seq >= 0 UNION ALL SELECT device, seq FROM meters"


def source(broker, name):
    columns = 'device = "STRING", seq = "BIGINT", at = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }'
    return (
        f'[[source]]\nname = "{name}"\ntype = "mqtt"\nurl = "{broker.url}"\ntopics = ["{name}/#"]\n'
        f"columns = {{ {columns} }}\n{TIME}"
    )


def configuration(broker, keys='format = "parquet"', schedule="every 1s"):
    return (
        agent() + source(broker, "sensors") + source(broker, "meters") + query("minutes", MINUTES)
        + query("both", BOTH) + file_sink(keys=keys, schedule=schedule)
    )


def payloads(rng, first, count):
    """Rows in time, some late, some that cannot be read, some that a query leaves out."""
    rows = []
    for n in range(first, first + count):
        if rng.random() < 0.04:
            rows.append("no JSON")
            continue
        back = 600_000 if rng.random() < 0.1 else 0
        seq = -1 if rng.random() < 0.1 else n
        rows.append(json.dumps({"device": f"d{n % 3}", "seq": seq, "at": 1_700_000_000_000 + n * 2_000 - back}))
    return rows


def footers(folder, stream):
    """The segments of a stream in their order: first row, rows in its files, counts by owner."""
    segments = {}
    for path in sorted(Path(folder, stream).rglob("*.parquet")):
        found = pq.read_metadata(path).metadata
        known = {key.decode(): value.decode() for key, value in found.items()}
        counts = {
            key.removeprefix("weir."): json.loads(value) for key, value in known.items()
            if key.startswith(("weir.source.", "weir.query."))
        }
        first = int(known["weir.first"])
        rows, before = segments.get(first, (0, counts))
        assert before == counts, "all files of a segment say the same"
        segments[first] = (rows + int(known["weir.rows"]), counts)
    return [(first, *segments[first]) for first in sorted(segments)]


def ledger(status):
    """The ledger's counts by owner."""
    found = {f"source.{s['name']}": s["rows"] for s in status["sources"]}
    return found | {f"query.{q['name']}": q["rows"] for q in status["queries"]}


def open_counts(process, stream):
    done = weir("outbox", "list", process.config, "--json", cwd=process.folder)
    assert done.returncode == 0, done.stderr
    return next(s for s in json.loads(done.stdout) if s["stream"] == stream)["taken_since_seal"]


def require_sum(process, stream, owners, of_rows, status):
    """Each segment begins where the one before has ended; together with what is open they are the ledger."""
    segments = footers(Path(process.folder) / "lake", stream)
    assert segments, f"{stream} has files"
    total = {owner: dict.fromkeys(counts, 0) for owner, counts in segments[0][2].items()}
    assert sorted(total) == sorted(owners), "who feeds the stream"
    for _, _, counts in segments:
        for owner, members in counts.items():
            for what, (start, end) in members.items():
                assert total[owner][what] == start <= end, f"{stream}: {owner} {what}"
                total[owner][what] = end
    owner, what = of_rows
    assert sum(rows for _, rows, _ in segments) == total[owner][what], "the last seal knows of all its rows"
    for owner, members in open_counts(process, stream).items():
        for what, (start, end) in members.items():
            assert start == total[owner][what]
            assert end == ledger(status)[owner][what], f"{stream}: {owner} {what}"


@pytest.mark.parametrize("seed", range(2))
def test_footers_add_up_to_the_ledger_over_kills(broker, start_weir, seed):
    rng = random.Random(seed)
    process = start_weir(configuration(broker)).start()
    counts = {"sensors": 0, "meters": 0}
    points = ["seal.before-write", "seal.after-write", "trim.before-write", "commit.after-write", "commit.before-write"]
    for point in points:
        for name in counts:
            rows = payloads(rng, counts[name], rng.randint(40, 120))
            counts[name] += len(rows)
            broker.publish(f"{name}/1", rows)
        time.sleep(rng.random() * 1.5)
        process.kill()
        # The next life ends at a step of its own, or by the next kill.
        process.start(ready=False, environment={"WEIR_CRASH_POINT": f"{point}:{rng.randint(1, 3)}"})
    time.sleep(1)
    process.kill()
    process.start()
    for name, count in counts.items():
        wait_until(lambda: process.received(name) >= count, 30, f"the intake of {name}")
    wait_until(lambda: process.pending() == 0, 30, "the last files")
    # Figures of one moment: nothing comes any more.
    time.sleep(0.6)
    status = process.status()
    found = ledger(status)
    assert found["source.sensors"]["received"] == counts["sensors"] and status["is_ledger_balanced"]
    assert found["query.minutes"]["late"] > 0 and found["source.meters"]["rejected"] > 0
    require_sum(process, "minutes", ["source.sensors", "query.minutes"], ("query.minutes", "emitted"), status)
    require_sum(process, "_late/minutes", ["source.sensors", "query.minutes"], ("query.minutes", "late"), status)
    owners = ["source.sensors", "source.meters", "query.both"]
    require_sum(process, "both", owners, ("query.both", "emitted"), status)
    for name in counts:
        require_sum(process, f"_rejected/{name}", [f"source.{name}"], (f"source.{name}", "rejected"), status)


def test_a_segment_says_the_same_after_a_kill_and_in_the_outbox(broker, start_weir):
    """The lake is away when rows are sealed: what is shown of them then is what their files say later."""
    text = agent() + source(broker, "sensors") + query("both", "SELECT device, seq, at FROM sensors")
    process = start_weir(text + file_sink(keys='format = "parquet"\npartition_by = "at"\n'))
    lake = Path(process.folder) / "lake"
    lake.write_text("in the way")
    process.start()
    broker.publish("sensors/1", payloads(random.Random(1), 0, 200))

    def shown():
        done = weir("outbox", "show", process.config, "lake", "both", "--json", cwd=process.folder)
        return {s["first"]: s["taken"] for s in json.loads(done.stdout)}

    wait_until(lambda: process.received("sensors") >= 200 and shown(), 30, "a segment")
    before = shown()
    process.kill()
    process.start()
    assert {first: counts for first, counts in shown().items() if first in before} == before
    text = weir("outbox", "show", process.config, "lake", "both", cwd=process.folder).stdout
    assert "taken in by source sensors: " in text and "rows not sealed; since the last seal" in text
    lake.unlink()
    wait_until(lambda: process.pending() == 0, 30, "the last files")
    files = {first: counts for first, _, counts in footers(lake, "both")}
    assert {first: files[first] for first in before} == before


def test_commits_of_tables_say_it_too(broker, start_weir):
    process = start_weir(configuration(broker, keys='format = "delta"\n')).start()
    for part in range(3):
        broker.publish("meters/1", payloads(random.Random(part), part * 50, 50))
        wait_until(lambda: process.received("meters") >= part * 50 + 50 and process.pending() == 0, 30, "the rows")
    entries = sorted((Path(process.folder) / "lake" / "both" / "_delta_log").glob("*.json"))
    last = 0
    for entry in entries:
        info = next(json.loads(line) for line in entry.read_text().splitlines() if "commitInfo" in line)["commitInfo"]
        start, end = json.loads(info["weir.source.meters"])["received"]
        assert last == start < end
        last = end
    assert last == 150 and len(entries) >= 3
