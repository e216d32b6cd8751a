#!/usr/bin/env python3
"""Delta tables under fire: agents that write one table are killed again and again while replies of their
store are lost, and then delta-rs reads the table: every reading must be there once, and the log must hold
each agent's last row.

    exactly_once.py --weir PATH --store file|s3|swift|hdfs [--agents 1] [--kills 20] [--messages 20000] [--seed S]

Two kills of three come at named places (WEIR_CRASH_POINT), on both sides of every step from the seal to the
trim; the others at random times. On s3 and hdfs a proxy stands before the server, and in each life of an
agent it drops the answers of up to three commits (the entry is stored, weir does not learn of it), and of
one file in every second life; in the last life, of all commits. Prints one JSON object; exit 0 when nothing is lost and nothing twice."""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent / "Crash"), str(HERE.parent / "Integration"), str(HERE)]

import plant  # noqa: E402
from feed import readings  # noqa: E402
from stores import STORES  # noqa: E402

POINTS = [
    "delta.before-data", "delta.before-commit", "delta.after-commit", "trim.before-write", "trim.after-write",
    "seal.before-write", "seal.after-write", "commit.before-write", "commit.after-write",
]
CHECKPOINT_POINTS = ["delta.before-checkpoint", "delta.after-checkpoint"]
UPKEEP_POINTS = [
    "delta.optimize.before-data", "delta.optimize.before-commit", "delta.optimize.after-commit",
    "delta.vacuum.before-delete",
]
UPKEEP = """
delta.optimize = "every 1s"
delta.vacuum = "every 1s"
delta.vacuum_after = "1s"
"""

CONFIGURATION = """\
[agent]
id = "{name}"
state_dir = "{folder}/state"
commit_interval = "20ms"
free_space_reserve = "16MB"
http = "127.0.0.1:{http}"

[[source]]
name = "sensors"
type = "mqtt"
url = "mqtt://127.0.0.1:{port}"
topics = ["plant/{name}/telemetry"]
client_id = "weir-{name}"

[source.columns]
device      = "STRING"
seq         = "BIGINT"
ts          = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }}
temperature = "DOUBLE"

[[query]]
name = "every_row"
sql = "SELECT device, seq, ts, temperature FROM sensors"
sinks = ["lake"]

[[sink]]
name = "lake"
{sink}
format = "delta"
schedule = "every 1s"
max_rows = {max_rows}
retry_min = "20ms"
retry_max = "200ms"
delta.checkpoint_every = 10
"""


