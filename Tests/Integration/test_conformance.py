"""The conformance kit of the object stores (Tests/WeirConnectorsTests/ObjectStores) on real S3 and HDFS.

`swift test` runs it on a folder and on the clouds' servers; here the same tests meet Ceph's gateway and
HDFS, which run for the other tests anyway.
"""

import os
import subprocess

import pytest

from weir_kit import ROOT

BUNDLE = os.path.join(ROOT, ".build", "debug", "weirPackageTests.xctest")


@pytest.mark.skipif(not os.path.exists(BUNDLE), reason="the unit tests are not built")
def test_real_servers_pass_the_kit(s3, hdfs):
    names = ",".join(f"127.0.0.1:{port}" for port in hdfs.name_nodes)
    environment = {
        **os.environ,
        "WEIR_TEST_KINDS": "s3,webHDFS",
        "WEIR_TEST_S3": f"http://127.0.0.1:{s3.port}",
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "WEIR_TEST_WEBHDFS": f"webhdfs://{names}/conformance",
    }
    command = [BUNDLE, "--testing-library", "swift-testing", "--no-parallel"]
    done = subprocess.run(
        [*command, "--filter", "ObjectStoreConformanceTests"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "keepsTheContract(_:) with 2 test cases passed" in done.stdout + done.stderr
