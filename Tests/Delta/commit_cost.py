#!/usr/bin/env python3
"""What a commit costs on a table with many entries, beside one with few: requests to an S3 gateway, seen by a
proxy, and CPU time of weir. The entries are somebody else's, with one checkpoint of delta-rs at their end.

    commit_cost.py --weir PATH [--entries 10000] [--commits 30]

Prints one JSON object; exit 1 when a commit on the long log takes more requests than on the short one, or more
than twice the CPU time."""

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "Integration"), str(HERE)]

import weir_kit  # noqa: E402
from lake_kit import agent, query, readings, sensors, sink  # noqa: E402
from servers_kit import FaultProxy, S3Gateway  # noqa: E402
from stores import s3_table  # noqa: E402


def entry(number):
    """One of many appends by somebody else."""
    stats = json.dumps({"numRecords": 100, "minValues": {"seq": number}, "maxValues": {"seq": number}, "nullCount": {"seq": 0}})
    add = {
        "path": f"part-{number:08}.parquet", "partitionValues": {}, "size": 4096, "modificationTime": 1, "dataChange": True,
        "stats": stats,
    }
    actions = [{"commitInfo": {"timestamp": 1, "operation": "WRITE"}}, {"add": add}]
    if number == 0:
        fields = [
            {"name": name, "type": kind, "nullable": True, "metadata": {}}
            for name, kind in (("device", "string"), ("seq", "long"), ("agent", "string"))
        ]
        actions += [
            {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
            {"metaData": {
                "id": "8c0f6e1c-7d6c-4d0e-9f57-0d1c2b3a4f5e", "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}), "partitionColumns": [],
                "configuration": {"delta.checkpointInterval": "1000000"}}},
        ]
    return "".join(json.dumps(action) + "\n" for action in actions).encode()


def fill(gateway, prefix, entries):
    client = gateway.client()
    put = lambda n: client.put_object(  # noqa: E731
        Bucket=gateway.bucket, Key=f"{prefix}/readings/_delta_log/{n:020}.json", Body=entry(n))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(entries)))
    # delta-rs reads it all, and spares weir that at its start.
    s3_table(gateway, f"{prefix}/readings").create_checkpoint()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder, gateway, broker, prefix, entries, commits):
    fill(gateway, prefix, entries)
    proxy = FaultProxy(gateway.port)
    text = agent().replace("edge-1", prefix) + sensors(broker) + query()
    text += sink(gateway.sink(prefix, port=proxy.port) + '\nformat = "delta"')
    weir = weir_kit.Weir(f"{folder}/{prefix}", text)
    try:
        weir.start()
        begin = time.monotonic()
        deliver(weir, broker, 0)
        opening = time.monotonic() - begin
        proxy.rules()
        cpu = cpu_seconds(weir.process.pid)
        for number in range(1, commits + 1):
            deliver(weir, broker, number)
        cpu = cpu_seconds(weir.process.pid) - cpu
        requests = [f"{method} {target}" for method, target, _ in proxy.state()["requests"]]
    finally:
        weir.stop()
        proxy.stop()
    return {
        "entries": entries, "first_commit_seconds": round(opening, 2),
        "requests_per_commit": round(len(requests) / commits, 2),
        "listings": sum("list-type" in request for request in requests),
        "cpu_ms_per_commit": round(cpu * 1000 / commits, 2), "requests_of_the_last": requests[-3:],
    }


def deliver(weir, broker, number):
    broker.publish("plant/1", readings(10, 10 * number))
    weir_kit.wait_until(
        lambda: weir.received("sensors") >= 10 * (number + 1) and weir.pending() == 0, 300, "the commit", every=0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weir", default=weir_kit.WEIR)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=30)
    options = parser.parse_args()
    weir_kit.WEIR = os.path.abspath(options.weir)
    gateway = S3Gateway()
    with tempfile.TemporaryDirectory() as folder:
        broker = weir_kit.Broker(f"{folder}/broker")
        try:
            found = [
                measure(folder, gateway, broker, f"log{entries}", entries, options.commits)
                for entries in (1, options.entries)
            ]
        finally:
            broker.stop()
            gateway.stop()
    short, long = found
    print(json.dumps(found, indent=1))
    worse = long["requests_per_commit"] > short["requests_per_commit"] + 0.2 or long["listings"]
    sys.exit(1 if worse or long["cpu_ms_per_commit"] > 2 * short["cpu_ms_per_commit"] + 2 else 0)


if __name__ == "__main__":
    main()
