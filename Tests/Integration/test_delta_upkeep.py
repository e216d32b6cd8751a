"""Checkpoints of Delta tables, weir's and others', each read by the other; compaction and clean-up of tables, with
crashes at each step. A checkpoint is proved to be used by deleting the entries that it stands for."""

import json
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from lake_kit import agent, query, readings, sensors, sink
from weir_kit import wait_until, weir

REPLAY = """
[agent]
id = "edge-1"
state_dir = "unused"
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
columns = {{ n = "BIGINT", k = "STRING", ts = {{ type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }} }}
[[query]]
name = "q"
sql = "SELECT * FROM s"
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
format = "delta"
{keys}
"""


def replay(folder, count, keys="", first=0):
    (folder / "c.toml").write_text(REPLAY.format(keys=keys))
    with open(folder / "s.ndjson", "w") as file:
        for n in range(first, first + count):
            file.write(json.dumps({"n": n, "k": f"k{n % 5}", "ts": 1_790_000_000_000 + n * 1000}) + "\n")
    done = weir("replay", "c.toml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr


def numbers(table, name="n"):
    """A column of the table as delta-rs has it, and DuckDB by delta-rs' list of files; sorted."""
    rows = sorted(table.to_pyarrow_table(columns=[name]).column(name).to_pylist())
    files = table.file_uris()
    assert sorted(row[0] for row in duckdb.read_parquet(files).project(name).fetchall()) == rows
    return rows


def version_of(path):
    return int(path.name.split(".")[0])


def forget_entries(table, version):
    """Deletes what the checkpoint of `version` stands for, and older checkpoints."""
    for path in (Path(table) / "_delta_log").iterdir():
        if path.suffix == ".json" and version_of(path) <= version:
            path.unlink()
        elif ".checkpoint." in path.name and version_of(path) < version:
            path.unlink()


def checkpoints(table):
    return sorted((Path(table) / "_delta_log").glob("*.checkpoint*.parquet"))


def last_checkpoint(table):
    return json.loads((Path(table) / "_delta_log" / "_last_checkpoint").read_text())


def test_others_read_tables_through_checkpoints_of_weir(tmp_path):
    keys = 'max_rows = 100\ndelta.checkpoint_every = 10\npartition_by = "ts"'
    replay(tmp_path, 5000, keys)
    table = tmp_path / "lake" / "q"
    assert numbers(DeltaTable(table)) == list(range(5000))
    # Partitions and segments end where they will: there are about 50 commits.
    last = last_checkpoint(table)
    newest = checkpoints(table)[-1]
    assert version_of(newest) == last["version"] and len(checkpoints(table)) == last["version"] // 10
    rows = pq.read_table(newest)
    assert rows.num_rows == last["size"] and newest.stat().st_size == last["sizeInBytes"]
    forget_entries(table, last["version"])
    assert numbers(DeltaTable(table)) == list(range(5000))
    # A new state directory appends beside it, from the checkpoint on, and checkpoints again.
    replay(tmp_path, 3000, keys, first=5000)
    assert numbers(DeltaTable(table)) == list(range(8000))
    assert last_checkpoint(table)["version"] > last["version"]
    forget_entries(table, last_checkpoint(table)["version"])
    assert numbers(DeltaTable(table)) == list(range(8000))
    adds = pq.read_table(checkpoints(table)[-1]).column("add").combine_chunks().drop_null().to_pylist()
    assert all(json.loads(add["stats"])["numRecords"] > 0 and not add["dataChange"] for add in adds)


def others_table(path, commits=4):
    schema = pa.schema([("n", pa.int64()), ("k", pa.string()), ("ts", pa.timestamp("us", "UTC")), ("agent", pa.string())])
    for commit in range(commits):
        rows = [{"n": commit * 10 + i, "k": "o", "ts": None, "agent": "spark"} for i in range(10)]
        write_deltalake(path, pa.Table.from_pylist(rows, schema), mode="append")
    return schema


@pytest.mark.parametrize("parts", [None, 3])
def test_weir_appends_to_tables_through_checkpoints_of_others(tmp_path, parts):
    table = tmp_path / "lake" / "q"
    others_table(table)
    DeltaTable(table).create_checkpoint()
    (path,) = checkpoints(table)
    version = version_of(path)
    if parts:
        rows = pq.read_table(path)
        size = -(-rows.num_rows // parts)
        for part in range(parts):
            name = f"{version:020}.checkpoint.{part + 1:010}.{parts:010}.parquet"
            pq.write_table(rows.slice(part * size, size), path.parent / name)
        path.unlink()
        (path.parent / "_last_checkpoint").write_text(
            json.dumps({"version": version, "size": rows.num_rows, "parts": parts}))
    forget_entries(table, version)
    replay(tmp_path, 20, "delta.checkpoint_every = 1", first=100)
    assert numbers(DeltaTable(table)) == list(range(40)) + list(range(100, 120))
    # Weir's own checkpoint holds what it took from the other one.
    assert last_checkpoint(table)["version"] == version + 1
    forget_entries(table, version + 1)
    assert numbers(DeltaTable(table)) == list(range(40)) + list(range(100, 120))


@pytest.mark.parametrize("damage", ["garbage", "missing", "newer form"])
def test_a_checkpoint_that_cannot_be_read_is_no_hindrance_while_the_log_is_whole(tmp_path, damage):
    table = tmp_path / "lake" / "q"
    others_table(table)
    DeltaTable(table).create_checkpoint()
    (path,) = checkpoints(table)
    if damage == "garbage":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "missing":
        path.unlink()
    else:
        rows = pq.read_table(path)
        kind = pa.struct([("version", pa.int64())])
        pq.write_table(
            rows.append_column("checkpointMetadata", pa.array([{"version": 3}] * rows.num_rows, kind)), path)
    replay(tmp_path, 20, first=100)
    path.unlink(missing_ok=True)
    (path.parent / "_last_checkpoint").unlink()
    assert numbers(DeltaTable(table)) == list(range(40)) + list(range(100, 120))


def test_without_log_and_checkpoint_rows_wait(broker, start_weir):
    process = start_weir(configuration(broker, "")).start()
    broker.publish("plant/1", readings(10))
    table = Path(process.folder) / "lake" / "readings"
    wait_until(lambda: count(table) == 10, 20, "the first rows")
    process.stop()
    broker.publish("plant/1", readings(10, 10))
    DeltaTable(table).create_checkpoint()
    path = checkpoints(table)[-1]
    forget_entries(table, version_of(path))
    good = path.read_bytes()
    path.write_bytes(good[:100])
    process.start()
    wait_until(lambda: "no checkpoint that weir can read" in process.log(), 20, "the refusal")
    path.write_bytes(good)
    wait_until(lambda: count(table) == 20, 20, "the rows that waited")
    assert numbers(DeltaTable(table), "seq") == list(range(20))


def test_an_agent_that_was_idle_while_others_cleaned_the_log_goes_on_behind_their_checkpoint(broker, start_weir):
    """The numbers of entries that were cleaned up are free, and what is put there nobody reads."""
    process = start_weir(configuration(broker, "")).start()
    table = Path(process.folder) / "lake" / "readings"
    publish(broker, table, 20, pieces=2)
    others = [{"device": "o", "seq": seq, "agent": "spark"} for seq in range(1000, 1010)]
    schema = pa.schema([("device", pa.string()), ("seq", pa.int64()), ("agent", pa.string())])
    for row in others:
        write_deltalake(table, pa.Table.from_pylist([row], schema), mode="append")
    DeltaTable(table).create_checkpoint()
    version = DeltaTable(table).version()
    forget_entries(table, version)
    broker.publish("plant/1", readings(20, 20))
    wait_until(lambda: process.received("sensors") == 40 and process.pending() == 0, 30, "more rows")
    process.stop()
    assert numbers(DeltaTable(table), "seq") == [*range(40), *range(1000, 1010)]
    assert all(version_of(path) > version for path in table.glob("_delta_log/0*.json"))


# MARK: Compaction and clean-up


def configuration(broker, keys, sql="SELECT device, seq FROM sensors"):
    lake = 'type = "file"\nurl = "file:./lake"\nformat = "delta"\nmax_rows = 25\n'
    return agent() + sensors(broker) + query(sql=sql) + sink(lake + keys)


def files_on_disk(table):
    return {str(path.relative_to(table)) for path in Path(table).rglob("*.parquet") if "_delta_log" not in path.parts}


def live_files(table):
    actions = pa.table(DeltaTable(table).get_add_actions())
    return set(actions.column("path").to_pylist())


def operations(table):
    return [entry.get("operation") for entry in DeltaTable(table).history()]


def count(table):
    if not any(Path(table).glob("_delta_log/0*")):
        return 0
    return DeltaTable(table).to_pyarrow_table(columns=["seq"]).num_rows


def publish(broker, table, total, first=0, pieces=4):
    """Rows `first` to `first + total`, some at a time; all before them are in the table already."""
    for piece in range(pieces):
        start = first + piece * total // pieces
        broker.publish("plant/1", readings(total // pieces, start))
        wait_until(lambda: count(table) == start + total // pieces, 20, "the rows")


def test_small_files_become_one_and_old_ones_go(broker, start_weir):
    process = start_weir(configuration(broker, 'delta.optimize = "every 3s"')).start()
    table = Path(process.folder) / "lake" / "readings"
    publish(broker, table, 200)
    wait_until(lambda: "OPTIMIZE" in operations(table), 30, "a compaction")
    publish(broker, table, 100, 200)
    wait_until(lambda: len(live_files(table)) == 1 and len(numbers(DeltaTable(table), "seq")) == 300, 30, "one file")
    process.stop()
    assert numbers(DeltaTable(table), "seq") == list(range(300))
    # Rows keep their order, and the entries mark that no row has changed.
    (path,) = DeltaTable(table).file_uris()
    assert pq.read_table(path).column("seq").to_pylist() == list(range(300))
    log = [json.loads(line) for p in sorted(table.glob("_delta_log/*.json")) for line in open(p)]
    removes = [action["remove"] for action in log if "remove" in action]
    assert removes and not any(remove["dataChange"] for remove in removes)
    stats = json.loads(pa.table(DeltaTable(table).get_add_actions()).to_pylist()[0].get("stats", "{}") or "{}")
    assert not stats or stats["numRecords"] == 300
    # Older versions can be read until the old files are deleted.
    first = next(v for v in range(DeltaTable(table).version()) if len(numbers(DeltaTable(table, version=v), "seq")) >= 50)
    assert len(files_on_disk(table)) > 10
    text = configuration(broker, 'delta.vacuum = "every 1s"\ndelta.vacuum_after = "1s"')
    stranger = table / "date=2026-01-01" / "hour=00" / "part-00000-somebody.parquet"
    stranger.parent.mkdir(parents=True)
    shutil.copy(path, stranger)
    process = start_weir(text).start()
    wait_until(lambda: len(files_on_disk(table)) == 2, 30, "the clean-up")
    process.stop()
    assert stranger.exists() and live_files(table) < files_on_disk(table)
    assert numbers(DeltaTable(table), "seq") == list(range(300))
    with pytest.raises(Exception):
        numbers(DeltaTable(table, version=first), "seq")


@pytest.mark.parametrize("point", [
    "delta.optimize.before-data", "delta.optimize.before-commit", "delta.optimize.after-commit",
    "delta.vacuum.before-delete", "delta.before-checkpoint", "delta.after-checkpoint",
])
def test_a_crash_at_each_step_of_the_upkeep_loses_nothing(broker, start_weir, point):
    keys = (
        'delta.optimize = "every 2s"\ndelta.vacuum = "every 1s"\ndelta.vacuum_after = "2s"\n'
        "delta.checkpoint_every = 3\n"
    )
    process = start_weir(configuration(broker, keys)).start(environment={"WEIR_CRASH_POINT": f"{point}:2"})
    table = Path(process.folder) / "lake" / "readings"
    sent = 0
    while process.process.poll() is None and sent < 2000:
        broker.publish("plant/1", readings(50, sent))
        sent += 50
        wait_until(
            lambda: process.process.poll() is not None or count(table) >= sent, 20, "the rows")
    wait_until(lambda: process.process.poll() is not None, 20, "the crash")
    assert numbers(DeltaTable(table), "seq") == sorted(set(numbers(DeltaTable(table), "seq")))
    process.start()
    broker.publish("plant/1", readings(50, sent))
    sent += 50
    wait_until(lambda: len(numbers(DeltaTable(table), "seq")) >= sent, 30, "all rows")
    wait_until(lambda: files_on_disk(table) == live_files(table) and len(live_files(table)) == 1, 40, "one file")
    process.stop()
    assert numbers(DeltaTable(table), "seq") == list(range(sent))


def test_files_of_different_columns_are_not_mixed(broker, start_weir):
    process = start_weir(configuration(broker, "")).start()
    table = Path(process.folder) / "lake" / "readings"
    publish(broker, table, 100)
    process.stop()
    process = start_weir(
        configuration(broker, 'delta.optimize = "every 2s"', sql="SELECT device, seq, seq * 2 AS twice FROM sensors")
    ).start()
    publish(broker, table, 100, 100)
    wait_until(lambda: len(live_files(table)) == 2 and process.pending() == 0, 30, "two files")
    process.stop()
    rows = DeltaTable(table).to_pyarrow_table().sort_by("seq").to_pylist()
    assert [row["seq"] for row in rows] == list(range(200))
    assert [row["twice"] for row in rows] == [None] * 100 + [n * 2 for n in range(100, 200)]


def delete_some(table):
    """Of the second file a part goes, so it is written anew; the third goes whole."""
    table.delete("seq >= 40 AND seq < 75")
    return [*range(40), *range(75, 100)]


def delete_all(table):
    table.delete()
    return []


def compact(table):
    assert table.optimize.compact()["numFilesRemoved"] >= 4
    return list(range(100))


@pytest.mark.parametrize("other", [delete_some, delete_all, compact])
def test_a_round_is_given_up_when_another_writer_removes_its_files(broker, start_weir, s3, fault_proxy, other):
    """The compacted file is long in coming: between its making and its entry of the log the table changes."""
    proxy, prefix = fault_proxy(s3.port), f"upkeep-{other.__name__}"
    keys = 'format = "delta"\nmax_rows = 25\ndelta.optimize = "every 8s"\n'
    text = agent() + sensors(broker) + query() + sink(s3.sink(prefix, keys, port=proxy.port))
    options = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3.port}", "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "AWS_S3_ADDRESSING_STYLE": "path",
    }

    def table():
        return DeltaTable(f"s3://{s3.bucket}/{prefix}/readings", storage_options=options)

    def found():
        return sorted(table().to_pyarrow_table(columns=["seq"]).column("seq").to_pylist())

    def rounds_of_weir():
        return [e for e in table().history() if e.get("operation") == "OPTIMIZE" and e["engineInfo"].startswith("weir")]

    process = start_weir(text).start()
    broker.publish("plant/1", readings(100))
    wait_until(lambda: process.received("sensors") == 100 and process.pending() == 0, 30, "the first rows")
    process.stop()
    assert len(table().file_uris()) == 4
    proxy.rules({"match": r"^PUT .*-c\d+\.parquet", "fault": "delay", "seconds": 6})
    process.start()
    wait_until(lambda: proxy.requests("delay"), 30, "the compacted file")
    expected = other(table())
    assert not rounds_of_weir()
    wait_until(lambda: "was removed meanwhile" in process.log(), 30, "the round's end")
    assert found() == expected and not rounds_of_weir()
    # The next rounds are as if nothing had been.
    for first in (100, 125):
        broker.publish("plant/1", readings(25, first))
        wait_until(lambda: len(found()) == len(expected) + first - 75, 30, "more rows")
    wait_until(rounds_of_weir, 30, "a round of the new files")
    process.stop()
    assert found() == expected + list(range(100, 150))
