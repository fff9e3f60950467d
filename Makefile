# The front door: every target sets up what it needs (scripts/setup-debian.sh), builds and runs. CMakeLists.txt and Cargo.toml hold the
# real rules; who packages libtpexec uses those directly. Nothing is written outside of build/ and target/, except by `install`.

# Where CMake builds and logs go; cargo's directory is target/ or $CARGO_TARGET_DIR.
BUILD   ?= build
# Where `make install` installs; DESTDIR is put in front of it, for packages.
PREFIX  ?= /usr/local
DESTDIR ?=
# The tree that `make demo` counts.
DEMO_DIR ?= /usr/include

export BUILD PREFIX DESTDIR DEMO_DIR

.DEFAULT_GOAL := help
.PHONY: help demo test test-deep fuzz soak abi-check abi-accept bench bench-peers bench-check install clean

help:
	@echo 'libtpexec: concurrent.futures.ThreadPoolExecutor for C and C++'
	@echo
	@echo '  make demo      build, install into $(BUILD)/stage, count $(DEMO_DIR) with a parallel wc, compare with wc'
	@echo '  make test      every check and test that takes minutes at most'
	@echo '  make test-deep broken copies, random schedules, sanitizers, fuzzing, faults, forks, soak; about 40 minutes'
	@echo '  make fuzz      ten minutes of random programs of calls, against a model; SECONDS=600'
	@echo '  make soak      an hour of everything at full load, with exact accounting; SECONDS=3600 SEED=...'
	@echo '  make abi-check compare the ABI with its baseline; make abi-accept makes it the baseline'
	@echo '  make bench     time per task of each operation, against a textbook Rust pool'
	@echo '  make bench-peers  the same against oneTBB, rayon, Java and others, into benches/results/; about 15 minutes'
	@echo '  make bench-check  instructions per task of each operation, against the committed baseline; C++ against C'
	@echo '  make install   into PREFIX=$(PREFIX), below DESTDIR if that is set'
	@echo '  make clean     remove $(BUILD) and what cargo built'
	@echo
	@echo 'Needs Rust, a C compiler and make. What else is missing is installed with apt if you are root, else named.'
	@echo 'Also: DEMO_DIR=$(DEMO_DIR), BUILD=$(BUILD), TPEXEC_CARGO_FLAGS=--offline'

demo:
	@scripts/demo.sh

test:
	@scripts/test.sh

# docs/reliability.md says what it shows.
test-deep:
	@scripts/test-deep.sh

fuzz:
	@scripts/fuzz.sh $(or $(SECONDS),600)

soak:
	@scripts/soak.sh $(or $(SECONDS),3600) $(SEED)

# abi/README.md says what is compared, and what may be accepted.
abi-check:
	@scripts/abi.sh

abi-accept:
	@scripts/abi.sh --accept

bench:
	@scripts/setup-debian.sh cargo cc python3 readelf
	@$(MAKE) -C benches bench

# Takes QUICK=1, PEERS=onetbb,rayon, ONLY=collect,fib, ROUNDS=3; peers that Debian lacks: TASKFLOW=/path/to/a/copy and others
# (benches/Makefile).
bench-peers:
	@scripts/setup-debian.sh cargo cc c++ cmake javac make pkg-config python3 readelf \
	    apr-1.0/apr_thread_pool.h boost/asio.hpp glib-2.0/glib.h oneapi/tbb.h uv.h
	@$(MAKE) -C benches peers

# Part of `make test`: instructions, unlike times, do not depend on what else the machine does. ACCEPT=1 makes the counts the
# baseline; LIB=FILE counts that libtpexec.so instead of building one.
bench-check:
	@scripts/setup-debian.sh cargo cc c++ python3 readelf valgrind
	@$(MAKE) -C benches/callgrind check $(if $(LIB),LIB='$(abspath $(LIB))')

install:
	@scripts/install.sh

clean:
	rm -rf "$(BUILD)"
	cargo clean
