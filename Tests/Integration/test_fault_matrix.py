"""Wrong secrets, missing places, regions, quotas, clocks and rights of every kind of sink, made by servers that are
real or verify what they are asked (docs/testing.md has the table): each is one sentence in the log, the status and
`weir check --connect`, nothing is lost, and weir goes on when it is mended.
"""

import signal
import subprocess
from pathlib import Path

import pytest

from faults_kit import Clock, needs_mount, small_disk
from influx_server import InfluxWrites
from lake_kit import (
    AzureLake, FolderLake, S3Lake, agent, file_sink, query, readings, require_balanced, require_each_once, sensors, sink,
)
from rows_kit import Subscriber, mqtt_sink, row_sink
from test_influx_sink import influxd  # noqa: F401
from test_store_faults import Store, configuration, goes_on, named_everywhere, store  # noqa: F401
from webhook_server import WebhookServer
from weir_kit import Broker, wait_until, weir

POINTS = "SELECT device, seq, TO_TIMESTAMP_LTZ(seq, 3) AS ts FROM sensors"


def change(running, old, new):
    """The configuration, which takes a restart."""
    path = Path(running.config)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def mended_by_a_restart(running, broker, old, new):
    """More comes while the fault lasts, and all of it leaves when the configuration is right."""
    broker.publish("plant/1", readings(30, 50))
    wait_until(lambda: running.received("sensors") == 80 and running.pending() == 80, 20, "the rows that wait")
    assert running.stop() == 0
    change(running, old, new)
    running.start()
    goes_on(running, 80)


# (store, what holds the secret, what is there instead, words of the sentence)
SECRETS = [
    ("s3", "secret", "look at secret_key"),
    ("s3", "key", "look at access_key"),
    ("blob", "secret", "look at account_key"),
    ("files", "secret", "look at account_key"),
    ("files-application", "secret", "look at client_secret"),
    ("gcs", "secret", "look at service_account_key"),
    ("gcs-hmac", "secret", "look at secret_key"),
]


@pytest.mark.parametrize("kind, what, words", SECRETS, ids=[f"{kind}-{what}" for kind, what, _ in SECRETS])
def test_a_wrong_secret(broker, start_weir, store, tmp_path, kind, what, words):  # noqa: F811
    place = store(kind.removesuffix("-application"))
    prefix = f"secret-{kind}-{what}"
    text = place.sink(prefix)
    if kind == "s3":
        right = place.server.secret_key if what == "secret" else place.server.access_key
        wrong = "wrong"
    elif kind == "files-application":
        text = place.server.sink(prefix, "dfs", place.server.application_keys())
        right, wrong = "weir-client-secret", "wrong"
    elif kind in ("blob", "files"):
        right, wrong = place.server.key, "d3Jvbmc="
    elif kind == "gcs":
        # The key of an account that Google does not know any more.
        key = Path(place.server.key_file).read_text()
        other = tmp_path / "other.json"
        other.write_text(key.replace("weir-test.iam", "weir-gone.iam"))
        right, wrong = place.server.key_file, str(other)
    else:
        right, wrong = place.server.secret_key, "wrong"
    assert right in text
    running = start_weir(configuration(broker, text.replace(right, wrong))).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, words)
    mended_by_a_restart(running, broker, f'"{wrong}"' if kind != "gcs" else wrong, f'"{right}"' if kind != "gcs" else right)
    require_each_once(place.lake(prefix), range(80))


def test_a_user_that_hdfs_gives_no_rights(broker, start_weir, hdfs):
    folder = hdfs.make_folder("/lake/strangers")
    hdfs.admin("dfs", "-chmod", "700", folder)
    running = start_weir(configuration(broker, hdfs.sink(folder))).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "give the user the right to write there, or look at `user`")
    hdfs.admin("dfs", "-chmod", "777", folder)
    goes_on(running, 50)
    require_each_once(Store("hdfs", lambda name: hdfs).lake("strangers"), range(50))


def test_a_region_that_is_another(broker, start_weir, swift):
    text = swift.sink("region", 'region = "eu-elsewhere-9"')
    running = start_weir(configuration(broker, text)).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "the bucket is in the region us-east-1: set `region`")
    mended_by_a_restart(running, broker, 'region = "eu-elsewhere-9"', 'region = "us-east-1"')
    require_each_once(S3Lake(swift, "region"), range(80))


