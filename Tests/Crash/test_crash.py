"""The crash harness's small runs, as tests: nothing lost and nothing twice over thirty kills, also with
the older protocol and over power cuts; and planted faults are caught, so that the harness is known to see one."""

import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WEIR = os.environ.get("WEIR_BIN", os.path.join(ROOT, ".build", "release", "weir"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kills", "30"], ["--kills", "12", "--protocol", "3.1.1"], ["--kills", "8", "--canary"],
        ["--kills", "24", "--power", "--rate", "600", "--messages", "12000"],
        ["--kills", "8", "--power", "--canary", "--rate", "600", "--messages", "4000"],
    ],
    ids=["thirty-kills", "protocol-3.1.1", "canary", "power-cuts", "power-canary"],
)
def test_the_crash_harness(arguments, tmp_path):
    command = [sys.executable, f"{HERE}/crash.py", "--weir", WEIR, "--folder", str(tmp_path), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert answer.returncode == 0, answer.stdout + answer.stderr
