"""A disk that is full while rows are merged: coarsening frees room and needs some first. Nothing is dropped or
merged twice for lack of it, the status says why, and all goes on by itself when there is room."""

import os
import signal

import pytest

from faults_kit import needs_mount, small_disk
from lake_kit import FolderLake, require_balanced, rows
from test_coarsen import block, cut_off, events, messages, require_oracle, settle, stream, text, wait_taken
from weir_kit import wait_until, weir as run_weir

pytestmark = needs_mount


def on_disk(broker, disk, reserve):
    keys = f'commit_interval = "20ms"\nfree_space_reserve = "{reserve}"'
    return text(broker).replace('commit_interval = "20ms"', keys).replace('"state"', f'"{disk}/state"')


def fill(disk, left):
    """Fills the disk but for `left` bytes; returns what is to be removed again."""
    filler = disk / "filler"
    with open(filler, "wb") as file:
        while (free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize) > left:
            try:
                file.write(b"x" * min(1 << 20, free - left))
                file.flush()
            except OSError:
                break
    return filler


def stopped_at(running, point):
    """Waits until the process stands still at the point."""
    def is_stopped():
        with open(f"/proc/{running.process.pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"

    wait_until(is_stopped, 60, f"the stop at {point}")


def problem(running):
    sinks = running.status().get("sinks") or [{}]
    return sinks[0].get("merging_problem") or ""


def drain(running, lake, accepted):
    os.remove(lake)
    wait_until(lambda: running.pending() == 0, 30, "the upload of everything")
    require_balanced(running.status())
    require_oracle(rows(FolderLake(lake).objects("minutes")), accepted)


@pytest.mark.parametrize(
    "point, then", [("staged", "go on"), ("staged", "kill"), ("before-write", "kill"), ("after-write", "kill")])
def test_merging_waits_for_room_and_nothing_is_dropped(broker, start_weir, tmp_path, point, then):
    with small_disk(tmp_path / "disk", "200m") as disk:
        running = start_weir(on_disk(broker, disk, "100MB"))
        lake = block(running)
        first, later = events(5), events(1500, first=5)
        accepted = first + later
        running.start(environment={"WEIR_CRASH_POINT": f"stop@coarsen.{point}"})
        cut_off(running, broker, first)
        broker.publish("plant/1", messages(later))
        stopped_at(running, point)
        filler = fill(disk, 30_000_000)
        if then == "kill":
            running.kill()
            running.start(ready=False)
        else:
            os.kill(running.process.pid, signal.SIGCONT)
        wait_until(lambda: running.status().get("phase") == "paused", 20, "the pause")
        if point == "staged":
            wait_until(lambda: "has no room for the rows that take their place" in problem(running), 20, "the sentence")
            page = run_weir("status", running.config).stdout
            assert "rows are not merged: merging waiting rows of sink lake: the disk of state_dir has no room" in page
            assert "half of free_space_reserve, 50.0 MB, must stay so; make at least" in page
            assert running.log().count("warning merging waiting rows of sink lake") == 1, "said once, not at each look"
            assert stream(running)["merged"] == 0
        assert stream(running)["expired"] == 0
        filler.unlink()
        wait_taken(running, len(accepted))
        settle(running)
        figures = stream(running)
        assert figures["merged"] > figures["made"] > 0 and figures["expired"] == 0
        assert problem(running) == ""
        if point == "staged":
            assert "the disk has room to merge waiting rows again" in running.log()
        drain(running, lake, accepted)
        assert running.stop() == 0


@pytest.mark.parametrize("point", ["coarsen.staged", "coarsen.before-write", "commit.before-write", "stage.before-files"])
def test_without_a_reserve_a_full_disk_may_end_the_process_and_loses_nothing(broker, start_weir, tmp_path, point):
    with small_disk(tmp_path / "disk", "100m") as disk:
        running = start_weir(on_disk(broker, disk, "0B"))
        lake = block(running)
        first, later, last = events(5), events(1000, first=5), events(300, first=1005)
        accepted = first + later + last
        place = f"{point}:5" if point.startswith("commit") else point
        running.start(environment={"WEIR_CRASH_POINT": f"stop@{place}"})
        broker.publish("plant/1", messages(first))
        if not point.startswith("stage"):
            broker.publish("plant/1", messages(later))
        stopped_at(running, point)
        filler = fill(disk, 0)
        os.kill(running.process.pid, signal.SIGCONT)
        if point.startswith("stage"):
            wait_until(lambda: "No space left on device; free space on the disk of state_dir" in running.log(), 30)
            broker.publish("plant/1", messages(later))
        broker.publish("plant/1", messages(last))

        def is_at_end():
            return running.process.poll() is not None or running.status().get("sources", [{}])[0].get(
                "rows", {}).get("received") == len(accepted)

        # What RocksDB has reserved for its log may do for all of it, and Debian's may end by an assertion.
        wait_until(is_at_end, 90, "the end")
        if running.process.poll() is not None:
            assert running.process.returncode in (74, -signal.SIGABRT), running.log()
            if running.process.returncode == 74:
                assert "free space on the file system of state_dir and start weir again" in running.log()
            filler.unlink()
            running.start()
        else:
            filler.unlink()
        wait_taken(running, len(accepted))
        settle(running)
        assert stream(running)["merged"] > 0 and stream(running)["expired"] == 0
        drain(running, lake, accepted)
        assert running.stop() == 0
