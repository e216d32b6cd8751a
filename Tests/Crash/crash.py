#!/usr/bin/env python3
"""The crash harness: kills weir again and again while a feed runs through it, and then checks that every
reading is in the lake once and every window is what an oracle says.

    crash.py --weir PATH [--kills 30] [--messages 30000] [--seed S]   exit 0: nothing lost, nothing twice
    crash.py --weir PATH --power …                                    each kill is a power cut as well
    crash.py --weir PATH --canary [--power]                           exit 0: the planted fault was caught

Half of the kills or more come at named crash points (WEIR_CRASH_POINT), in rotation, on both sides of
every step of commit, acknowledge, seal, put, trim and recovery; the others at random times. The broker is
restarted a few times as well. A run is a function of its seed as far as the machine's timing allows; the
kills and their places are. Prints one JSON object."""

import argparse
import glob
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter

from feed import readings
from plant import Broker, Publisher, Weir, wait_until
from power import Power
from verdict import judge

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# The places that every run of enough kills has to reach; further ones are found in the sources.
REQUIRED_POINTS = [
    "commit.before-write", "commit.after-write", "acknowledge.before", "acknowledge.after",
    "seal.before-write", "seal.after-write", "put.before", "put.before-rename", "put.after",
    "trim.before-write", "trim.after-write",
    "recovery.before-open", "recovery.after-open", "recovery.after-restore", "recovery.after-start",
]
# Steps that this plant does not take: several objects a segment, rows that are too old to be sent or given up by
# hand, tables, a full outbox, markers, sinks that take rows.
ABSENT_STEPS = ("attach.", "expire.", "discard.", "delta.", "coarsen.", "mark.", "post.", "publish.")


def crash_points():
    """All named places, from the sources where they are at hand."""
    found = set()
    for path in glob.glob(f"{ROOT}/Sources/**/*.swift", recursive=True):
        with open(path, encoding="utf-8") as source:
            found |= set(re.findall(r"\.pass\(\"([a-z.-]+)\"\)", source.read()))
    missing = set(REQUIRED_POINTS) - found if found else set()
    if missing:
        raise SystemExit(f"crash points that the sources do not have: {sorted(missing)}")
    more = sorted(found - set(REQUIRED_POINTS))
    return REQUIRED_POINTS + [point for point in more if not point.startswith(ABSENT_STEPS)]


class Kills:
    """Decides where each kill comes, from the seed alone."""

    def __init__(self, seed, count, points, only_random):
        choose = random.Random(f"kills {seed}")
        self.plan = []
        rotation = 0
        for index in range(count):
            if only_random or index % 3 == 2:
                self.plan.append((None, choose.uniform(0.02, 1.5)))
                continue
            point = points[rotation % len(points)]
            rotation += 1
            passings = {"recovery": [1], "commit": [1, 2, 3, 5], "acknowledge": [1, 2, 3, 5]}
            passing = choose.choice(passings.get(point.split(".")[0], [1, 1, 2]))
            self.plan.append((f"{point}:{passing}", 2.5))
        self.redeliveries = 0
        self.hits = Counter()
        self.misses = Counter()

    def note(self, place, died_there):
        name = place.split(":")[0] if place else "random"
        (self.hits if died_there else self.misses)[name] += 1


def run_to_death(weir, place, seconds, environment):
    """Starts weir and has it die: at a crash point, or after a time. Returns the seconds to readiness
    (None if it never was), whether it died by itself at the place, and the redelivered messages that it
    was seen to recognise."""
    weir.start({**environment, **({"WEIR_CRASH_POINT": place} if place else {})})
    end = weir.started + seconds
    ready = None
    redeliveries = 0
    while not weir.is_dead() and time.monotonic() < end:
        if ready is None and weir.get("/readyz") is not None:
            ready = time.monotonic() - weir.started
        if ready is not None:
            redeliveries = max(redeliveries, sum(s["duplicates"] for s in weir.status().get("sources", [])))
        time.sleep(0.002 if ready is None else min(0.03, max(0.0, end - time.monotonic())))
    by_itself = weir.is_dead()
    code = weir.kill()
    if code != -signal.SIGKILL:
        raise RuntimeError(f"weir ended with {code} instead of being killed:\n{weir.log_tail()}")
    return ready, by_itself and place is not None, redeliveries


def settle(weir, published):
    """Waits until everything is received and forwarded. Returns the last status."""
    def is_settled():
        status = weir.status()
        received = sum(source["rows"]["received"] for source in status.get("sources", []))
        pending = sum(t["pending"] for sink in status.get("sinks", []) for t in sink["streams"])
        return received >= published and pending == 0 and status.get("sinks")
    wait_until(is_settled, 120, f"the last of {published} readings in the lake", every=0.1)
    return weir.status_by_command()


