"""State far larger than memory: every key is open at once, under a state_cache of 64 MB.

    large_state.py [--weir BIN] [--keys N] [--data FOLDER] windows|sessions

`windows` counts N keys in one window of an hour, `sessions` keeps N sessions open that all end at the end of
the input; a fifth of the keys report twice. `weir run` reads them from a file; what /metrics says is printed as
it goes. Checks that the counts are right, that state is empty afterwards, and prints CPU seconds and the peak of
the resident memory. Needs numpy and 3 GB of disk for 10,000,000 keys.
"""

import argparse
import json
import pathlib
import resource
import shutil
import subprocess
import sys
import time
import urllib.request

import numpy

START_MS = 1_700_000_400_000
HOST = "127.0.0.1:18086"
ROWS_A_MILLISECOND = 200
ROWS_AT_A_TIME = 1_000_000
WINDOWS = {
    "windows": "TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '1' HOUR)",
    "sessions": "SESSION(TABLE readings PARTITION BY device, DESCRIPTOR(ts), INTERVAL '10' MINUTE)",
}
CONFIGURATION = """
[agent]
id = "bench"
state_dir = "{folder}/state"
state_cache = "64MB"
http = "{host}"
log_level = "warning"
[[source]]
name = "readings"
type = "file"
path = "{data}"
[source.columns]
device = "STRING"
ts = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}
[source.time]
column = "ts"
[[view]]
name = "counted"
sql = '''
SELECT device, window_time AS ended, COUNT(*) AS readings FROM TABLE({window})
GROUP BY device, window_start, window_end, window_time
'''
[[query]]
name = "q"
sql = '''
SELECT COUNT(*) AS devices, SUM(readings) AS readings, MIN(device) AS first_device, MAX(device) AS last_device
FROM TABLE(TUMBLE(TABLE counted, DESCRIPTOR(ended), INTERVAL '1' DAY)) GROUP BY window_start, window_end
'''
sinks = ["out"]
[[sink]]
name = "out"
type = "file"
url = "file://{folder}/out"
schedule = "every 1s"
"""


def digits(numbers, width):
    """Numbers as rows of `width` ASCII digits."""
    powers = 10 ** numpy.arange(width - 1, -1, -1, dtype=numpy.int64)
    return (numbers[:, None] // powers % 10 + 48).astype(numpy.uint8)


def write(path, keys):
    """Each key once in no order, a fifth of them again, then one event a day later that ends all."""
    total = keys + keys // 5
    with open(path, "wb") as file:
        for first in range(0, total, ROWS_AT_A_TIME):
            index = numpy.arange(first, min(first + ROWS_AT_A_TIME, total), dtype=numpy.int64)
            # Multiplying by a number that has no factor in common with `keys` permutes them.
            key = numpy.where(index < keys, index * 7_919 % keys, index * 104_729 % keys)
            rows = numpy.tile(
                numpy.frombuffer(b'{"device":"d00000000","ts":0000000000000}\n', numpy.uint8), (len(index), 1))
            rows[:, 12:20] = digits(key, 8)
            rows[:, 27:40] = digits(START_MS + index // ROWS_A_MILLISECOND, 13)
            file.write(rows.tobytes())
        file.write(b'{"device":"last","ts":%d}\n' % (START_MS + 3 * 86_400_000))
    return total


def metrics():
    try:
        with urllib.request.urlopen(f"http://{HOST}/metrics", timeout=2) as page:
            lines = page.read().decode().splitlines()
    except OSError:
        return {}
    wanted = ("weir_query_state_spilled", "weir_query_state_bytes", "weir_query_rows_in_total")
    return {line.split("{")[0]: float(line.split()[-1]) for line in lines if line.startswith(wanted)}


def resident(process):
    try:
        text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0, 0
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return tuple(int(fields.get(name, "0 kB").split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))


def results(folder):
    return [json.loads(line) for file in (folder / "out").rglob("*.ndjson") for line in open(file)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", default=".build/release/weir")
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--data", default=".build/bench/large")
    parser.add_argument("kind", choices=WINDOWS)
    options = parser.parse_args()
    folder = pathlib.Path(options.data).resolve()
    shutil.rmtree(folder / "state", ignore_errors=True)
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir(parents=True)
    data = folder / f"{options.keys}.ndjson"
    total = write(data, options.keys)
    config = folder / "large.toml"
    config.write_text(
        CONFIGURATION.format(folder=folder, host=HOST, data=data, window=WINDOWS[options.kind]))
    started = time.monotonic()
    process = subprocess.Popen([options.weir, "run", config])
    peak = spilled = 0
    shown = -10.0
    while process.poll() is None and not results(folder):
        time.sleep(0.5)
        now, peak = resident(process)
        said = metrics()
        spilled = max(spilled, said.get("weir_query_state_spilled", 0))
        if time.monotonic() - shown >= 5:
            shown = time.monotonic()
            print(f"{shown - started:6.1f} s, resident {now} MB, " + ", ".join(
                f"{name} {value:,.0f}" for name, value in said.items()), flush=True)
    elapsed = time.monotonic() - started
    peak = resident(process)[1] or peak
    process.terminate()
    process.wait()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = results(folder)
    right = {"devices": options.keys, "readings": total, "first_device": "d00000000",
             "last_device": f"d{options.keys - 1:08d}"}
    print(f"{options.kind}: {options.keys:,} keys, {total:,} events, {elapsed:.0f} s, "
          f"{usage.ru_utime + usage.ru_stime:.0f} CPU s, peak {peak} MB, at most {spilled:,.0f} in RocksDB alone")
    if len(found) != 1 or {name: found[0].get(name) for name in right} != right:
        sys.exit(f"WRONG: {found}, not {right}")
    print("the result is right")


if __name__ == "__main__":
    main()
