#!/usr/bin/env python3
"""Writing Parquet: weir beside pyarrow over the same rows, in one run.

    .build/venv/bin/python Benchmarks/parquet.py .build/release/weir [ROWS]

weir replays NDJSON through the outbox into an object; the difference to a run whose query gives no rows is what the
object costs, with writing the outbox and reading it again. The thread of the sink is told apart: it reads the outbox
and writes the file. pyarrow writes the table of the same rows, read back from weir's file, with zstd. CPU seconds, the
median of three; bytes a row of both files.
"""

import glob
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import pyarrow as pa
import pyarrow.parquet as pq

weir = os.path.abspath(sys.argv[1])
count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
RUNS = 3

CONFIGURATION = """
[agent]
id = "edge-1"
state_dir = "unused"
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
columns = {{ seq = "BIGINT", ts = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}, device = "STRING", line = "INT", temperature = "DOUBLE", pressure = "DOUBLE", ok = "BOOLEAN", note = "STRING" }}
[[query]]
name = "q"
sql = "SELECT * FROM s{where}"
sinks = ["lake"]
"""
SINK = '[[sink]]\nname = "lake"\ntype = "file"\nurl = "file:./{name}"\nmax_bytes = "1GB"\n{keys}\n'
KINDS = {"nothing": 'format = "ndjson"', "ndjson": 'format = "ndjson"', "parquet": 'format = "parquet"',
         "plain": 'format = "parquet"\nparquet.encodings = "plain"'}


def of_sink(process):
    """CPU seconds of the sink's thread up to now; 0 where there is none, or no longer."""
    try:
        for task in glob.glob(f"/proc/{process.pid}/task/*"):
            with open(f"{task}/comm") as name, open(f"{task}/schedstat") as times:
                if name.read().startswith("sink "):
                    return int(times.read().split()[0]) / 1e9
    except OSError:
        pass
    return 0


def cpu_seconds(command, folder):
    """Of the process, and of the sink's thread as last seen, a millisecond or two before its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process, sink = subprocess.Popen(command, cwd=folder), 0
    while process.poll() is None:
        sink = max(sink, of_sink(process))
        time.sleep(0.001)
    assert process.returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, sink


def main(folder):
    rng = random.Random(1)
    with open(f"{folder}/s.ndjson", "w") as file:
        for n in range(count):
            file.write(
                f'{{"seq":{n},"ts":{1_700_000_000_000 + n * 10 + rng.randint(0, 9)},"device":"device-{rng.randint(0, 4999)}",'
                f'"line":{rng.randint(0, 20)},"temperature":{rng.gauss(20, 5):.2f},"pressure":{rng.random() * 1000},'
                f'"ok":{"true" if rng.random() < 0.99 else "false"},"note":"{rng.randint(0, 10**9):x} {n}"}}\n')
    seconds, sinks = {}, {}
    for name, keys in KINDS.items():
        text = CONFIGURATION.format(where=" WHERE seq < 0" if name == "nothing" else "")
        text += SINK.format(name=name, keys=keys)
        with open(f"{folder}/{name}.toml", "w") as file:
            file.write(text)
        command = [weir, "replay", f"{name}.toml", "--quiet"]
        runs = [cpu_seconds(command, folder) for _ in range(RUNS)]
        seconds[name], sinks[name] = (statistics.median(values) for values in zip(*runs))
        print(f"weir, {name}: {seconds[name]:.2f} CPU s in all", flush=True)
    path = sorted(glob.glob(f"{folder}/parquet/q/*/*/*.parquet"))[-1]
    plain = sorted(glob.glob(f"{folder}/plain/q/*/*/*.parquet"))[-1]
    table = pq.ParquetFile(path).read()
    assert len(table) == count
    own = []
    for _ in range(RUNS):
        start = time.process_time()
        pq.write_table(table, f"{folder}/pyarrow.parquet", compression="zstd", write_page_index=True, use_dictionary=True)
        own.append(time.process_time() - start)
    pyarrow_seconds = statistics.median(own)
    size = os.path.getsize(f"{folder}/pyarrow.parquet")
    print(f"pyarrow {pa.__version__}: {pyarrow_seconds:.2f} CPU s, {size / count:.2f} bytes a row")
    for name, file in (("parquet", path), ("plain", plain)):
        cost = seconds[name] - seconds["nothing"]
        print(
            f"weir {name}: {sinks[name]:.2f} CPU s in the sink's thread, {pyarrow_seconds / sinks[name]:.2f} of pyarrow's speed; "
            f"{cost:.2f} CPU s with all of the outbox, {count / cost:,.0f} rows a CPU s; "
            f"{os.path.getsize(file) / count:.2f} bytes a row, {os.path.getsize(file) / size:.2f} of pyarrow's")


with tempfile.TemporaryDirectory() as folder:
    main(folder)
