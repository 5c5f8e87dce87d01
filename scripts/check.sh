#!/bin/bash
# Everything a change must pass, under 20 minutes on two cores from cold. Ends with "N passed, N failed, N skipped".
#
# A step that runs a test program counts that program's tests; any other step counts as one. Logs: build-check/*.log.
set -u
cd "$(dirname "$0")/.."
export JOBS=${JOBS:-2}
PYTHON=/usr/bin/python3
logs=$PWD/build-check
mkdir -p "$logs"
passed=0 failed=0 skipped=0

add() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }

# number LOG PATTERN: the last number before the words of PATTERN in the log, or 0.
number() { grep -oE "[0-9]+ $2" "$1" | tail -1 | grep -oE '^[0-9]+' || echo 0; }

# step NAME COUNT COMMAND…: COUNT says how its tests are counted: one, ctest or pytest.
step() {
    local name=$1 count=$2 log=$logs/${1//[^a-z0-9]/-}.log begin=$SECONDS status=0 p=0 f=0 s=0
    shift 2
    "$@" >"$log" 2>&1 || status=$?
    case $count in
    ctest) read -r p f s < <(awk -f scripts/count-ctest.awk "$log") ;;
    pytest)
        p=$(number "$log" 'passed') f=$(($(number "$log" 'failed') + $(number "$log" 'errors?'))) s=$(number "$log" 'skipped')
        ;;
    esac
    if [ "$count" = one ]; then
        [ $status = 0 ] && p=1 || f=1
    elif [ $status != 0 ] && [ "$f" = 0 ] || [ $((p + f + s)) = 0 ]; then
        f=$((f + 1)) # it did not even run
    fi
    add "$p" "$f" "$s"
    printf '%-52s %4d passed %3d failed %3d skipped %5d s\n' "$name" "$p" "$f" "$s" $((SECONDS - begin))
    if [ "$f" != 0 ]; then
        { grep -nE 'FAILED|\*\*\*|error:|ERROR: .*Sanitizer|runtime error' "$log" | head -n 30; echo ...; tail -n 30 "$log"; } |
            sed 's/^/    /'
    elif [ "$s" != 0 ]; then
        grep -E '\*\*\*Skipped|^SKIPPED|\[  SKIPPED \] [a-z]' "$log" | sort -u | sed 's/^/    /'
    fi
}

configure() { cmake -S . -G Ninja -DMLT_WERROR=ON -DMLT_TESTS=ON -DMLT_BENCH=ON --log-level=WARNING "$@" >/dev/null; }
build_gcc() { configure -B build && ninja -C build -j "$JOBS" -k 0 --quiet; }
build_clang() {
    configure -B build-clang -DCMAKE_C_COMPILER=clang-14 && ninja -C build-clang -j "$JOBS" -k 0 --quiet
}
run_ctest() { ctest --test-dir "$1" --verbose -j "$JOBS" "${@:2}"; }

formatted() {
    find src tests fuzz bench include -name '*.[ch]' 2>/dev/null | xargs clang-format-14 --dry-run --Werror
}

