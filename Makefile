# Everything a checkout needs. On a fresh machine with Python 3.11 or newer and make:
#   make demo   shows what marigram does, on real data, in an environment of its own
#   make test   checks everything that is quick
# `make help` lists the rest.

.SHELLFLAGS := -eu -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The first Python that is new enough and can make environments; `make PYTHON=/path/to/python …` decides otherwise.
probe := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c '$(probe)' 2>/dev/null && { echo "$$p"; break; }; done)

BIN := .venv/bin
DEMO := .venv-demo/bin
PIP_FLAGS := --quiet --disable-pip-version-check --no-input
WORKERS ?= 2
# One process compiles the kernels before the workers start; a file's tests share a worker, and what that compiles.
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile
WARM := $(BIN)/python -m tests.warm

# The larger data sets are found through MARIGRAM_DATA; a test that needs them says so when it skips.
ifneq ($(wildcard ../shared/data),)
export MARIGRAM_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help install demo test test-rest test-all hunt check format docs lock wheel bench experiments soak clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 14

# --- environments: a second run installs nothing -----------------------------------------------------------------

install: .venv/installed ## .venv with all extras, the development tools, pandas, polars and river

.venv/installed: requirements/dev.txt requirements/build.txt requirements/torch.txt pyproject.toml
	$(call fill,.venv,requirements/dev.txt)
	@$(BIN)/python -m pip install $(PIP_FLAGS) $(TORCH_FLAGS) -r requirements/torch.txt
	@touch .venv/installed

.venv-demo/installed: requirements/serve.txt requirements/build.txt pyproject.toml
	$(call fill,.venv-demo,requirements/serve.txt)
	@touch .venv-demo/installed

# $(1): the environment, $(2): its pins. What builds comes first, so that no build fetches anything of its own.
define fill
	@test -n "$(PYTHON)" || { echo "marigram needs Python 3.11 or newer, with its venv module" >&2; exit 1; }
	@test -x $(1)/bin/python || { echo "making $(1)"; $(PYTHON) -m venv $(1); }
	@echo "installing the pinned packages of $(2) into $(1)"
	@$(1)/bin/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/build.txt
	@$(1)/bin/python -m pip install $(PIP_FLAGS) --require-hashes --no-build-isolation -r $(2)
	@$(1)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
endef

# --- the main job ------------------------------------------------------------------------------------------------

demo: .venv-demo/installed ## real data, from the first event to a trained graph detector; then its page, or the address of one
	@$(DEMO)/marigram demo

# --- checks ------------------------------------------------------------------------------------------------------

test: install check ## lint, types, import floors, doctests, unit tests and laws
	$(WARM)
	$(PYTEST) -m "not slow and not recovery and not e2e"

test-rest: install ## recovery, end to end and whatever is slow; nothing may be lacking
	$(WARM)
	MARIGRAM_COMPLETE=1 $(PYTEST) -m "slow or recovery or e2e"

test-all: export MARIGRAM_COMPLETE := 1
test-all: test test-rest ## both, and nothing may be lacking in either

hunt: install ## look for counterexamples that the fixed examples of the laws do not hold
	MARIGRAM_HUNT=1 $(PYTEST) -m "not slow and not recovery and not e2e"

soak: install ## the long form of recovery: hundreds of kills, a gigabyte of garbage, ten thousand flipped bits
	$(WARM)
	MARIGRAM_SOAK=1 $(PYTEST) tests/recovery

check: install
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: install ## put the code into the one form that the checks expect
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

# --- what is made ------------------------------------------------------------------------------------------------

docs: install ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

wheel: install ## the package, into dist/
	rm -rf dist
	$(BIN)/hatchling build --target wheel

bench: install ## speed side by side with the peers that are installed
	$(BIN)/marigram bench speed

experiments: install ## the quick form of every experiment, compared with what is expected
	$(BIN)/python -m experiments

# Pins with hashes for every platform; existing pins stay unless UPGRADE=--upgrade is given.
COMPILE = $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --python-version 3.11 \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

lock: ## write requirements/*.txt anew from pyproject.toml
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install $(PIP_FLAGS) uv; }
	$(COMPILE) pyproject.toml --output-file requirements/base.txt
	$(COMPILE) requirements/build.in --constraint requirements/base.txt --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --extra all --extra dev --constraint requirements/torch.txt --no-emit-package torch \
		--constraint requirements/base.txt --constraint requirements/build.txt --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --extra serve --constraint requirements/dev.txt --output-file requirements/serve.txt
	@! grep -nE '://' requirements/*.txt || { echo "a lock file names a host" >&2; exit 1; }

clean: ## remove everything that these targets made
	rm -rf .venv .venv-demo dist site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks experiments -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
