"""Reads back what weir wrote and compares it with the feed's ledger."""

import datetime
import glob
import gzip
import json
import os
import re
from collections import Counter

from feed import END_DEVICE, HOP_MS, TUMBLE_MS, windows

OBJECT_NAME = re.compile(r"crash-(\d{20})-(\d{20})\.ndjson\.gz$")


def milliseconds(value):
    """An exported timestamp as ms since the epoch."""
    if isinstance(value, (int, float)):
        return int(value)
    moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return round(moment.timestamp() * 1000)


def read_stream(lake, stream):
    """All rows of a stream, and what is wrong with its objects: unreadable ones, names that do not fit
    the rows, sequence ranges that leave gaps or overlap."""
    rows, ranges, problems = [], [], []
    for path in glob.glob(f"{lake}/{stream}/date=*/hour=*/*"):
        name = os.path.basename(path)
        match = OBJECT_NAME.search(name)
        if not match:
            problems.append(f"{stream}: {name} is not an object's name")
            continue
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                found = [json.loads(line) for line in lines]
        except (OSError, EOFError, ValueError) as error:
            problems.append(f"{stream}: {name} is not readable: {error}")
            continue
        first, last = int(match[1]), int(match[2])
        if len(found) != last - first + 1:
            problems.append(f"{stream}: {name} holds {len(found)} rows")
        ranges.append((first, last))
        rows += found
    expected = 1
    for first, last in sorted(ranges):
        if first != expected:
            problems.append(f"{stream}: an object begins at {first} instead of {expected}")
        expected = last + 1
    return rows, problems


def compare_rows(lake, feed):
    """Readings lost, forwarded twice, or changed."""
    rows, problems = read_stream(lake, "every_row")
    wanted = {(r.device, r.seq): (r.ts, r.temperature) for r in feed}
    found = Counter((row["device"], row["seq"]) for row in rows)
    changed = sum(
        wanted.get((row["device"], row["seq"])) != (milliseconds(row["ts"]), row["temperature"])
        for row in rows
    )
    return {
        "rows": len(rows),
        "lost": len(wanted.keys() - found.keys()),
        "twice": sum(count - 1 for count in found.values()),
        "changed": changed,
    }, problems


def compare_windows(lake, stream, feed, slide, size):
    """Windows that differ from the oracle's: missing, more than expected, twice, with other values."""
    rows, problems = read_stream(lake, stream)
    oracle = windows(feed, slide, size)
    found = {}
    twice = different = 0
    for row in rows:
        if row["device"] == END_DEVICE:
            continue
        start = milliseconds(row["window_start"])
        key = (start, row["device"])
        twice += key in found
        found[key] = (row["n"], row["total"], row["low"], row["high"])
        different += found[key] != oracle.get(key) or milliseconds(row["window_end"]) != start + size
    return {
        "windows": len(oracle),
        "missing": len(oracle.keys() - found.keys()),
        "different": different,
        "twice": twice,
    }, problems


def ledger_problems(status, published):
    """The identities of the ledger that do not hold."""
    problems = []

    def check(holds, text):
        if not holds:
            problems.append(text)

    check(status.get("is_ledger_balanced") is True, "the ledger is not balanced")
    for source in status.get("sources", []):
        rows = source["rows"]
        check(rows["received"] == rows["decoded"] + rows["rejected"], f"{source['name']}: {rows}")
        check(rows["received"] == published, f"{source['name']}: {rows['received']} received of {published}")
        check(rows["rejected"] == 0, f"{source['name']}: {rows['rejected']} rejected")
    for query in status.get("queries", []):
        rows = query["rows"]
        check(rows["in"] == rows["used"] + rows["filtered"] + rows["late"], f"{query['name']}: {rows}")
        check(rows["in"] == published and rows["late"] == 0, f"{query['name']}: {rows} of {published}")
    for sink in status.get("sinks", []):
        for stream in sink["streams"]:
            balanced = stream["forwarded"] + stream["pending"] + stream["expired"] == stream["appended"]
            check(balanced and stream["expired"] == 0, f"{sink['name']}/{stream['name']}: {stream}")
    check(len(status.get("queries", [])) == 3 and status.get("sinks"), "the status is not complete")
    return problems


def judge(folder, feed, status):
    """Everything that can be said of a finished run, for each sink; `problems` is empty when it is right."""
    verdict = {sink: judge_sink(f"{folder}/{sink}", feed) for sink in ("lake", "archive")}
    problems = [f"{sink}: {text}" for sink, part in verdict.items() for text in part.pop("problems")]
    return verdict | {"problems": (problems + ledger_problems(status, len(feed)))[:50]}


def judge_sink(lake, feed):
    """Compares what one sink has with the feed."""
    rows, problems = compare_rows(lake, feed)
    tumbled, more = compare_windows(lake, "tumbled", feed, TUMBLE_MS, TUMBLE_MS)
    problems += more
    hopped, more = compare_windows(lake, "hopped", feed, *HOP_MS)
    problems += more
    for stray in ("_late/tumbled", "_late/hopped", "_rejected/sensors"):
        if glob.glob(f"{lake}/{stray}/**/*.gz", recursive=True):
            problems.append(f"there are objects in {stray}")
    for name, part in (("rows", rows), ("tumbled", tumbled), ("hopped", hopped)):
        problems += [
            f"{name}: {part[key]} {key}"
            for key in ("lost", "twice", "changed", "missing", "different")
            if part.get(key)
        ]
    return {"rows": rows, "tumbled": tumbled, "hopped": hopped, "problems": problems}
