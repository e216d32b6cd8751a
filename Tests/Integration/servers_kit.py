"""Real servers for the integration tests: two kinds of S3, HDFS with two NameNodes, and faults.

They start once a session, by the scripts of Tests/Servers, when the first test wants them.
"""

import base64
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import pytest

from weir_kit import ROOT, free_port, wait_until

SCRIPTS = os.path.join(ROOT, "Tests", "Servers")


def free_range(count):
    """The first of `count` free ports below those that the kernel hands out."""
    for _ in range(100):
        first = random.randrange(12000, 31000, 100)
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise AssertionError("no range of free ports")


def run_script(name, *arguments, check=True, **settings):
    done = subprocess.run(
        [os.path.join(SCRIPTS, name), *arguments],
        env={**os.environ, **{key: str(value) for key, value in settings.items()}},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,  # the first start installs packages
    )
    assert done.returncode == 0 or not check, f"{name}: {done.stdout}{done.stderr}"
    return done


class S3Gateway:
    """Ceph's RADOS gateway: verifies signatures, keeps objects in memory."""

    access_key, secret_key, bucket = "weirtestkey", "weirtestsecret0123456789abcdef", "weir"

    def __init__(self):
        # Unix sockets lie in it, so its path is short.
        self.folder = tempfile.mkdtemp(prefix="weir-s3-", dir="/tmp")
        self.port = free_range(61)
        run_script("s3-start.sh", self.folder, PORT=self.port)

    def client(self):
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}),
        )

    def sink(self, prefix, keys="", port=None):
        """The keys of a sink in the bucket; `port` leads through a proxy."""
        return (
            f'type = "s3"\nurl = "s3://{self.bucket}/{prefix}"\nendpoint = "http://127.0.0.1:{port or self.port}"\n'
            f'access_key = "{self.access_key}"\nsecret_key = "{self.secret_key}"\n{keys}'
        )

    def admin(self, *arguments):
        """What the gateway's administrator can do: keys, quotas, users."""
        command = ["radosgw-admin", "-c", os.path.join(self.folder, "ceph.conf"), "-n", "client.rgw", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def signal(self, number):
        with open(os.path.join(self.folder, "rgw.pid")) as f:
            os.kill(int(f.read().split()[0]), number)

    def stop(self):
        self.signal(signal.SIGCONT)
        run_script("s3-stop.sh", self.folder, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Swift:
    """OpenStack Swift behind S3: strict on region and checksums; its put-if-absent is not atomic."""

    access_key, secret_key, bucket = "weir:test", "weirtestsecret0123456789abcdef", "weir"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-swift-", dir="/tmp")
        self.port = free_range(4)
        run_script("swift-start.sh", self.folder, PORT=self.port)

    client, sink = S3Gateway.client, S3Gateway.sink

    def stop(self):
        run_script("swift-stop.sh", self.folder, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Hdfs:
    """An HDFS with two NameNodes, one of them on standby, and a DataNode."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-hdfs-", dir="/tmp")
        self.port = free_range(13)
        self.name_nodes = [self.port, self.port + 1]
        self.data_node = self.port + 2
        run_script("hdfs-start.sh", self.folder, PORT=self.port, HA=1)

    def active(self):
        """The port of the NameNode that is active: a test may have left it to the other one."""
        for port in self.name_nodes:
            try:
                self._get(port, "/", "GETFILESTATUS")
                return port
            except urllib.error.HTTPError as error:
                assert "StandbyException" in error.read().decode()
        raise AssertionError("no NameNode is active")

    def get(self, path, operation):
        """A GET of the active NameNode, as its superuser."""
        return self._get(self.active(), path, operation)

    @staticmethod
    def _get(port, path, operation):
        quoted = urllib.parse.quote(path)
        url = f"http://127.0.0.1:{port}/webhdfs/v1{quoted}?op={operation}&user.name=root"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read()

    def admin(self, *arguments):
        return run_script("hdfs-admin.sh", self.folder, *arguments)

    def make_folder(self, path):
        """A folder that anybody may write to."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.active()}/webhdfs/v1{path}?op=MKDIRS&permission=777&user.name=root", method="PUT"
        )
        urllib.request.urlopen(request, timeout=20).read()
        return path

    def sink(self, folder, keys="", ports=None):
        names = ",".join(f"127.0.0.1:{port}" for port in ports or self.name_nodes)
        return f'type = "webhdfs"\nurl = "webhdfs://{names}{folder}"\nuser = "weir"\n{keys}'

    def stop(self):
        run_script("hdfs-stop.sh", self.folder, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class CloudServer:
    """A server of Tests/Servers that verifies what it is asked; it ends with this process at the latest."""

    def __init__(self, script, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(SCRIPTS, script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rsplit(":", 1)[1])

    def control(self, command):
        """forget-tokens, or clock?seconds=N."""
        request = urllib.request.Request(f"{self.url}/_control/{command}", method="POST")
        urllib.request.urlopen(request, timeout=10).read()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


class Azure(CloudServer):
    """A storage account with the container `weir` and the file system `weirfs`."""

    account = "weiracct"
    key = base64.b64encode(b"weir-test-account-key-0123456789abcdef").decode()
    application = 'tenant_id = "weir-tenant"\nclient_id = "weir-client"\nclient_secret = "weir-client-secret"\n'

    def __init__(self):
        super().__init__("azure_server.py", "--page-max", "3")

    def sink(self, prefix, interface="blob", keys=None, port=None):
        container = "weir" if interface == "blob" else "weirfs"
        keys = f'account_key = "{self.key}"\n' if keys is None else keys
        return (
            f'type = "azure"\nurl = "https://{self.account}.{interface}.core.windows.net/{container}/{prefix}"\n'
            f'endpoint = "http://127.0.0.1:{port or self.port}"\n{keys}'
        )

    def application_keys(self):
        return self.application + f'authority = "{self.url}"\n'

    def sas_keys(self, container, until="2099-01-01T00:00:00Z", permission="racwdl"):
        from azure.storage.blob import generate_container_sas

        token = generate_container_sas(
            self.account, container, account_key=self.key, permission=permission, expiry=until
        )
        return f'sas_token = "{token}"\n'


class GCS(CloudServer):
    """The bucket `weir`, a service account and an HMAC key."""

    access_key, secret_key = "GOOGWEIRTESTKEY", "weirtestsecret0123456789abcdef"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-gcs-", dir="/tmp")
        self.key_file = os.path.join(self.folder, "account.json")
        super().__init__("gcs_server.py", "--page-max", "3", "--account", self.key_file)

    def hmac_keys(self):
        return f'access_key = "{self.access_key}"\nsecret_key = "{self.secret_key}"\n'

    def sink(self, prefix, keys=None, port=None):
        keys = f'service_account_key = "file:{self.key_file}"\n' if keys is None else keys
        endpoint = f"http://127.0.0.1:{port or self.port}"
        return f'type = "gcs"\nurl = "gs://weir/{prefix}"\nendpoint = "{endpoint}"\n{keys}'

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class FaultProxy:
    """Tests/Servers/fault_proxy.py before a server."""

    def __init__(self, upstream, port=None, rewrite=()):
        self.port, self.control = port or free_port(), free_port()
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(SCRIPTS, "fault_proxy.py"), "--listen", str(self.port)]
            + ["--upstream", f"127.0.0.1:{upstream}", "--control", str(self.control)]
            + [part for old, new in rewrite for part in ("--rewrite", f"{old}={new}")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline().startswith("127.0.0.1:")

    def rules(self, *rules):
        self._call("PUT", json.dumps(rules).encode())

    def state(self):
        return json.loads(self._call("GET"))

    def requests(self, fault):
        """The requests that met a fault: [(method, target)]."""
        return [(method, target) for method, target, name in self.state()["requests"] if name == fault]

    def wait_for_rules(self):
        """Until every rule has been used up."""
        wait_until(lambda: not self.state()["rules"], 30, "the use of all faults")

    def _call(self, method, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}/", data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def s3():
    gateway = S3Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture(scope="session")
def swift():
    server = Swift()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def hdfs():
    cluster = Hdfs()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def azure():
    server = Azure()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gcs():
    server = GCS()
    yield server
    server.stop()


@pytest.fixture
def fault_proxy():
    """fault_proxy(port, …) puts a proxy before a server; all are stopped at the test's end."""
    started = []

    def make(upstream, **options):
        started.append(FaultProxy(upstream, **options))
        return started[-1]

    yield make
    for proxy in started:
        proxy.stop()
