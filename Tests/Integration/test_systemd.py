"""The service side: units in their sandbox, what the service manager hears, size and idle memory."""

import os
import shutil
import socket
import subprocess

import pytest

from weir_kit import ROOT, WEIR, wait_until

CONFIGURATION = """
[agent]
id = "service"
state_dir = "state"
http = "@HTTP@"
[[source]]
name = "sensors"
type = "mqtt"
url = "{url}"
topics = ["plant/#"]
client_id = "service"
columns = {{ device = "STRING", temperature = "DOUBLE" }}
[[query]]
name = "readings"
sql = "SELECT device, temperature FROM sensors"
sinks = ["lake"]
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
schedule = "every 1s"
"""


@pytest.mark.parametrize("unit", ["weir.service", "weir@.service"])
def test_the_units_are_sandboxed(unit, tmp_path):
    # systemd-analyze wants an instance of a template.
    name = unit.replace("@", "@edge")
    shutil.copy(os.path.join(ROOT, "systemd", unit), tmp_path / name)
    answer = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(tmp_path / name)],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr


@pytest.mark.parametrize("unit, folder", [("weir.service", "weir"), ("weir@.service", "weir/%i")])
def test_a_wrong_configuration_stays_down_and_relative_paths_begin_in_the_state_directory(unit, folder):
    with open(os.path.join(ROOT, "systemd", unit), encoding="utf-8") as text:
        lines = text.read().splitlines()
    # RestartPreventExitStatus is about the main process: a check before it would be repeated for ever.
    assert "RestartPreventExitStatus=78" in lines
    assert not any(line.startswith("ExecStartPre") for line in lines)
    assert f"StateDirectory={folder}" in lines and f"WorkingDirectory=/var/lib/{folder}" in lines


def test_the_service_manager_hears_ready_watchdog_and_stopping(broker, start_weir, tmp_path):
    path = str(tmp_path / "notify")
    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        weir = start_weir(
            CONFIGURATION.format(url=broker.url),
            environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"},
        ).start()

        def hear(word):
            while not any(word in line for line in heard):
                heard.append(manager.recv(4096).decode())
            return True

        assert hear("READY=1")
        assert hear("WATCHDOG=1")
        assert hear("STATUS=1 of 1 sources connected")
        assert weir.stop() == 0
        assert hear("STOPPING=1")


def test_a_watchdog_meant_for_another_process_is_not_fed(broker, start_weir, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        weir = start_weir(
            CONFIGURATION.format(url=broker.url),
            environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"},
        ).start()
        assert weir.stop() == 0
        heard = []
        while not any("STOPPING=1" in line for line in heard):
            heard.append(manager.recv(4096).decode())
        assert not any("WATCHDOG" in line for line in heard)


def test_idle_memory_stays_under_15_megabytes(broker, start_weir):
    weir = start_weir(CONFIGURATION.format(url=broker.url)).start()
    broker.publish("plant/1", ['{"device":"a","temperature":1.5}'])
    wait_until(lambda: weir.received("sensors") == 1, what="the reading")
    with open(f"/proc/{weir.process.pid}/status") as status:
        anonymous = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
    assert anonymous <= 15 * 1024, f"{anonymous} kB"


def test_the_stripped_binary_stays_under_30_megabytes(tmp_path):
    stripped = tmp_path / "weir"
    shutil.copy(WEIR, stripped)
    subprocess.run(["strip", str(stripped)], check=True)
    assert stripped.stat().st_size <= 30_000_000


@pytest.mark.parametrize("unit", ["weir.service", "weir@.service"])
def test_the_units_are_understood_and_say_what_they_must(unit, tmp_path):
    with open(os.path.join(ROOT, "systemd", unit)) as f:
        text = f.read()
    for line in ("Type=notify", "Restart=always", "DynamicUser=yes", "RestartPreventExitStatus=78"):
        assert f"\n{line}\n" in text
    for name in ("WatchdogSec", "StateDirectory", "LoadCredential", "ExecStartPre"):
        assert f"{name}=" in text
    # systemd-analyze wants the program to exist.
    copy = tmp_path / unit.replace("@", "@edge")
    copy.write_text(text.replace("/usr/bin/weir", WEIR))
    command = ["systemd-analyze", "verify", "--man=no", str(copy)]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert not [line for line in answer.stderr.splitlines() if copy.name in line], answer.stderr


def test_a_service_manager_at_an_abstract_address_hears_what_changes(broker, start_weir):
    name = f"weir-test-{os.getpid()}"
    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(10)
        weir = start_weir(CONFIGURATION.format(url=broker.url), environment={"NOTIFY_SOCKET": f"@{name}"}).start()

        def hear(line):
            while line not in heard:
                heard.extend(manager.recv(4096).decode().splitlines())

        hear("READY=1")
        hear("STATUS=1 of 1 sources connected")
        broker.stop()
        hear("STATUS=0 of 1 sources connected")
        assert weir.stop() == 0
        hear("STOPPING=1")
        assert heard.count("READY=1") == 1
