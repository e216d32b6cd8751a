"""How a fault of a sink is told and what it holds up: once in the log, however many queries and tries meet it, and
once more when it is mended; and a fault of one folder, one right or one marker holds up nothing else."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from faults_kit import BOUND_BY_PERMISSIONS
from lake_kit import (
    FolderLake, S3Lake, agent, file_sink, query, readings, require_balanced, require_each_once, sensors, sink,
)
from marker_kit import COLUMNS, HOUR, MINUTES, START, TIME, expected, folder, markers, message
from test_refusals import held, of_sink, pending
from weir_kit import WEIR, wait_until, weir


def warnings(process, words):
    return [line for line in process.log().splitlines() if " warning " in line and words in line]


def goings_on(process):
    return [line for line in process.log().splitlines() if "goes on" in line]


def many(broker, text, count=20, keys=""):
    return agent(keys) + sensors(broker) + "".join(query(f"q{n:02}") for n in range(count)) + text


def failures(process):
    return of_sink(process).get("upload_failures", 0)


def stays_so(process, tries=4):
    """Several more tries meet the same."""
    before = failures(process)
    wait_until(lambda: failures(process) >= before + tries, 20, "more tries")


# Faults of the whole sink.


def test_a_wrong_key_of_twenty_queries_is_told_once_and_mended_at_the_gateway(broker, start_weir, s3):
    text = s3.sink("told-key").replace(s3.access_key, "latekey").replace(s3.secret_key, "latesecret")
    process = start_weir(many(broker, sink(text))).start()
    broker.publish("plant/1", readings(30))
    said = "look at access_key"
    wait_until(lambda: process.received("sensors") == 30 and said in of_sink(process)["state"], 20, "the refusal")
    assert not held(process), "the fault is the sink's"
    stays_so(process)
    assert len(warnings(process, said)) == 1, process.log()
    wait_until(lambda: said in weir("status", process.config).stdout, 20, "what weir status says")
    done = weir("check", process.config, "--connect", cwd=process.folder)
    assert done.returncode == 69 and said in done.stdout
    s3.admin("key", "create", "--uid=weir", "--key-type=s3", "--access-key=latekey", "--secret-key=latesecret")
    wait_until(lambda: process.pending() == 0 and not of_sink(process)["is_failing"], 60, "the uploads")
    for number in range(20):
        require_each_once(S3Lake(s3, "told-key"), range(30), stream=f"q{number:02}")
    assert len(goings_on(process)) == 1 and "failed_tries=" in goings_on(process)[0]
    assert len(warnings(process, said)) == 1
    require_balanced(process.status())


def test_a_missing_bucket_of_twenty_queries_is_told_once(broker, start_weir, s3):
    text = s3.sink("told").replace("s3://weir/", "s3://told-later/")
    process = start_weir(many(broker, sink(text))).start()
    broker.publish("plant/1", readings(10))
    wait_until(lambda: failures(process) >= 6, 20, "several tries")
    assert not held(process) and len(warnings(process, "create the bucket, or look at `url`")) == 1
    s3.client().create_bucket(Bucket="told-later")
    wait_until(lambda: process.received("sensors") == 10 and process.pending() == 0, 60, "the uploads")
    assert len(goings_on(process)) == 1


def test_each_try_is_in_the_log_for_those_who_ask(broker, start_weir, s3):
    text = s3.sink("told-debug").replace("s3://weir/", "s3://told-never/")
    process = start_weir(many(broker, sink(text), 1, 'log_level = "debug"')).start()
    broker.publish("plant/1", readings(1))
    wait_until(lambda: failures(process) >= 4, 20, "several tries")
    tries = [line for line in process.log().splitlines() if "NoSuchBucket" in line and "retry_in=" in line]
    assert len(tries) >= 4 and "failed_before=" in tries[-1]


# Rights and folders of one stream.


def deny(s3, *prefixes):
    """The bucket's policy forbids everybody to put objects there."""
    resources = [f"arn:aws:s3:::{s3.bucket}/{prefix}" for prefix in prefixes]
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": resources}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.client().put_bucket_policy(Bucket=s3.bucket, Policy=json.dumps(policy))


@pytest.fixture
def denied(s3):
    yield lambda *prefixes: deny(s3, *prefixes)
    s3.client().delete_bucket_policy(Bucket=s3.bucket)


