"""What goes wrong at stores and receivers in the field, for every one of them: each is named in one sentence
in the log, in the status and by `weir check --connect`; nothing is lost; and when it is mended, weir goes on by
itself."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from faults_kit import Clock, TLSFront, make_certificate
from influx_server import InfluxWrites
from lake_kit import (
    AzureLake, GCSLake, HdfsLake, S3Lake, agent, query, readings, require_balanced, require_each_once, sensors,
    sink,
)
from rows_kit import mqtt_sink, row_sink
from webhook_server import WebhookServer
from weir_kit import Broker, wait_until, weir


def xml(code, more=""):
    return f"<Error><Code>{code}</Code>{more}</Error>"


def azure_json(code):
    return json.dumps({"error": {"code": code, "message": "no"}})


def google_json(status, reason, message):
    errors = [{"reason": reason, "message": message}]
    return json.dumps({"error": {"code": status, "message": message, "errors": errors}})


def hadoop_json(name, message):
    return json.dumps(
        {"RemoteException": {"exception": name, "javaClassName": f"org.apache.hadoop.{name}", "message": message}}
    )


# (store, what is wrong, status, body, words of the sentence)
REFUSALS = [
    ("s3", "region", 400,
     xml("AuthorizationHeaderMalformed", "<Message>the region is wrong</Message><Region>eu-central-1</Region>"),
     "the bucket is in the region eu-central-1: set `region`"),
    ("s3", "quota", 403, xml("QuotaExceeded"), "answered 403 QuotaExceeded; raise the quota of the bucket"),
    ("s3", "token", 400, xml("ExpiredToken"), "answered 400 ExpiredToken; renew session_token"),
    ("s3", "bucket", 404, xml("NoSuchBucket"), "create the bucket, or look at `url`"),
    ("hdfs", "quota", 403, hadoop_json("NSQuotaExceededException", "The NameSpace quota is exceeded"),
     "raise the quota or remove files"),
    ("hdfs", "token", 403, hadoop_json("InvalidToken", "token is expired"), "fetch a new delegation_token"),
    ("blob", "quota", 503, xml("IngressOverAccountLimit"), "answered 503 IngressOverAccountLimit"),
    ("blob", "container", 404, xml("ContainerNotFound"), "create the container, or look at `url`"),
    ("files", "quota", 503, azure_json("IngressOverAccountLimit"), "answered 503 IngressOverAccountLimit"),
    ("files", "file system", 404, azure_json("FilesystemNotFound"), "create the container, or look at `url`"),
    ("gcs", "quota", 403, google_json(403, "quotaExceeded", "full"), "raise the quota of the project"),
    ("gcs", "bucket", 404, google_json(404, "notFound", "The specified bucket does not exist."),
     "create the bucket, or look at `url`"),
    ("gcs-hmac", "quota", 403, xml("QuotaExceeded"), "answered 403 QuotaExceeded; raise the quota"),
    ("gcs-hmac", "bucket", 404, xml("NoSuchBucket"), "create the bucket, or look at `url`"),
]


@pytest.fixture
def store(request):
    """store(kind) makes one, with a proxy or TLS before it where it is asked for."""
    return lambda kind: Store(kind, request.getfixturevalue)


class Store:
    def __init__(self, kind, fixture):
        self.kind = kind
        name = {"blob": "azure", "files": "azure", "gcs-hmac": "gcs"}.get(kind, kind)
        self.server = fixture(name)

    @property
    def port(self):
        return self.server.active() if self.kind == "hdfs" else self.server.port

    def sink(self, prefix, port=None, keys=""):
        if self.kind == "hdfs":
            folder = self.server.make_folder(f"/lake/{prefix}")
            return self.server.sink(folder, keys, ports=[port] if port else None)
        if self.kind in ("blob", "files"):
            return self.server.sink(prefix, "blob" if self.kind == "blob" else "dfs", None, port) + keys
        if self.kind == "gcs-hmac":
            return self.server.sink(prefix, self.server.hmac_keys(), port) + keys
        return self.server.sink(prefix, port=port) + keys

    def lake(self, prefix):
        if self.kind == "hdfs":
            return HdfsLake(self.server, f"/lake/{prefix}")
        if self.kind in ("blob", "files"):
            return AzureLake(self.server, prefix, "blob" if self.kind == "blob" else "dfs")
        return S3Lake(self.server, prefix) if self.kind == "s3" else GCSLake(self.server, prefix)


def configuration(broker, text):
    return agent() + sensors(broker) + query() + sink(text)


def named_everywhere(running, words, name="lake"):
    """The sentence is in the log, in the status and in what `weir check --connect` says."""
    wait_until(lambda: words in running.log(), 30, f"{words!r} in the log")

    def state():
        return next(s for s in running.status()["sinks"] if s["name"] == name)["state"]

    wait_until(lambda: words in state(), 10, f"{words!r} in the status")
    # While a try is under way the status says that.
    wait_until(lambda: words in weir("status", running.config).stdout, 20, f"{words!r} in what weir status says")
    done = weir("check", running.config, "--connect", environment=running.environment)
    assert done.returncode == 69 and words in done.stdout, done.stdout


def goes_on(running, rows):
    """All `rows` leave. A status may be older than the rows' commit, so that nothing pends is not enough."""

    def forwarded():
        streams = [stream for each in running.status().get("sinks", []) for stream in each["streams"]]
        return sum(stream["forwarded"] for stream in streams)

    wait_until(lambda: forwarded() == rows and running.pending() == 0, 60, f"the upload of {rows} rows")
    require_balanced(running.status())
    # The sink says so a moment after its rows are gone.
    wait_until(
        lambda: not any(s["is_failing"] for s in running.status()["sinks"]), 10, "sinks that fail no more")


