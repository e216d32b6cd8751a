#!/usr/bin/env bash
# Stops what s3-start.sh started in DATA.   s3-stop.sh DATA
# For outages without losing the objects, `kill -STOP` and `kill -CONT` the process in DATA/rgw.pid.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: s3-stop.sh DATA" >&2; exit 2; }
DATA=$(cd "$1" && pwd)
. "$(dirname "$0")/server-lib.sh"
end TERM rgw osd mon
