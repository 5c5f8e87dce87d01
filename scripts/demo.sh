#!/bin/sh
# The demo, from a plain checkout: the same as `make demo`.
cd "$(dirname "$0")/.." && exec make --no-print-directory demo "$@"
