#!/usr/bin/env bash
# Stops what swift-start.sh started in DATA.   swift-stop.sh DATA
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: swift-stop.sh DATA" >&2; exit 2; }
DATA=$(cd "$1" && pwd)
. "$(dirname "$0")/server-lib.sh"
end TERM proxy object container account
