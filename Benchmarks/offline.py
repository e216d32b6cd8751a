"""Two days without the lake: what waiting and draining cost, beside the same rows with the lake in reach.

7,200,000 readings (two days at 41 a second) come from a file as fast as weir takes them. First the lake is
there all the time; then it is away until every row is committed and at rest, and comes back. Printed of each:
rows a second of the intake, CPU seconds, peak memory, bytes written to the disk per row (/proc/PID/io; the
lake lies in memory, so they are weir's own), the files and their sizes, the time of draining. Every row must
be in the lake once and in order.

    offline.py WEIR [--rows 7200000] [--format parquet|ndjson] [--files waiting|always] [--folder DIR]

Needs pyarrow for parquet, and room for about 1 GB in --folder (a disk, not a tmpfs) and 0.5 GB in /dev/shm.
"""

import argparse
import glob
import gzip
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "Integration"))

import weir_kit  # noqa: E402

CONFIGURATION = """
[agent]
id = "bench"
state_dir = "state"
http = "@HTTP@"
[[source]]
name = "sensors"
type = "file"
path = "{input}"
columns = {{ device = "STRING", ts = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}, seq = "BIGINT", temperature = "DOUBLE" }}
[[query]]
name = "readings"
sql = "SELECT device, ts, seq, temperature FROM sensors"
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file://{lake}"
format = "{format}"
{compression}
schedule = "every 5s"
max_bytes = "8MB"
retry_min = "500ms"
retry_max = "2s"
[sink.outbox]
max_bytes = "4GB"
files = "{files}"
"""


def write_readings(path, count):
    with open(path, "w") as f:
        for start in range(0, count, 10_000):
            f.write("".join(
                '{"device":"dev-%04d","ts":%d,"seq":%d,"temperature":%.2f}\n'
                % (i * 7919 % 1000, 1_700_000_000_000 + i * 24, i, 20 + random.random() * 10)
                for i in range(start, min(count, start + 10_000))
            ))


def figures(process):
    """Peak memory in MB, bytes written to disks and CPU seconds of a process up to now."""
    with open(f"/proc/{process.pid}/status") as f:
        peak = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) / 1000
    with open(f"/proc/{process.pid}/io") as f:
        io = dict(line.strip().split(": ") for line in f)
    with open(f"/proc/{process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    return peak, int(io["write_bytes"]) - int(io["cancelled_write_bytes"]), ticks / os.sysconf("SC_CLK_TCK")


def check(lake, count):
    """Reads the lake back; returns the sizes of its objects in their order."""
    names = sorted(glob.glob(f"{lake}/readings/date=*/hour=*/*"), key=os.path.basename)
    expected = 0
    for name in names:
        if name.endswith(".parquet"):
            import pyarrow.parquet

            found = pyarrow.parquet.ParquetFile(name).read(columns=["seq"])["seq"].to_pylist()
        else:
            with gzip.open(name, "rt") as lines:
                found = [json.loads(line)["seq"] for line in lines]
        assert found == list(range(expected, expected + len(found))), f"{name}: rows are out of order or missing"
        expected += len(found)
    assert expected == count, f"{expected} of {count} rows are in the lake"
    return [os.path.getsize(name) for name in names]


def run(options, folder, lake, is_away):
    """One run; prints its line."""
    shutil.rmtree(lake, ignore_errors=True)
    compression = 'compression = "gzip"' if options.format == "ndjson" else ""
    agent = weir_kit.Weir(folder, CONFIGURATION.format(
        input=f"{options.folder}/readings.ndjson", lake=lake, format=options.format, files=options.files,
        compression=compression))
    if is_away:
        open(lake, "w").close()
    began = time.monotonic()
    agent.start(ready=False)
    weir_kit.wait_until(lambda: agent.received("sensors") >= options.rows, 3600, "the intake", every=0.05)
    intake = time.monotonic() - began
    try:
        waiting = ""
        if is_away:
            def listed():
                text = weir_kit.weir("outbox", "list", agent.config, "--json", cwd=folder).stdout
                return next(stream for stream in json.loads(text) if stream["stream"] == "readings")

            # What fills a file, and what was sealed, is in files a moment after it is committed.
            weir_kit.wait_until(lambda: listed()["is_failing"] and listed()["bytes"] - listed()["file_bytes"] < 8e6, 600)
            time.sleep(5)
            found = listed()
            peak, written, _ = figures(agent.process)
            waiting = (f"  waiting: {found['rows']} rows in {found['files']} files of {found['file_bytes'] / 1e6:.0f} MB"
                       f" and {found['unsealed_rows']} in the database; peak {peak:.0f} MB,"
                       f" {written / options.rows:.1f} bytes written per row")
            verified = weir_kit.weir("outbox", "verify", agent.config, cwd=folder)
            assert verified.returncode == 0, verified.stderr
            os.remove(lake)
        began = time.monotonic()
        weir_kit.wait_until(lambda: agent.pending() == 0, 3600, "the drain", every=0.05)
        drain = time.monotonic() - began
        peak, written, cpu = figures(agent.process)
        assert agent.status()["is_ledger_balanced"]
    finally:
        agent.stop()
    sizes = check(lake, options.rows)
    print(f"{'away' if is_away else 'in reach'}, files = {options.files}: intake {options.rows / intake:,.0f} rows/s, "
          f"{cpu:.1f} CPU s, peak {peak:.0f} MB, {written / options.rows:.1f} bytes written per row; "
          f"{len(sizes)} objects of {min(sizes[:-1] or sizes) / 1e6:.1f}–{max(sizes) / 1e6:.1f} MB, "
          f"{sum(sizes) / options.rows:.1f} bytes a row; drained in {drain:.1f} s", flush=True)
    if waiting:
        print(waiting, flush=True)
    shutil.rmtree(folder)
    shutil.rmtree(lake)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weir")
    parser.add_argument("--rows", type=int, default=7_200_000)
    parser.add_argument("--format", choices=["parquet", "ndjson"], default="parquet")
    parser.add_argument("--files", choices=["waiting", "always"], default="waiting")
    parser.add_argument("--folder", help="where to work, on a disk (default: a temporary folder)")
    options = parser.parse_args()
    weir_kit.WEIR = os.path.abspath(options.weir)
    is_temporary = options.folder is None
    options.folder = os.path.abspath(options.folder or tempfile.mkdtemp(prefix="weir-offline-"))
    os.makedirs(options.folder, exist_ok=True)
    lake = f"/dev/shm/weir-offline-{os.getpid()}"
    try:
        write_readings(f"{options.folder}/readings.ndjson", options.rows)
        for is_away in (False, True):
            run(options, f"{options.folder}/{'away' if is_away else 'reach'}", lake, is_away)
    finally:
        if is_temporary:
            shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
