#!/usr/bin/env python3
"""Writes the sensor feed of workloads W1 and W2: generate_w1.py [EVENTS] [DEVICES] > w1.ndjson

Event i happened i milliseconds after the start and arrives up to 5 s late, so that no event lies
5 s or more behind the latest one that arrived before it: with a watermark delay of 5 s nothing is
late, and every engine must come to the same result. The same arguments give the same bytes.
"""

import sys

import numpy

START_MS = 1_700_000_000_000
DELAY_MS_MAX = 5_000
EVENTS = 5_000_000
DEVICES = 1_000
LINES_AT_A_TIME = 250_000


def feed(events, devices):
    """The columns of the feed in the order of the events: device, temperature, humidity, battery,
    sequence number in the device; and the order in which they arrive."""
    random = numpy.random.default_rng(20_261_121)
    device = random.integers(0, devices, events)
    climate = random.uniform(15, 30, devices)
    temperature = (climate[device] + random.normal(0, 1.5, events)).round(2)
    humidity = random.normal(50, 12, events).clip(0, 100).round(1)
    wear = numpy.linspace(0, 0.8, events)
    battery = (4.2 - wear + random.normal(0, 0.02, events)).round(2)
    arrival = numpy.arange(events) + random.integers(0, DELAY_MS_MAX, events)
    order = numpy.argsort(arrival, kind="stable")
    return device, temperature, humidity, battery, counted(device), order


def counted(device):
    """For each event how many of its device there have been, itself included."""
    by_device = numpy.argsort(device, kind="stable")
    sorted_device = device[by_device]
    first = numpy.searchsorted(sorted_device, sorted_device)
    number = numpy.empty(len(device), numpy.int64)
    number[by_device] = numpy.arange(len(device)) - first + 1
    return number


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    devices = int(sys.argv[2]) if len(sys.argv) > 2 else DEVICES
    device, temperature, humidity, battery, number, order = feed(events, devices)
    line = '{"device":"dev-%04d","ts":%d,"temperature":%s,"humidity":%s,"battery":%s,"seq":%d}\n'
    for start in range(0, events, LINES_AT_A_TIME):
        chosen = order[start : start + LINES_AT_A_TIME]
        columns = (device, START_MS + numpy.arange(events), temperature, humidity, battery, number)
        rows = zip(*(column[chosen].tolist() for column in columns))
        sys.stdout.write("".join(line % row for row in rows))


if __name__ == "__main__":
    main()
