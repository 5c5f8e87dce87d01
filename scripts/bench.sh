#!/bin/bash
# How fast: a server on a fresh trail, load over loopback, everything synced before it is acknowledged.
#   scripts/bench.sh [RECORDS]      default 1,000,000; BENCH=full: 10,000,000. BENCH_DIR: where the trail goes.
set -eu
cd "$(dirname "$0")/.."
records=${1:-1000000}
[ "${BENCH:-}" != full ] || records=10000000
cmake -S . -B build -G Ninja -DMLT_TESTS=OFF -DMLT_BENCH=ON --log-level=WARNING >/dev/null
ninja -C build -j "${JOBS:-2}" --quiet
build/bench/bench_verify "${BENCH_DIR:-/tmp}" 300000
build/bench/bench_spool "${BENCH_DIR:-/tmp}"
/usr/bin/python3 bench/spool_python.py --dir "${BENCH_DIR:-/tmp}"
if /usr/bin/python3 -c 'import pandas, pyarrow' 2>/dev/null; then
  /usr/bin/python3 bench/dataset_hash.py
else
  echo "bench/dataset_hash.py is skipped: it needs pandas and pyarrow"
fi
exec /usr/bin/python3 scripts/bench.py "$records"
