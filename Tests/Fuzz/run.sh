#!/bin/bash
# run.sh [SECONDS]: builds WeirCore and WeirSQL with coverage and lets libFuzzer loose on them (default
# 900 s). What they import of packages is taken as the package manager builds it. Starts from the queries
# of the SQL cases and of the wrong queries. Ends with the input that crashed, or that took more than a
# second, in .build/fuzz; its exit code then is not 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-900}
out=.build/fuzz
mkdir -p "$out/corpus" "$out/seeds"
swift build --target Crypto
built=$(swift build --show-bin-path)
crypto=.build/checkouts/swift-crypto/Sources
flags=(-swift-version 6 -package-name weir -O -wmo -parse-as-library -sanitize=fuzzer
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility -I "$out"
    -I "$built/Modules" -I Sources/CPCRE2 -I "$crypto/CCryptoBoringSSL/include"
    -I "$crypto/CCryptoBoringSSLShims/include")
mapfile -t libraries < <(find \
    "$built"/{Crypto,CryptoBoringWrapper,CCryptoBoringSSL,CCryptoBoringSSLShims,CXKCP,CXKCPShims}.build \
    -name '*.o')

module() {
    mapfile -t files < <(find "Sources/$1" -name '*.swift' | sort)
    swiftc "${flags[@]}" -module-name "$1" -emit-module -emit-module-path "$out/$1.swiftmodule" \
        -c -o "$out/$1.o" "${files[@]}"
}
module WeirCore
module WeirSQL
swiftc "${flags[@]}" -static-stdlib Tests/Fuzz/FuzzSQL.swift "$out/WeirCore.o" "$out/WeirSQL.o" \
    "${libraries[@]}" -lstdc++ \
    -o "$out/fuzz_sql"
python3 Tests/Fuzz/seeds.py "$out/seeds"
exec "$out/fuzz_sql" -max_total_time="$seconds" -timeout=1 -rss_limit_mb=2048 -max_len=4096 \
    -dict=Tests/Fuzz/sql.dict -artifact_prefix="$out/" -print_final_stats=1 \
    "$out/corpus" "$out/seeds"
