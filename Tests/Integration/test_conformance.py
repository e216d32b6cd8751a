"""The conformance kit of the object stores (Tests/WeirConnectorsTests/ObjectStores) on real S3, of two makes, and HDFS.

`swift test` runs it on a folder and on the clouds' servers; here the same tests meet Ceph's gateway,
OpenStack Swift and HDFS.
"""

import json
import os
import subprocess

import pytest

from cli_kit import write
from lake_kit import agent, query, sensors, sink
from weir_kit import ROOT, weir

BUNDLE = os.path.join(ROOT, ".build", "debug", "weirPackageTests.xctest")


needs_kit = pytest.mark.skipif(not os.path.exists(BUNDLE), reason="the unit tests are not built")


def run_kit(kinds, environment, tests="ObjectStoreConformanceTests"):
    done = subprocess.run(
        [BUNDLE, "--testing-library", "swift-testing", "--no-parallel", "--filter", tests],
        env={**os.environ, "WEIR_TEST_KINDS": kinds, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def s3_environment(server):
    return {
        "WEIR_TEST_S3": f"http://127.0.0.1:{server.port}",
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
    }


@needs_kit
def test_ceph_and_hdfs_pass_the_kit(s3, hdfs):
    names = ",".join(f"127.0.0.1:{port}" for port in hdfs.name_nodes)
    hadoop = {"WEIR_TEST_WEBHDFS": f"webhdfs://{names}/conformance"}
    printed = run_kit("s3,webHDFS", {**s3_environment(s3), **hadoop})
    assert "keepsTheContract(_:) with 2 test cases passed" in printed
    assert "oneOfSixteenRacingWritersWins(_:) with 2 test cases passed" in printed


@needs_kit
def test_ceph_swift_and_hdfs_behind_a_certificate_for_another_host(s3, swift, hdfs):
    hadoop = {"WEIR_TEST_WEBHDFS": f"webhdfs://127.0.0.1:{hdfs.active()}/conformance"}
    tests = "aCertificateForAnotherHostIsNamedUntilItIsRenewed"
    printed = run_kit("s3,webHDFS", {**s3_environment(s3), **hadoop}, tests)
    assert f"{tests}(_:) with 2 test cases passed" in printed
    assert f"{tests}(_:) with 1 test case passed" in run_kit("s3", s3_environment(swift), tests)


@needs_kit
def test_swift_passes_the_kit_but_for_the_race(swift):
    """It lets several writers win one name, which `weir check --connect` finds (below)."""
    printed = run_kit("s3", {**s3_environment(swift), "WEIR_TEST_RACES": "no"})
    assert "keepsTheContract(_:) with 1 test case passed" in printed
    assert "oneOfSixteenRacingWritersWins(_:) with" not in printed


def test_check_connect_finds_commits_that_many_win(tmp_path, broker, s3, swift):
    def outcome(server):
        text = agent() + sensors(broker) + query() + sink(server.sink("race", 'format = "delta"'))
        path = write(tmp_path, text.replace("@HTTP@", "off"))
        done = weir("check", path, "--connect", "--json")
        assert done.returncode == 0, done.stdout
        left = server.client().list_objects_v2(Bucket=server.bucket, Prefix="race/")
        assert "Contents" not in left, "what the check wrote is removed"
        return next(c["message"] for c in json.loads(done.stdout)["connections"] if c["subject"] == "sink lake")

    assert "put-if-absent is not atomic, so let no two agents write one Delta table here" in outcome(swift)
    assert "atomic" not in outcome(s3)
