#!/usr/bin/env python3
"""Writes the bursty feed of workload W4: generate_w4.py [EVENTS] [DEVICES] > w4.ndjson

Devices sleep, then report a few times some seconds apart, over an hour of event time; events arrive up
to 5 s late, so that with a watermark delay of 5 s nothing is late. No two successive events of a device
lie exactly 30 s apart, where engines differ about whether a session of that gap ends. The same arguments
give the same bytes.
"""

import sys

import numpy

START_MS = 1_700_000_000_000
DELAY_MS_MAX = 5_000
GAP_MS = 30_000
HOUR_MS = 3_600_000
EVENTS = 1_000_000
DEVICES = 100_000
LINES_AT_A_TIME = 250_000


def feed(events, devices):
    """The columns of the feed by device and time: device, time, temperature; and the order in which they arrive."""
    random = numpy.random.default_rng(20_261_126)
    bursts = events // 3
    length = random.geometric(0.2, bursts)
    burst = numpy.repeat(numpy.arange(bursts), length)[:events]
    step = random.integers(100, 25_000, len(burst))
    starts = numpy.flatnonzero(numpy.r_[True, numpy.diff(burst) != 0])
    step[starts] = 0
    walked = numpy.cumsum(step)
    time = random.integers(0, HOUR_MS, bursts)[burst] + walked - walked[starts][burst]
    device = random.integers(0, devices, bursts)[burst]
    while True:
        by_device = numpy.lexsort((time, device))
        device, time = device[by_device], time[by_device]
        at_the_gap = numpy.flatnonzero((numpy.diff(device) == 0) & (numpy.diff(time) == GAP_MS)) + 1
        if len(at_the_gap) == 0:
            break
        time[at_the_gap] += 1
    temperature = random.normal(22, 4, len(time)).round(2)
    order = numpy.argsort(time + random.integers(0, DELAY_MS_MAX, len(time)), kind="stable")
    return device, time, temperature, order


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    devices = int(sys.argv[2]) if len(sys.argv) > 2 else DEVICES
    device, time, temperature, order = feed(events, devices)
    line = '{"device":"dev-%06d","ts":%d,"temperature":%s,"humidity":50.5,"battery":3.71,"seq":%d}\n'
    columns = (device, START_MS + time, temperature, numpy.arange(len(time)))
    for start in range(0, len(order), LINES_AT_A_TIME):
        chosen = order[start : start + LINES_AT_A_TIME]
        rows = zip(*(column[chosen].tolist() for column in columns))
        sys.stdout.write("".join(line % row for row in rows))


if __name__ == "__main__":
    main()
