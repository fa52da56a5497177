# Every target sets up what it needs from a clean clone; Windows has the same targets in make.ps1.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --upgrade
SOURCES := src tests benchmarks

DEMO_ARGS ?=
SEEDS ?= 20
DAYS ?= 5
SIMULATE_ARGS ?=
TRIALS ?= 2000
# Two workers, by file: a file's tests share a gateway and the machine may have two cores only.
PYTEST_ARGS ?= -n 2 --dist loadfile -q

.PHONY: help setup demo test test-all check format lint types imports tidy bench simulate lock clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Create .venv with everything that development needs
	@:

demo: $(VENV)/.runtime ## Watch riskd protect an account for one simulated day (DEMO_ARGS="--fast --json")
	@$(BIN)/riskd demo $(DEMO_ARGS)

test: $(VENV)/.installed ## Run the quick tests on one Python, with branch coverage
	@$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not slow" --cov --cov-report=term:skip-covered

test-all: $(VENV)/.installed ## Run every test, the slow ones too, on Python 3.11, 3.12 and 3.13
	@./.ci/test-all

check: format lint types imports tidy ## Format, lint, types, import contracts, tidiness (make -k check: all, even if one fails)

format: $(VENV)/.installed
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "run: $(BIN)/ruff format $(SOURCES)"; exit 1; }

lint: $(VENV)/.installed
	@$(BIN)/ruff check --quiet $(SOURCES)

types: $(VENV)/.installed
	@$(BIN)/mypy --no-error-summary

imports: $(VENV)/.installed
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

tidy: $(VENV)/.installed
	@$(BIN)/python -m pytest -q -p no:cacheprovider tests/unit/test_tidy.py

bench: $(VENV)/.installed ## Measure: breaching message to close request, start, memory, idle (TRIALS=2000)
	@$(BIN)/python -m benchmarks.enforcement --trials $(TRIALS)

simulate: $(VENV)/.installed ## Trade random days against every broker fault (SEEDS=20 DAYS=5)
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --days $(DAYS) $(SIMULATE_ARGS)

lock: $(VENV)/.installed ## Renew the pinned requirements, with hashes for every platform
	@$(PIP) install --require-hashes -r requirements/lock.txt
	@$(LOCK) pyproject.toml --group dev --output-file requirements/dev.txt
	@$(LOCK) pyproject.toml --constraints requirements/dev.txt --output-file requirements/runtime.txt
	@$(LOCK) --group build --constraints requirements/dev.txt --output-file requirements/build.txt
	@$(LOCK) --group lock --output-file requirements/lock.txt
	@for client in tests/e2e/clients/*.in; do $(LOCK) $$client --output-file $${client%.in}.txt || exit; done

clean: ## Remove the environments, caches and reports
	@rm -rf .venv .venv-3.* .cache .coverage* htmlcov .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run quick. A changed lock or project file installs again.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "riskd needs Python 3.11 or newer on the PATH, or PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"riskd needs Python 3.11 or newer; $(PYTHON) is {sys.version.split()[0]}")'
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@$(PIP) install --require-hashes -r requirements/build.txt
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed: requirements/dev.txt $(VENV)/.runtime
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
