#!/bin/sh
# Runs every fuzz target in turn, SECONDS_EACH (default 60) each, on a copy of its corpus that grows.
# The tests are configured, not built: some targets link their library.
set -eu
cd "$(dirname "$0")/.."
cmake -S . -B build-fuzz -G Ninja -DMLT_FUZZ=ON -DMLT_TESTS=ON -DMLT_BENCH=OFF -DCMAKE_C_COMPILER=clang-14 \
    -DMLT_SANITIZE=address,undefined --log-level=WARNING >/dev/null
targets=$(ls fuzz/fuzz_*.c | sed 's|.*/||; s|\.c$||')
ninja -C build-fuzz -j "${JOBS:-2}" --quiet $targets
failed=0
for target in $targets; do
    parser=${target#fuzz_}
    found=build-fuzz/found/$parser
    mkdir -p "$found"
    if build-fuzz/fuzz/"$target" -max_total_time="${SECONDS_EACH:-60}" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$found/" "$found" "fuzz/corpus/$parser" >"build-fuzz/$target.log" 2>&1; then
        printf '%-28s %s\n' "$target" "$(grep -o 'Done [0-9]* runs.*' "build-fuzz/$target.log" | tail -1)"
    else
        printf '%-28s FAILED, see build-fuzz/%s.log\n' "$target" "$target"
        failed=1
    fi
done
exit $failed
