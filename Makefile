# rtckiosk: every target installs the Debian packages it misses, then works from
# a fresh clone. ARGS is passed on: make demo ARGS="--headless --for 15"
SHELL := /bin/bash
export PATH := $(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help demo test test-debian13 test-long lint bench vm-test

help:
	@echo "make demo     a whole call on this machine (ARGS=... goes to rtckiosk demo)"
	@echo "make test     unit, wire, call and fault tests (ARGS=... goes to cargo test)"
	@echo "make test-debian13  the same with Debian 13 around them (ARGS=\"lib=media:: echo\" for a part)"
	@echo "make test-long  the floods of the tests, for ten minutes each"
	@echo "make lint     format, clippy in every feature set, shellcheck"
	@echo "make bench    delay, cost of a call, event latency, load (ARGS=... goes to rtckiosk bench server), bad networks"
	@echo "make vm-test  a call with kernel cameras and sound cards in a virtual machine"

demo:
	@tests/setup.sh demo
	$(CARGO) build --locked --release
	$(TARGET)/release/rtckiosk demo $(ARGS)

# GStreamer's warnings are bugs of ours until shown otherwise.
test:
	@tests/setup.sh test
	G_DEBUG=fatal_warnings $(CARGO) test --locked $(ARGS)

# What was built here, in a root directory of the other release; needs root.
test-debian13:
	@tests/setup.sh debian13
	@CARGO="$(CARGO)" tests/debian13/run.sh $(TARGET) $(ARGS)

# The short form of these is among the tests.
test-long:
	@tests/setup.sh test
	ATTACK_SECONDS=600 $(CARGO) test --locked --test attack -- --nocapture flood::

# The tests use both features, so each feature alone is checked without them.
lint:
	@tests/setup.sh lint
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --features kiosk -- -D warnings
	$(CARGO) clippy --locked --no-default-features --features server -- -D warnings
	shellcheck -x .ci/run tests/setup.sh tests/mirror.sh tests/debian13/{build-root,inside,run}.sh tests/fuzz/run.sh tests/call/ffmpeg-member.sh tests/vm/{build-image,guest,run,vm}.sh tests/vm/init{,ramfs-init}

bench:
	@tests/setup.sh bench test
	$(CARGO) build --locked --release
	$(TARGET)/release/rtckiosk bench media delay
	$(TARGET)/release/rtckiosk bench media cost
	$(TARGET)/release/rtckiosk bench events
	$(TARGET)/release/rtckiosk bench server $(ARGS)
	$(CARGO) test --locked --test net -- --ignored --exact --nocapture \
		compare::on_the_same_link

# Optimised a little: an emulated processor is ten times slower already. In CI a skip is a failure.
vm-test:
	@if [ "$$(dpkg --print-architecture)" != amd64 ]; then \
		echo "vm-test: skipped: its virtual machine is built for amd64 only, this is $$(dpkg --print-architecture)"; \
		[ "$$CI" != true ]; \
	else \
		tests/setup.sh vm && \
		CARGO_PROFILE_DEV_OPT_LEVEL=1 $(CARGO) build --locked && \
		tests/vm/run.sh $(TARGET)/debug $(TARGET)/vm; \
	fi
