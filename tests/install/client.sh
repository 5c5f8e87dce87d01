#!/bin/sh
# Installs the client into a prefix of its own and logs predictions with it, as others would: what it exports and
# loads, pkg-config, find_package, C++, shared and static, with a server that is there and one that is not.
#   client.sh SOURCE BUILD CC CXX
set -eu
component=client open=libmlt_spool.a
. "$(dirname "$0")/lib.sh"
server=
trap '[ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server"; } || true; rm -rf "$work"' EXIT

needed=$(readelf -d "$lib/libmltrail-client.so" | sed -n 's/.*NEEDED.*\[\(lib[a-z]*\).*/\1/p' | sort | tr '\n' ' ')
[ "$needed" = "libc libcurl libz " ] || fail "it loads $needed"

cd "$work"
"$build/mltrail" init trail --origin example.com/client >init.log
start() {
    rm -f port
    "$build/mltrail" serve trail --listen "127.0.0.1:${1:-0}" --port-file port >serve.log 2>&1 &
    server=$!
    for _ in $(seq 100); do
        [ -s port ] && return
        sleep 0.1
    done
    fail "the server does not start: $(cat serve.log)"
}
stop() {
    kill "$server"
    wait "$server" || true
    server=
}
count() { "$build/mltrail" search --trail "http://127.0.0.1:$(cat port)" --token-file trail.state/admin.token --kind "$1" --json |
    sed 's/.*"total":\([0-9]*\).*/\1/'; }
use() { # PROGRAM: logs three predictions
    "$1" "http://127.0.0.1:$(cat port)" spool trail.state/admin.token 3 >out 2>err || fail "$1: $(cat err)"
    [ "$(wc -l <out)" = 3 ] || fail "$1: $(cat out err)"
}

example=$source/examples/client/log_prediction.c
start
$cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$example" $(pkg-config --cflags --libs mltrail-client) -o with-pkg-config
use ./with-pkg-config
[ "$(count prediction)" = 3 ] || fail "the predictions did not arrive"
$cc -std=c11 "$example" $(pkg-config --cflags mltrail-client) "$lib/libmltrail-client.a" \
    $(pkg-config --static --libs mltrail-client | sed 's/-lmltrail-client//') -o with-archive
LD_LIBRARY_PATH='' use ./with-archive
cmake -S "$source/examples/client" -B with-cmake -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" >cmake.log 2>&1 ||
    fail "find_package: $(cat cmake.log)"
cmake --build with-cmake >cmake.log 2>&1 || fail "find_package: $(cat cmake.log)"
use with-cmake/log_prediction
use with-cmake/log_prediction_static
[ "$(count prediction)" = 12 ] || fail "$(count prediction) of 12 predictions arrived"
echo '#include <mltrail/client.h>
int main() { return mltrail_client_close(nullptr, 0, nullptr) == MLTRAIL_OK ? 0 : 1; }' >uses.cc
$cxx -std=c++17 -Wall -Wextra -Wpedantic -Werror uses.cc $(pkg-config --cflags --libs mltrail-client) -o with-cxx
./with-cxx || fail "the C++ program"

# Without a server they stay, and the next process brings them.
port=$(cat port)
stop
use ./with-pkg-config
grep -q 'records stay in spool' err || fail "nothing is said of what stays: $(cat err)"
start "$port"
use ./with-pkg-config
[ "$(count prediction)" = 18 ] || fail "$(count prediction) of 18 predictions arrived"
[ "$(count tally)" = 6 ] || fail "$(count tally) of 6 tallies arrived"
[ -z "$(ls spool)" ] || fail "the spool is not empty: $(ls spool)"
echo "installed client: all uses as expected"
