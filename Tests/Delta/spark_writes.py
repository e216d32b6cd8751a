#!/usr/bin/env python3
"""delta-spark writes the tables that weir writes: it appends, brings files together, deletes rows, adds columns, makes
checkpoints, cleans up the log and vacuums, while an agent of weir goes on, idle or busy, is killed and restarted. After each
turn the table must have each row once that either has put into it and Spark has not deleted, by Spark and by delta-rs; and a
streaming query must have seen each of them once.

    V/bin/python Tests/Delta/spark_writes.py --weir .build/release/weir --delta-jars FOLDER [--seed S] [--turns N] [--hdfs] [--verbose]

With --hdfs agent and Spark also commit to one table at once, on an HDFS: on a local folder Spark's own commits are not safe
from those of other processes. What is needed is said in readers.py and spark_kit.py.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["TZ"] = "UTC"
parser = argparse.ArgumentParser()
parser.add_argument("--weir", required=True)
parser.add_argument("--delta-jars", required=True)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--turns", type=int, default=40)
parser.add_argument("--hdfs", action="store_true")
parser.add_argument("--verbose", action="store_true")
options = parser.parse_args()
os.environ["WEIR_BIN"] = os.path.abspath(options.weir)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Integration"))

from deltalake import DeltaTable  # noqa: E402
from deltalake.exceptions import TableNotFoundError  # noqa: E402

from lake_kit import agent, query, readings, sensors, sink  # noqa: E402
from spark_kit import DeltaSpark  # noqa: E402
from weir_kit import Broker, Weir, wait_until  # noqa: E402

ROWS = 20
# Rows of Spark's are numbered from here on.
STRANGERS = 1_000_000
SPARK = DeltaSpark(os.path.abspath(options.delta_jars))
SPARK.session.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
DAY = 86_400


def configuration(broker, place, keys=""):
    return agent() + sensors(broker) + query() + sink(f'{place}\nformat = "delta"\nmax_rows = 7\n{keys}')


class Table:
    """A table that an agent and Spark fill, and the numbers that must be in it."""

    def __init__(self, folder, keys=""):
        folder.mkdir(parents=True)
        self.folder, self.path = folder, folder / "lake" / "readings"
        self.broker = Broker(folder / "broker")
        self.agent = Weir(folder, configuration(self.broker, 'type = "file"\nurl = "file:./lake"', keys))
        self.sent, self.appended, self.deleted = 0, 0, set()

    # MARK: Turns

    def weir_appends(self):
        self.broker.publish("plant/1", readings(ROWS, self.sent))
        self.sent += ROWS
        wait_until(self.is_settled, 60, f"weir's rows\n{self.agent.log()[-2000:]}")

    def is_settled(self):
        # After a kill the figures begin anew; what is not acknowledged comes again.
        return self.agent.pending() == 0 and len(self.numbers() & set(range(self.sent))) == self.sent - len(
            {n for n in self.deleted if n < STRANGERS})

    def weir_is_killed(self):
        self.broker.publish("plant/1", readings(ROWS, self.sent))
        self.sent += ROWS
        time.sleep(random.random())
        self.agent.kill()
        self.agent.start()
        wait_until(self.is_settled, 60, f"weir's rows\n{self.agent.log()[-2000:]}")

    def weir_restarts(self):
        self.agent.stop()
        self.agent.start()

    def spark_appends(self, **columns):
        first = STRANGERS + self.appended
        rows = [{"device": "spark", "seq": first + n, "agent": "spark", **columns} for n in range(ROWS)]
        types = "device STRING, seq BIGINT, agent STRING" + "".join(f", {name} STRING" for name in columns)
        SPARK.session.createDataFrame(rows, types).coalesce(1).write.format("delta").mode("append").option(
            "mergeSchema", "true").save(str(self.path))
        self.appended += ROWS

    def spark_adds_a_column(self):
        self.spark_appends(note=f"n{self.appended}")

    def spark_compacts(self):
        self.until_none_interferes(lambda: SPARK.table(self.path).optimize().executeCompaction())

    def spark_deletes(self):
        self.delete(sorted(self.expected())[::11])

    def delete(self, gone):
        condition = f"seq IN ({', '.join(map(str, gone))})"
        self.until_none_interferes(lambda: SPARK.table(self.path).delete(condition))
        self.deleted |= set(gone)

    def until_none_interferes(self, commit):
        """Spark refuses to go on when weir has compacted the files that it read, and says to try again."""
        for _ in range(5):
            try:
                return commit()
            except Exception as error:
                if "[DELTA_CONCURRENT_" not in str(error):
                    raise
        raise AssertionError("weir's compactions leave Spark no turn")

    def spark_cleans_the_log(self):
        """All that is older than a day goes when Spark makes a checkpoint; what is there is made older."""
        SPARK.session.sql(
            f"ALTER TABLE delta.`{self.path}` SET TBLPROPERTIES ('delta.logRetentionDuration' = 'interval 1 day')")
        log = self.path / "_delta_log"
        old = time.time() - 5 * DAY
        for number, path in enumerate(sorted(log.iterdir())):
            os.utime(path, (old + number, old + number))
        SPARK.log(self.path).checkpoint()
        last = json.loads((log / "_last_checkpoint").read_text())["version"]
        left = sorted(int(path.stem) for path in log.glob("*.json"))
        assert left and left[0] >= last, f"entries {left} of a log with a checkpoint of {last}"

    def spark_vacuums(self):
        SPARK.table(self.path).vacuum(0.0)
        named = {str(Path(uri)) for uri in DeltaTable(self.path).file_uris()}
        assert all(os.path.exists(path) for path in named)

    # MARK: What must hold

    def expected(self):
        return {*range(self.sent), *range(STRANGERS, STRANGERS + self.appended)} - self.deleted

    def numbers(self):
        try:
            found = DeltaTable(self.path).to_pyarrow_table(columns=["seq"]).column("seq").to_pylist()
        except (FileNotFoundError, TableNotFoundError):
            return set()
        assert len(found) == len(set(found)), "rows twice"
        return set(found)

    def check(self):
        expected = sorted(self.expected())
        found = sorted(SPARK.rows(self.path).column("seq").to_pylist())
        assert found == expected, f"Spark has {len(found)} rows, not {len(expected)}"
        assert sorted(self.numbers()) == expected, "delta-rs has other rows than Spark"

    def stop(self):
        self.agent.stop()
        self.broker.stop()


def random_turns(folder, seed, turns, keys, streams):
    """Turns at random, each kind at least once. A streaming query ends where rows are deleted, columns change, or the
    entry that it came to is cleaned up, so its table has no such turns."""
    rng = random.Random(seed)
    table = Table(folder, keys)
    kinds = [table.weir_appends, table.weir_is_killed, table.weir_restarts, table.spark_appends, table.spark_compacts]
    if not streams:
        kinds += [
            table.spark_adds_a_column, table.spark_cleans_the_log, table.spark_deletes, table.spark_vacuums]
    plan = kinds + rng.choices(kinds, [3, 2, 1, 2, 1, 1, 2, 1, 1][:len(kinds)], k=max(0, turns - len(kinds)))
    rng.shuffle(plan)
    number = 0
    try:
        table.agent.start()
        table.weir_appends()
        for number, turn in enumerate(plan):
            turn()
            table.check()
            if options.verbose:
                print(f"{time.strftime('%X')} {turn.__name__}", flush=True)
            if streams:
                seen = SPARK.streamed(table.path, folder / "stream").column("seq").to_pylist()
                assert sorted(seen) == sorted(table.expected()), f"the streaming query saw {len(seen)} rows"
        table.weir_appends()
        table.check()
    except Exception as error:
        print(f"seed {seed}, turns {[turn.__name__ for turn in plan[:number + 1]]}:", flush=True)
        raise error
    finally:
        table.stop()
    entries = [info["operation"] for info in SPARK.history(table.path)]
    print(f"{folder.name}, seed {seed}: {len(plan)} turns, {len(table.expected())} rows, each once; "
          f"the last {len(entries)} entries: { {name: entries.count(name) for name in sorted(set(entries))} }", flush=True)


def at_once_on_hdfs(folder, appends=6):
    """Agent and Spark commit to one table, neither waiting for the other."""
    from servers_kit import Hdfs

    folder.mkdir(parents=True)
    hdfs, broker = Hdfs(), Broker(folder / "broker")
    place = hdfs.make_folder("/lake")
    # The NameNodes' ports for their own protocol are three above those for HTTP.
    path = f"hdfs://127.0.0.1:{hdfs.active() + 3}{place}/readings"
    process = Weir(folder, configuration(broker, hdfs.sink(place), "delta.checkpoint_every = 7\n"))
    done, sent = threading.Event(), [0]

    def publish():
        while not done.wait(2):
            broker.publish("plant/1", readings(7, sent[0]))
            sent[0] += 7

    publisher = threading.Thread(target=publish, daemon=True)
    try:
        process.start()
        publisher.start()
        wait_until(lambda: "forwarded" in process.log(), 60, "the table")
        for number in range(appends):
            SPARK.session.createDataFrame(
                [("spark", STRANGERS + number, "spark")], "device STRING, seq BIGINT, agent STRING"
            ).write.format("delta").mode("append").save(path)
            if number % 3 == 2:
                SPARK.table(path).optimize().executeCompaction()
        done.set()
        publisher.join()
        wait_until(lambda: process.received("sensors") == sent[0] and process.pending() == 0, 120, "the rows")
        found = sorted(SPARK.rows(path).column("seq").to_pylist())
        assert found == [*range(sent[0]), *range(STRANGERS, STRANGERS + appends)], f"{len(found)} rows of {sent[0]}"
        history = [row["engineInfo"].split("/")[0] for row in SPARK.history(path)]
    finally:
        done.set()
        process.stop()
        broker.stop()
        hdfs.stop()
    turns = sum(left != right for left, right in zip(history, history[1:]))
    print(f"HDFS: {sent[0]} rows of weir and {appends} of Spark, each once; the writer changed {turns} times in "
          f"{len(history)} entries", flush=True)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        every = "delta.checkpoint_every = 5\n"
        upkeep = 'delta.optimize = "every 1s"\ndelta.vacuum = "every 1s"\ndelta.vacuum_after = "1h"\n'
        if options.turns:
            random_turns(folder / "turns", options.seed, options.turns, every, streams=False)
            random_turns(folder / "upkeep-of-both", options.seed + 1, options.turns, every + upkeep, streams=False)
            random_turns(folder / "streamed", options.seed + 2, options.turns // 2, every + upkeep, streams=True)
        if options.hdfs:
            at_once_on_hdfs(folder / "hdfs")


main()
