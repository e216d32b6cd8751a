"""Promise P1 on every SQL case: whole, cut at every k-th row, killed and resumed: the same bytes."""

import concurrent.futures
import json
import pathlib
import re
import signal

import pytest

from weir_kit import ROOT, weir

CASES = sorted(pathlib.Path(ROOT, "Tests", "Cases").glob("*.case"))

# Rows a batch of the runs that are cut; each commits after every second batch.
BATCHES = (1, 3, 7)

# Where the processes of the killed run die, one after the other, each going on from what the one before
# it committed. Each batch of two rows is a commit.
KILLS = (
    "commit.before-write:2",
    "commit.after-write:1",
    "recovery.after-restore:1",
    "commit.before-write:1",
    "commit.after-write:2",
)


def sections(path):
    """The case's sections: [(kind, name, text)]."""
    found, kind, name, lines = [], None, None, []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("=== "):
            if kind:
                found.append((kind, name, "".join(lines)))
            words = line.split()
            kind, name, lines = words[1], " ".join(words[2:]), []
        else:
            lines.append(line)
    found.append((kind, name, "".join(lines)))
    return found


def rows(text):
    return [json.loads(line) for line in text.splitlines() if line.strip()]


class Case:
    def __init__(self, path, folder):
        self.folder = folder
        self.has_input = False
        self.inputs, self.expected, self.late, self.rejected = [], {}, {}, {}
        parts = sections(path)
        for kind, name, text in parts:
            if kind == "toml":
                for _, table, _ in (part for part in parts if part[0] == "table"):
                    text = text.replace(f'"{table}.table"', f'"{folder}/{table}.table"')
                text = '[agent]\nid = "case"\nstate_dir = "unused"\n' + text
                (folder / "case.toml").write_text(text, encoding="utf-8")
            elif kind == "table":
                (folder / f"{name}.table").write_text(text, encoding="utf-8")
            elif kind == "input":
                (folder / f"{name}.ndjson").write_text(text, encoding="utf-8")
                self.inputs += ["--input", f"{name}={folder / (name + '.ndjson')}"]
                self.has_input |= bool(text.strip())
            elif kind in ("expected", "late"):
                target = self.expected if kind == "expected" else self.late
                query, *options = name.split()
                target[query] = (Unordered if "unordered" in options else list)(rows(text))
            elif kind == "rejected":
                self.rejected[name] = text.splitlines()
            else:
                raise ValueError(f"{path}: an unknown section, {kind}")

    def run(self, name, *options, environment=None):
        return weir(
            "replay", self.folder / "case.toml", *self.inputs, "--quiet",
            "--state-dir", self.folder / f"{name}-state", "--output", self.folder / name,
            *options, environment=environment,
        )

    def result(self, name):
        """All output files: relative path to bytes. When a rejected row was read differs from run to run."""
        base = self.folder / name
        found = {str(p.relative_to(base)): p.read_bytes() for p in sorted(base.rglob("*.ndjson"))}
        return {
            path: re.sub(rb'"received_at":"[^"]*"', b"", text) if path.startswith("_rejected/") else text
            for path, text in found.items()
        }


def same(expected, actual):
    """Rows equal value by value; doubles to the last bits that decimal text can show."""
    if isinstance(expected, float) and isinstance(actual, (int, float)) and not isinstance(actual, bool):
        return actual == expected or abs(actual - expected) <= 1e-12 * max(abs(actual), abs(expected))
    if isinstance(expected, dict):
        return (
            isinstance(actual, dict)
            and list(expected) == list(actual)
            and all(same(v, actual[k]) for k, v in expected.items())
        )
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(map(same, expected, actual))
    return type(expected) is type(actual) and expected == actual


class Unordered(list):
    """Expected rows whose order is left open."""


def check(kind, expected, actual):
    if isinstance(expected, Unordered):
        left = list(actual)
        for want in expected:
            place = next((i for i, got in enumerate(left) if same(want, got)), None)
            assert place is not None, f"{kind}: no such row: {want}\n  in {left}"
            del left[place]
        assert not left, f"{kind}: rows that are not expected: {left}"
        return
    for number, (want, got) in enumerate(zip(expected, actual)):
        assert same(want, got), f"{kind}, row {number + 1}:\n  expected {want}\n  got      {got}"
    assert len(expected) == len(actual), f"{kind}: {len(actual)} rows, {len(expected)} expected: {actual}"


def check_whole(case, whole):
    """The rows are the expected ones, and there are no others."""
    queries = {path.removesuffix(".ndjson") for path in whole if "/" not in path}
    assert queries == set(case.expected), "each query has its section"
    for query, expected in case.expected.items():
        check(f"query {query}", expected, rows(whole[f"{query}.ndjson"].decode()))
        late = whole.get(f"_late/{query}.ndjson", b"").decode()
        check(f"late rows of {query}", case.late.pop(query, []), rows(late))
    assert not case.late, "late rows of a query that is none"
    for name, text in whole.items():
        if name.startswith("_rejected/"):
            source = name.removeprefix("_rejected/").removesuffix(".ndjson")
            reasons = [re.match(r'\{"reason":("(?:[^"\\]|\\.)*")', line) for line in text.decode().splitlines()]
            found = [json.loads(reason[1]) for reason in reasons]
            assert found == case.rejected.pop(source, []), f"rejected rows of {source}"
    assert not case.rejected, "rejected rows of a source that has none"


def check_cut(case, whole, batch_rows):
    name = f"cut{batch_rows}"
    done = case.run(name, "--batch-rows", batch_rows, "--commit-every", 2)
    assert done.returncode == 0, done.stderr
    assert case.result(name) == whole, f"cut into batches of {batch_rows}"


def check_killed(case, whole):
    options = ("--batch-rows", 2, "--commit-every", 1)
    deaths = 0
    for point in KILLS:
        done = case.run("killed", *options, environment={"WEIR_CRASH_POINT": point})
        assert done.returncode in (0, -signal.SIGKILL), f"{point}: {done.stderr}"
        deaths += done.returncode != 0
    assert deaths >= 3 or not case.has_input, "the kill points were not passed"
    done = case.run("killed", *options)
    assert done.returncode == 0, done.stderr
    assert case.result("killed") == whole, f"killed at {', '.join(KILLS)}, and resumed"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path, tmp_path):
    case = Case(path, tmp_path)
    done = case.run("whole")
    assert done.returncode == 0, done.stderr
    whole = case.result("whole")
    check_whole(case, whole)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        checks = [pool.submit(check_killed, case, whole)]
        checks += [pool.submit(check_cut, case, whole, batch_rows) for batch_rows in BATCHES]
        for variant in checks:
            variant.result()


def test_there_are_cases():
    assert len(CASES) >= 40
