"""An agent whose sink is away, so that rows wait in files; what `weir outbox` says of them."""

import json
import os
from pathlib import Path

from lake_kit import FolderLake, agent, file_sink, query, readings, require_balanced, rows, sensors
from weir_kit import wait_until, weir as run_weir

# Segments of 100 rows; a sink that is away is tried seldom enough to be looked at meanwhile.
PIECES = 'max_rows = 100\ncompression = "gzip"'


def away(running):
    """The sink's folder is a file: nothing can be put there."""
    os.makedirs(running.folder, exist_ok=True)
    lake = Path(running.folder) / "lake"
    lake.write_text("a file where the folder should be")
    return lake


def offline_agent(broker, start_weir, count, keys=PIECES, more="", schedule="every 1s"):
    """An agent whose sink is away, with `count` readings of which whole hundreds are in files."""
    running = start_weir(agent() + sensors(broker) + query() + file_sink(keys=keys + more, schedule=schedule))
    lake = away(running)
    running.start()
    broker.publish("plant/1", readings(count))
    wait_until(lambda: running.received("sensors") == count, 20, "the intake")
    wait_until(lambda: listed(running)["unsealed_rows"] < 100, 20, "files of full segments")
    wait_until(lambda: len(staged(running)) == listed(running)["files"] > 0, 20, "the records of files")
    return running, lake


def outbox(running, *arguments, code=0):
    done = run_weir("outbox", arguments[0], running.config, *arguments[1:], cwd=running.folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def listed(running):
    return json.loads(outbox(running, "list", "--json"))[0]


def staged(running):
    return sorted((Path(running.folder) / "state" / "outbox").glob("*/*"))


def come_back(running, lake):
    lake.unlink()
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    require_balanced(running.status())


def sequences(lake):
    return [row["seq"] for row in rows(FolderLake(lake).objects("readings"))]
