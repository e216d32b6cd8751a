#!/usr/bin/env bash
# Starts a second kind of real S3 server on 127.0.0.1: OpenStack Swift with its s3api, one proxy above one
# account, container and object server. It is strict where Ceph's gateway is lenient (region, checksums),
# and its `If-None-Match: *` is known but not atomic. Every start is new and empty. The first one fetches
# Swift from PyPI into VENV.
#   swift-start.sh DATA
# Settings, from the environment:
#   VENV=…          where Swift is installed, kept between starts
#   PORT=18180      http; PORT+1 … PORT+3 are used inside
#   ACCESS_KEY=weir:test  SECRET_KEY=weirtestsecret0123456789abcdef  BUCKET=weir
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: swift-start.sh DATA" >&2; exit 2; }
mkdir -p "$1"
DATA=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
. "$here/server-lib.sh"
PORT=${PORT:-18180} BUCKET=${BUCKET:-weir} VENV=${VENV:-$here/../../.build/venv-swift}
ACCESS_KEY=${ACCESS_KEY:-weir:test} SECRET_KEY=${SECRET_KEY:-weirtestsecret0123456789abcdef}
wanted="swift==2.38.3 pyeclib==1.8.0 eventlet==0.41.3 PasteDeploy==3.1.0"
install_packages python3-venv
if [ "$(cat "$VENV/.installed" 2>/dev/null)" != "$wanted" ]; then
  say "installing $wanted into $VENV"
  rm -rf "$VENV"
  python3 -m venv "$VENV"
  # shellcheck disable=SC2086
  "$VENV/bin/pip" install -q --disable-pip-version-check $wanted
  echo "$wanted" >"$VENV/.installed"
fi
runs proxy && die "runs already in $DATA"
end TERM proxy object container account
trap '[ $? -eq 0 ] || end TERM proxy object container account' EXIT
# Only what an earlier start put there.
rm -rf "$DATA/devices" "$DATA"/*.log "$DATA"/*.ring.gz
mkdir -p "$DATA/devices/d1"

cat >"$DATA/swift.conf" <<CONF
[swift-hash]
swift_hash_path_suffix = weir-tests
[storage-policy:0]
name = single
default = yes
CONF

# server_conf PORT: what all four have in common
server_conf() {
  cat <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $1
user = $(id -un)
workers = 0
swift_dir = $DATA
devices = $DATA/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
log_udp_host = 127.0.0.1
log_level = WARNING
CONF
}

port=$PORT
for kind in account container object; do
  port=$((port + 1))
  {
    server_conf $port
    printf '[pipeline:main]\npipeline = %s-server\n[app:%s-server]\nuse = egg:swift#%s\n' $kind $kind $kind
  } >"$DATA/$kind.conf"
done
{
  server_conf "$PORT"
  cat <<CONF
[pipeline:main]
pipeline = catch_errors bulk s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
storage_domain = localhost
[filter:tempauth]
use = egg:swift#tempauth
user_${ACCESS_KEY/:/_} = $SECRET_KEY .admin
CONF
  for filter in catch_errors bulk slo dlo; do
    printf '[filter:%s]\nuse = egg:swift#%s\n' $filter $filter
  done
} >"$DATA/proxy.conf"

# Rings say which server keeps what: here each has one device and one copy.
"$VENV/bin/python" - "$DATA" "$PORT" <<'PYTHON'
import sys

from swift.common.ring import RingBuilder

folder, port = sys.argv[1], int(sys.argv[2])
for offset, kind in enumerate(("account", "container", "object"), 1):
    address = {"ip": "127.0.0.1", "port": port + offset}
    ring = RingBuilder(part_power=2, replicas=1, min_part_hours=0)
    ring.add_dev({
        "id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "d1", "meta": "",
        **address, **{"replication_" + key: value for key, value in address.items()}})
    ring.rebalance()
    ring.get_ring().save(f"{folder}/{kind}.ring.gz")
PYTHON

for kind in account container object proxy; do
  launch $kind "$VENV/bin/swift-$kind-server" "$DATA/$kind.conf" -v
done
await 60 account accepts $((PORT + 1))
await 60 container accepts $((PORT + 2))
await 60 object accepts $((PORT + 3))
await 60 proxy answers "http://127.0.0.1:$PORT/"
S3_ACCESS_KEY=$ACCESS_KEY S3_SECRET_KEY=$SECRET_KEY \
  python3 "$here/s3_make_bucket.py" "http://127.0.0.1:$PORT" "$BUCKET"
say "http://127.0.0.1:$PORT bucket $BUCKET key $ACCESS_KEY"
