"""The commands around a configuration: test, explain, check --portable, export flink."""

import re

import pytest

from weir_kit import ROOT, weir

CASE = """\
=== toml
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
[source.columns]
k = "STRING"
ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }
[source.time]
column = "ts"
[[query]]
name = "q"
sql = '''
SELECT k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, k
'''
=== input s
{"k": "a", "ts": 1700000000000}
{"k": "b", "ts": 1700000000001}
{"k": "a", "ts": 1700000000002}
=== expected q
{"k": "a", "n": 2}
{"k": "b", "n": 1}
"""


def run_case(tmp_path, text, *options):
    path = tmp_path / "a.case"
    path.write_text(text, encoding="utf-8")
    done = weir("test", path, *options)
    return done.returncode, done.stdout


def test_a_right_case_passes_whole_cut_and_interrupted(tmp_path):
    code, said = run_case(tmp_path, CASE, "--cut", 1, "--cut", 2, "--kill")
    assert code == 0 and said.startswith("ok"), said


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ('"n": 1}', '"n": 3}', r"a\.case:23: query q, row 2: n: 1, not 3"),
        ('"n": 1}\n', '"n": 1}\n{"k": "c", "n": 1}\n', r"a\.case:24: query q: row 3 is missing"),
        ('{"k": "b", "n": 1}\n', "", r"1 rows are not expected"),
        ("COUNT(*)", "COUNTS(*)", r"a\.case:14:11: error: COUNTS is not an aggregate"),
        ("=== expected q", "=== expcted q", r"a\.case:21: a section is .*; did you mean expected\?"),
        ("=== expected q", "=== expected qq", r"a\.case:21: there is no query qq; did you mean q\?"),
    ],
)
def test_a_wrong_case_is_shown_at_its_line(tmp_path, old, new, complaint):
    code, said = run_case(tmp_path, CASE.replace(old, new))
    assert code == 1 and re.search(complaint, said), said


def test_the_example_in_the_documentation_is_one(tmp_path):
    page = open(f"{ROOT}/docs/testing.md", encoding="utf-8").read()
    example = re.search(r"\n\n((?:    .*\n)*?    === config .*\n(?:    .*\n)+)", page)[1]
    text = "".join(line[4:] for line in example.splitlines(keepends=True))
    code, said = run_case(tmp_path, text.replace("../configs/", f"{ROOT}/configs/"), "--cut", 1, "--kill")
    assert code == 0 and said.startswith("ok"), said


def test_a_whole_number_is_also_a_fraction_of_that_value(tmp_path):
    text = CASE.replace("COUNT(*)", "SUM(CAST(1 AS DOUBLE))")
    assert run_case(tmp_path, text)[0] == 0
    assert "n: 1.0, not 3" in run_case(tmp_path, text.replace('"n": 1}', '"n": 3}'))[1]


def test_unordered_rows_may_come_in_any_order(tmp_path):
    rows = CASE.split("=== expected q\n")
    first, second = rows[1].splitlines()
    text = f"{rows[0]}=== expected q unordered\n{second}\n{first}\n"
    assert run_case(tmp_path, text)[0] == 0
    assert run_case(tmp_path, text.replace(" unordered", ""))[0] == 1


def test_explain_says_what_is_kept_and_for_how_long():
    said = weir("explain", f"{ROOT}/configs/sensors.toml", "--query", "device_minute").stdout
    assert "keeps: one group a window and (device)" in said
    assert "1 m and the watermark's delay of 5 s" in said
    assert re.search(r"size:  \d+ bytes a group and its key's texts", said)


def test_what_flink_lacks_is_refused_at_its_place(tmp_path):
    path = tmp_path / "a.toml"
    toml = CASE.split("=== input")[0].replace("=== toml", '[agent]\nid = "a"\nstate_dir = "unused"')
    path.write_text(toml.replace("AS n", "AS value"), encoding="utf-8")
    assert weir("check", path).returncode == 0
    done = weir("check", "--portable", path)
    assert done.returncode == 78
    assert "a.toml:16:23: error: value is a keyword of Flink's; write `value` in backquotes" in done.stderr


def test_the_exported_script_holds_the_query_unchanged():
    said = weir("export", "flink", f"{ROOT}/configs/tweets.toml").stdout
    assert said.startswith("-- Flink SQL of ")
    assert "What Flink does differently" in said
    assert "WATERMARK FOR `created_at` AS `created_at` - INTERVAL '10' SECOND" in said
    assert "FROM TABLE(TUMBLE(TABLE post_tags, DESCRIPTOR(created_at), INTERVAL '1' MINUTE))\n" in said


