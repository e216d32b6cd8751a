"""What `weir check --connect` says of the state directory: who may write there, on what disk it lies, how much room
there is, who has it, and whether this weir reads what is in it. It changes nothing."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from faults_kit import BOUND_BY_PERMISSIONS, needs_mount, small_disk
from lake_kit import agent, file_sink, query, readings, sensors
from weir_kit import WEIR, wait_until

FEW = 'max_bytes = "10MB"\n[sink.outbox]\nmax_bytes = "20MB"\n'


def configuration(broker, folder, keys="", state="state", agent_keys=""):
    text = agent(agent_keys).replace('"state"', f'"{state}"') + sensors(broker) + query() + file_sink(keys=keys)
    path = Path(folder) / "check.toml"
    path.write_text(text.replace("@HTTP@", "off"))
    return path


def checked(path, through=()):
    """What it says by subject, and its exit code."""
    done = subprocess.run(
        [*through, WEIR, "check", "--connect", "--json", str(path)], capture_output=True, text=True,
        cwd=Path(path).parent, check=False)
    found = {c["subject"]: (c["ok"], c["message"]) for c in json.loads(done.stdout)["connections"]}
    text = subprocess.run(
        [*through, WEIR, "check", "--connect", str(path)], capture_output=True, text=True, cwd=Path(path).parent,
        check=False).stdout
    for subject, (ok, message) in found.items():
        if "room" not in subject:  # it changes from one moment to the next
            assert f"{'ok     ' if ok else 'FAILED '}{subject}: {message}\n" in text
    return {name.removeprefix("state_dir "): said for name, said in found.items() if "state_dir" in name}, done.returncode


@pytest.fixture
def used(broker, start_weir):
    """A state directory that an agent has used, and the agent, stopped."""
    process = start_weir(agent() + sensors(broker) + query() + file_sink()).start()
    broker.publish("plant/1", readings(10))
    wait_until(lambda: process.received("sensors") == 10 and process.pending() == 0, 20, "the rows")
    process.stop()
    return process


def test_a_directory_that_will_be_made(broker, tmp_path):
    found, code = checked(configuration(broker, tmp_path, FEW, "deep/er/state"))
    assert code == 0 and found["access"][0] and "deep/er/state will be made in " in found["access"][1]
    assert "enough for the outboxes (20.0 MB at most)" in found["room"][1]
    assert "format" not in found and not (tmp_path / "deep").exists()


def test_a_directory_that_is_right_is_left_as_it_is(broker, used):
    state = Path(used.folder) / "state"
    before = {str(p): p.stat().st_mtime_ns for p in [state, *state.rglob("*")]}
    found, code = checked(used.config)
    assert code == 0 and all(ok for ok, _ in found.values()), found
    assert found["access"][1].startswith("state can be written to (user ")
    assert "holds state of format " in found["format"][1] and "lock" not in found
    assert before == {str(p): p.stat().st_mtime_ns for p in [state, *state.rglob("*")]}
    state.chmod(0o755)
    assert "every user of the machine can look into it: chmod 750" in checked(used.config)[0]["access"][1]


def test_an_agent_that_runs_is_named_and_no_fault(broker, used):
    used.start()
    found, code = checked(used.config)
    assert code == 0 and found["lock"] == (
        True, f"state is in use by process {used.process.pid}, as it is while an agent runs")
    used.kill()
    assert "lock" not in checked(used.config)[0], "the file's number is of an agent that is gone"


def test_rights_that_are_missing_are_named(broker, tmp_path, used):
    state = Path(used.folder) / "state"
    victim = state / "db" / "CURRENT"
    victim.chmod(0o444)
    found, code = checked(used.config, BOUND_BY_PERMISSIONS)
    user = os.geteuid()
    assert code == 69 and found["access"] == (False,
        f"state/db/CURRENT may not be written to by user {user}: it belongs to user {user} and has the mode 444; run "
        "weir as its owner, or give it to the user that weir runs as (chown -R)")
    victim.chmod(0o640)
    state.chmod(0o550)
    assert checked(used.config, BOUND_BY_PERMISSIONS)[0]["access"][1].startswith("state may not be written to by ")
    state.chmod(0o750)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    found, code = checked(configuration(broker, tmp_path, state=f"{closed}/state"), BOUND_BY_PERMISSIONS)
    assert code == 69 and f"{closed}/state cannot be made: {closed} may not be written to" in found["access"][1]
    (tmp_path / "file").write_text("")
    found, code = checked(configuration(broker, tmp_path, state=f"{tmp_path}/file"))
    assert code == 69 and f"{tmp_path}/file is no folder" in found["access"][1]


def test_state_of_other_versions_is_named(broker, used):
    form = Path(used.folder) / "state" / "format"
    form.write_text("weir state format 1\n")
    found, code = checked(used.config)
    assert code == 0 and "holds state of format 1, which this weir makes 2 when it starts" in found["format"][1]
    form.write_text("weir state format 9\n")
    found, code = checked(used.config)
    assert code == 69 and "was written by a newer weir (format 9" in found["format"][1]
    form.write_text("scrap")
    assert "its format file is damaged" in checked(used.config)[0]["format"][1]
    form.unlink()
    assert "it has a database but no format file" in checked(used.config)[0]["format"][1]
    assert not form.exists(), "a check writes none"


@needs_mount
def test_disks_that_forget_or_are_too_small_are_named(broker, tmp_path):
    with small_disk(tmp_path / "disk", "60m") as disk:
        path = configuration(broker, tmp_path, FEW, f"{disk}/state", 'free_space_reserve = "20MB"')
        found, code = checked(path)
        assert code == 0 and "is on tmpfs; it is in memory: all state and every waiting row is gone" in found["disk"][1]
        assert "enough for the outboxes" in found["room"][1]
        path = configuration(broker, tmp_path, "", f"{disk}/state", 'free_space_reserve = "20MB"')
        found, code = checked(path)
        assert code == 0 and "intake would pause before they are full" in found["room"][1]
        path = configuration(broker, tmp_path, FEW, f"{disk}/state", 'free_space_reserve = "1GB"')
        found, code = checked(path)
        assert code == 69 and "less than free_space_reserve (1.0 GB): intake would pause" in found["room"][1]
