#!/usr/bin/env python3
"""Checks a result of `weir replay` against numpy: verify.py w1|w2|w3|w4 RESULT.ndjson

Every row must be there once, with the right key, counts, minima and maxima; averages to 1 part in
10^12.
"""

import json
import sys
from datetime import datetime, timezone

import numpy

import generate_w1
import generate_w3
import generate_w4


def grouped(window, key, value):
    """For each (window, key): count, sum, minimum, maximum."""
    order = numpy.lexsort((value, key, window))
    window, key, value = window[order], key[order], value[order]
    first = numpy.flatnonzero(numpy.r_[True, (numpy.diff(window) != 0) | (numpy.diff(key) != 0)])
    last = numpy.r_[first[1:], len(value)] - 1
    total = numpy.add.reduceat(value, first)
    return zip(
        window[first].tolist(), key[first].tolist(), (last - first + 1).tolist(), total.tolist(),
        value[first].tolist(), value[last].tolist())


def expected_w1():
    device, temperature, *_ = generate_w1.feed(generate_w1.EVENTS, generate_w1.DEVICES)
    time = generate_w1.START_MS + numpy.arange(len(device))
    groups = grouped(time // 10_000 * 10_000, device, temperature)
    return {
        (start, "dev-%04d" % key): (count, total / count, low, high)
        for start, key, count, total, low, high in groups
    }


def expected_w2():
    device, temperature, *_ = generate_w1.feed(generate_w1.EVENTS, generate_w1.DEVICES)
    time = generate_w1.START_MS + numpy.arange(len(device))
    panes = {}
    for start, key, count, total, _, _ in grouped(time // 10_000 * 10_000, device, temperature):
        for window in range(start - 50_000, start + 1, 10_000):
            known = panes.setdefault((window, "dev-%04d" % key), [0, 0.0])
            known[0] += count
            known[1] += total
    return {key: (count, total / count) for key, (count, total) in panes.items()}


def expected_w3():
    count, chosen, _, _ = generate_w3.feed(generate_w3.POSTS, generate_w3.TAGS)
    names = generate_w3.tag_names(generate_w3.TAGS, numpy.random.default_rng(7))
    minute = (generate_w3.START_MS + numpy.arange(len(count))) // 60_000 * 60_000
    present = numpy.arange(3)[None, :] < count[:, None]
    windows, tags = numpy.broadcast_to(minute[:, None], chosen.shape)[present], chosen[present]
    return {
        (start, names[key]): (posts,)
        for start, key, posts, *_ in grouped(windows, tags, numpy.ones(len(tags)))
    }


def expected_w4():
    device, time, temperature, _ = generate_w4.feed(generate_w4.EVENTS, generate_w4.DEVICES)
    begins = numpy.r_[True, (numpy.diff(device) != 0) | (numpy.diff(time) > generate_w4.GAP_MS)]
    first = numpy.flatnonzero(begins)
    count = numpy.diff(numpy.r_[first, len(time)])
    total = numpy.add.reduceat(temperature, first)
    return {
        (generate_w4.START_MS + start, "dev-%06d" % key): (n, sum_ / n)
        for start, key, n, sum_ in zip(time[first].tolist(), device[first].tolist(), count.tolist(), total.tolist())
    }


def milliseconds(text):
    moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)


def main():
    workload, path = sys.argv[1:]
    expected = {"w1": expected_w1, "w2": expected_w2, "w3": expected_w3, "w4": expected_w4}[workload]()
    key_name = "tag" if workload == "w3" else "device"
    value_names = {
        "w1": ["readings", "temperature_avg", "temperature_min", "temperature_max"],
        "w2": ["readings", "temperature_avg"], "w3": ["posts"], "w4": ["readings", "temperature_avg"],
    }[workload]
    seen = set()
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        key = (milliseconds(row["window_start"]), row[key_name])
        if key in seen or key not in expected:
            sys.exit(f"{workload}: {key} is twice or should not be there")
        seen.add(key)
        for name, value in zip(value_names, expected[key]):
            if abs(row[name] - value) > 1e-12 * abs(value):
                sys.exit(f"{workload}: {key}: {name} is {row[name]}, expected {value}")
    if len(seen) != len(expected):
        sys.exit(f"{workload}: {len(expected) - len(seen)} of {len(expected)} rows are missing")
    print(f"{workload}: all {len(seen)} rows are right")


if __name__ == "__main__":
    main()