def test_a_full_quota_of_s3(broker, start_weir, s3):
    client = s3.client()
    client.create_bucket(Bucket="full")
    client.put_object(Bucket="full", Key="quota/first", Body=b"x")
    s3.admin("quota", "set", "--quota-scope=bucket", "--uid=weir", "--bucket=full", "--max-objects=1")
    s3.admin("quota", "enable", "--quota-scope=bucket", "--uid=weir", "--bucket=full")
    text = s3.sink("quota").replace("s3://weir/", "s3://full/")
    running = start_weir(configuration(broker, text)).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "answered 403 QuotaExceeded; raise the quota of the bucket")
    broker.publish("plant/1", readings(50, 50))
    wait_until(lambda: running.pending() == 100, 20, "the rows that wait")
    s3.admin("quota", "disable", "--quota-scope=bucket", "--uid=weir", "--bucket=full")
    goes_on(running, 100)
    lake = S3Lake(s3, "quota")
    lake.bucket = "full"
    require_each_once(lake, range(100))


def test_a_full_quota_of_hdfs(broker, start_weir, hdfs):
    folder = hdfs.make_folder("/lake/full")
    hdfs.admin("dfsadmin", "-setSpaceQuota", "1", folder)
    running = start_weir(configuration(broker, hdfs.sink(folder))).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "look at the space quota and at the free space of the DataNodes")
    assert sum(" warning " in line for line in running.log().splitlines()) == 1, "once, though each try is the same"
    hdfs.admin("dfsadmin", "-clrSpaceQuota", folder)
    goes_on(running, 50)
    require_each_once(Store("hdfs", lambda name: hdfs).lake("full"), range(50))


@pytest.mark.parametrize("interface, container", [("blob", "weir"), ("dfs", "weirfs")])
def test_a_signature_of_azure_without_the_right_to_write(broker, start_weir, azure, interface, container):
    right = azure.sas_keys(container)
    weak = azure.sas_keys(container, permission="rl")
    text = azure.sink(f"weak-{interface}", interface, weak)
    running = start_weir(configuration(broker, text)).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "make a sas_token that may read, create, write, delete and list")
    mended_by_a_restart(running, broker, weak, right)
    require_each_once(AzureLake(azure, f"weak-{interface}", interface), range(80))


@pytest.mark.parametrize("kind", ["blob", "files", "gcs", "gcs-hmac"])
def test_a_place_that_is_made_later(broker, start_weir, store, kind):  # noqa: F811
    place = store(kind)
    running = start_weir(configuration(broker, place.sink(f"later-{kind}")))
    place.server.control("place?is=missing")
    try:
        running.start()
        broker.publish("plant/1", readings(50))
        named_everywhere(running, "create the ")
        said = [line for line in running.log().splitlines() if "create the " in line]
        assert len(said) == 1 and "or look at `url`" in said[0]
    finally:
        place.server.control("place?is=there")
    goes_on(running, 50)
    require_each_once(place.lake(f"later-{kind}"), range(50))


# Folders.


@needs_mount
def test_a_full_disk_and_one_that_cannot_be_written_to(broker, start_weir, tmp_path):
    with small_disk(tmp_path / "lake", "4m") as disk:
        running = start_weir(configuration(broker, "").replace(sink(""), file_sink(str(disk)).replace("./", ""))).start()
        (disk / "filler").write_bytes(b"x" * (4 << 20))
        broker.publish("plant/1", readings(50))
        named_everywhere(running, "No space left on device; free space on the sink's disk")
        broker.publish("plant/1", readings(50, 50))
        wait_until(lambda: running.pending() == 100, 20, "the rows that wait")
        (disk / "filler").unlink()
        goes_on(running, 100)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        broker.publish("plant/1", readings(50, 100))
        named_everywhere(running, "Read-only file system; mount the sink's disk for writing")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        goes_on(running, 150)
        require_each_once(FolderLake(disk), range(150))


# Receivers of rows.


def hot(broker, text, sql="SELECT device, seq FROM sensors"):
    return agent() + sensors(broker) + query("hot", sql, '["alerts"]') + text


def test_a_password_that_the_broker_does_not_know_yet(broker, start_weir, tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(passwords), "other", "x"], check=True)
    passwords.chmod(0o600)
    guarded = Broker(tmp_path / "guarded", f"allow_anonymous false\npassword_file {passwords}\n")
    try:
        keys = 'username = "weir"\npassword = "new"'
        running = start_weir(hot(broker, mqtt_sink(guarded, keys=keys))).start()
        broker.publish("plant/1", readings(20))
        named_everywhere(running, "authoris", "alerts")
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), "weir", "new"], check=True)
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), "collector", "x"], check=True)
        guarded.process.send_signal(signal.SIGHUP)
        goes_on(running, 20)
    finally:
        guarded.stop()


