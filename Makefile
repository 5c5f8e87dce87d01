# Short names for what one does with a checkout. The build itself is CMake's (CMakeLists.txt).
#   NO_INSTALL=1   install no packages      KEEP=1   leave the demo's server up      BENCH=full   ten million records
BUILD ?= build
JOBS  ?= 2

.PHONY: all build demo check install-deps install-check-deps fuzz crash bench sanitize tidy format clean

all: build

install-deps:
	@scripts/install-deps.sh run

install-check-deps:
	@scripts/install-deps.sh check

build: install-deps
	@cmake -S . -B $(BUILD) -G Ninja -DMLT_TESTS=OFF --log-level=WARNING >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@[ -x $(BUILD)/mltrail ] || echo "building $(BUILD)/mltrail: a minute or two"
	@ninja -C $(BUILD) -j $(JOBS) --quiet
	@rm -f $(BUILD).log

demo: build
	@/usr/bin/python3 examples/demo/demo.py --mltrail $(BUILD)/mltrail $(if $(KEEP),--keep)

check: install-check-deps
	@scripts/check.sh

# Each parser for SECONDS_EACH seconds, new inputs kept in build-fuzz/found.
fuzz: install-check-deps
	@scripts/fuzz.sh

# Each fault at each operation on the simulated disk, SEEDS times; then the server under load, killed 200 times.
SEEDS ?= 8
crash: install-check-deps build
	@cmake -S . -B build-crash -G Ninja -DMLT_BENCH=OFF --log-level=WARNING >/dev/null && ninja -C build-crash -j $(JOBS) --quiet test_crash test_crash_keys
	@build-crash/tests/test_crash --seeds $(SEEDS)
	@build-crash/tests/test_crash_keys --seeds $(SEEDS)
	@MLT_KILLS=200 /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e/test_kill.py

bench: install-deps
	@scripts/bench.sh

sanitize: install-check-deps
	@scripts/sanitize.sh address,undefined
	@scripts/sanitize.sh thread

tidy: install-check-deps
	@scripts/tidy.sh

format:
	@find src tests fuzz bench include -name '*.[ch]' 2>/dev/null | xargs clang-format-14 -i

clean:
	rm -rf build build-*