def test_a_right_that_some_prefixes_lack_holds_up_their_streams_alone(broker, start_weir, s3, denied):
    denied("rights/q01/*", "rights/q02/*")
    process = start_weir(many(broker, sink(s3.sink("rights")), 4)).start()
    broker.publish("plant/1", readings(20))
    lake = S3Lake(s3, "rights")
    wait_until(lambda: lake.objects("q00") and lake.objects("q03"), 20, "the neighbours")
    said = "give the key the right to do this on the bucket"
    wait_until(lambda: set(held(process)) == {"q01", "q02"}, 20, "the streams that wait")
    assert all(said in problem for problem in held(process).values())
    stays_so(process)
    done = weir("check", process.config, "--connect", cwd=process.folder)
    assert done.returncode == 69 and said in done.stdout, "a right to list is not one to write"
    assert len(warnings(process, said)) == 1, "the sentence once"
    assert len(warnings(process, "waits, too, for the same reason as")) == 1, "and that another meets it, too"
    process.kill()
    process.start()
    broker.publish("plant/1", readings(20, 20))
    wait_until(lambda: process.received("sensors") == 40 and len(held(process)) == 2, 20, "the same after a kill")
    s3.client().delete_bucket_policy(Bucket=s3.bucket)
    wait_until(lambda: process.pending() == 0 and not of_sink(process)["is_failing"], 30, "the uploads")
    for number in range(4):
        require_each_once(lake, range(40), stream=f"q{number:02}")
    assert len(goings_on(process)) == 2


def start_bound(process):
    return process.start(through=BOUND_BY_PERMISSIONS)


def test_a_folder_without_permission_holds_up_its_stream_alone(broker, start_weir):
    process = start_weir(many(broker, file_sink(), 3))
    lake = FolderLake(Path(process.folder) / "lake")
    (lake.folder / "q01").mkdir(parents=True)
    (lake.folder / "q01").chmod(0o555)
    start_bound(process)
    sent = 0
    for _ in range(3):
        broker.publish("plant/1", readings(10, sent))
        sent += 10
        wait_until(lambda: process.received("sensors") == sent, 20, "the intake")
        wait_until(lambda: pending(process, "q00") == pending(process, "q02") == 0, 20, "the neighbours' rows")
    user = os.geteuid()
    said = "/lake/q01/date="
    wait_until(lambda: said in held(process).get("q01", ""), 20, "the status that names the stream")
    advice = f"Permission denied; give user {user} the right to write to "
    assert held(process)["q01"].split(advice)[1].endswith("/lake/q01"), held(process)
    assert list(held(process)) == ["q01"] and of_sink(process)["is_failing"]
    assert "    waits alone: " in weir("status", process.config, cwd=process.folder).stdout
    stays_so(process)
    assert len(warnings(process, advice)) == 1
    process.kill()
    start_bound(process)
    broker.publish("plant/1", readings(10, sent))
    sent += 10
    wait_until(lambda: process.received("sensors") == sent and pending(process, "q02") == 0, 20, "the neighbours")
    wait_until(lambda: pending(process, "q01") == sent and held(process), 20, "what waits")
    (lake.folder / "q01").chmod(0o755)
    wait_until(lambda: process.pending() == 0 and not held(process), 20, "the rows that waited")
    for number in range(3):
        require_each_once(lake, range(sent), stream=f"q{number:02}")
    assert len(goings_on(process)) == 1
    require_balanced(process.status())


def test_a_file_in_the_place_of_a_folder_holds_up_its_stream_alone(broker, start_weir):
    process = start_weir(many(broker, file_sink(), 2))
    lake = FolderLake(Path(process.folder) / "lake")
    lake.folder.mkdir()
    (lake.folder / "q00").write_text("in the way")
    process.start()
    broker.publish("plant/1", readings(10))
    wait_until(lambda: "move away what is there" in held(process).get("q00", ""), 20, "the refusal")
    wait_until(lambda: pending(process, "q01") == 0, 20, "the neighbour")
    (lake.folder / "q00").unlink()
    wait_until(lambda: process.pending() == 0, 20, "the rest")
    for stream in ("q00", "q01"):
        require_each_once(lake, range(10), stream=stream)


def test_a_lake_that_nobody_may_enter_is_an_outage_of_the_sink(broker, start_weir):
    process = start_weir(many(broker, file_sink(), 3))
    lake = Path(process.folder) / "lake"
    lake.mkdir()
    lake.chmod(0o000)
    start_bound(process)
    broker.publish("plant/1", readings(10))
    said = f"Permission denied; give user {os.geteuid()} the right to write to ./lake"
    wait_until(lambda: said in of_sink(process).get("state", ""), 20, "the outage")
    stays_so(process)
    assert not held(process) and len(warnings(process, said)) == 1
    done = subprocess.run(
        [*BOUND_BY_PERMISSIONS, WEIR, "check", "--connect", process.config],
        capture_output=True, text=True, cwd=process.folder, check=False)
    assert done.returncode == 69 and "Permission denied" in done.stdout, done.stdout
    lake.chmod(0o755)
    wait_until(lambda: process.received("sensors") == 10 and process.pending() == 0, 20, "the rows")
    for number in range(3):
        require_each_once(FolderLake(lake), range(10), stream=f"q{number:02}")


# Markers.


def hours(broker, text, names):
    return (
        agent() + sensors(broker, TIME, columns=COLUMNS) + "".join(query(name, MINUTES) for name in names) + text
    )


