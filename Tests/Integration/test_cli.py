"""The commands as a person or a script uses them: what they print, where, and with which exit code."""

import json
import os
import subprocess
import time

import pytest

from cli_kit import replay, unconnected, write
from lake_kit import agent, file_sink, query, readings, require_each_once, sensors, sink
from weir_kit import WEIR, Broker, free_port, wait_until, weir

WRONG = """[agent]
id = "edge 1"
stat_dir = "x"
commit_interval = "5h"

[[source]]
name = "sensors"
type = "mqtt"
url = "mqtt://127.0.0.1:1"
topics = ["plant/#"]
columns = { device = "STRING", temperature = "DOUBLE" }

[[query]]
name = "hot"
sql = \"\"\"
SELECT device,
       temprature FROM sensors
\"\"\"
sinks = ["lak"]

[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
format = 7
"""

COMPLAINTS = [
    (2, 6, 'id must be of letters, digits, "-", "." and "_" and begin with a letter or a digit, not "edge 1"'),
    (3, 1, 'unknown key "stat_dir" in [agent]; did you mean "state_dir"?'),
    (4, 19, "commit_interval must be at most 1m, not 5h"),
    (17, 8, "temperature"),
    (19, 10, 'there is no sink "lak"; did you mean "lake"?'),
    (25, 10, 'format must be "ndjson", "csv", "parquet" or "delta", not an integer'),
]


def test_check_says_everything_that_is_wrong_with_its_place(tmp_path):
    write(tmp_path, WRONG)
    done = weir("check", "weir.toml", cwd=tmp_path)
    assert done.returncode == 78 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == len(COMPLAINTS), done.stderr
    for line, (row, column, text) in zip(lines, COMPLAINTS):
        assert line.startswith(f"weir.toml:{row}:{column}: error: ") and text in line, line


def test_check_as_json_is_one_document_with_the_same_complaints(tmp_path):
    write(tmp_path, WRONG)
    done = weir("check", "weir.toml", "--json", cwd=tmp_path)
    assert done.returncode == 78 and done.stderr == ""
    answer = json.loads(done.stdout)
    assert list(answer) == ["accepted", "problems", "connections"]
    assert answer["accepted"] is False and answer["connections"] == []
    for problem, (row, column, text) in zip(answer["problems"], COMPLAINTS, strict=True):
        assert list(problem) == ["file", "line", "column", "severity", "message"]
        assert (problem["file"], problem["line"], problem["column"]) == ("weir.toml", row, column)
        assert problem["severity"] == "error" and text in problem["message"]


