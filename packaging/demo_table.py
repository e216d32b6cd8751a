"""Reads the demo's objects back and prints what they say: demo_table.py LAKE PUBLISHED."""

import glob
import gzip
import json
import sys

lake, published = sys.argv[1], int(sys.argv[2])


def rows(stream):
    result = []
    for path in sorted(glob.glob(f"{lake}/{stream}/date=*/hour=*/*.ndjson.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            result += [json.loads(line) for line in lines]
    return result


def table(title, header, body):
    print(f"\n{title}")
    texts = [[str(cell) for cell in row] for row in [header] + body]
    widths = [max(len(row[i]) for row in texts) for i in range(len(header))]
    for row in texts:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


minutes = rows("device_minute")
table(
    "Per device and minute (device_minute), the first two minutes:",
    ["window", "device", "line", "readings", "average", "max"],
    [
        [m["window_start"][11:16], m["device"], m["line"], m["readings"], f"{m['temperature_avg']:.2f}", m["temperature_max"]]
        for m in sorted(minutes, key=lambda m: (m["window_start"], m["device"]))[:12]
    ],
)
table(
    "Hashtags per minute (hashtag_minute), the most used:",
    ["window", "tag", "posts", "reach"],
    [
        [t["window_start"][11:16], t["tag"], t["posts"], t["reach"]]
        for t in sorted(rows("hashtag_minute"), key=lambda t: (-t["posts"], t["tag"]))[:5]
    ],
)
hot, late, rejected = rows("too_hot"), rows("_late/device_minute"), rows("_rejected/sensors")
print(f"\nToo hot (too_hot): {len(hot)} readings over 80 degrees")
print(f"Late for their window (_late/device_minute): {len(late)}")
print(f"Rejected (_rejected/sensors): {len(rejected)}")
for row in rejected:
    print(f"  {row['topic']}: {row['reason']}")

keys = [(m["window_start"], m["device"]) for m in minutes]
twice = len(keys) - len(set(keys))
print(f"\nWindows written twice: {twice}")
sys.exit(1 if twice or not minutes or not hot or len(rejected) != 2 or len(late) != 1 else 0)