def publish_hours(broker, first, count):
    """A message a minute."""
    at = [START + first * HOUR + n * 60_000 for n in range(count * 60)]
    broker.publish("plant/1", [message(n) for n in at])


def held_markers(process):
    return {h["name"]: h["problem"] for h in of_sink(process).get("held", []) if h.get("marker") == "_SUCCESS"}


MARKED = 'partition_by = "window_start"\nmarker = "_SUCCESS"\n'


def test_a_marker_that_is_refused_waits_alone(broker, start_weir):
    """Where a folder lies in the place of one's marker, its rows and the other's markers go on."""
    process = start_weir(hours(broker, file_sink(keys=MARKED), ["one", "two"]))
    lake = FolderLake(Path(process.folder) / "lake")
    obstacle = lake.folder / "one" / folder(1) / "_SUCCESS"
    (obstacle / "in the way").mkdir(parents=True)
    process.start()
    publish_hours(broker, 0, 4)
    wait_until(lambda: markers(lake, "two") == expected("two", range(3)), 30, "the neighbour's markers")
    wait_until(lambda: held_markers(process), 20, "the status")
    assert list(held_markers(process)) == ["one"] and of_sink(process)["is_failing"]
    assert "move away what is there" in held_markers(process)["one"]
    wait_until(lambda: of_sink(process)["state"].startswith("the marker of one waits: "), 10, "the sink's sentence")
    page = weir("status", process.config, cwd=process.folder).stdout
    assert "    its marker _SUCCESS waits: renaming to " in page, page
    stays_so_for_markers(process)
    assert len(warnings(process, "the marker of one waits: ")) == 1
    assert markers(lake, "one") == expected("one", range(1)), "in order: none behind it"
    process.kill()
    process.start()
    publish_hours(broker, 4, 2)
    wait_until(lambda: markers(lake, "two") == expected("two", range(5)), 30, "the neighbour's markers after a kill")
    wait_until(lambda: len(data(lake, "one")) == len(data(lake, "two")) > 0 and process.pending() == 0, 20, "rows")
    (obstacle / "in the way").rmdir()
    obstacle.rmdir()
    wait_until(lambda: markers(lake, "one") == expected("one", range(5)), 20, "the markers that waited")
    wait_until(lambda: not of_sink(process)["is_failing"] and not of_sink(process)["held"], 10, "the end of it")
    assert len([line for line in goings_on(process) if "the marker of one goes on" in line]) == 1


def data(lake, stream):
    return [key for key in lake.keys() if key.startswith(stream + "/") and key.endswith(".ndjson")]


def stays_so_for_markers(process):
    def next_try():
        return next((h["next_try_at"] for h in of_sink(process)["held"]), None)

    for _ in range(3):
        before = next_try()
        wait_until(lambda: next_try() not in (None, before), 20, "another try")


def test_a_right_to_markers_that_is_missing_holds_up_no_rows(broker, start_weir, s3, denied):
    # The gateway knows a star only at the end.
    denied(*(f"marked-denied/one/{folder(hour)}/_SUCCESS" for hour in range(3)))
    text = hours(broker, sink(s3.sink("marked-denied", MARKED)), ["one", "two"])
    process = start_weir(text).start()
    lake = S3Lake(s3, "marked-denied")
    publish_hours(broker, 0, 3)
    wait_until(lambda: markers(lake, "two") == expected("two", range(2)), 30, "the neighbour's markers")
    wait_until(lambda: "AccessDenied" in held_markers(process).get("one", ""), 20, "the refusal")
    publish_hours(broker, 3, 1)
    wait_until(lambda: markers(lake, "two") == expected("two", range(3)), 30, "the neighbour's markers")
    wait_until(lambda: process.pending() == 0, 20, "the rows of both")
    assert not markers(lake, "one")
    done = weir("outbox", "retry", process.config, cwd=process.folder)
    assert done.returncode == 0, done.stderr
    s3.client().delete_bucket_policy(Bucket=s3.bucket)
    wait_until(lambda: markers(lake, "one") == expected("one", range(3)), 20, "the markers that waited")


@pytest.mark.parametrize("point", ["mark.before-write:1", "mark.after-write:1"])
def test_a_crash_at_the_marker_that_waited(broker, start_weir, point):
    process = start_weir(hours(broker, file_sink(keys=MARKED), ["one"]))
    lake = FolderLake(Path(process.folder) / "lake")
    obstacle = lake.folder / "one" / folder(0) / "_SUCCESS"
    obstacle.mkdir(parents=True)
    (obstacle / "x").mkdir()
    process.start(environment={"WEIR_CRASH_POINT": point})
    publish_hours(broker, 0, 3)
    wait_until(lambda: held_markers(process), 30, "the refusal")
    (obstacle / "x").rmdir()
    obstacle.rmdir()
    wait_until(lambda: process.process.poll() is not None, 20, "the crash")
    process.start()
    wait_until(lambda: markers(lake, "one") == expected("one", range(2)), 30, "all markers")
    require_balanced(process.status())
