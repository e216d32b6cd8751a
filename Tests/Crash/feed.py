"""The feed of the crash harness: readings of devices, reproducible from a seed, and what must come of
them. A reading's values are multiples of a quarter, so that sums do not depend on their order, and its
time is out of order by less than the watermark's delay, so that nothing may be late."""

import random
from dataclasses import dataclass

DEVICES = 40
EPOCH_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP_MS = 20
DISORDER_MS = 4_000
DELAY_MS = 5_000
TUMBLE_MS = 10_000
HOP_MS = (5_000, 20_000)  # slide, size
END_DEVICE = "the-end"


@dataclass(frozen=True)
class Reading:
    device: str
    seq: int
    ts: int
    temperature: float

    def payload(self):
        return (
            f'{{"device":"{self.device}","seq":{self.seq},"ts":{self.ts},'
            f'"temperature":{self.temperature}}}'
        )


def readings(seed, count):
    """`count` readings in the order in which they are published, and one that closes all windows."""
    choose = random.Random(seed)
    next_seq = [0] * DEVICES
    result = []
    for index in range(count):
        number = choose.randrange(DEVICES)
        ts = EPOCH_MS + index * STEP_MS - choose.randrange(DISORDER_MS)
        temperature = choose.randrange(-80, 400) / 4
        result.append(Reading(f"device-{number:02}", next_seq[number], ts, temperature))
        next_seq[number] += 1
    last = EPOCH_MS + count * STEP_MS
    result.append(Reading(END_DEVICE, 0, last + DELAY_MS + 10 * HOP_MS[1], 0.0))
    return result


def windows(feed, slide, size):
    """{(window start, device): (count, sum, min, max)} over windows of `size` every `slide` ms."""
    found = {}
    for reading in feed:
        if reading.device == END_DEVICE:
            continue
        start = reading.ts - reading.ts % slide
        while start > reading.ts - size:
            value = reading.temperature
            count, total, low, high = found.get((start, reading.device), (0, 0.0, value, value))
            found[start, reading.device] = (count + 1, total + value, min(low, value), max(high, value))
            start -= slide
    return found
