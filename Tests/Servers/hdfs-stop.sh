#!/usr/bin/env bash
# Stops what hdfs-start.sh started, or some of it; with -9 as a crash would.
#   hdfs-stop.sh DATA [-9] [nn1|nn2|dn ...]
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: hdfs-stop.sh DATA [-9] [DAEMON...]" >&2; exit 2; }
DATA=$(cd "$1" && pwd)
shift
. "$(dirname "$0")/server-lib.sh"
signal=TERM
if [ "${1:-}" = -9 ]; then signal=KILL; shift; fi
[ $# -gt 0 ] || set -- dn nn2 nn1
end $signal "$@"
