"""Hours of event time and the markers that tell that they are complete."""

from datetime import datetime, timezone

COLUMNS = 'device = "STRING", seq = "BIGINT", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }'
TIME = '[source.time]\ncolumn = "ts"\nwatermark_delay = "10s"\n'
MINUTES = (
    "SELECT window_start, window_end, window_time, COUNT(*) AS seq FROM TABLE(TUMBLE(TABLE sensors, "
    "DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time"
)
START = 1_700_000_000_000 // 3_600_000 * 3_600_000  # 2023-11-14T22:00:00Z
HOUR = 3_600_000
# Where a kill leaves the least or the most done of what leads to a marker.
PLACES = [
    "mark.before-write", "mark.after-write", "trim.before-write", "trim.after-write", "commit.before-write",
    "commit.after-write", "seal.after-write", "put.after",
]


def message(at, number=0):
    return f'{{"device": "a", "seq": {number}, "ts": {at}}}'


def folder(hour):
    at = datetime.fromtimestamp((START + hour * HOUR) / 1000, timezone.utc)
    return at.strftime("date=%Y-%m-%d/hour=%H")


def markers(lake, stream, name="_SUCCESS"):
    return [key for key in lake.keys() if key.startswith(stream + "/") and key.endswith("/" + name)]


def expected(stream, hours, name="_SUCCESS"):
    return [f"{stream}/{folder(hour)}/{name}" for hour in hours]


def look(lake, seen):
    """No folder that has its marker ever gets another object."""
    keys = lake.keys()
    for key in keys:
        place, name = key.rsplit("/", 1)
        if name == "_SUCCESS":
            content = frozenset(k for k in keys if k.startswith(place + "/"))
            assert seen.setdefault(place, content) == content, f"{place} has changed behind its marker"
