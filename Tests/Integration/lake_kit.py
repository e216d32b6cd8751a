"""Configurations that tests put together, and lakes that they read back with somebody else's client.

A lake is anything with `objects(stream)`: the stream's objects by key, in the order of their sequences.
"""

import gzip
import json
import re
import urllib.parse
import urllib.request
from pathlib import Path

OBJECT_NAME = re.compile(
    r"^date=\d{4}-\d\d-\d\d/hour=\d\d/(?P<agent>[A-Za-z0-9-]+)"
    r"-(?P<first>\d{20})-(?P<last>\d{20})(?:\.(?:ndjson|csv)(?:\.gz|\.zst)?|\.parquet)$"
)


def agent(keys=""):
    return f'[agent]\nid = "edge-1"\nstate_dir = "state"\nhttp = "@HTTP@"\n{keys}\n'


def sensors(broker, keys="", columns='device = "STRING", seq = "BIGINT"', topics='["plant/#"]'):
    """A source called sensors; `keys` may end with tables like [source.time]."""
    return (
        f'[[source]]\nname = "sensors"\ntype = "mqtt"\nurl = "{broker.url}"\ntopics = {topics}\n'
        f"columns = {{ {columns} }}\n{keys}\n"
    )


def query(name="readings", sql="SELECT device, seq FROM sensors", sinks='["lake"]'):
    return f'[[query]]\nname = "{name}"\nsql = """{sql}"""\nsinks = {sinks}\n'


def sink(keys, name="lake", schedule="every 1s"):
    return (
        f'[[sink]]\nname = "{name}"\nschedule = "{schedule}"\n'
        f'retry_min = "50ms"\nretry_max = "500ms"\n{keys}\n'
    )


def file_sink(folder="lake", keys="", **options):
    return sink(f'type = "file"\nurl = "file:./{folder}"\n{keys}', **options)


def readings(count, first=0):
    """Payloads numbered from `first`."""
    return [json.dumps({"device": f"d{n % 7}", "seq": n}) for n in range(first, first + count)]


class FolderLake:
    def __init__(self, folder):
        self.folder = Path(folder)

    def keys(self):
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("[!.]*") if p.is_file())

    def objects(self, stream):
        found = [key for key in self.keys() if key.startswith(stream + "/date=")]
        return {key: (self.folder / key).read_bytes() for key in sorted(found, key=sequence)}


class S3Lake:
    """A prefix of a bucket, by boto3."""

    def __init__(self, gateway, prefix):
        self.client, self.bucket, self.prefix = gateway.client(), gateway.bucket, prefix

    def keys(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}/"
        )
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return sorted(key.removeprefix(f"{self.prefix}/") for key in found)

    def objects(self, stream):
        found = [key for key in self.keys() if key.startswith(stream + "/date=")]
        return {
            key: self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}")["Body"].read()
            for key in sorted(found, key=sequence)
        }


class HdfsLake:
    """A folder of an HDFS, by plain WebHDFS requests."""

    def __init__(self, hdfs, folder):
        self.hdfs, self.folder = hdfs, folder

    def _entries(self, path):
        try:
            answer = json.loads(self.hdfs.get(path, "LISTSTATUS"))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise
        return answer["FileStatuses"]["FileStatus"]

    def keys(self, path=""):
        found = []
        for entry in self._entries(self.folder + path):
            name = f"{path}/{entry['pathSuffix']}"
            found += self.keys(name) if entry["type"] == "DIRECTORY" else [name.removeprefix("/")]
        return sorted(found)

    def objects(self, stream):
        found = [key for key in self.keys() if key.startswith(stream + "/date=")]
        return {key: self.hdfs.get(f"{self.folder}/{key}", "OPEN") for key in sorted(found, key=sequence)}


