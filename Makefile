# `make run` and `make test` need only Python 3.11 or newer, with venv, and make.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DB     ?= sqlite:///sparkads.db

.PHONY: help run test lint bench clean
.NOTPARALLEL:

help:
	@echo "make run    import the example portfolio into $(DB) and start the daemon"
	@echo "make test   run the tests"
	@echo "make lint   run ruff, mypy, pyright and the import contracts"
	@echo "make bench  measure against hand-written SQL; takes an hour and a half, or minutes with SIZE=--quick"
	@echo "make clean  remove $(VENV) and what the tools remember"

run: $(VENV)/.has-run
	$(BIN)/sparkads --db $(DB) import config/example/*.csv
	$(BIN)/sparkads --db $(DB) daemon

test: $(VENV)/.has-test
	$(BIN)/python -m pytest

lint: $(VENV)/.has-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(VENV)/.has-bench
	$(BIN)/python -m tests.benchmarks $(SIZE)

clean:
	rm -rf $(VENV) .bench-venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find engine workflows tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment remembers where, and with which Python, it was made, and says so only if its own Python still
# runs: a half-made or moved one, or one whose Python was upgraded away, is made anew.
WANTED := $(CURDIR) $(PYTHON)
MADE   := $(shell $(BIN)/python -c 'print(open("$(VENV)/.made").read())' 2>/dev/null)
ifneq ($(strip $(MADE)),$(strip $(WANTED)))
.PHONY: $(VENV)/.made
endif

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || \
	    { echo "cannot find $(PYTHON): install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1): sparkads needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@echo "$(WANTED)" >$@

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

$(VENV)/.has-run: $(VENV)/.made pyproject.toml
	$(INSTALL) .
	@touch $@

$(VENV)/.has-test: $(VENV)/.made pyproject.toml
	$(INSTALL) '.[test]'
	@touch $@ $(VENV)/.has-run

$(VENV)/.has-bench: $(VENV)/.made pyproject.toml
	$(INSTALL) '.[bench]'
	@touch $@ $(VENV)/.has-run

$(VENV)/.has-dev: $(VENV)/.made pyproject.toml
	$(INSTALL) '.[dev]'
	@touch $@ $(VENV)/.has-test $(VENV)/.has-run