def test_every_command_refuses_a_wrong_configuration_alike(tmp_path):
    write(tmp_path, WRONG)
    expected = weir("check", "weir.toml", cwd=tmp_path).stderr
    for command in (["run"], ["status"], ["replay"], ["config", "show"]):
        done = weir(*command, "weir.toml", cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (78, "", expected), command
    assert os.listdir(tmp_path) == ["weir.toml"], "and nothing is made"


def test_a_right_configuration_and_one_that_is_not_there(tmp_path):
    path = write(tmp_path, unconnected() + query() + file_sink())
    done = weir("check", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: right\n", "")
    assert json.loads(weir("check", path, "--json").stdout)["accepted"] is True
    done = weir("check", "nothing.toml", cwd=tmp_path)
    assert done.returncode == 78
    assert done.stderr == "nothing.toml:1:1: error: cannot read the file: No such file or directory\n"
    done = weir("check", tmp_path)
    assert done.returncode == 78 and "Is a directory" in done.stderr


def test_wrong_use_of_the_command_line(tmp_path):
    for arguments in (["bogus"], ["run"], ["replay", "x", "--input", "nonsense"], ["check", "x", "--jsno"]):
        done = weir(*arguments)
        assert done.returncode == 64, arguments
        assert done.stdout == "" and "Usage: weir" in done.stderr, arguments
    assert weir("version").stdout.startswith("weir 0.")
    assert weir("--version").stdout.strip() == weir("version").stdout.split()[1]
    assert weir("--help").returncode == 0


# check --connect


def connections(path, environment=None):
    done = weir("check", path, "--connect", "--json", environment=environment)
    answer = json.loads(done.stdout)
    assert answer["accepted"] is True, answer
    return done.returncode, {c["subject"]: (c["ok"], c["message"]) for c in answer["connections"]}


@pytest.fixture(scope="module")
def guarded_broker(tmp_path_factory):
    """A broker that asks for a password."""
    folder = tmp_path_factory.mktemp("guarded")
    passwords = folder / "passwords"
    passwords.touch()
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-b", passwords, "weir", "right-pass"], check=True)
    access = write(folder, "user weir\ntopic read plant/#\n", "access")
    access.chmod(0o600)
    broker = Broker(folder, f"allow_anonymous false\npassword_file {passwords}\nacl_file {access}\n")
    yield broker
    broker.stop()


def test_check_connect_finds_everything_right(tmp_path, guarded_broker, s3):
    keys = 'username = "weir"\npassword = "${MQTT_PASSWORD}"'
    text = agent() + sensors(guarded_broker, keys) + query(sinks='["lake", "folder"]')
    text += sink(s3.sink("check")) + file_sink(folder=f"{tmp_path}/lake", name="folder").replace("./", "")
    path = write(tmp_path, text.replace("@HTTP@", "off"))
    code, found = connections(path, {"MQTT_PASSWORD": "right-pass"})
    assert code == 0, found
    assert found["source sensors"] == (
        True, f"the broker 127.0.0.1:{guarded_broker.port} lets us in and grants the topics",
    )  # fmt: skip
    assert found["sink lake"][0] and found["sink folder"][0]
    done = weir("check", path, "--connect", environment={"MQTT_PASSWORD": "right-pass"})
    servers = [line for line in done.stdout.splitlines() if "state_dir" not in line]
    assert done.returncode == 0 and sum(line.startswith("ok     ") for line in servers) == 3


def test_check_connect_names_what_the_broker_refuses(tmp_path, guarded_broker):
    def attempt(keys, **options):
        text = agent() + sensors(guarded_broker, keys, **options) + query() + file_sink()
        text = text.replace("@HTTP@", "off").replace("./lake", f"{tmp_path}/lake")
        code, found = connections(write(tmp_path, text))
        ok, message = found["source sensors"]
        assert code == 69 and not ok
        return message

    user = 'username = "weir"\n'
    assert "does not accept the user name or the password" in attempt(user + 'password = "wrong"') or (
        "is not authorised to connect" in attempt(user + 'password = "wrong"')
    )
    assert "refuses clients without a user name; set username and password" in attempt("")


def test_check_connect_names_what_s3_refuses(tmp_path, broker, s3):
    def attempt(change):
        text = agent() + sensors(broker) + query() + change(sink(s3.sink("check")))
        code, found = connections(write(tmp_path, text.replace("@HTTP@", "off")))
        ok, message = found["sink lake"]
        assert found["source sensors"][0] and code == 69 and not ok
        return message

    assert "NoSuchBucket" in attempt(lambda text: text.replace("s3://weir/", "s3://absent/"))
    assert "look at secret_key" in attempt(lambda text: text.replace(s3.secret_key, "wrong"))
    assert "look at access_key" in attempt(lambda text: text.replace(s3.access_key, "wrong"))
    nowhere = attempt(lambda text: text.replace(f":{s3.port}", f":{free_port()}"))
    assert "cannot connect: Connection refused" in nowhere
    plain = attempt(lambda text: text.replace("http://127.0.0.1", "https://127.0.0.1"))
    assert "does not speak TLS on this port; look at the port, or write http:// for https://" in plain


def test_check_connect_where_nothing_listens(tmp_path):
    path = write(tmp_path, unconnected() + query() + file_sink().replace("./lake", f"{tmp_path}/lake"))
    done = weir("check", path, "--connect")
    assert done.returncode == 69
    assert "FAILED source sensors: connecting to mqtt://127.0.0.1:1: Connection refused" in done.stdout
    assert "ok     sink lake" in done.stdout


# status


def test_status_for_people_and_for_programs(broker, start_weir):
    running = start_weir(agent() + sensors(broker) + query() + file_sink()).start()
    broker.publish("plant/1", readings(20) + ["broken"])
    wait_until(lambda: running.received("sensors") == 21 and running.pending() == 0)
    people = weir("status", running.config, cwd=running.folder)
    assert people.returncode == 0
    for text in (
        "edge-1: running, up ", "source sensors: 21 rows = 20 decoded + 1 rejected", "connected to mqtt://",
        "query readings: 20 rows = 20 used + 0 filtered + 0 late; 20 results", "sink lake (file): ",
        "  readings: 20 rows = 20 forwarded + 0 pending + 0 expired", "ledger: balanced",
    ):  # fmt: skip
        assert text in people.stdout, people.stdout
    programs = weir("status", running.config, "--json", cwd=running.folder)
    assert programs.returncode == 0
    answer = json.loads(programs.stdout)
    assert answer["agent"] == "edge-1" and answer["sources"][0]["rows"]["received"] == 21


def test_status_when_nothing_runs(tmp_path):
    text = unconnected() + query() + file_sink()
    done = weir("status", write(tmp_path, text))
    assert done.returncode == 69 and done.stdout == ""
    address = text.split('http = "')[1].split('"')[0]
    assert done.stderr == (
        f"weir: asking the agent edge-1: {address}: cannot connect: Connection refused; is weir running?\n"
    )
    off = text.replace(address, "off")
    done = weir("status", write(tmp_path, off))
    assert done.returncode == 78 and "off" in done.stderr


# the state directory


def test_a_state_directory_in_use(broker, start_weir, tmp_path):
    running = start_weir(agent() + sensors(broker) + query() + file_sink()).start()
    text = unconnected() + query() + file_sink()
    state = os.path.join(running.folder, "state")
    other = write(tmp_path, text.replace('"state"', f'"{state}"'))
    for command in (["run", other], ["replay", other, "--input", "sensors=-", "--state-dir", state]):
        done = weir(*command, stdin="", cwd=tmp_path)
        assert done.returncode == 75, done.stderr
        sentence = f"weir: opening the state directory {state}: it is in use by process {running.process.pid}; "
        assert sentence in done.stderr
    assert running.get("/readyz")[0] == 200


def test_a_state_directory_of_a_newer_format(tmp_path):
    text = unconnected() + query() + file_sink()
    arguments = ["--input", "sensors=-", "--output", "out", "--state-dir", "state", "--quiet"]
    assert replay(tmp_path, text, *arguments, stdin="\n".join(readings(3))).returncode == 0
    (tmp_path / "state/format").write_text("weir state format 99\n")
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "state").rglob("*") if p.name != "lock")
    for command in (["run", tmp_path / "weir.toml"], ["replay", tmp_path / "weir.toml", *arguments]):
        done = weir(*command, cwd=tmp_path, stdin="")
        assert done.returncode == 75
        assert "was written by a newer weir (format 99, this one reads up to 2)" in done.stderr
        assert "nothing was changed" in done.stderr
    after = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "state").rglob("*") if p.name != "lock")
    assert before == after


