#!/usr/bin/env python3
"""How much memory the upkeep of Delta tables takes: a compaction of many small files and one of a few large ones, the
checkpoint of a table with many files, of this agent's or of others (in parts), and the start of an agent on each.

    upkeep_memory.py --weir PATH [--files 100000] [--megabytes 100] [--only NAME]

Prints a line of JSON for each: the peak of the process' memory (VmHWM) when all was done, beside that of an agent that
had nothing to look after."""

import argparse
import base64
import json
import os
import random
import re
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "Integration"), str(HERE)]

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import weir_kit  # noqa: E402
from deltalake import DeltaTable  # noqa: E402
from lake_kit import agent, query, readings, sensors, sink  # noqa: E402


def configuration(broker, keys, sql="SELECT device, seq FROM sensors"):
    lake = 'type = "file"\nurl = "file:./lake"\nformat = "delta"\n'
    return agent() + sensors(broker) + query(sql=sql) + sink(lake + keys)


def peak(process):
    text = Path(f"/proc/{process.process.pid}/status").read_text()
    return round(int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1000, 1)


def said(process, words, seconds=300):
    weir_kit.wait_until(lambda: words in process.log(), seconds, words, every=0.2)


def arrive(process, broker, payloads, sent):
    for start in range(0, len(payloads), 2000):
        broker.publish("plant/1", payloads[start:start + 2000])
    weir_kit.wait_until(
        lambda: process.received("sensors") >= sent and process.pending() == 0, 300, "the rows", every=0.1)


def compaction(folder, broker, megabytes, files):
    """Rows of random text, so that files are as long as what is in them."""
    rows = megabytes * 1000
    keys = f'max_rows = {rows // files}\nmax_bytes = "128MB"\ndelta.target_file_size = "128MB"\nparquet.row_group_size = "16MB"\n'
    process = weir_kit.Weir(folder, configuration(broker, keys))
    process.start()
    source = random.Random(1)
    chunk = max(1, rows // files)
    for first in range(0, rows, chunk):
        payloads = [
            json.dumps({"device": base64.b85encode(source.randbytes(1000)).decode(), "seq": n}) for n in range(first, min(rows, first + chunk))]
        arrive(process, broker, payloads, first + len(payloads))
    process.stop()
    before = len(DeltaTable(f"{folder}/lake/readings").file_uris())
    process = weir_kit.Weir(folder, configuration(broker, keys + 'delta.optimize = "every 2s"\n'))
    process.start()
    begin = time.monotonic()
    said(process, "compacted files of")
    found = {"seconds": round(time.monotonic() - begin, 1), "peak_mb": peak(process)}
    process.stop()
    sizes = [os.path.getsize(path.removeprefix("file://")) for path in DeltaTable(f"{folder}/lake/readings").file_uris()]
    return {"files_before": before, "files_after": len(sizes), "largest_mb": round(max(sizes) / 1e6, 1), **found}


def stats(number):
    columns = [f"column_{c}" for c in range(10)]
    return json.dumps({
        "numRecords": 100, "minValues": {c: number * 1000 + i for i, c in enumerate(columns)},
        "maxValues": {c: number * 1000 + 99 + i for i, c in enumerate(columns)}, "nullCount": {c: 0 for c in columns}})


def grow(table, count, prefix, size=1_000_000, per_entry=100):
    """Adds entries that say that the table has `count` more files, named as `prefix` has it."""
    log = table / "_delta_log"
    version = max(int(path.stem) for path in log.glob("0*.json"))
    for start in range(0, count, per_entry):
        version += 1
        with open(log / f"{version:020}.json", "w") as file:
            file.write(json.dumps({"commitInfo": {"timestamp": 1, "operation": "WRITE"}}) + "\n")
            for number in range(start, min(count, start + per_entry)):
                first = 1_000_000 + 100 * number
                path = f"date=2026-11-21/hour=13/{prefix}{first:020}-{first + 99:020}.parquet"
                add = {"path": path, "partitionValues": {}, "size": size, "modificationTime": 1, "dataChange": True,
                       "stats": stats(number)}
                file.write(json.dumps({"add": add}) + "\n")
    return version


def in_parts(table, parts):
    """delta-rs' checkpoint of the table, in parts."""
    DeltaTable(table).create_checkpoint()
    (path,) = sorted((table / "_delta_log").glob("*.checkpoint.parquet"))[-1:]
    version, rows = int(path.name.split(".")[0]), pq.read_table(path)
    size = -(-rows.num_rows // parts)
    for part in range(parts):
        name = f"{version:020}.checkpoint.{part + 1:010}.{parts:010}.parquet"
        pq.write_table(rows.slice(part * size, size), path.parent / name)
    path.unlink()
    (path.parent / "_last_checkpoint").write_text(json.dumps({"version": version, "size": rows.num_rows, "parts": parts}))


def many_files(folder, broker, count, whose):
    process = weir_kit.Weir(folder, configuration(broker, ""))
    process.start()
    arrive(process, broker, readings(10), 10)
    table = Path(folder) / "lake" / "readings"
    idle = peak(process)
    process.stop()
    if whose == "empty":
        return {"peak_mb": idle}
    (path,) = DeltaTable(table).file_uris()
    own = re.match(r"(.*-)\d{20}-\d{20}\.parquet", os.path.basename(path)).group(1)
    grow(table, count, own if whose == "own" else "part-")
    if whose == "others":
        in_parts(table, 10)
    found = {}
    for round_, keys in enumerate(["delta.checkpoint_every = 1", "", 'delta.optimize = "every 3s"\ndelta.vacuum = "every 3s"']):
        process = weir_kit.Weir(folder, configuration(broker, keys))
        begin = time.monotonic()
        process.start()
        arrive(process, broker, readings(10, 10 * (round_ + 1)), 10 * (round_ + 2))
        name = ["checkpoint", "start", "upkeep"][round_]
        found[f"{name}_seconds"] = round(time.monotonic() - begin, 1)
        if round_ == 0:
            weir_kit.wait_until(lambda: "wrote checkpoint" in process.log() or "no checkpoint" in process.log(), 300, "it")
            found["said"] = [line[-300:] for line in process.log().splitlines() if "checkpoint" in line][-1:]
        if round_ == 2:
            time.sleep(12)
            found["upkeep_said"] = [line[-200:] for line in process.log().splitlines() if "left files" in line or "looking after" in line][-1:]
        found[f"{name}_peak_mb"] = peak(process)
        process.kill()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weir", default=weir_kit.WEIR)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    weir_kit.WEIR = os.path.abspath(options.weir)
    jobs = {
        "idle": lambda f, b: many_files(f, b, 0, "empty"),
        "compaction-many": lambda f, b: compaction(f, b, options.megabytes, 200),
        "compaction-few": lambda f, b: compaction(f, b, options.megabytes, 4),
        "checkpoint-own": lambda f, b: many_files(f, b, options.files, "own"),
        "checkpoint-others": lambda f, b: many_files(f, b, options.files, "others"),
    }
    for name, job in jobs.items():
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            broker = weir_kit.Broker(f"{folder}/broker", "max_queued_messages 1000000\n")
            try:
                print(json.dumps({"what": name, **job(f"{folder}/weir", broker)}), flush=True)
            finally:
                broker.stop()


if __name__ == "__main__":
    main()