def test_a_token_that_a_webhook_does_not_know_yet(broker, start_weir):
    known = set()
    hook = WebhookServer(accept=lambda request: (200 if request.headers.get("authorization") in known else 401, ""))
    try:
        running = start_weir(hot(broker, row_sink("http", f'url = "{hook.url}/"\nbearer_token = "new"'))).start()
        broker.publish("plant/1", readings(20))
        words = "it does not know us (401); look at bearer_token"
        wait_until(lambda: words in weir("status", running.config).stdout, 20, "the sentence in the status")
        done = weir("check", running.config, "--connect")
        assert "it answered 401: look at bearer_token" in done.stdout
        assert running.log().count(words) == 1, "told once"
        known.add("Bearer new")
        goes_on(running, 20)
    finally:
        hook.stop()


@pytest.mark.parametrize("kind", ["http", "influxdb"])
def test_receivers_do_not_mind_a_wrong_clock_and_check_names_it(broker, start_weir, tmp_path, influxd, kind):  # noqa: F811
    clock, hook = Clock(tmp_path), WebhookServer()
    clock.set(-1230)
    try:
        if kind == "http":
            text = hot(broker, row_sink("http", f'url = "{hook.url}/"'))
        else:
            keys = f'url = "{influxd.url}"\ndatabase = "plant"\ntags = ["device"]\ntime_column = "ts"'
            text = hot(broker, row_sink("influxdb", keys), POINTS)
        running = start_weir(text, environment=clock.environment).start()
        broker.publish("plant/1", readings(20))
        wait_until(lambda: running.received("sensors") == 20, 20, "the intake")
        goes_on(running, 20)
        done = weir("check", running.config, "--connect", environment=clock.environment)
        assert done.returncode == 69 and "this machine's clock is 20m" in done.stdout, done.stdout
        assert "behind the server's: set it" in done.stdout
        clock.set(0)
        assert weir("check", running.config, "--connect", environment=clock.environment).returncode == 0
    finally:
        hook.stop()


@pytest.mark.parametrize("words", ["it knows us and refuses us (403)", "it has no bucket plant (404)", "it answered 507"])
def test_what_influxdb_lacks_passes(broker, start_weir, words):
    """InfluxDB 2 answers with 403 to a token without the right to write, and servers before it with 507 when full."""
    writes, refuses = InfluxWrites(), [int(words.split("(")[-1].split()[-1].removesuffix(")"))]

    def accept(request):
        return (refuses[0], '{"message": "no"}') if refuses else writes(request)

    hook = WebhookServer(accept=accept)
    try:
        keys = f'bucket = "plant"\norg = "works"\ntoken = "tok"\ntags = ["device"]\ntime_column = "ts"'
        text = hot(broker, row_sink("influxdb", f'url = "{hook.url}"\n{keys}'), POINTS)
        running = start_weir(text).start()
        broker.publish("plant/1", readings(20))
        named_everywhere(running, words, "alerts")
        assert sum(" warning " in line and words in line for line in running.log().splitlines()) == 1
        refuses.clear()
        goes_on(running, 20)
        assert len(writes.points) == 20
    finally:
        hook.stop()


def test_a_topic_that_the_broker_lets_in_later_gets_every_row(broker, start_weir, tmp_path):
    """The broker is away when weir starts, and comes with a list that does not have us; then it has."""
    rights = tmp_path / "acl"
    rights.write_text("topic read #\n")
    guarded = Broker(tmp_path / "guarded", f"acl_file {rights}\n")
    listener = Subscriber(guarded, "out/#")
    try:
        guarded.stop()
        running = start_weir(hot(broker, mqtt_sink(guarded, "out/{device}"))).start()
        broker.publish("plant/1", readings(20))
        named_everywhere(running, "refused", "alerts")
        guarded.start()
        words = "the broker does not authorise us to publish to the topic"
        wait_until(lambda: words in running.log(), 30, "the second sentence")
        rights.write_text("topic readwrite #\n")
        guarded.process.send_signal(signal.SIGHUP)
        goes_on(running, 20)
        wait_until(lambda: len(listener.ids()) == 20, 20, "every row")
        require_balanced(running.status())
    finally:
        listener.stop()
        guarded.stop()
