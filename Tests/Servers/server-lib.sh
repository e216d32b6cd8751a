# Sourced by the scripts of this folder that start and stop real servers for tests. Debian 12; installs
# from apt and PyPI what is missing. Each server listens on 127.0.0.1 only, keeps all it writes in one
# data folder, and is stopped by the process ids it wrote there.
export DEBIAN_FRONTEND=noninteractive

say() { echo "$(basename "$0" .sh): $*" >&2; }
die() { say "$*"; exit 1; }

update_package_lists() {
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  "${sudo[@]}" apt-get update -q >/dev/null
}

# install_packages NAME... : only what is missing; the packages' own daemons are not started
install_packages() {
  local missing=() name sudo=()
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  say "apt-get install ${missing[*]}"
  local denied=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee /usr/sbin/policy-rc.d >/dev/null
    "${sudo[@]}" chmod +x /usr/sbin/policy-rc.d
    denied=1
  fi
  local status=0
  "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
    { update_package_lists &&
      "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null; } || status=$?
  [ -z "$denied" ] || "${sudo[@]}" rm -f /usr/sbin/policy-rc.d
  return $status
}

# A process is named by its id and its start time, so that a reused id is never signalled.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }

# launch NAME COMMAND... : in the background, output to $DATA/NAME.log
launch() {
  local name=$1
  shift
  setsid "$@" >>"$DATA/$name.log" 2>&1 </dev/null &
  echo "$! $(started_at $!)" >"$DATA/$name.pid"
}

runs() {
  local id start
  [ -f "$DATA/$1.pid" ] && read -r id start <"$DATA/$1.pid" && [ -n "$start" ] && [ "$(started_at "$id")" = "$start" ]
}

# await SECONDS NAME COMMAND... : until the command succeeds; fails when the server ends before that
await() {
  local deadline=$((SECONDS + $1)) name=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    runs "$name" || { tail -20 "$DATA/$name.log" >&2; die "$name ended"; }
    [ $SECONDS -lt $deadline ] || { tail -5 "$DATA/$name.log" >&2; die "$name is not ready"; }
    sleep 0.1
  done
}

answers() { python3 -c '
import sys, urllib.request, urllib.error
try: urllib.request.urlopen(sys.argv[1], timeout=5)
except urllib.error.HTTPError: pass' "$1"; }

accepts() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

# end SIGNAL NAME... : TERM ends in at most 10 s, by KILL if it must
end() {
  local signal=$1 name id start
  shift
  for name in "$@"; do
    runs "$name" || continue
    read -r id start <"$DATA/$name.pid"
    kill "-$signal" "$id"
  done
  for name in "$@"; do
    for _ in $(seq 100); do runs "$name" || break; sleep 0.1; done
    if runs "$name"; then read -r id start <"$DATA/$name.pid"; kill -KILL "$id"; fi
    rm -f "$DATA/$name.pid"
  done
}
