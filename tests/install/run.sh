#!/bin/sh
# Installs the verifier into a prefix of its own and uses it from there, as others would: what it exports and imports,
# pkg-config, find_package, C++, shared and static, on a proof that holds and on some that do not.
#   run.sh SOURCE BUILD CC CXX
set -eu
component=verify open=libmlt_note.a
. "$(dirname "$0")/lib.sh"

# What it asks of the system: memory, text, OpenSSL's digests. It opens nothing, and it can neither sign nor decrypt.
imports=$(nm -D --undefined-only "$lib/libmltrail-verify.so" | awk '{print $NF}' | sed 's/@.*//' | sort -u)
for name in $imports; do
    case $name in
    open* | fopen* | creat* | read | pread* | fread | write | pwrite* | socket | connect | send* | recv* | getenv | \
        system | exec* | fork | EVP_DigestSign* | EVP_Encrypt* | EVP_Decrypt* | EVP_PKEY_new_raw_private*)
        fail "the verifier imports $name"
        ;;
    esac
done
echo "$imports" | grep -q '^EVP_DigestVerify$' || fail "the imports do not show"

# The vector, and the ways in which it is false.
vector=$source/tests/vectors/testdata-log-4-of-15.tlog-proof
printf five >"$work/entry"
printf six >"$work/other"
echo 'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx' >"$work/key"
echo 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k' >"$work/foreign"
head -n 4 "$vector" >"$work/cut"
expect() { # STATUS TEXT COMMAND...
    want=$1 text=$2 status=0
    shift 2
    "$@" >"$work/out" 2>&1 || status=$?
    [ "$status" = "$want" ] || fail "$*: exit status $status instead of $want: $(cat "$work/out")"
    grep -q "$text" "$work/out" || fail "$*: no \"$text\" in: $(cat "$work/out")"
}
use() { # PROGRAM
    expect 0 'true: entry 4 of 15 in example.com/log/testdata' "$1" "$vector" "$work/entry" "$work/key"
    expect 1 'false: .*do not lead to the root' "$1" "$vector" "$work/other" "$work/key"
    expect 1 'false: no accepted log key' "$1" "$vector" "$work/entry" "$work/foreign"
    expect 3 'could not be checked: proof has no empty line' "$1" "$work/cut" "$work/entry" "$work/key"
}

cd "$work"
example=$source/examples/verify/verify_proof.c
$cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$example" $(pkg-config --cflags --libs mltrail-verify) -o with-pkg-config
use ./with-pkg-config
# The archive by name, so that it is not the shared library after all.
$cc -std=c11 "$example" $(pkg-config --cflags mltrail-verify) "$lib/libmltrail-verify.a" \
    $(pkg-config --static --libs mltrail-verify | sed 's/-lmltrail-verify//') -o with-archive
LD_LIBRARY_PATH='' use ./with-archive
$cxx -std=c++17 -Wall -Wextra -Wpedantic -Werror -x c++ "$source/tests/install/uses_cxx.cc" -x none \
    $(pkg-config --cflags --libs mltrail-verify) -o with-cxx
expect 0 'holds' ./with-cxx
cmake -S "$source/examples/verify" -B with-cmake -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" >cmake.log 2>&1 ||
    fail "find_package: $(cat cmake.log)"
cmake --build with-cmake >cmake.log 2>&1 || fail "find_package: $(cat cmake.log)"
use with-cmake/verify_proof
use with-cmake/verify_proof_static
cmake -P /dev/stdin 2>version.log <<SCRIPT && fail "version 9 was found" || true
set(PACKAGE_FIND_VERSION 9)
include($(find "$prefix" -name mltrail-verify-config-version.cmake))
if(NOT PACKAGE_VERSION_COMPATIBLE)
  message(FATAL_ERROR "not compatible")
endif()
SCRIPT
echo "installed verifier: all uses as expected"
