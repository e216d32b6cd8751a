#!/usr/bin/env bash
# Starts a real S3 gateway (Ceph RADOS Gateway 16: one monitor, one OSD that keeps objects in memory) on
# 127.0.0.1 and makes a user and a bucket. It verifies signatures and body hashes, and its
# `If-None-Match: *` is atomic. Every start is a new, empty cluster. The first start installs packages.
#   s3-start.sh DATA
# Settings, from the environment:
#   PORT=18080   http; PORT+1 … PORT+60 are used inside
#   TLS_PORT=    https too, authority in DATA/ca.pem; by IP address, or https://BUCKET.s3.localhost:TLS_PORT
#   ACCESS_KEY=weirtestkey  SECRET_KEY=weirtestsecret0123456789abcdef  BUCKET=weir
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: s3-start.sh DATA" >&2; exit 2; }
mkdir -p "$1"
DATA=$(cd "$1" && pwd)
. "$(dirname "$0")/server-lib.sh"
PORT=${PORT:-18080} TLS_PORT=${TLS_PORT:-} BUCKET=${BUCKET:-weir}
ACCESS_KEY=${ACCESS_KEY:-weirtestkey} SECRET_KEY=${SECRET_KEY:-weirtestsecret0123456789abcdef}
install_packages ceph-mon ceph-osd radosgw python3 openssl
runs rgw && die "runs already in $DATA"
end TERM rgw osd mon
trap '[ $? -eq 0 ] || end TERM rgw osd mon' EXIT
# Only what an earlier start put there.
rm -rf "$DATA/mon" "$DATA/osd" "$DATA/run" "$DATA"/*.log
mkdir -p "$DATA/mon" "$DATA/osd" "$DATA/run"
export CEPH_CONF=$DATA/ceph.conf

frontend="beast endpoint=127.0.0.1:$PORT"
if [ -n "$TLS_PORT" ]; then
  (
    cd "$DATA"
    key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    openssl req -x509 "${key[@]}" -days 30 -subj /CN=weir-test-ca -keyout ca.key -out ca.pem
    openssl req "${key[@]}" -subj /CN=localhost -keyout tls.key -out tls.csr
    echo 'subjectAltName=DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost,IP:127.0.0.1' >tls.ext
    openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile tls.ext -out tls.pem
  ) >"$DATA/openssl.log" 2>&1 || { cat "$DATA/openssl.log" >&2; die "no certificate"; }
  frontend="$frontend ssl_endpoint=127.0.0.1:$TLS_PORT ssl_certificate=$DATA/tls.pem ssl_private_key=$DATA/tls.key"
fi
cluster=$(cat /proc/sys/kernel/random/uuid)
cat >"$CEPH_CONF" <<CONF
[global]
fsid = $cluster
mon host = [v2:127.0.0.1:$((PORT + 1)),v1:127.0.0.1:$((PORT + 2))]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind port min = $((PORT + 10))
ms bind port max = $((PORT + 60))
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
run dir = $DATA/run
admin socket = $DATA/run/\$name.asok
pid file =
log file = $DATA/\$type.\$id.ceph.log
log to stderr = false
err to stderr = true
debug default = 0
keyring = /dev/null
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data = $DATA/mon
mon data avail crit = 0
mon osd min up ratio = 0
mon max pg per osd = 1000
paxos propose interval = 0.01
paxos min wait = 0.001
mon tick interval = 1
objecter tick interval = 0.2
mon client hunt interval = 0.3
[osd]
osd data = $DATA/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd class load list = *
osd class default list = *
osd max object name len = 2048
osd heartbeat grace = 3600
[client.rgw]
rgw frontends = $frontend
rgw dns name = s3.localhost
rgw enable usage log = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable quota threads = false
rgw run sync thread = false
rgw dynamic resharding = false
rgw override bucket index max shards = 1
rgw thread pool size = 32
rgw num control oids = 1
admin socket =
CONF
monmaptool --create --fsid "$cluster" --addv a "[v2:127.0.0.1:$((PORT + 1)),v1:127.0.0.1:$((PORT + 2))]" \
  --clobber "$DATA/monmap" >"$DATA/setup.log" 2>&1
ceph-mon -c "$CEPH_CONF" --mkfs -i a --monmap "$DATA/monmap" >>"$DATA/setup.log" 2>&1
launch mon ceph-mon -c "$CEPH_CONF" -f -i a
disk=$(cat /proc/sys/kernel/random/uuid)
timeout 60 ceph -c "$CEPH_CONF" osd new "$disk" >>"$DATA/setup.log" 2>&1
ceph-osd -c "$CEPH_CONF" -i 0 --mkfs --osd-uuid "$disk" >>"$DATA/setup.log" 2>&1
launch osd ceph-osd -c "$CEPH_CONF" -f -i 0
launch rgw radosgw -c "$CEPH_CONF" -f -n client.rgw
await 120 rgw answers "http://127.0.0.1:$PORT/"
timeout 60 radosgw-admin -c "$CEPH_CONF" -n client.rgw user create --uid=weir --display-name=weir \
  --access-key="$ACCESS_KEY" --secret-key="$SECRET_KEY" >"$DATA/user.json" 2>>"$DATA/setup.log"
S3_ACCESS_KEY=$ACCESS_KEY S3_SECRET_KEY=$SECRET_KEY \
  python3 "$(dirname "$0")/s3_make_bucket.py" "http://127.0.0.1:$PORT" "$BUCKET"
say "http://127.0.0.1:$PORT bucket $BUCKET key $ACCESS_KEY"