class AzureLake:
    """A prefix of a container or file system, by Microsoft's clients."""

    def __init__(self, azure, prefix, interface="blob"):
        from azure.storage.blob import BlobServiceClient
        from azure.storage.filedatalake import DataLakeServiceClient

        address = f"{azure.url}/{azure.account}"
        key = {"account_name": azure.account, "account_key": azure.key}
        self.prefix, self.files = prefix, None
        if interface == "blob":
            self.container = BlobServiceClient(address, credential=key).get_container_client("weir")
        else:
            self.files = DataLakeServiceClient(address, credential=key).get_file_system_client("weirfs")

    def keys(self):
        if self.files:
            from azure.core.exceptions import ResourceNotFoundError

            try:
                found = [p.name for p in self.files.get_paths(self.prefix, recursive=True) if not p.is_directory]
            except ResourceNotFoundError:
                found = []
        else:
            found = [blob.name for blob in self.container.list_blobs(name_starts_with=self.prefix + "/")]
        return sorted(key.removeprefix(f"{self.prefix}/") for key in found)

    def read(self, key):
        if self.files:
            return self.files.get_file_client(f"{self.prefix}/{key}").download_file().readall()
        return self.container.download_blob(f"{self.prefix}/{key}").readall()

    def objects(self, stream):
        found = [key for key in self.keys() if key.startswith(stream + "/date=")]
        return {key: self.read(key) for key in sorted(found, key=sequence)}


class GCSLake:
    """A prefix of a bucket, by Google's client."""

    def __init__(self, gcs, prefix):
        from google.cloud import storage

        client = storage.Client.from_service_account_json(
            gcs.key_file, client_options={"api_endpoint": gcs.url}
        )
        self.bucket, self.prefix = client.bucket("weir"), prefix

    def keys(self):
        found = [blob.name for blob in self.bucket.client.list_blobs(self.bucket, prefix=self.prefix + "/")]
        return sorted(key.removeprefix(f"{self.prefix}/") for key in found)

    def objects(self, stream):
        found = [key for key in self.keys() if key.startswith(stream + "/date=")]
        return {
            key: self.bucket.blob(f"{self.prefix}/{key}").download_as_bytes() for key in sorted(found, key=sequence)
        }


def sequence(key):
    """The first sequence number in an object's name; the name must be as documented."""
    found = OBJECT_NAME.match("/".join(key.split("/")[-3:]))
    assert found, f"{key} is not named as documented"
    return int(found["first"])


def unpacked(key, content):
    if key.endswith(".gz"):
        return gzip.decompress(content)
    if key.endswith(".zst"):
        import pyarrow

        return pyarrow.input_stream(pyarrow.BufferReader(content), compression="zstd").read()
    return content


def rows(objects):
    """All rows of NDJSON objects, in order."""
    return [
        json.loads(line)
        for key, content in objects.items()
        for line in unpacked(key, content).decode("utf-8").splitlines()
    ]


def require_each_once(lake, numbers, stream="readings"):
    """The stream's objects follow each other without gap or overlap and hold each number once."""
    objects = lake.objects(stream)
    next_row = 1
    for key, content in objects.items():
        name = OBJECT_NAME.match("/".join(key.split("/")[-3:]))
        assert int(name["first"]) == next_row, f"{key} should begin with row {next_row}"
        next_row = int(name["last"]) + 1
        lines = unpacked(key, content).count(b"\n")
        assert lines == next_row - int(name["first"]), f"{key} has {lines} rows"
    found = sorted(row["seq"] for row in rows(objects))
    expected = sorted(numbers)
    lost, twice = set(expected) - set(found), len(found) - len(set(found))
    assert found == expected, f"{len(lost)} lost, {twice} twice, {len(found)} of {len(expected)}"
    return objects


def require_balanced(status):
    """Every identity of docs/delivery.md, from the figures themselves."""
    assert status["is_ledger_balanced"] is True
    for source in status["sources"]:
        figures = source["rows"]
        assert figures["received"] == figures["decoded"] + figures["rejected"], source
    for item in status["queries"]:
        figures = item["rows"]
        assert figures["in"] == figures["used"] + figures["filtered"] + figures["late"], item
    for item in status["sinks"]:
        for stream in item["streams"]:
            came, went = stream["appended"] + stream["made"], stream["forwarded"] + stream["merged"]
            assert came == went + stream["pending"] + stream["expired"], stream
