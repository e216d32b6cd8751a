"""Azure storage and Google Cloud Storage as sinks: whatever happens on the way, each object is there once,
and whatever is wrong is named. The lakes are read back with Microsoft's and Google's own clients.
"""

import json

import pytest

from lake_kit import AzureLake, GCSLake, agent, query, readings, require_balanced, require_each_once, sensors, sink
from weir_kit import wait_until, weir


def configuration(broker, store, port="@HTTP@"):
    return (agent() + sensors(broker) + query() + sink(store)).replace("@HTTP@", port)


def wait_forwarded(running):
    wait_until(lambda: running.pending() == 0, 45, "the upload of everything")
    require_balanced(running.status())


KINDS = ["blob", "blob-sas", "files", "files-application", "gcs", "gcs-hmac"]


class Place:
    """A prefix in a cloud: the sink's keys, the lake, and which requests carry and complete an object."""

    def __init__(self, kind, azure, gcs):
        self.kind, self.is_azure = kind, not kind.startswith("gcs")
        self.server = azure if self.is_azure else gcs
        self.interface = "blob" if kind.startswith("blob") else "dfs"
        self.carries = {"dfs": "PATCH .*append"}.get(self.interface, "^(PUT|POST) ") if self.is_azure else "^P"
        self.completes = "^PUT (?!.*(comp|resource)=)" if self.is_azure else "^P"

    def sink(self, prefix, port=None):
        if not self.is_azure:
            keys = self.server.hmac_keys() if self.kind == "gcs-hmac" else None
            return self.server.sink(prefix, keys, port)
        keys = None
        if self.kind == "blob-sas":
            keys = self.server.sas_keys("weir")
        elif self.kind == "files-application":
            keys = self.server.application_keys()
        return self.server.sink(prefix, self.interface, keys, port)

    def lake(self, prefix):
        return AzureLake(self.server, prefix, self.interface) if self.is_azure else GCSLake(self.server, prefix)


@pytest.fixture(params=KINDS)
def place(request, azure, gcs):
    return Place(request.param, azure, gcs)


def test_uploads_cut_replies_lost_and_a_kill_meanwhile(broker, start_weir, place, fault_proxy):
    proxy = fault_proxy(place.server.port)
    proxy.rules(
        {"match": place.carries, "fault": "drop_request"},
        {"match": place.carries, "fault": "cut_upload", "bytes": 500},
        {"match": place.completes, "fault": "drop_reply", "times": 2},
    )
    prefix = f"faults-{place.kind}"
    running = start_weir(configuration(broker, place.sink(prefix, proxy.port))).start()
    broker.publish("plant/1", readings(400))
    wait_until(lambda: running.received("sensors") == 400, 30)
    proxy.wait_for_rules()
    running.kill()
    running.start()
    broker.publish("plant/1", readings(100, 400))
    wait_until(lambda: running.received("sensors") == 500, 30)
    wait_forwarded(running)
    lake = place.lake(prefix)
    require_each_once(lake, range(500))
    assert all("/date=" in key for key in lake.keys()), "nothing temporary is left"


def test_parquet_comes_whole(broker, start_weir, place):
    import pyarrow as pa
    import pyarrow.parquet as pq

    prefix = f"parquet-{place.kind}"
    keys = place.sink(prefix) + '\nformat = "parquet"\nmax_rows = 100\n'
    running = start_weir(configuration(broker, keys)).start()
    broker.publish("plant/1", readings(300))
    wait_until(lambda: running.received("sensors") == 300, 30)
    wait_forwarded(running)
    objects = place.lake(prefix).objects("readings")
    rows = [row for body in objects.values() for row in pq.read_table(pa.BufferReader(body)).to_pylist()]
    assert [row["seq"] for row in rows] == list(range(300))


def test_a_clock_that_is_wrong_is_named_until_it_is_set(broker, start_weir, azure):
    running = start_weir(configuration(broker, azure.sink("clock")))
    azure.control("clock?seconds=1230")
    try:
        running.start()
        broker.publish("plant/1", readings(100))
        said = "this machine's clock is 20 min "
        wait_until(lambda: said in running.status()["sinks"][0]["state"], 20, "the sentence in the status")
        assert said in running.log() and said in weir("status", running.config).stdout
        done = weir("check", running.config, "--connect")
        assert done.returncode == 69 and said in done.stdout and "set the clock (NTP)" in done.stdout
    finally:
        azure.control("clock?seconds=0")
    wait_forwarded(running)
    require_each_once(AzureLake(azure, "clock"), range(100))


@pytest.mark.parametrize("kind", ["files-application", "gcs"])
def test_tokens_that_end_early_cost_nothing(broker, start_weir, azure, gcs, kind):
    place = Place(kind, azure, gcs)
    running = start_weir(configuration(broker, place.sink(f"tokens-{kind}"))).start()
    for part in range(3):
        broker.publish("plant/1", readings(50, 50 * part))
        wait_until(lambda: running.received("sensors") == 50 * (part + 1), 30)
        wait_forwarded(running)
        place.server.control("forget-tokens")
    assert running.status()["sinks"][0]["upload_failures"] == 0
    require_each_once(place.lake(f"tokens-{kind}"), range(150))


def test_check_connect_finds_clouds_right(tmp_path, broker, place):
    path = tmp_path / "weir.toml"
    path.write_text(configuration(broker, place.sink("check"), "off"))
    done = weir("check", path, "--connect")
    assert done.returncode == 0 and "ok     sink lake" in done.stdout, done.stdout


def test_check_connect_names_what_clouds_refuse(tmp_path, broker, azure, gcs):
    def attempt(store):
        path = tmp_path / "weir.toml"
        path.write_text(configuration(broker, store, "off"))
        done = weir("check", path, "--connect", "--json")
        found = {c["subject"]: c for c in json.loads(done.stdout)["connections"]}["sink lake"]
        assert done.returncode == 69 and not found["ok"]
        assert azure.key not in done.stdout and "PRIVATE KEY" not in done.stdout
        return found["message"]

    for interface in ("blob", "dfs"):
        wrong = azure.sink("check", interface, 'account_key = "d3Jvbmc="\n')
        assert "AuthenticationFailed" in attempt(wrong) and "look at account_key" in attempt(wrong)
        missing = azure.sink("check", interface).replace(".net/weir", ".net/absent")
        assert "create the container, or look at `url`" in attempt(missing)
    ended = attempt(azure.sink("check", keys=azure.sas_keys("weir", "2026-01-02T00:00:00Z")))
    assert "takes sas_token only until 2026-01-02T00:00:00Z" in ended
    application = azure.application_keys()
    assert "look at client_secret" in attempt(
        azure.sink("check", keys=application.replace("weir-client-secret", "wrong"))
    )
    assert "look at tenant_id" in attempt(azure.sink("check", keys=application.replace("weir-tenant", "no")))
    assert "create the bucket" in attempt(gcs.sink("check").replace("gs://weir/", "gs://absent/"))
    assert "look at secret_key" in attempt(gcs.sink("check", gcs.hmac_keys().replace(gcs.secret_key, "wrong")))
    with open(gcs.key_file) as file:
        key = json.load(file)
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**key, "client_email": "nobody@weir-test.iam.gserviceaccount.com"}))
    assert "its account was deleted" in attempt(gcs.sink("check", f'service_account_key = "file:{other}"\n'))
