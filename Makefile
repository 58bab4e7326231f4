# Everything a developer or CI runs. Each step leaves a stamp, so that nothing is done twice.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
CARGO ?= cargo
NPM ?= npm
VENV := .venv
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 60
DEMO_ARGS ?=
BENCH_ARGS ?=
BASE ?=
PYTEST_ARGS ?=
PYTEST_WORKERS ?= 3
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name '*.toml' -o -name '*.csv' -o -name '*.yaml' -o -name '*.bin' | LC_ALL=C sort)
INSTALLED := $(VENV)/.installed
BUILT := $(VENV)/.built
PY_EVM := target/py-evm/bin/python
NODE_MODULES := contracts/node_modules/.installed
ORDINARY_MODULES := contracts/ordinary/node_modules/.installed
# Put before what needs a node, and let that depend on `anvil`. An ANVIL that is set already stays.
WITH_ANVIL = ANVIL="$$($(BIN)/python -m mempool_ids.demo.anvil)" && export ANVIL &&

# The same for tests on geth: where it cannot be built they are skipped, and this is said.
WITH_GETH = GETH="$$($(BIN)/python -m tests.geth)" || \
  echo "WARNING: no geth: the tests on geth are skipped" >&2; export GETH;
WITH_CLEF = CLEF="$$($(BIN)/python -m tests.clef)" || \
  echo "WARNING: no Clef: the tests on Clef are skipped" >&2; export CLEF;

.PHONY: help setup anvil geth clef demo test lint format types test-rust test-python locks check-contracts contracts ordinary schema lock wheel \
        check-wheel quality bench bench-paired fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r name text; do \
	  printf '  \033[1m%-16s\033[0m %s\n' "$$name" "$$text"; done

setup: $(BUILT) ## virtual environment with all dependencies, and the Rust core built into it

$(INSTALLED): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mempool-ids needs Python 3.11 or later; set PYTHON=")'
	@command -v $(CARGO) >/dev/null || { echo "mempool-ids needs Rust: cargo is not on PATH" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

$(BUILT): $(INSTALLED) pyproject.toml $(RUST_SOURCES)
	PATH="$(CURDIR)/$(BIN):$$PATH" MATURIN_PEP517_ARGS="--profile release --locked" \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(NODE_MODULES): contracts/package-lock.json contracts/package.json
	cd contracts && $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(ORDINARY_MODULES): contracts/ordinary/package-lock.json contracts/ordinary/package.json
	cd contracts/ordinary && $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

anvil: $(BUILT) ## find the Ethereum node of demo and tests, or fetch it once: ANVIL, then PATH, then npm
	$(BIN)/python -m mempool_ids.demo.anvil

geth: $(BUILT) ## find the second Ethereum node of tests, or build it once (minutes; needs Go): GETH, then the cache
	$(BIN)/python -m tests.geth

clef: $(BUILT) ## find the signer of tests, or build it once (a minute; needs Go): CLEF, then the cache
	$(BIN)/python -m tests.clef

demo: anvil ## a real chain, vaults with a hole, two attacks, and the pauses that are mined before them
	$(WITH_ANVIL) $(BIN)/mempool-ids demo $(DEMO_ARGS)

test: lint types locks check-contracts test-rust test-python ## every check and test

lint: $(INSTALLED) ## formatting, clippy, ruff; no stage imports a later one
	$(BIN)/python tools/check_layers.py
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --release --workspace --all-targets --quiet
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED) ## format Rust and Python in place
	$(CARGO) fmt --all
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

types: $(BUILT) ## mypy --strict, and every test's imports (tests/test_stubs.py holds the stub against the module)
	$(BIN)/mypy
	@$(BIN)/python -m pytest --collect-only -qqq >target/collected || { cat target/collected; exit 1; }

test-rust: anvil ## unit, property and integration tests of the core
	$(WITH_ANVIL) $(CARGO) test --locked --release -p mempool-ids-core

test-python: anvil ## unit tests, and end to end against a real node
	$(WITH_GETH) $(WITH_CLEF) $(WITH_ANVIL) $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

schema: ## derive the event log's JSON Schema anew (test-rust holds it against the types)
	MEMPOOL_IDS_WRITE_SCHEMA=1 $(CARGO) test --locked --release --quiet -p mempool-ids-core --lib tools::schema

locks: $(INSTALLED) ## the lock files fit what they lock
	$(BIN)/python tools/check_lock.py
	$(CARGO) metadata --locked --format-version 1 >/dev/null

lock: $(INSTALLED) ## resolve requirements-dev.txt anew; versions that still fit stay
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python tools/check_lock.py --write

check-contracts: $(NODE_MODULES) ## the compiled contracts are what the sources compile to
	cd contracts && node build.mjs --check

contracts: $(NODE_MODULES) ## compile the Solidity contracts
	cd contracts && node build.mjs

ordinary: anvil $(ORDINARY_MODULES) ## compile the corpus of ordinary contracts of others' packages (a quarter of an hour)
	$(WITH_ANVIL) cd contracts/ordinary && node build.mjs

wheel: $(INSTALLED) ## the wheel and the source distribution to publish, in dist/
	rm -rf dist
	$(BIN)/maturin sdist --out dist
	$(BIN)/maturin build --profile dist --locked --out dist

check-wheel: wheel ## install the wheel in an empty environment elsewhere and use it
	PYTHON=$(PYTHON) tools/check-wheel.sh dist/*.whl dist/*.tar.gz

bench: anvil wheel $(PY_EVM) ## measure everything and write benches/REPORT.md and benches/report.json (half an hour)
	rm -rf target/bench && $(PYTHON) -m venv target/bench
	target/bench/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	$(WITH_GETH) $(WITH_ANVIL) PY_EVM=$(CURDIR)/$(PY_EVM) MEMPOOL_IDS=$(CURDIR)/target/bench/bin/mempool-ids \
	  $(BIN)/python -m benches.report $(BENCH_ARGS)

quality: anvil $(INSTALLED) ## how far alerts can be trusted: real attacks and recorded blocks, into benches/QUALITY.md (six minutes; needs MEMPOOL_IDS_DATA)
	$(WITH_ANVIL) $(BIN)/python -m benches.quality $(QUALITY_ARGS)

bench-paired: $(INSTALLED) ## measure this checkout in turn with another one, BASE=FOLDER, and write benches/PAIRED.md (a quarter of an hour)
	@test -d "$(BASE)" || { echo "make bench-paired needs BASE=FOLDER, a checkout to compare with" >&2; exit 1; }
	$(BIN)/python -m benches.paired "$(BASE)"

# In an environment of its own: only the bench needs it.
$(PY_EVM):
	$(PYTHON) -m venv target/py-evm
	$@ -m pip install --quiet --disable-pip-version-check --only-binary :all: py-evm==0.12.1b1

fuzz: ## fuzz each target for FUZZ_SECONDS (60); needs cargo install cargo-fuzz
	@command -v cargo-fuzz >/dev/null || { echo "make fuzz needs cargo-fuzz: cargo install --locked cargo-fuzz" >&2; exit 1; }
	# The sanitizers need a nightly compiler; the core has no unsafe code, so coverage alone does here.
	for target in $$(cargo fuzz list); do \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none "$$target" -- -max_total_time=$(FUZZ_SECONDS); done

clean: ## remove what these targets made, but not downloads kept in the user's cache
	rm -rf $(VENV) target dist contracts/node_modules contracts/ordinary/node_modules fuzz/target .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find python -name '_core*.so' -delete
