#!/usr/bin/env python3
"""The differential test: the same queries over the same files in weir and in Apache Flink.

    flink.py --weir .build/release/weir [--family NAME]… [--share 0.2] [--seed 1] [--keep FOLDER]

Each configuration is run by `weir replay`, written as Flink SQL by `weir export flink`, and that script is
run as it is on a Flink of one small worker. Rows are compared as multisets, with their types. Counts come
out by feature; differences that are decided on are listed in `differences.json` beside this file, each
with its reason. Ends with 1 if there is any other."""

import argparse
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import comparison
import flink_kit
import generator

HERE = pathlib.Path(__file__).parent


def call(weir, *arguments):
    done = subprocess.run([weir, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done


class Pair:
    """One query over one input."""

    def __init__(self, batch, query, folder):
        self.batch, self.query, self.folder = batch, query, folder
        self.sql = batch.queries[query]
        self.verdict, self.notes = None, []

    def settle(self, verdict, *notes):
        self.verdict, self.notes = verdict, list(notes)


def refused_by_weir(weir, batch, folder, path):
    """Queries that weir does not take, with its complaint; the configuration is then written without."""
    refused = {}
    while True:
        done = call(weir, "check", path)
        if done.returncode == 0:
            return refused
        lines = path.read_text(encoding="utf-8").splitlines()
        errors = re.findall(r":(\d+):\d+: error: (.*)", done.stderr)
        found = {}
        for line, message in errors:
            names = re.findall(r'^name = "(\w+)"', "\n".join(lines[: int(line)]), re.M)
            if names and names[-1] in batch.queries:
                found.setdefault(names[-1], message)
        if not found:
            raise SystemExit(f"{path} is refused:\n{done.stderr}")
        refused.update(found)
        for name in found:
            del batch.queries[name]
        if not batch.queries:
            return refused
        shutil.rmtree(folder)
        batch.write(folder)


def sink_types(script):
    """{query: {column: type}} of the result tables that a script creates."""
    tables = {}
    for name, body in re.findall(r"CREATE TABLE `(\w+)__out` \(\n(.*?)\n\) WITH", script, re.S):
        columns = re.findall(r"^  `([^`]+)` (.*?),?$", body, re.M)
        tables[name] = dict(columns)
    return tables


def export(weir, path, folder, name, query=None):
    """Writes `name`.sql, whose results go to the folder of that name; returns its text."""
    chosen = ["--query", query] if query else []
    done = call(weir, "export", "flink", path, "--path", folder / name, *chosen)
    if done.returncode != 0:
        raise SystemExit(f"{path} is not exported: {done.stderr}")
    (folder / f"{name}.sql").write_text(done.stdout, encoding="utf-8")
    return done.stdout


def judge(pair, output, weir_rows, kinds, flink_said, script_error):
    said = flink_said.get(f"{pair.query}__out", {})
    if "refused" in said:
        return pair.settle("refused by Flink", said["refused"])
    if script_error:
        return pair.settle("failed in Flink", script_error)
    theirs = [comparison.plain(kind) for kind in said.get("types", [])]
    ours = [comparison.plain(kind) for kind in kinds.values()]
    notes = []
    if theirs != ours:
        notes.append(f"types: weir {ours}, Flink {theirs}")
    flink_rows = flink_kit.rows(output / pair.query)
    notes += comparison.differences(weir_rows, flink_rows, kinds)
    if not notes and not weir_rows:
        return pair.settle("same, no rows")
    return pair.settle("different" if notes else "same", *notes)


def decided(pair):
    """The reason why a difference is as it should be, or None."""
    for entry in json.loads((HERE / "differences.json").read_text()):
        if re.search(entry["sql"], pair.sql) and pair.batch.family in entry.get("families", [pair.batch.family]):
            return entry["reason"]
    return None


def report(pairs):
    """Prints what differs and the counts by feature; returns how many differences are not decided on."""
    open_count = 0
    counts = collections.defaultdict(collections.Counter)
    for pair in pairs:
        verdict = pair.verdict
        if verdict in ("different", "failed in Flink", "refused by Flink", "refused by weir", "failed in weir"):
            reason = decided(pair)
            if reason:
                verdict = "decided"
            else:
                open_count += verdict in ("different", "failed in weir")
                print(f"\n{pair.verdict}: {pair.batch.name} {pair.query} ({pair.folder})\n  {pair.sql}")
                for note in pair.notes[:8]:
                    print(f"    {note[:400]}")
        counts[pair.batch.family][verdict] += 1
    kinds = sorted({kind for counter in counts.values() for kind in counter})
    print("\n" + f"{'feature':28}" + "".join(f"{kind:>18}" for kind in kinds))
    for family, counter in counts.items():
        print(f"{family:28}" + "".join(f"{counter[kind] or '':>18}" for kind in kinds))
    total = collections.Counter()
    for counter in counts.values():
        total.update(counter)
    print(f"{'all':28}" + "".join(f"{total[kind] or '':>18}" for kind in kinds))
    return open_count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--family", action="append", choices=sorted(generator.FAMILIES))
    parser.add_argument("--share", type=float, default=1.0, help="of the full run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="leave all files in this folder")
    options = parser.parse_args()
    work = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="weir-differential-")).absolute()
    work.mkdir(parents=True, exist_ok=True)
    pairs, scripts, results = [], {}, {}
    for batch in generator.batches(options.family or generator.FAMILIES, options.share, options.seed):
        folder = work / batch.name
        shutil.rmtree(folder, ignore_errors=True)
        path = batch.write(folder)
        every = dict(batch.queries)
        refused = refused_by_weir(options.weir, batch, folder, path)
        for query in every:
            if query in refused:
                pair = Pair.__new__(Pair)
                pair.batch, pair.query, pair.folder, pair.sql = batch, query, folder, every[query]
                pair.settle("refused by weir", refused[query])
            else:
                pair = Pair(batch, query, folder)
            pairs.append(pair)
        if not batch.queries:
            continue
        done = call(options.weir, "replay", path, "--quiet", "--output", folder / "weir")
        if done.returncode != 0:
            for pair in pairs:
                if pair.folder == folder and pair.verdict is None:
                    pair.settle("failed in weir", done.stderr.strip())
            continue
        text = export(options.weir, path, folder, "flink")
        scripts[str(folder / "flink.sql")] = folder
        results[folder] = sink_types(text)
    said = flink_kit.run(list(scripts), work) if scripts else {}
    by_folder = {folder: said[script] for script, folder in scripts.items()}
    # Where one query of a script fails, each is run alone.
    alone = {}
    for pair in pairs:
        if pair.verdict is None and "error" in by_folder[pair.folder]:
            export(options.weir, pair.folder / "weir.toml", pair.folder, f"flink_{pair.query}", pair.query)
            alone[pair] = str(pair.folder / f"flink_{pair.query}.sql")
    said_alone = flink_kit.run(list(alone.values()), work) if alone else {}
    for pair in pairs:
        if pair.verdict is None:
            file = pair.folder / "weir" / f"{pair.query}.ndjson"
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            entry, output = by_folder[pair.folder], pair.folder / "flink"
            if pair in alone:
                entry, output = said_alone[alone[pair]], pair.folder / f"flink_{pair.query}"
            kinds = results[pair.folder][pair.query]
            judge(pair, output, rows, kinds, entry["inserts"], entry.get("error"))
    open_count = report(pairs)
    if not options.keep:
        shutil.rmtree(work)
    print(f"\n{len(pairs)} pairs, {open_count} differences that are not decided on")
    sys.exit(1 if open_count else 0)


if __name__ == "__main__":
    main()
