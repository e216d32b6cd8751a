#!/usr/bin/env python3
"""Footers of weir's Parquet files: every field is held against the rows; then they are changed, and weir and pyarrow
read the file: weir reads or refuses it in a sentence, in bounded time and memory, and where both read it they agree.

    .build/venv/bin/python Tests/Parquet/footers.py --weir .build/release/weir [--files 40] [--mutations 2000] [--seed S]

Bytes are changed, put in and taken out, the footer's length is made another, file or footer are cut off, and
fields of its structures are changed, doubled, dropped, exchanged. A file that shows a fault is kept.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "Integration"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    options = parser.parse_args()
    os.environ["WEIR_BIN"] = os.path.abspath(options.weir)
    from footer_kit import Pyarrow, complaint, require_footer
    from parquet_kit import run_cases
    from thrift_kit import mutated

    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="weir-footers-"))
    failures, rows, sources = 0, 0, []
    for first in range(options.seed, options.seed + options.files, 10):
        rng = random.Random(first)
        seeds = range(first, min(first + 10, options.seed + options.files))
        part = folder / str(first)
        part.mkdir()
        found = run_cases(
            part, seeds, rng.choice(["none", "snappy", "gzip", "zstd"]), rng.choice(["delta", "plain"]),
            rows_max=rng.choice([400, 3000]))
        for name, (_, path) in found.items():
            try:
                rows += require_footer(path)
            except Exception as error:
                failures += 1
                print(f"{name}: {type(error).__name__}: {str(error)[:600]} {path}", flush=True)
            sources.append(path)
    print(f"{options.files} files of {rows} rows are as their footers say, but {failures}", flush=True)
    pyarrow, tally = Pyarrow(), {}
    for number in range(options.mutations):
        rng = random.Random(f"{options.seed}-{number}")
        path = folder / f"mutant-{number}.parquet"
        path.write_bytes(mutated(rng, Path(rng.choice(sources)).read_bytes()))
        if wrong := complaint(str(path), pyarrow, tally):
            failures += 1
            print(f"mutation {number}: {wrong[:600]} {path}", flush=True)
        else:
            path.unlink()
    pyarrow.stop()
    print(f"{options.mutations} changed footers, {failures} faults, {pyarrow.deaths} deaths of pyarrow; {tally}", flush=True)
    if not failures:
        shutil.rmtree(folder)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
