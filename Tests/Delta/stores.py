"""Where the Delta harness keeps its table: a folder, S3 of two makes (Ceph's, Swift), HDFS; the servers behind a proxy that
loses replies. A store is one table's prefix, shared by all agents."""

import json
import os
from collections import Counter

from deltalake import DeltaTable
from servers_kit import FaultProxy, Hdfs, S3Gateway, Swift


class FolderStore:
    """A local folder: it has no replies to lose."""

    def __init__(self, folder):
        self.folder = f"{folder}/lake"
        self.lost = Counter()

    def sink(self):
        return f'type = "file"\nurl = "file://{self.folder}"'

    def lose_replies(self, agent, of_file, commits=3):
        pass

    def stop_faults(self, agent):
        pass

    def table(self, stream):
        return DeltaTable(f"{self.folder}/{stream}")

    def stop(self):
        pass


class ServerStore:
    """A server behind a proxy. The proxy is shared, so a lost reply may be any agent's."""

    commit_pattern = file_pattern = None
    proxy = None

    def __init__(self):
        self.lost = Counter()

    def lose_replies(self, agent, of_file, commits=3):
        self._count()
        rules = [{"match": self.commit_pattern, "fault": "drop_reply", "times": commits}] if commits else []
        if of_file:
            rules.append({"match": self.file_pattern, "fault": "drop_reply"})
        self.proxy.rules(*rules)

    def stop_faults(self, agent):
        self._count()
        self.proxy.rules()

    def _count(self):
        for _, target in self.proxy.requests("drop_reply"):
            self.lost["commit" if "_delta_log" in target else "file"] += 1

    def stop(self):
        self.proxy.stop()


def s3_table(gateway, path):
    """A table in the gateway's bucket, as delta-rs reads it."""
    return DeltaTable(
        f"s3://{gateway.bucket}/{path}",
        storage_options={
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{gateway.port}", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": gateway.access_key, "AWS_ALLOW_HTTP": "true",
            "AWS_SECRET_ACCESS_KEY": gateway.secret_key, "AWS_S3_ADDRESSING_STYLE": "path",
        },
    )


class S3Store(ServerStore):
    commit_pattern, file_pattern = r"^PUT .*/_delta_log/\d+\.json", r"^PUT .*\.parquet"
    make_gateway = S3Gateway

    def __init__(self, folder):
        super().__init__()
        self.gateway = self.make_gateway()
        self.proxy = FaultProxy(self.gateway.port)

    def sink(self):
        return self.gateway.sink("lake", port=self.proxy.port)

    def table(self, stream):
        return s3_table(self.gateway, f"lake/{stream}")

    def stop(self):
        super().stop()
        self.gateway.stop()


class SwiftStore(S3Store):
    """For one agent: several may win one entry of the log here."""

    make_gateway = Swift


class HdfsStore(ServerStore):
    """The reply that counts is that of the rename, by which a file gets its name."""

    commit_pattern = r"^PUT (?=.*_delta_log).*op=RENAME"
    file_pattern = r"^PUT (?=.*parquet).*op=RENAME"

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.hdfs = Hdfs()
        self.hdfs.make_folder("/delta")
        # The first NameNode is the active one, and the only one that weir is told of.
        self.proxy = FaultProxy(self.active_port())

    def active_port(self):
        for port in self.hdfs.name_nodes:
            try:
                self.hdfs._get(port, "/", "LISTSTATUS")
                return port
            except OSError:
                continue
        raise AssertionError("no NameNode is active")

    def sink(self):
        return self.hdfs.sink("/delta/lake", ports=[self.proxy.port])

    def table(self, stream):
        """By a copy: delta-rs reaches HDFS through a Java library only."""
        self.copy(f"/delta/lake/{stream}", f"{self.folder}/copy/{stream}")
        return DeltaTable(f"{self.folder}/copy/{stream}")

    def copy(self, path, target):
        os.makedirs(target, exist_ok=True)
        for entry in json.loads(self.hdfs.get(path, "LISTSTATUS"))["FileStatuses"]["FileStatus"]:
            name = entry["pathSuffix"]
            if entry["type"] == "DIRECTORY":
                self.copy(f"{path}/{name}", f"{target}/{name}")
            elif not name.startswith("."):
                with open(f"{target}/{name}", "wb") as file:
                    file.write(self.hdfs.get(f"{path}/{name}", "OPEN"))

    def stop(self):
        super().stop()
        self.hdfs.stop()


STORES = {"file": FolderStore, "s3": S3Store, "swift": SwiftStore, "hdfs": HdfsStore}
