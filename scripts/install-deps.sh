#!/bin/sh
# Installs what is missing to build and run (`run`), and to test (`check`). Distribution packages of Debian 12 only.
set -eu

RUN="build-essential cmake ninja-build pkg-config git libssl-dev librocksdb-dev libroaring-dev libmicrohttpd-dev
     libgnutls28-dev libcurl4-openssl-dev libisal-dev libzip-dev zlib1g-dev libp11-kit-dev python3 python3-sklearn python3-pandas python3-numpy openssh-client"
CHECK="libcmocka-dev libjansson-dev clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev mandoc python3-pytest
       mypy chromium python3-venv python3-cryptography openssl valgrind softhsm2 opensc"

case "${1:-run}" in
run) wanted=$RUN ;;
check) wanted="$RUN $CHECK" ;;
*)
    echo "usage: $0 [run|check]" >&2
    exit 2
    ;;
esac

if [ "${NO_INSTALL:-}" = 1 ]; then
    exit 0
fi
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This system is not Debian, so nothing is installed here. mltrail is built and tested on Debian 12 and needs" >&2
    echo "what these packages hold:" >&2
    echo "$wanted" | tr -s ' \n' ' ' | fold -s -w 100 >&2
    echo >&2
    echo "Install them and run this again with NO_INSTALL=1." >&2
    exit 3
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Missing:$missing" >&2
        echo "Neither root nor sudo: install them as root, then run this again." >&2
        exit 3
    fi
    root=sudo
fi
echo "installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get failed; the packages above are those of Debian 12." >&2
    exit 3
fi
