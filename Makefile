# Every target sets up what it needs; the first run of any of them creates .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
BASE   := $(VENV)/.installed-base
# The package as the image has it: its hot path compiled.
COMPILED := .compiled
FAST   := $(COMPILED)/.installed

.DEFAULT_GOAL := help
.PHONY: help run test check verify compile bench bench-peers format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(BASE): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(STAMP): $(BASE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	touch $@

run: $(BASE) ## start the gateway on http://127.0.0.1:4000
	$(BIN)/headgate serve $(ARGS)

test: $(STAMP) ## the quick tests
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: $(STAMP) ## format, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

verify: $(STAMP) ## the long tests: load, chaos, fuzz
	$(BIN)/python -m pytest -m long $(ARGS)

$(FAST): pyproject.toml hatch_build.py $(shell find src -name '*.py')
	@command -v $(CC) > /dev/null || { echo "make compile needs a C compiler, and there is no $(CC): apt-get install gcc libc6-dev"; exit 1; }
	test -x $(COMPILED)/bin/python || $(PYTHON) -m venv $(COMPILED)
	HATCH_BUILD_HOOKS_ENABLE=1 $(COMPILED)/bin/python -m pip install --quiet --disable-pip-version-check .
	touch $@

compile: $(FAST) ## install headgate with its hot path compiled, as the image has it, into .compiled

bench-peers: $(STAMP) ## install the peers to compare with, each into its own prefix under .peers
	$(BIN)/python -m bench.peers

bench: $(STAMP) $(if $(shell command -v $(CC)),$(FAST)) ## measure headgate beside nginx and the installed peers; writes JSON and docs/benchmarks.md
	$(BIN)/python -m bench $(ARGS)

format: $(STAMP) ## rewrite the files in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove everything that the targets made
	rm -rf $(VENV) $(COMPILED) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
