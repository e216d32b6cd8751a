"""Coarsening with very many keys: memory and CPU while an outbox is full of windows of KEYS groups each.

    coarsen_keys.py WEIR [--keys 1000000] [--minutes 24] [--folder DIR]      zstd, room for 5 GB in DIR

A minute after the other comes from a file, one row a key; uploads are not allowed meanwhile. Four sinks in
turn: one that drops the oldest rows (what the work costs without coarsening), one whose outbox has room for
some ten minutes, so that minutes become tens of minutes, one with room for fewer, where no wide window
is ever whole and every commit finds the outbox full, and one of 75 minutes whose outbox has room for tens of
minutes of an hour beside ten minutes, so that those become hours. At the end uploads are allowed; counted events plus
those of dropped rows must be all events of the closed windows.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "Tests", "Integration"), HERE]

import weir_kit  # noqa: E402
from offline import figures  # noqa: E402

START = 1_760_000_400_000

CONFIGURATION = """
[agent]
id = "bench"
state_dir = "state"
http = "@HTTP@"
[[source]]
name = "sensors"
type = "file"
path = "{input}"
columns = {{ device = "STRING", ts = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}, v = "BIGINT" }}
time = {{ column = "ts", watermark_delay = "0s" }}
[[query]]
name = "minutes"
sql = '''SELECT window_start, window_end, device, COUNT(*) AS n, SUM(v) AS total, MAX(v) AS high
  FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, device'''
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
compression = "zstd"
schedule = "every 1s"
only_when = {{ command = ["test", "-e", "online"] }}
max_bytes = "{piece}MB"
retry_min = "50ms"
retry_max = "500ms"
[sink.outbox]
max_bytes = "{room}MB"
{full}
"""


def write_events(path, keys, minutes):
    with open(path, "w") as file:
        for minute in range(minutes):
            for first in range(0, keys, 10_000):
                at = START + minute * 60_000 + first * 50_000 // keys
                file.write("".join(
                    '{"device":"d%08x","ts":%d,"v":%d}\n'
                    % (key * 2654435761 % (1 << 32), at, (key + 1) * (minute + 7) * 40503 % 1_000_003)
                    for key in range(first, min(keys, first + 10_000))))
        # One that closes the last window.
        file.write('{"device":"last","ts":%d,"v":0}\n' % (START + minutes * 60_000))


def lake_rows(folder):
    for name in sorted(glob.glob(f"{folder}/lake/minutes/date=*/hour=*/*")):
        text = subprocess.run(["zstd", "-dc", name], capture_output=True, check=True).stdout
        yield from text.splitlines()


def run(options, name, room, full, minutes):
    folder = f"{options.folder}/{name}"
    agent = weir_kit.Weir(folder, CONFIGURATION.format(input=f"{options.folder}/events-{minutes}.ndjson", room=room, full=full,
        piece=min(64, room)))
    count = options.keys * minutes + 1
    began = time.monotonic()
    agent.start()
    try:
        weir_kit.wait_until(
            lambda: agent.process.poll() is not None or agent.received("sensors") >= count, 3600, "the intake",
            every=0.2)
        assert agent.process.poll() is None, agent.log()
        intake = time.monotonic() - began

        def stream():
            return next(s for s in agent.status()["sinks"][0]["streams"] if s["name"] == "minutes")

        last = None
        while (now := {key: stream()[key] for key in ("appended", "merged", "expired", "pending")}) != last:
            last = now
            time.sleep(2)
        peak, written, cpu = figures(agent.process)
        found = stream()
        print(f"{name:24} {room:4} MB: intake {count / intake:,.0f} rows/s, {cpu:.1f} CPU s, peak {peak:.0f} MB, "
              f"{written / count:.0f} bytes written per event; {found['pending_bytes'] / 1e6:.1f} MB wait; {found['appended']:,} rows appended, "
              f"{found['merged']:,} merged into {found['made']:,}, {found['expired']:,} dropped", flush=True)
        open(f"{folder}/online", "w").close()
        weir_kit.wait_until(lambda: agent.pending() == 0, 600, "the drain", every=0.2)
        assert agent.status()["is_ledger_balanced"]
        dropped = stream()["expired"]
    finally:
        agent.stop()
    counted, widths = 0, Counter()
    for line in lake_rows(folder):
        row = json.loads(line)
        counted += row["n"]
        widths[row["window_width"] // 60_000 if "window_width" in row else 1] += 1
    print("   rows by minutes of their windows:", dict(sorted(widths.items())), flush=True)
    # A dropped row may be a wide one, which counts up to ten events.
    lost = options.keys * minutes - counted
    assert dropped <= lost <= 60 * dropped or lost == dropped == 0, (counted, lost, dropped)
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weir")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=int, default=24)
    parser.add_argument("--only", nargs="*", help="drop_oldest, coarsen, 'nothing whole', hours (default: all)")
    parser.add_argument("--room", type=int, help="MB of the outbox for a million keys (default: each sink's own)")
    parser.add_argument("--folder", help="where to work, on a disk (default: a temporary folder)")
    options = parser.parse_args()
    weir_kit.WEIR = os.path.abspath(options.weir)
    is_temporary = options.folder is None
    options.folder = os.path.abspath(options.folder or tempfile.mkdtemp(prefix="weir-coarsen-"))
    os.makedirs(options.folder, exist_ok=True)
    coarsen = 'on_full = "coarsen"\ncoarsen = ["10m", "1h"]\nthen = "drop_oldest"'
    millions = options.keys / 1_000_000
    try:
        for name, room, full, minutes in (
            ("drop_oldest", 300, 'on_full = "drop_oldest"', options.minutes), ("coarsen", 300, coarsen, options.minutes),
            ("nothing whole", 100, coarsen, options.minutes), ("hours", 460, coarsen, 75),
        ):
            if options.only and name not in options.only:
                continue
            if not os.path.exists(f"{options.folder}/events-{minutes}.ndjson"):
                write_events(f"{options.folder}/events-{minutes}.ndjson", options.keys, minutes)
            run(options, name, max(1, int((options.room or room) * millions)), full, minutes)
    finally:
        if is_temporary:
            shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
