"""Fixtures: one broker a test, and weir processes that are always stopped."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "Servers"))

from servers_kit import azure, fault_proxy, gcs, hdfs, s3, swift  # noqa: E402, F401
from weir_kit import Broker, Weir  # noqa: E402


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.stop()


@pytest.fixture
def start_weir(tmp_path):
    """start_weir(configuration, …) makes a weir in the test's folder; all are killed at the end."""
    started = []

    def make(configuration, name="weir", environment=None):
        process = Weir(tmp_path / name, configuration, environment)
        started.append(process)
        return process

    yield make
    for process in started:
        process.kill()