def test_a_state_directory_that_cannot_be_made(tmp_path):
    write(tmp_path, "", "occupied")
    done = weir("run", write(tmp_path, unconnected().replace('"state"', '"occupied"') + query() + file_sink()),
                cwd=tmp_path)  # fmt: skip
    assert done.returncode in (74, 75)
    assert done.stderr.splitlines()[-1].startswith("weir: ") and "occupied" in done.stderr


# the end of a run


def test_a_stop_commits_everything_and_takes_less_than_five_seconds(broker, start_weir):
    running = start_weir(
        agent('commit_interval = "1m"') + sensors(broker) + query() + file_sink(schedule="every 1h")
    ).start()
    broker.publish("plant/1", readings(1000))
    wait_until(lambda: running.status()["sources"][0]["messages"] == 1000)
    started = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - started < 5, "the promise of weir run --help"
    assert running.log().rstrip().endswith("stopped")
    running.start()
    status = running.status()
    assert running.received("sensors") == 1000 and running.pending() == 1000, "from the first moment"
    broker.publish("plant/1", readings(1, 1000))
    wait_until(lambda: running.status()["sources"][0]["messages"] >= 1)
    assert running.status()["sources"][0]["messages"] == 1, "nothing comes again"
    assert running.status()["sources"][0]["duplicates"] == 0
    assert status["is_ledger_balanced"]


