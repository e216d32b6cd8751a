"""Queries with a state_ttl as the commands around a configuration see them; what they compute is in Tests/Cases."""

from weir_kit import weir

HEAD = """\
[agent]
id = "a"
state_dir = "unused"
[[source]]
name = "l"
type = "file"
path = "l.ndjson"
columns = { k = "STRING", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }, v = "BIGINT" }
time = { column = "ts" }
[[source]]
name = "r"
type = "file"
path = "r.ndjson"
columns = { k = "STRING", ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }, w = "BIGINT" }
time = { column = "ts" }
"""
JOIN = "SELECT l.k, v, w FROM l JOIN r ON l.k = r.k"


def query(name, ttl, sql=JOIN):
    return f'[[query]]\nname = "{name}"\nstate_ttl = "{ttl}"\nsql = "{sql}"\n'


def configuration(tmp_path, *queries):
    path = tmp_path / "a.toml"
    path.write_text(HEAD + "".join(queries), encoding="utf-8")
    return path


def test_the_export_gives_flink_the_length_and_says_what_differs(tmp_path):
    path = configuration(tmp_path, query("a", "7d"), query("b", "7d"))
    script = weir("export", "flink", path).stdout
    assert "SET 'table.exec.state.ttl' = '604800000 ms';" in script
    notes = " ".join(line.removeprefix("--").strip() for line in script.splitlines() if line.startswith("--"))
    assert "state_ttl is table.exec.state.ttl, of all queries of the script (a, b)" in notes
    assert "counted by the machine's clock" in notes
    done = weir("check", "--portable", path)
    assert done.returncode == 0
    assert done.stderr.count("warning: in Flink it is counted by the machine's clock") == 2


def test_a_script_has_one_length(tmp_path):
    path = configuration(tmp_path, query("a", "7d"), query("b", "1h"))
    done = weir("export", "flink", path)
    assert done.returncode == 78
    assert "its queries have different state_ttl (1h, 7d), and a script of Flink has one" in done.stderr
    assert "'3600000 ms'" in weir("export", "flink", path, "--query", "b").stdout


def test_explain_says_for_how_long_rows_are_kept(tmp_path):
    over = "SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS n FROM l"
    path = configuration(tmp_path, query("a", "7d"), query("b", "2h", over))
    said = weir("explain", path).stdout
    assert "left rows 7 d, right rows 7 d (state_ttl is 7 d) behind the watermark" in said
    assert "a partition 2 h after its last row (state_ttl), at most half as long again" in said


def test_rows_meet_up_to_the_length_and_another_length_is_another_query(tmp_path):
    for name, value in (("l", "v"), ("r", "w")):
        (tmp_path / f"{name}.ndjson").write_text(
            "".join(f'{{"k": "a", "ts": {1_700_000_000_000 + n * 1000}, "{value}": {n}}}\n' for n in range(4)))
    inputs = [f"--input={name}={tmp_path}/{name}.ndjson" for name in "lr"]

    def replay(ttl, *options):
        path = configuration(tmp_path, query("a", ttl))
        done = weir("replay", path, *inputs, "--output", "-", *options)
        assert done.returncode == 0, done.stderr
        return done

    assert [len(replay(ttl).stdout.splitlines()) for ttl in ("1s", "2s", "1h")] == [10, 14, 16]
    state = ("--state-dir", tmp_path / "state")
    changed = "query a has changed since the last run"
    assert [changed in replay(ttl, *state).stderr for ttl in ("1h", "1h", "2h")] == [False, False, True]