@pytest.mark.parametrize("kind, what, status, body, words", REFUSALS, ids=[f"{r[0]}-{r[1]}" for r in REFUSALS])
def test_a_refusal_is_named_and_passes(broker, start_weir, store, fault_proxy, kind, what, status, body, words):
    place = store(kind)
    proxy = fault_proxy(place.port)
    rule = {"match": ".", "fault": "status", "status": status, "body": body, "times": 10_000}
    proxy.rules(rule)
    prefix = f"refused-{kind}-{what}".replace(" ", "-")
    running = start_weir(configuration(broker, place.sink(prefix, proxy.port))).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, words)
    broker.publish("plant/1", readings(50, 50))
    wait_until(lambda: running.pending() == 100, 20, "the rows in the outbox")
    proxy.rules()
    goes_on(running, 100)
    require_each_once(place.lake(prefix), range(100))


CLOCKS = [(kind, seconds) for kind in ("s3", "blob", "files", "gcs-hmac") for seconds in (-1230, 1230)] + [
    ("gcs", 1230)]


@pytest.mark.parametrize("kind, seconds", CLOCKS)
def test_a_clock_twenty_minutes_off_is_named_until_it_is_set(
    broker, start_weir, store, tmp_path, kind, seconds
):
    place, clock = store(kind), Clock(tmp_path)
    clock.set(seconds)
    prefix = f"clock-{kind}{'-behind' if seconds < 0 else '-ahead'}"
    text = configuration(broker, place.sink(prefix))
    running = start_weir(text, environment=clock.environment).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "this machine's clock is 20 min ")
    assert ("behind" if seconds < 0 else "ahead of") + " that of 127.0.0.1" in running.log()
    broker.publish("plant/1", readings(50, 50))
    wait_until(lambda: running.received("sensors") == 100, 20, "the intake")
    clock.set(0)
    goes_on(running, 100)
    require_each_once(place.lake(prefix), range(100))


def test_hdfs_does_not_mind_a_wrong_clock_and_check_names_it(broker, start_weir, store, tmp_path):
    place, clock = store("hdfs"), Clock(tmp_path)
    clock.set(1230)
    running = start_weir(configuration(broker, place.sink("clock")), environment=clock.environment).start()
    broker.publish("plant/1", readings(50))
    wait_until(lambda: running.received("sensors") == 50, 20)
    goes_on(running, 50)
    done = weir("check", running.config, "--connect", environment=clock.environment)
    assert done.returncode == 69 and "this machine's clock is 20m" in done.stdout, done.stdout
    clock.set(0)
    broker.publish("plant/1", readings(50, 50))
    wait_until(lambda: running.received("sensors") == 100, 20)
    goes_on(running, 100)
    require_each_once(place.lake("clock"), range(100))


def test_a_bucket_that_is_made_later(broker, start_weir, store):
    place = store("s3")
    text = place.sink("late").replace("s3://weir/", "s3://later/")
    running = start_weir(configuration(broker, text)).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "create the bucket, or look at `url`")
    client = place.server.client()
    client.create_bucket(Bucket="later")
    goes_on(running, 50)
    assert client.list_objects_v2(Bucket="later")["KeyCount"] >= 1


