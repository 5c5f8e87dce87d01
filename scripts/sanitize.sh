#!/bin/sh
# Builds with the sanitizers named (address,undefined or thread) and runs the unit tests under them.
# Further arguments go to ctest, e.g. -R 'trail|index'.
set -eu
cd "$(dirname "$0")/.."
sanitizers=$1
shift
build=build-$(echo "$sanitizers" | tr , -)
# RocksDB is not instrumented: what the thread sanitizer says about its insides is no finding about us.
TSAN_OPTIONS="suppressions=$PWD/scripts/tsan.supp ${TSAN_OPTIONS:-}"
export TSAN_OPTIONS
cmake -S . -B "$build" -G Ninja -DMLT_BENCH=OFF -DMLT_TESTS=ON -DMLT_SANITIZE="$sanitizers" --log-level=WARNING >/dev/null
# Of some tests only, no more is built than they need; those that are no program of their own need the whole.
programs=$(ctest --test-dir "$build" -N "$@" | awk '$1 == "Test" {print $3}')
case " $* " in
*" -R "*) for program in $programs; do ninja -C "$build" -t query "$program" >/dev/null 2>&1 || programs=all; done ;;
*) programs=all ;;
esac
# shellcheck disable=SC2086 # a word each
ninja -C "$build" -j "${JOBS:-2}" --quiet $programs
ctest --test-dir "$build" --verbose -j "${JOBS:-2}" "$@"