def run(options, folder):
    feed = readings(options.seed, options.messages)
    environment = {"WEIR_TEST_ACK_BEFORE_COMMIT": "1"} if options.canary and not options.power else {}
    kills = Kills(options.seed, options.kills, crash_points(), options.canary)
    broker = Broker(f"{folder}/broker")
    weir = Weir(
        options.weir, f"{folder}/weir", broker.port, protocol=options.protocol,
        commit_interval="300ms" if options.canary else "20ms",
    )
    power = None
    if options.power:
        power = Power(folder, f"{folder}/weir", ["state", "lake", "archive"], disk_lies=options.canary)
        environment |= power.environment
    publisher = Publisher(broker.port, feed, options.rate)
    ready_times = []
    try:
        # The first start makes the session: what is published before it goes nowhere.
        weir.start(environment)
        weir.await_ready(10)
        wait_until(lambda: weir.status().get("sources", [{}])[0].get("is_connected"), 10, "the connection")
        time.sleep(0.3)
        for index, (place, seconds) in enumerate(kills.plan):
            if index == 0:
                weir.kill()
                if power:
                    power.cut()
            if options.broker_restarts and index % max(1, options.kills // options.broker_restarts) == 5:
                publisher.wait()
                broker.stop()
                broker.start()
            publisher.publish((index + 1) * options.messages // options.kills)
            ready, died_there, redeliveries = run_to_death(weir, place, seconds, environment)
            if power:
                power.cut()
            kills.redeliveries += redeliveries
            kills.note(place, died_there or place is None)
            if ready is not None:
                ready_times.append(ready)
        publisher.publish(len(feed))
        publisher.wait()
        weir.start(environment)
        ready_times.append(weir.await_ready(30))
        status = settle(weir, len(feed)) if not options.canary else settle_canary(weir)
        exit_code, stop_seconds = weir.stop()
    finally:
        if weir.process:
            weir.kill()
        broker.stop()
    verdict = judge(f"{folder}/weir", feed, status)
    ready_times = sorted(time for time in ready_times if time is not None)
    verdict |= {
        "seed": options.seed, "messages": options.messages, "kills": options.kills,
        "broker_restarts": broker.restarts, "killed_at": dict(sorted(kills.hits.items())),
        "not_reached": dict(sorted(kills.misses.items())),
        "ready_seconds_median": round(ready_times[len(ready_times) // 2], 3) if ready_times else None,
        "ready_seconds_max": round(ready_times[-1], 3) if ready_times else None,
        "exit_code": exit_code, "stop_seconds": round(stop_seconds, 3),
        "redeliveries_recognised_at_least": kills.redeliveries,
    }
    if power:
        verdict |= {"power_cuts": power.cuts, "bytes_lost_by_power_cuts": power.lost_bytes}
    return verdict


def settle_canary(weir):
    """A run that loses readings never gets them all: waits until nothing comes any more."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 3:
        status = weir.status()
        received = sum(source["rows"]["received"] for source in status.get("sources", []))
        pending = sum(t["pending"] for sink in status.get("sinks", []) for t in sink["streams"])
        if (received, pending) != last:
            last, since = (received, pending), time.monotonic()
        time.sleep(0.1)
    return weir.status_by_command()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weir", default=f"{ROOT}/.build/release/weir", help="the binary under test")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--messages", type=int, help="readings in the feed (default: 1,000 a kill)")
    parser.add_argument("--seed", type=int, help="repeats a run's feed and kills (default: a new one)")
    parser.add_argument("--rate", type=int, default=1200, help="readings a second, while weir dies")
    parser.add_argument("--protocol", choices=["5", "3.1.1"], default="5")
    parser.add_argument("--broker-restarts", type=int, default=2, help="about how many, gracefully")
    parser.add_argument("--ready-max", type=float, default=2.0, help="seconds from start to ready")
    parser.add_argument("--power", action="store_true", help="cut the power at each kill: what is not synced is gone")
    parser.add_argument("--canary", action="store_true", help="plant a fault and expect to catch it")
    parser.add_argument("--folder", help="where to work; kept (default: a temporary one, removed on success)")
    options = parser.parse_args()
    options.weir = os.path.abspath(options.weir)
    options.messages = options.messages or 1000 * options.kills
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    print(f"crash harness: seed {options.seed}, {options.kills} kills, {options.messages} messages", file=sys.stderr)
    folder = os.path.abspath(options.folder) if options.folder else tempfile.mkdtemp(prefix="weir-crash-")
    begin = time.monotonic()
    verdict = run(options, folder)
    verdict["seconds"] = round(time.monotonic() - begin, 1)
    if options.canary:
        verdict["canary_caught"] = verdict["lake"]["rows"]["lost"] > 0
        failed = not verdict["canary_caught"]
    else:
        add_run_problems(verdict, options)
        failed = bool(verdict["problems"])
    print(json.dumps(verdict, indent=1))
    if failed:
        print(f"FAILED; repeat with --seed {options.seed}; the run is in {folder}", file=sys.stderr)
    elif not options.folder:
        shutil.rmtree(folder)
    sys.exit(1 if failed else 0)


def add_run_problems(verdict, options):
    """What is wrong with the run itself, apart from its results."""
    problems = verdict["problems"]
    if verdict["exit_code"] != 0:
        problems.append(f"weir ended with {verdict['exit_code']} on SIGTERM")
    if verdict["stop_seconds"] > 5:
        problems.append(f"weir took {verdict['stop_seconds']} s to stop")
    if (verdict["ready_seconds_max"] or 0) > options.ready_max:
        problems.append(f"weir took {verdict['ready_seconds_max']} s from start to ready")
    planned = options.kills * 2 // 3
    if planned >= 2 * len(REQUIRED_POINTS):
        unreached = [point for point in REQUIRED_POINTS if not verdict["killed_at"].get(point)]
        if unreached:
            problems.append(f"never died at {', '.join(unreached)}")


if __name__ == "__main__":
    main()