def test_a_signature_of_azure_that_has_ended(broker, start_weir, azure):
    tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = azure.sink("ended", keys=azure.sas_keys("weir", tomorrow))
    running = start_weir(configuration(broker, text))
    azure.control(f"clock?seconds={2 * 86_400}")
    try:
        running.start()
        broker.publish("plant/1", readings(50))
        named_everywhere(running, f"takes sas_token only until {tomorrow}")
    finally:
        azure.control("clock?seconds=0")
    goes_on(running, 50)
    require_each_once(AzureLake(azure, "ended"), range(50))


# Certificates, of stores and of receivers of rows.


@pytest.fixture
def certificates(tmp_path):
    """One for somebody else, one for us, and a file of authorities that trusts both."""
    other = make_certificate(tmp_path, "other", "DNS:other.example")
    own = make_certificate(tmp_path, "own", "IP:127.0.0.1")
    authorities = tmp_path / "authorities.pem"
    authorities.write_text("".join(open(cert).read() for cert, _ in (other, own)))
    return other, own, f'tls.ca_file = "{authorities}"\n'


@pytest.fixture
def front():
    made = []

    def make(upstream, certificate):
        made.append(TLSFront(upstream, certificate))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def goes_on_with(tls, certificate, running, rows):
    """The new certificate is looked at by the next connection: no session with the old one is resumed."""

    def failures():
        return sum(" warning " in line and "certificate" in line for line in running.log().splitlines())

    before = failures()
    tls.use(certificate)
    goes_on(running, rows)
    # A try may have been under way, and one may have begun before the change.
    assert failures() <= before + 2, running.log()


@pytest.mark.parametrize("kind", ["s3", "blob", "files", "gcs", "gcs-hmac"])
def test_a_certificate_for_another_host(broker, start_weir, store, certificates, front, kind):
    other, own, trust = certificates
    place = store(kind)
    tls = front(place.port, other)
    text = place.sink(f"tls-{kind}", tls.port, trust)
    endpoint = f'endpoint = "http://127.0.0.1:{tls.port}"'
    assert endpoint in text
    running = start_weir(configuration(broker, text.replace(endpoint, endpoint.replace("http:", "https:")))).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "renew the server's certificate, or name its authority in tls.ca_file")
    if kind == "gcs":
        return  # the test server would name its upload sessions by http://, which weir rightly refuses
    goes_on_with(tls, own, running, 50)
    require_each_once(place.lake(f"tls-{kind}"), range(50))


def test_a_certificate_of_hdfs_for_another_host(broker, start_weir, store, certificates, front):
    other, _, trust = certificates
    place = store("hdfs")
    tls = front(place.port, other)
    text = place.sink("tls", tls.port, trust).replace("webhdfs://", "swebhdfs://")
    running = start_weir(configuration(broker, text)).start()
    broker.publish("plant/1", readings(50))
    named_everywhere(running, "renew the server's certificate, or name its authority in tls.ca_file")


@pytest.mark.parametrize("kind", ["mqtt", "http", "influxdb"])
def test_a_certificate_of_a_receiver_for_another_host(
    broker, start_weir, tmp_path, certificates, front, kind
):
    other, own, trust = certificates
    hook = WebhookServer(accept=InfluxWrites() if kind == "influxdb" else None)
    out = Broker(tmp_path / "out")
    try:
        tls = front(out.port if kind == "mqtt" else hook.port, other)
        sql = "SELECT device, seq FROM sensors"
        if kind == "mqtt":
            text = mqtt_sink(out, keys=trust).replace(out.url, f"mqtts://127.0.0.1:{tls.port}")
        elif kind == "http":
            text = row_sink("http", f'url = "https://127.0.0.1:{tls.port}/"\n{trust}')
        else:
            sql = "SELECT device, seq, CAST('2026-11-26 12:00:00' AS TIMESTAMP(3)) AS ts FROM sensors"
            keys = f'bucket = "plant"\norg = "works"\ntoken = "tok"\ntags = ["device"]\ntime_column = "ts"\n{trust}'
            text = row_sink("influxdb", f'url = "https://127.0.0.1:{tls.port}"\n{keys}')
        whole = agent() + sensors(broker) + query("hot", sql, '["alerts"]') + text
        running = start_weir(whole).start()
        broker.publish("plant/1", readings(20))
        words = "is not for 127.0.0.1" if kind == "mqtt" else "renew the server's certificate"
        named_everywhere(running, words, "alerts")
        goes_on_with(tls, own, running, 20)
    finally:
        hook.stop()
        out.stop()
