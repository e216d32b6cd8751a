"""Compaction keeps the ledger: what the footers of a table's live files add up to is the same before and after it, over
kills at each of its steps, with late and rejected rows, partitions, and several agents in one table."""

import json
import random
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lake_kit import agent, file_sink, query
from test_source_counts import MINUTES, configuration, ledger, payloads, source
from weir_kit import wait_until

DELTA = 'format = "delta"\nmax_rows = 20\ndelta.checkpoint_every = 5\n'


def union(parts):
    """The numbers that ranges cover, as ranges."""
    found = []
    for start, end in sorted(parts):
        if found and start <= found[-1][1]:
            found[-1][1] = max(end, found[-1][1])
        else:
            found.append([start, end])
    return found


def live(table):
    """By agent: rows, the union of their numbers and of what was taken in, over the live files."""
    found = {}
    for uri in DeltaTable(table).file_uris():
        path = uri.removeprefix("file://")
        metadata = pq.read_metadata(path).metadata
        known = {key.decode(): value.decode() for key, value in metadata.items() if key.startswith(b"weir.")}
        mine = found.setdefault(known["weir.agent"], {"rows": 0, "numbers": [], "files": 0, "compacted": 0, "counts": {}})
        assert int(known["weir.rows"]) == pq.read_metadata(path).num_rows
        assert "weir.uncounted_rows" not in known and known["weir.sealed_at"]
        mine["rows"] += int(known["weir.rows"])
        mine["files"] += 1
        mine["compacted"] += "weir.ranges" in known
        ranges = known.get("weir.ranges", f"{known['weir.first']}-{known['weir.last']}")
        mine["numbers"] += [[int(first), int(last) + 1] for first, last in (r.split("-") for r in ranges.split(","))]
        for key, value in known.items():
            if key.startswith(("weir.source.", "weir.query.")):
                for what, numbers in json.loads(value).items():
                    parts = mine["counts"].setdefault((key.removeprefix("weir."), what), [])
                    parts += list(zip(numbers[::2], numbers[1::2]))
    for mine in found.values():
        mine["numbers"] = union(mine["numbers"])
        mine["counts"] = {key: union(parts) for key, parts in mine["counts"].items()}
    return found


def figures(table):
    return {agent: {k: v for k, v in mine.items() if k not in ("files", "compacted")} for agent, mine in live(table).items()}


STREAMS = {
    "minutes": ("query.minutes", "emitted"), "_late/minutes": ("query.minutes", "late"), "both": ("query.both", "emitted"),
    "_rejected/sensors": ("source.sensors", "rejected"),
}


def require_ledger(table, stream, status, agent="edge-1"):
    mine = live(table)[agent]
    (owner, what), found = STREAMS[stream], mine["counts"]
    for (who, member), parts in found.items():
        assert len(parts) == 1, f"{stream}: {who} {member} has gaps: {parts}"
        assert parts[0][1] <= ledger(status)[who][member]
    (rows,) = found[owner, what]
    assert mine["rows"] == rows[1] - rows[0] == ledger(status)[owner][what]
    assert mine["numbers"] == [[1, mine["rows"] + 1]]


def feed(broker, process, rng, counts, rounds=6):
    for _ in range(rounds):
        for name in counts:
            rows = payloads(rng, counts[name], 60)
            counts[name] += len(rows)
            broker.publish(f"{name}/1", rows)
        for name, count in counts.items():
            wait_until(lambda: process.process.poll() is not None or process.received(name) >= count, 30, f"intake of {name}")
        if process.process.poll() is not None:
            return
        wait_until(lambda: process.process.poll() is not None or process.pending() == 0, 30, "the files")


@pytest.mark.parametrize("partitioned", [False, True])
def test_the_ledger_over_live_files_is_the_same_after_a_compaction(broker, start_weir, partitioned):
    counts, rng, streams = {"sensors": 0, "meters": 0}, random.Random(5), list(STREAMS)

    def text(keys=""):
        if not partitioned:
            return configuration(broker, DELTA + keys)
        keys = DELTA + 'partition_by = "window_start"\n' + keys
        return agent() + source(broker, "sensors") + query("minutes", MINUTES) + file_sink(keys=keys)

    if partitioned:
        del counts["meters"]
        streams.remove("both")
    process = start_weir(text()).start()
    feed(broker, process, rng, counts)
    time.sleep(0.6)
    status = process.status()
    process.stop()
    lake = Path(process.folder) / "lake"
    before = {stream: figures(lake / stream) for stream in streams}
    for stream in streams:
        require_ledger(lake / stream, stream, status)
    assert ledger(status)["query.minutes"]["late"] > 0 and ledger(status)["source.sensors"]["rejected"] > 0
    process = start_weir(text('delta.optimize = "every 2s"\n')).start()
    wait_until(lambda: live(lake / "minutes")["edge-1"]["compacted"], 40, "a compaction")
    time.sleep(4)
    process.stop()
    assert {stream: figures(lake / stream) for stream in streams} == before
    # Compacted files are compacted with newer ones again.
    process.start()
    feed(broker, process, rng, counts, 3)
    time.sleep(5)
    status = process.status()
    process.stop()
    for stream in streams:
        require_ledger(lake / stream, stream, status)


@pytest.mark.parametrize("point", [
    "delta.optimize.before-data", "delta.optimize.before-commit", "delta.optimize.after-commit", "delta.before-commit",
    "delta.after-commit",
])
def test_it_is_the_ledger_over_kills(broker, start_weir, point):
    counts, rng = {"sensors": 0, "meters": 0}, random.Random(point)
    keys = DELTA + 'delta.optimize = "every 1s"\n'
    process = start_weir(configuration(broker, keys)).start(environment={"WEIR_CRASH_POINT": f"{point}:2"})
    feed(broker, process, rng, counts, 4)
    wait_until(lambda: process.process.poll() is not None, 30, "the crash")
    process.start()
    feed(broker, process, rng, counts, 2)
    time.sleep(3)
    status = process.status()
    process.stop()
    lake = Path(process.folder) / "lake"
    assert live(lake / "both")["edge-1"]["compacted"]
    for stream in STREAMS:
        require_ledger(lake / stream, stream, status)


def test_several_agents_in_one_table_keep_each_its_own(broker, start_weir, tmp_path):
    keys = DELTA + 'delta.optimize = "every 2s"\n'
    running = []
    for name in ("edge-1", "edge-2"):
        text = configuration(broker, keys).replace('"edge-1"', f'"{name}"').replace("file:./lake", f"file:{tmp_path}/shared")
        running.append(start_weir(text, name=name).start())
    counts, rng = {"sensors": 0, "meters": 0}, random.Random(9)
    for _ in range(4):
        for name in counts:
            rows = payloads(rng, counts[name], 60)
            counts[name] += len(rows)
            broker.publish(f"{name}/1", rows)
        for process in running:
            for name, count in counts.items():
                wait_until(lambda: process.received(name) >= count and process.pending() == 0, 30, f"intake of {name}")
    table = tmp_path / "shared" / "both"
    wait_until(lambda: all(live(table).get(a, {}).get("compacted") for a in ("edge-1", "edge-2")), 40, "compactions of both")
    time.sleep(3)
    for process, name in zip(running, ("edge-1", "edge-2")):
        status = process.status()
        process.stop()
        for stream in STREAMS:
            require_ledger(tmp_path / "shared" / stream, stream, status, name)
