#!/usr/bin/env bash
# Installs what building, demonstrating and testing weir needs on Debian 12: C libraries and a broker
# from apt, and the test tools in a venv under .build. Does nothing where all is there already.
#   install-tools.sh build|demo|test
set -euo pipefail
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive

build_packages=(libmosquitto-dev librocksdb-dev libsimdjson-dev libtomlplusplus-dev
  libcurl4-openssl-dev libssl-dev libzstd-dev libsnappy-dev libpcre2-dev zlib1g-dev pkg-config)
demo_packages=(mosquitto mosquitto-clients curl)
test_packages=(python3-venv openssl systemd time influxdb)

missing=()
want=("${build_packages[@]}")
[ "${1:-build}" = build ] || want+=("${demo_packages[@]}")
[ "${1:-build}" != test ] || want+=("${test_packages[@]}")
for package in "${want[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=(); [ "$(id -u)" = 0 ] || sudo=(sudo)
  echo "installing ${missing[*]}" >&2
  # A machine on which policy-rc.d denies it does not start the packaged broker on port 1883; ours are
  # started by hand on free ports.
  denied=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee /usr/sbin/policy-rc.d >/dev/null
    "${sudo[@]}" chmod +x /usr/sbin/policy-rc.d
    denied=1
  fi
  "${sudo[@]}" apt-get update -q >/dev/null
  "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
  [ -z "$denied" ] || "${sudo[@]}" rm -f /usr/sbin/policy-rc.d
fi

if [ "${1:-build}" = test ]; then
  venv=.build/venv
  if ! cmp -s Tests/requirements.txt "$venv/.installed"; then
    echo "installing the test tools into $venv" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r Tests/requirements.txt
    cp Tests/requirements.txt "$venv/.installed"
  fi
fi
