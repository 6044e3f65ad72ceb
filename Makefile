# Two commands on a machine with git, make and Python 3.11 or newer: `make demo` and `make test`.
# Each makes the virtual environment itself; the local servers are downloaded at their first start.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
MINUTES ?= 1
TIMES ?= 1
SEEDS ?= 20
# made last: an installation that was interrupted is done again
READY := .venv/.ready
# where there is a C compiler, tests of the kernels fail instead of skipping
PYTEST := $(BIN)/tidecast compile 2>/dev/null; [ $$? -eq 3 ] || export TIDECAST_REQUIRE_KERNELS=1; $(BIN)/pytest

.PHONY: help demo test test-full test-loaded lint types unit integration coverage fuzz stack clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

$(READY): requirements.lock pyproject.toml $(wildcard streams/kernels/*.p*)
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/it"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/tidecast compile || [ $$? -eq 3 ] # 3: there is no C compiler; everything works without kernels
	@touch $@

demo: $(READY) ## A simulated telecom, live in the terminal (starts the local servers)
	$(BIN)/tidecast demo

test: lint types unit integration ## Everything: lint, types, import rules, all tests (starts its own servers)

test-full: test ## And what is long and rare, for hours: SEEDS=20 of chaos, each guard off, outages, fuzz for MINUTES=1 a target, other Pythons
	$(PYTEST) tests --ignore tests/integration --ignore tests/full -n 2 --hypothesis-profile new
	export SEEDS=$(SEEDS) MINUTES=$(MINUTES); $(PYTEST) tests -m full

test-loaded: $(READY) ## The tests beside a process per core that keeps it busy, TIMES=1
	$(BIN)/python -m tests.loaded --times $(TIMES) unit integration

lint: $(READY) ## Style, formatting and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## Static types
	$(BIN)/mypy

unit: $(READY) ## The tests that need no servers
	$(PYTEST) tests --ignore tests/integration -n 2

integration: $(READY) ## The tests on the real servers
	$(PYTEST) tests/integration -n 3 --dist loadfile --no-loadscope-reorder

coverage: $(READY) ## What the tests without servers reach, line by line and branch by branch
	$(PYTEST) tests --ignore tests/integration -n 2 --cov --cov-report term:skip-covered

fuzz: $(READY) ## Hostile inputs at the decoder, the control check, snapshots, scoring, the ClickHouse endpoint (MINUTES=1 each)
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

stack: $(READY) ## Start the local servers
	$(BIN)/tidecast stack up

clean: ## Remove the virtual environment and the caches; data (.tidecast) stays
	rm -rf .venv build streams/kernels/built .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache *.egg-info
