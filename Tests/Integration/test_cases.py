"""Promise P1 on every SQL case: whole, cut at every k-th row, killed and resumed: the same bytes."""

import json
import pathlib
import signal

import pytest

from weir_kit import ROOT, weir

CASES = sorted(pathlib.Path(ROOT, "Tests", "Cases").glob("*.case"))


def sections(path):
    """The case's sections: [(kind, name, text)]."""
    found, kind, name, lines = [], None, None, []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("=== "):
            if kind:
                found.append((kind, name, "".join(lines)))
            words = line.split()
            kind, name, lines = words[1], (words[2] if len(words) > 2 else ""), []
        else:
            lines.append(line)
    found.append((kind, name, "".join(lines)))
    return found


def rows(text):
    return [json.loads(line) for line in text.splitlines() if line.strip()]


class Case:
    def __init__(self, path, folder):
        self.folder = folder
        self.inputs, self.expected, self.late, self.rejected = [], {}, {}, {}
        for kind, name, text in sections(path):
            if kind == "toml":
                (folder / "case.toml").write_text('[agent]\nid = "case"\nstate_dir = "unused"\n' + text)
            elif kind == "input":
                (folder / f"{name}.ndjson").write_text(text, encoding="utf-8")
                self.inputs += ["--input", f"{name}={folder / (name + '.ndjson')}"]
            elif kind == "expected":
                self.expected[name] = rows(text)
            elif kind == "late":
                self.late[name] = rows(text)
            elif kind == "rejected":
                self.rejected[name] = text.splitlines()

    def run(self, name, *options, environment=None):
        return weir(
            "replay", self.folder / "case.toml", *self.inputs, "--quiet",
            "--state-dir", self.folder / f"{name}-state", "--output", self.folder / name,
            *options, environment=environment,
        )

    def result(self, name):
        """All output files: relative path to bytes."""
        base = self.folder / name
        return {str(p.relative_to(base)): p.read_bytes() for p in sorted(base.rglob("*.ndjson"))}


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


def check(kind, expected, actual):
    for number, (want, got) in enumerate(zip(expected, actual)):
        assert same(want, got), f"{kind}, row {number + 1}:\n  expected {want}\n  got      {got}"
    assert len(expected) == len(actual), f"{kind}: {len(actual)} rows, {len(expected)} expected: {actual}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path, tmp_path):
    case = Case(path, tmp_path)
    done = case.run("whole")
    assert done.returncode == 0, done.stderr
    whole = case.result("whole")
    for query, expected in case.expected.items():
        check(f"query {query}", expected, rows(whole[f"{query}.ndjson"].decode()))
        late = whole.get(f"_late/{query}.ndjson", b"").decode()
        check(f"late rows of {query}", case.late.get(query, []), rows(late))
    for name, text in whole.items():
        if name.startswith("_rejected/"):
            source = name.removeprefix("_rejected/").removesuffix(".ndjson")
            reasons = [row["reason"] for row in rows(text.decode())]
            assert reasons == case.rejected.get(source, []), f"rejected rows of {source}"

    for batch_rows in (1, 2, 3, 7):
        cut = case.run(f"cut{batch_rows}", "--batch-rows", str(batch_rows), "--commit-every", "2")
        assert cut.returncode == 0, cut.stderr
        assert case.result(f"cut{batch_rows}") == whole, f"cut into batches of {batch_rows}"

    for point in ("commit.before-write", "commit.after-write"):
        for passing in (1, 2, 4):
            name = f"killed-{point}-{passing}"
            options = ("--batch-rows", "3", "--commit-every", "1")
            killed = case.run(name, *options, environment={"WEIR_CRASH_POINT": f"{point}:{passing}"})
            if killed.returncode == 0:
                break  # the case has fewer commits than that
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            resumed = case.run(name, *options)
            assert resumed.returncode == 0, resumed.stderr
            assert case.result(name) == whole, f"killed at {point}, passing {passing}, and resumed"


def test_there_are_cases():
    assert len(CASES) >= 20