def test_a_stop_does_not_wait_for_a_sink_that_is_away(broker, start_weir, s3, fault_proxy):
    proxy = fault_proxy(s3.port)
    proxy.rules({"match": "^PUT", "fault": "blackhole"})
    running = start_weir(agent() + sensors(broker) + query() + sink(s3.sink("stop", port=proxy.port))).start()
    broker.publish("plant/1", readings(100))
    wait_until(lambda: proxy.requests("blackhole"), 20, "an upload under way")
    started = time.monotonic()
    assert running.stop() == 0, running.log()
    assert time.monotonic() - started < 5
    running.start()
    wait_until(lambda: running.pending() == 0, 20)
    from lake_kit import S3Lake

    require_each_once(S3Lake(s3, "stop"), range(100))


# secrets


def test_secrets_are_never_shown(tmp_path, guarded_broker, start_weir, s3, fault_proxy):
    """Neither by commands nor in logs, status or metrics, when they work and when they are refused."""
    password, key = "s3cr3t-mqtt-password", "s3cr3t/amazon+key=of-40-characters-in-all"
    secrets = [password, key, "session-t0ken"]
    token = write(tmp_path, "session-t0ken\n", "token")
    proxy = fault_proxy(s3.port)
    proxy.rules({"match": ".", "fault": "status", "status": 403, "times": 1000,
                 "body": "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"})  # fmt: skip
    keys = 'username = "weir"\npassword = "${MQTT_PASSWORD}"'
    store = s3.sink("secrets", f'session_token = "file:{token}"', port=proxy.port)
    store = store.replace(s3.secret_key, "${SECRET_KEY}")
    text = agent('log_level = "trace"') + sensors(guarded_broker, keys) + query() + sink(store)
    environment = {"MQTT_PASSWORD": password, "SECRET_KEY": key}
    running = start_weir(text, environment=environment).start(ready=False)
    wait_until(lambda: "authoris" in running.log() or "password" in running.log(), 20, "the broker's refusal")
    outputs = [running.get(path)[1] for path in ("/metrics", "/v1/status", "/readyz")]
    assert running.stop() == 0
    outputs.append(running.log())
    for command in (["check", "--connect"], ["check", "--connect", "--json"], ["config", "show"], ["status"],
                    ["replay", "--input", "sensors=-", "--output", "-"]):  # fmt: skip
        done = weir(command[0], *(["show"] if command[0] == "config" else []), running.config,
                    *[word for word in command[1:] if word != "show"], environment=environment, stdin="",
                    cwd=tmp_path)  # fmt: skip
        outputs += [done.stdout, done.stderr]
    wrong = write(tmp_path, open(running.config).read().replace("${SECRET_KEY}", "${SECRET_KEY}\x01"), "w.toml")
    outputs += [weir("check", wrong, environment=environment).stderr]
    missing = weir("check", running.config, environment={"MQTT_PASSWORD": password})
    assert missing.returncode == 78 and "SECRET_KEY" in missing.stderr
    outputs.append(missing.stderr)
    for output in outputs:
        for secret in secrets:
            assert secret not in output, output
    arguments = open("/proc/self/cmdline", "rb").read()
    assert WEIR and password.encode() not in arguments
