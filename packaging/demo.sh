#!/usr/bin/env bash
# The main job in half a minute: a private mosquitto, two bundled feeds, three queries, one lake folder.
# Everything is written below .build/demo, all servers listen on free loopback ports and are stopped by
# their process ids.
#   demo.sh PATH-TO-WEIR
set -euo pipefail
weir=$(realpath "$1")
cd "$(dirname "$0")/.."
export DEMO_DIR=$PWD/.build/demo
rm -rf "$DEMO_DIR"
mkdir -p "$DEMO_DIR/broker" "$DEMO_DIR/lake"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
DEMO_MQTT_PORT=$(free_port)
DEMO_HTTP_PORT=$(free_port)
export DEMO_MQTT_PORT DEMO_HTTP_PORT

pids=()
stop_all() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; }
trap stop_all EXIT

await() { # await SECONDS WHAT COMMAND...
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $deadline ]; then
      echo "demo: $what did not happen; see $DEMO_DIR/*.log" >&2
      tail -5 "$DEMO_DIR"/*.log >&2
      exit 1
    fi
    sleep 0.1
  done
}

cat >"$DEMO_DIR/broker/mosquitto.conf" <<CONF
listener $DEMO_MQTT_PORT 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
CONF
"$(command -v mosquitto || echo /usr/sbin/mosquitto)" -c "$DEMO_DIR/broker/mosquitto.conf" >"$DEMO_DIR/mosquitto.log" 2>&1 &
pids+=($!)
publish() { mosquitto_pub -h 127.0.0.1 -p "$DEMO_MQTT_PORT" -q 1 "$@"; }
await 10 "the broker's start" publish -t demo/hello -m hello
echo "1. mosquitto listens on 127.0.0.1:$DEMO_MQTT_PORT"

"$weir" run configs/demo/demo.toml >"$DEMO_DIR/weir.log" 2>&1 &
weir_pid=$!
pids+=("$weir_pid")
await 10 "weir's readiness" curl -sf "http://127.0.0.1:$DEMO_HTTP_PORT/readyz"
echo "2. weir runs configs/demo/demo.toml; http://127.0.0.1:$DEMO_HTTP_PORT/v1/status"

publish -t plant/line-1/telemetry -l <configs/demo/line-1.ndjson
publish -t feeds/posts -l <configs/demo/posts.ndjson
echo "3. published $(wc -l <configs/demo/line-1.ndjson) readings of line 1 and $(wc -l <configs/demo/posts.ndjson) posts"
kill -9 "$weir_pid"
wait "$weir_pid" 2>/dev/null || true
publish -t plant/line-2/telemetry -l <configs/demo/line-2.ndjson
echo "4. killed weir with kill -9, and published $(wc -l <configs/demo/line-2.ndjson) readings of line 2 while it was away"
"$weir" run configs/demo/demo.toml >>"$DEMO_DIR/weir.log" 2>&1 &
weir_pid=$!
pids+=("$weir_pid")
await 10 "weir's readiness" curl -sf "http://127.0.0.1:$DEMO_HTTP_PORT/readyz"
echo "5. started weir again: it goes on from its last commit"

expected=$(cat configs/demo/*.ndjson | wc -l)
settled() {
  local status
  status=$("$weir" status configs/demo/demo.toml --json) || return 1
  python3 - "$expected" "$status" <<'PY'
import json, sys
status = json.loads(sys.argv[2])
received = sum(source["rows"]["received"] for source in status["sources"])
pending = sum(stream["pending"] for sink in status["sinks"] for stream in sink["streams"])
sys.exit(0 if received >= int(sys.argv[1]) and pending == 0 else 1)
PY
}
await 30 "the end of the upload" settled
"$weir" status configs/demo/demo.toml
kill "$weir_pid"
wait "$weir_pid" || true

echo
echo "Objects in the lake ($DEMO_DIR/lake):"
(cd "$DEMO_DIR/lake" && find . -type f -printf '  %P  %s bytes\n' | sort)
python3 packaging/demo_table.py "$DEMO_DIR/lake" "$expected"