def test_a_second_window_in_one_select_is_not_flinks(tmp_path):
    toml = CASE.split("=== input")[0].replace("=== toml", '[agent]\nid = "a"\nstate_dir = "unused"')
    head, query = toml.split("[[query]]")
    columns = re.search(r"\[source\.columns\]\n(\w+)", head)[1]
    path = tmp_path / "a.toml"

    def complaints(sql):
        path.write_text(f'{head}[[query]]\nname = "q"\nsql = """{sql}"""\n', encoding="utf-8")
        assert weir("check", path).returncode == 0
        return re.findall(r"a\.toml:(\d+:\d+): error: (.*)", weir("check", "--portable", path).stderr)

    source = re.search(r'name = "(\w+)"', head.split("[[source]]")[1])[1]
    time = re.search(r'column = "(\w+)"', head)[1]
    one = f"COUNT(*) OVER (ORDER BY {time} ROWS 3 PRECEDING) AS a"
    same = f"COUNT(*) OVER (ORDER BY {time} ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS b"
    other = f"LAG({columns}) OVER w AS c"
    window = f"WINDOW w AS (ORDER BY {time})"
    assert complaints(f"SELECT {one}, {same} FROM {source}") == []
    assert complaints(f"SELECT {other}, COUNT(*) OVER (ORDER BY {time}) AS d FROM {source} {window}") == []
    assert complaints(f"SELECT {one} FROM (SELECT {time}, {other} FROM {source} {window})") == []
    found = complaints(f"SELECT {one}, {other} FROM {source} {window}")
    assert len(found) == 1 and "over one window; put LAG into a SELECT above it" in found[0][1]


@pytest.mark.parametrize("window, are_merged", [
    ("TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '4' SECOND)", False),
    ("HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '4' SECOND)", True),
    ("CUMULATE(TABLE s, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '4' SECOND)", True),
    ("SESSION(TABLE s PARTITION BY k, DESCRIPTOR(ts), INTERVAL '4' SECOND)", True),
])
def test_first_values_of_windows_that_are_put_together_are_not_flinks(tmp_path, window, are_merged):
    path = tmp_path / "a.toml"
    sources = VERSIONS.split('[[source]]\nname = "r"')[0]
    sql = f"""SELECT k, window_start, window_end, FIRST_VALUE(k) AS a, JSON_ARRAYAGG(k) AS b, COUNT(*) AS n
              FROM TABLE({window}) GROUP BY k, window_start, window_end"""
    path.write_text(f'{sources}[[query]]\nname = "q"\nsql = """{sql}"""\n', encoding="utf-8")
    assert weir("check", path).returncode == 0
    found = re.findall("Flink has ([A-Z_]+) in tumbling windows alone", weir("check", "--portable", path).stderr)
    assert found == (["FIRST_VALUE", "JSON_ARRAYAGG"] if are_merged else [])


VERSIONS = """\
[agent]
id = "a"
state_dir = "unused"
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
[source.columns]
k = "STRING"
ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }
[source.time]
column = "ts"
[[source]]
name = "r"
type = "file"
path = "r.ndjson"
[source.columns]
k = "STRING"
place = { type = "STRING", path = "/at/place" }
ts = { type = "TIMESTAMP_LTZ(3)", from = "epoch_ms" }
[source.time]
column = "ts"
[[view]]
name = "some"
sql = "SELECT k AS key, ts, UPPER(k) AS big, place FROM r"
[[view]]
name = "fewer"
sql = "SELECT k, ts FROM r WHERE k <> 'x'"
"""


def test_versions_have_a_key_for_flink(tmp_path):
    path = tmp_path / "a.toml"

    def script(on, *options, right="r"):
        query = f"SELECT s.k FROM s JOIN {right} FOR SYSTEM_TIME AS OF s.ts ON {on}"
        path.write_text(f'{VERSIONS}[[query]]\nname = "q"\nsql = """{query}"""\n', encoding="utf-8")
        said = weir("export", "flink", path, *options).stdout
        assert f"{query};" in said
        return said

    assert "  PRIMARY KEY (`k`) NOT ENFORCED,\n  WATERMARK FOR" in script("s.k = r.k")
    assert "PRIMARY KEY (`k`)" in script("s.k = some.key", right="some")
    by_view = "ROW_NUMBER() OVER (PARTITION BY `{}` ORDER BY `ts` DESC)"
    for said, key in [
        (script("s.k = r.place"), "place"), (script("s.k = r.k", "--connector", "kafka"), "k"),
    ]:
        assert "PRIMARY KEY" not in said
        assert by_view.format(key) in said
        assert "which forgets one that" in said
    for said in [script("s.k = some.big", right="some"), script("s.k = fewer.k", right="fewer")]:
        assert "PRIMARY KEY" not in said
        assert "It will refuse this script" in said
    path.write_text(
        VERSIONS + "".join(
            f'[[query]]\nname = "q_{key}"\nsql = "SELECT s.k FROM s JOIN r FOR SYSTEM_TIME AS OF s.ts ON s.k = r.{key}"\n'
            for key in ["k", "place"]), encoding="utf-8")
    refused = weir("export", "flink", path)
    assert refused.returncode != 0
    assert "by different columns (k; place)" in refused.stderr
    assert weir("export", "flink", path, "--query", "q_k").returncode == 0
