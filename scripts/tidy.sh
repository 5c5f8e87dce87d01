#!/bin/sh
# clang-tidy over src, or over the files given. Bounded: TIDY_SECONDS (default: no bound) ends it, and says so.
set -eu
cd "$(dirname "$0")/.."
cmake -S . -B build-tidy -G Ninja -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DCMAKE_C_COMPILER=clang-14 -DMLT_BENCH=OFF \
    --log-level=WARNING >/dev/null
[ $# -gt 0 ] || set -- src/*/*.c
status=0
printf '%s\n' "$@" | timeout "${TIDY_SECONDS:-0}" xargs -P "${JOBS:-2}" -n 4 clang-tidy-14 -p build-tidy --quiet 2>/dev/null || status=$?
if [ "$status" = 124 ]; then
    echo "clang-tidy: stopped after $TIDY_SECONDS s; 'make tidy' runs it to the end" >&2
fi
exit "$status"
