#!/usr/bin/env bash
# Times `weir replay` with durable state on the workloads, and checks their results.
#   Benchmarks/run.sh [WEIR] [w1 w2 w3 w4]
# For each workload: CPU seconds (user + system) and elapsed seconds of the whole process and its
# peak memory, as medians of RUNS (5) runs. Data is made once, into DATA (.build/bench; 1.2 GB).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=$(realpath "${1:-$here/../.build/release/weir}")
shift $(($# > 0 ? 1 : 0))
workloads=("$@")
[ ${#workloads[@]} -gt 0 ] || workloads=(w1 w2 w3 w4)
runs=${RUNS:-5}
data=${DATA:-$here/../.build/bench}
mkdir -p "$data"
cd "$data"

[ -x /usr/bin/time ] || { echo "GNU time is missing: apt-get install time" >&2; exit 69; }
if ! cmp -s "$here/requirements.txt" venv/.installed; then
  rm -rf venv
  python3 -m venv venv
  venv/bin/pip install -q --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" venv/.installed
fi

# generate NAME: makes NAME.ndjson unless this generator has made it already.
generate() {
  cmp -s "$here/generate_$1.py" "$1.generator" && return
  echo "generating $1.ndjson" >&2
  venv/bin/python "$here/generate_$1.py" > "$1.ndjson"
  cp "$here/generate_$1.py" "$1.generator"
}

# median: the middle one of the numbers on standard input.
median() { sort -g | sed -n "$(((runs + 1) / 2))p"; }

printf '%-4s %12s %14s %14s %8s\n' "" "CPU seconds" "elapsed s" "peak memory" "rows"
for workload in "${workloads[@]}"; do
  case $workload in w1 | w2) generate w1 ;; *) generate "$workload" ;; esac
  : > times
  for _ in $(seq "$runs"); do
    rm -rf state
    /usr/bin/time -a -o times -f '%U %S %e %M' \
      "$weir" replay "$here/$workload.toml" --quiet --state-dir state --output - \
      > "$workload.result" 2> errors || { cat errors >&2; exit 1; }
  done
  printf '%-4s %12s %14s %11s MB %8s\n' "$workload" \
    "$(awk '{ print $1 + $2 }' times | median)" "$(awk '{ print $3 }' times | median)" \
    "$(awk '{ print int($4 / 1024) }' times | median)" "$(wc -l < "$workload.result")"
  venv/bin/python "$here/verify.py" "$workload" "$workload.result" >&2
done
rm -rf state