# Each header includes what it needs, and a C++ program can include the public ones.
headers_alone() {
    local header flags status=0
    flags="-Iinclude $(find build/layers -mindepth 1 -maxdepth 1 -type d -printf '-I%p ')"
    flags="$flags $(pkg-config --cflags p11-kit-1)" # whose headers lie in a folder of their own
    for header in src/*/*.h; do
        echo "#include \"${header#src/}\"" |
            gcc -std=c17 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror -fsyntax-only $flags -x c - || status=1
    done
    for header in include/mltrail/*.h; do
        [ -e "$header" ] || continue
        echo "#include \"${header#include/}\"" | gcc -std=c17 -Iinclude -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c - || status=1
        echo "#include \"${header#include/}\"" | g++ -std=c++17 -Iinclude -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++ - || status=1
    done
    return $status
}

man_pages() {
    local pages
    pages=$(find man -name '*.[1-9]')
    [ -n "$pages" ] || { echo "no man pages"; return 1; }
    ! mandoc -T lint -W warning $pages | grep .
}

# What changed since the last commit on the main branch, or the whole when that is nothing: at most two minutes.
tidy_quick() {
    local changed
    changed=$(git diff --name-only --diff-filter=d HEAD~5 -- 'src/*/*.c' 2>/dev/null | head -n 24)
    [ -n "$changed" ] || changed=$(ls src/note/*.c src/record/*.c)
    local status=0
    TIDY_SECONDS=120 scripts/tidy.sh $changed || status=$?
    [ $status = 124 ] && return 0
    return $status
}

sdk_types() { (cd sdk/python && mypy --strict mltrail) && mypy --strict --ignore-missing-imports examples/demo/*.py; }
sdk_tests() { (cd sdk/python && $PYTHON -m pytest -q -rs -p no:cacheprovider); }
# schemathesis holds the running server to its OpenAPI document. It is not in the distribution: a virtual environment of
# the checkout has it, from the Python package index. Without a network that step skips, and says so.
schemathesis_ready() {
    local venv=$logs/venv
    [ -z "${SCHEMATHESIS:-}" ] || return 0
    if [ ! -x "$venv/bin/schemathesis" ] && [ "${NO_INSTALL:-}" != 1 ]; then
        { $PYTHON -m venv "$venv" && "$venv/bin/pip" install -q 'schemathesis>=4,<5'; } >"$logs/schemathesis.log" 2>&1 || true
    fi
    [ ! -x "$venv/bin/schemathesis" ] || export SCHEMATHESIS=$venv/bin/schemathesis
}
# The real MLflow, OpenLineage, CloudEvents and OpenTelemetry: as schemathesis, in a virtual environment of the checkout.
integrations_ready() {
    local venv=$logs/venv-integrations wanted=tests/integrations/requirements.txt
    [ -z "${INTEGRATIONS_PYTHON:-}" ] || return 0
    if ! cmp -s "$wanted" "$venv/installed.txt" && [ "${NO_INSTALL:-}" != 1 ]; then
        { $PYTHON -m venv "$venv" && "$venv/bin/pip" install -q -r "$wanted" && cp "$wanted" "$venv/installed.txt"; } \
            >"$logs/integrations-install.log" 2>&1 || true
    fi
    ! cmp -s "$wanted" "$venv/installed.txt" || export INTEGRATIONS_PYTHON=$venv/bin/python
}
integrations_tests() {
    if [ -z "${INTEGRATIONS_PYTHON:-}" ]; then
        echo "SKIPPED tests/integrations: its packages could not be installed (no network?): see $logs/integrations-install.log"
        echo "1 skipped"
        return 0
    fi
    "$INTEGRATIONS_PYTHON" -m pytest -q -rs -p no:cacheprovider tests/integrations
}
http_tests() { $PYTHON -m pytest -q -rs -p no:cacheprovider tests/http; }
e2e_tests() { $PYTHON -m pytest -q -rs -p no:cacheprovider tests/e2e; }
tamper_tests() { $PYTHON -m pytest -q -rs -p no:cacheprovider tests/tamper; }
# Tools of others, built from Go modules where Go is at hand; elsewhere they skip, and say so.
interop_tests() { $PYTHON -m pytest -q -rs -p no:cacheprovider tests/interop; }
shell_scripts() { local s; for s in scripts/*.sh .ci/run; do bash -n "$s" || return 1; done; }

step "build: gcc, warnings are errors" one build_gcc
step "unit tests, corpus replay, transcripts" ctest run_ctest build
step "build: clang, warnings are errors" one build_clang
step "address and undefined-behaviour sanitizers" ctest scripts/sanitize.sh address,undefined
step "thread sanitizer: whatever has threads" ctest scripts/sanitize.sh thread \
    -R 'trail|index|api|server|test_(verify|segmenting|publisher|ring|witness|witness_client|service|wait|client|spool)$'
step "format" one formatted
step "clang-tidy on recent changes ('make tidy' does all)" one tidy_quick
step "headers alone, C and C++" one headers_alone
step "man pages" one man_pages
step "shell scripts parse" one shell_scripts
step "Python SDK: mypy --strict" one sdk_types
step "Python SDK: tests" pytest sdk_tests
schemathesis_ready
step "HTTP: routes, refusals, connections, TLS" pytest http_tests
step "end to end: demo, proof, kill -9" pytest e2e_tests
step "tamper grid: who sees what, as THREATS.md says" pytest tamper_tests
integrations_ready
step "integrations: real MLflow, OpenLineage, CloudEvents" pytest integrations_tests
step "interop: tools of others read and write what we do" pytest interop_tests

echo "logs: $logs"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
