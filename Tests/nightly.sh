#!/usr/bin/env bash
# What takes too long for every change: the long crash runs, also of Delta tables, Delta's other readers, the differential test and
# the fuzz of Parquet footers with the seed of the day, so that each night sees other queries and other input.
# Needs a JDK 17 beside what `make test` needs. FLINK_PARQUET_JARS, a pattern, says where the jars are that
# Flink wants for Parquet (see Tests/Parquet/flink_reader.py); without it Flink does not read the files.
set -euo pipefail
cd "$(dirname "$0")/.."
make build
make crash-full
for store in file s3 hdfs; do
  .build/venv/bin/python Tests/Delta/exactly_once.py --weir .build/release/weir --store "$store" --kills 200 --messages 200000
done
.build/venv/bin/python Tests/Delta/exactly_once.py --weir .build/release/weir --store s3 --agents 4 --kills 200 --messages 200000
.build/venv/bin/python Tests/Delta/commit_cost.py --weir .build/release/weir
python3 -m venv .build/delta-readers
.build/delta-readers/bin/pip install -q -r Tests/Delta/requirements.txt
.build/delta-readers/bin/python Tests/Delta/readers.py --weir .build/release/weir --s3 --seed "${1:-$(date +%Y%m%d)}"
.build/delta-readers/bin/python Tests/Parquet/java_reader.py --weir .build/release/weir --seed "${1:-$(date +%Y%m%d)}"
[ -z "${FLINK_PARQUET_JARS:-}" ] || .build/delta-readers/bin/python Tests/Parquet/flink_reader.py \
  --weir .build/release/weir --jars "$FLINK_PARQUET_JARS" --seed "${1:-$(date +%Y%m%d)}"
python3 Tests/Differential/flink.py --weir .build/release/weir --seed "${1:-$(date +%Y%m%d)}"
.build/venv/bin/python Tests/Parquet/footers.py --weir .build/release/weir --seed "${1:-$(date +%Y%m%d)}"