class Agent(plant.Weir):
    """A weir that writes the table, its feed, and its deaths."""

    def __init__(self, options, folder, broker, name, store, seed):
        self.program, self.folder, self.name = options.weir, f"{folder}/{name}", name
        self.http, self.store = plant.free_port(), store
        self.config = f"{self.folder}/weir.toml"
        os.makedirs(self.folder, exist_ok=True)
        with open(self.config, "w") as config:
            config.write(
                CONFIGURATION.format(
                    name=name, folder=self.folder, http=self.http, port=broker.port, sink=store.sink(),
                    max_rows=options.max_rows,
                )
                + (UPKEEP if options.upkeep else "")
            )
        self.process, self.started = None, 0.0
        self.feed = readings(seed, options.messages // options.agents)
        self.publisher = plant.Publisher(broker.port, self.feed, options.rate, topic=f"plant/{name}/telemetry")
        self.kills = options.kills // options.agents
        self.lost_at_the_end = 10 * options.kills // options.agents
        self.random = random.Random(seed)
        self.points = POINTS + (CHECKPOINT_POINTS if options.checkpoints else [])
        self.points = self.points + (UPKEEP_POINTS if options.upkeep else [])
        self.hits, self.misses, self.failure = Counter(), Counter(), None

    def live_and_die(self):
        try:
            killed_feed = len(self.feed) * 4 // 5
            for index in range(self.kills):
                self.publisher.publish((index + 1) * killed_feed // self.kills)
                self.die(index)
            # The last life is a long one, in which the answers to many commits are lost.
            self.store.lose_replies(self.name, of_file=True, commits=self.lost_at_the_end)
            self.start({})
            self.publisher.publish(len(self.feed))
            self.publisher.wait(900)
            plant.wait_until(self.is_settled, 600, f"most readings of {self.name} in the lake", every=0.2)
            self.store.stop_faults(self.name)
            self.final = self.status_by_command()
            self.exit_code, _ = self.stop()
        except Exception as error:  # reported by the main thread
            self.failure = error

    def die(self, index):
        place, seconds = None, self.random.uniform(0.05, 3.0)
        if index % 3 != 2:
            place, seconds = self.points[(index - index // 3) % len(self.points)], 6.0
        # Where the answer is lost, the place behind it is not reached.
        commits = 0 if place == "delta.after-commit" else 3
        self.store.lose_replies(self.name, of_file=index % 2 == 0, commits=commits)
        self.start({"WEIR_CRASH_POINT": f"{place}:{self.random.choice([1, 1, 2])}"} if place else {})
        end = time.monotonic() + seconds
        while not self.is_dead() and time.monotonic() < end:
            time.sleep(0.01)
        by_itself = self.is_dead()
        code = self.kill()
        if code != -signal.SIGKILL:
            raise RuntimeError(f"{self.name} ended with {code} instead of being killed:\n{self.log_tail()}")
        (self.hits if by_itself or not place else self.misses)[place or "random"] += 1

    def is_settled(self):
        status = self.status()
        received = sum(source["rows"]["received"] for source in status.get("sources", []))
        pending = sum(t["pending"] for sink in status.get("sinks", []) for t in sink["streams"])
        return received >= len(self.feed) and pending == 0 and status.get("sinks")


def start_sessions(agents):
    """What is published before a session's first connection goes nowhere."""
    for agent in agents:
        agent.start({})
        agent.await_ready(20)
        plant.wait_until(
            lambda: agent.status().get("sources", [{}])[0].get("is_connected"), 20, "the connection")
    time.sleep(0.3)
    for agent in agents:
        agent.kill()


def judge(table, agents):
    """What delta-rs reads against what was published and what the agents' ledgers say."""
    rows = table.to_pyarrow_table(columns=["agent", "device", "seq", "ts", "temperature"]).to_pylist()
    found = Counter((row["agent"], row["device"], row["seq"]) for row in rows)
    wanted = {(a.name, r.device, r.seq): (r.ts, r.temperature) for a in agents for r in a.feed}
    changed = sum(
        wanted.get((row["agent"], row["device"], row["seq"]))
        != (round(row["ts"].timestamp() * 1000), row["temperature"])
        for row in rows
    )
    verdict = {
        "rows": len(rows),
        "lost": len(wanted.keys() - found.keys()),
        "twice": sum(count - 1 for count in found.values()),
        "changed": changed,
        "versions": table.version() + 1,
        "files": len(table.file_uris()),
    }
    problems = [f"{verdict[key]} {key}" for key in ("lost", "twice", "changed") if verdict[key]]
    for agent in agents:
        streams = [s for sink in agent.final.get("sinks", []) for s in sink["streams"]]
        forwarded = sum(stream["forwarded"] for stream in streams)
        if forwarded != len(agent.feed) or agent.final.get("is_ledger_balanced") is not True:
            problems.append(f"the ledger of {agent.name} says {forwarded} of {len(agent.feed)}: {streams}")
        if agent.exit_code != 0:
            problems.append(f"{agent.name} ended with {agent.exit_code}")
    return verdict | {"problems": problems}


def run(options, folder):
    store = STORES[options.store](folder)
    broker = plant.Broker(f"{folder}/broker")
    agents = [
        Agent(options, folder, broker, f"edge{number}", store, options.seed + number)
        for number in range(options.agents)
    ]
    try:
        start_sessions(agents)
        threads = [threading.Thread(target=agent.live_and_die, daemon=True) for agent in agents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for agent in agents:
            if agent.failure:
                raise agent.failure
        verdict = judge(store.table("every_row"), agents)
    finally:
        for agent in agents:
            if agent.process:
                agent.kill()
        broker.stop()
        store.stop()
    return verdict | {
        "store": options.store, "seed": options.seed, "agents": options.agents, "messages": options.messages,
        "kills": sum(sum(a.hits.values()) + sum(a.misses.values()) for a in agents),
        "killed_at": dict(sum((a.hits for a in agents), Counter())),
        "not_reached": dict(sum((a.misses for a in agents), Counter())),
        "lost_replies_of_commits": store.lost["commit"], "lost_replies_of_files": store.lost["file"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weir", default=f"{ROOT}/.build/release/weir", help="the binary under test")
    parser.add_argument("--store", choices=STORES, default="file")
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--kills", type=int, default=20, help="of all agents together")
    parser.add_argument("--messages", type=int, help="of all agents together (default: 1,000 a kill)")
    parser.add_argument("--max-rows", type=int, default=400, help="rows of a segment")
    parser.add_argument("--rate", type=int, default=1000, help="readings a second of an agent")
    parser.add_argument("--seed", type=int, help="repeats a run's feed and kills (default: a new one)")
    parser.add_argument("--no-checkpoints", dest="checkpoints", action="store_false")
    parser.add_argument("--upkeep", action="store_true", help="compact and clean up every second, too")
    parser.add_argument("--folder", help="where to work; kept (default: a temporary one, removed on success)")
    options = parser.parse_args()
    options.weir = os.path.abspath(options.weir)
    options.messages = options.messages or 1000 * options.kills
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 30)
    folder = os.path.abspath(options.folder) if options.folder else tempfile.mkdtemp(prefix="weir-delta-")
    os.makedirs(folder, exist_ok=True)
    print(f"delta harness: seed {options.seed}, in {folder}", file=sys.stderr)
    begin = time.monotonic()
    verdict = run(options, folder)
    verdict["seconds"] = round(time.monotonic() - begin, 1)
    print(json.dumps(verdict, indent=1))
    if verdict["problems"]:
        print(f"FAILED; repeat with --seed {options.seed}; the run is in {folder}", file=sys.stderr)
    elif not options.folder:
        shutil.rmtree(folder)
    sys.exit(1 if verdict["problems"] else 0)


if __name__ == "__main__":
    main()
