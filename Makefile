# Spillwatch: the verbs. `make` alone lists them.
# Needs Python >= 3.11 (with venv) and nothing else; everything lives in .venv/ and goes with `make distclean`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV ?= .venv
PY := $(VENV)/bin/python
RUN_STAMP := $(VENV)/run.stamp
DEV_STAMP := $(VENV)/dev.stamp
SERVERS := .servers
ARGS ?=

# Hashes or nothing. What builds comes first, so that neither the few source packages nor the project itself call for
# a build environment: nothing is fetched that a lock does not name.
PIP := $(PY) -m pip --disable-pip-version-check --no-input
INSTALL_LOCK = $(PIP) install --quiet --progress-bar off --require-hashes --no-build-isolation -r
# setuptools warns that an editable installation is one: that is what is wanted.
INSTALL_SELF = PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --no-index -e .

# Loops are compiled at their first use and kept (docs/adr/0004): here, so that nobody waits for it later.
WARM = echo "Compiling (once, about a minute) and testing itself …"; $(PY) -m app.selftest

.PHONY: help
help:  ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | sort | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: $(RUN_STAMP)  ## set up, then show one leak from the CSV to the alert mail
	@$(PY) -m app.demo $(ARGS)

.PHONY: test
test: $(DEV_STAMP)  ## the whole test suite on all processors (ARGS= goes to pytest; ARGS=-n0: in one process)
	@$(PY) -m pytest -n auto $(ARGS)

.PHONY: check
check: lint types imports test  ## lint, types, imports, tests

.PHONY: lint
lint: $(DEV_STAMP)  ## style and docstrings
	@$(PY) -m ruff check .

.PHONY: types
types: $(DEV_STAMP)  ## mypy --strict over every room
	@$(PY) -m mypy

.PHONY: imports
imports: $(DEV_STAMP)  ## the import contract: rooms see only what lies below
	@PYTHONPATH=. $(VENV)/bin/lint-imports --no-logo

.PHONY: format
format: $(DEV_STAMP)  ## mend what a tool can mend
	@$(PY) -m ruff check --fix-only .

.PHONY: new-site
new-site: $(DEV_STAMP)  ## write a description and its recording to fill in: make new-site NAME=my_site
	@$(PY) -m tests.crawler.new_site "$(NAME)"

.PHONY: sites-table
sites-table: $(DEV_STAMP)  ## write the tables of docs/sites.md anew from the descriptions
	@$(PY) -m app.site_table docs/sites.md

.PHONY: install
install: $(RUN_STAMP)  ## .venv with the product and what it needs
	@echo "Ready: $(VENV)/bin/spillwatch --help"

.PHONY: servers
servers: $(SERVERS)/ready  ## the real paste and social servers that the end-to-end tests talk to (about 3 minutes)

.PHONY: wheel
wheel: $(DEV_STAMP)  ## dist/*.whl
	@rm -rf build dist
	@$(PIP) wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir dist .
	@rm -rf build
	@ls dist

.PHONY: clean
clean:  ## remove what builds and tests leave behind
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.venv*' -not -path './.servers/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean  ## the same, and the environments
	@rm -rf $(VENV) $(SERVERS)

# ── The environments ────────────────────────────────────────────────────────────────────────────────────────────────

$(VENV)/bin/python:
	@python=$$(PYTHON="$(PYTHON)" VENV="$(VENV)" bash requirements/find-python.sh); \
	echo "Setting up $(VENV) with $$("$$python" -V) (once, a few minutes on a slow line) …"; \
	"$$python" -m venv --clear $(VENV)

$(RUN_STAMP): requirements/build.lock requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@if [ ! -e $(DEV_STAMP) ] || [ requirements/dev.lock -nt $(DEV_STAMP) ] || [ pyproject.toml -nt $(DEV_STAMP) ]; then \
	  echo "Installing what Spillwatch runs on (hash-checked) …"; \
	  $(INSTALL_LOCK) requirements/build.lock; \
	  $(INSTALL_LOCK) requirements/run.lock; \
	  $(INSTALL_SELF); \
	fi
	@$(WARM)
	@touch $@

$(DEV_STAMP): requirements/build.lock requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what Spillwatch and its tests run on (hash-checked) …"
	@$(INSTALL_LOCK) requirements/build.lock
	@$(INSTALL_LOCK) requirements/dev.lock
	@$(INSTALL_SELF)
	@$(WARM)
	@touch $@

$(SERVERS)/ready: requirements/build.lock requirements/servers-build.lock requirements/servers.lock tests/servers/pds/package-lock.json tests/servers/install.sh
	@PYTHON="$(PYTHON)" SERVERS="$(SERVERS)" bash tests/servers/install.sh

# ── The locks ───────────────────────────────────────────────────────────────────────────────────────────────────────
# uv resolves for every Python from 3.11 and every platform at once and writes no address. It lives in an environment
# of its own for the length of this verb.

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.PHONY: lock
lock:  ## write requirements/*.lock anew from pyproject.toml (UPGRADE=--upgrade takes newer versions)
	@python=$$(PYTHON="$(PYTHON)" VENV="$(VENV)" bash requirements/find-python.sh); \
	tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	"$$python" -m venv "$$tools"; \
	"$$tools/bin/python" -m pip --disable-pip-version-check install --quiet uv; \
	export PATH="$$tools/bin:$$PATH"; \
	$(COMPILE) $(UPGRADE) requirements/build.in -o requirements/build.lock; \
	$(COMPILE) $(UPGRADE) pyproject.toml -o requirements/run.lock; \
	$(COMPILE) $(UPGRADE) pyproject.toml --extra browser --group dev -c requirements/run.lock -o requirements/dev.lock; \
	$(COMPILE) $(UPGRADE) --allow-unsafe requirements/servers-build.in -c requirements/build.lock -o requirements/servers-build.lock; \
	$(COMPILE) $(UPGRADE) requirements/servers.in -o requirements/servers.lock; \
	! grep -nE '(https?|file)://|^--' requirements/*.lock
