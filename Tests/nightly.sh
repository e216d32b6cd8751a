#!/usr/bin/env bash
# What takes too long for every change: the long crash run, and the differential test with the seed of the
# day, so that each night sees other queries and other input. Needs a JDK 17 beside what `make test` needs.
set -euo pipefail
cd "$(dirname "$0")/.."
make build
make crash-full
python3 Tests/Differential/flink.py --weir .build/release/weir --seed "${1:-$(date +%Y%m%d)}"
