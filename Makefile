# Everything a newcomer types. Each target makes what it needs first: Python 3.11 or newer is enough.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# More for the command behind a target, such as: make demo ARGS=--json
ARGS ?=
# What carries the events of demo and serve: local, or kafka, such as: make demo BUS=kafka
BUS ?= local
# Processes that share the tests, file by file; 0 runs them in one, which a debugger needs.
WORKERS ?= 3
# The Python that makes the environment; without it the first suitable one on the PATH.
PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)

.PHONY: help fuzz demo serve kafka kafka-stop test check bench lock generate clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.run ## Do the whole job on 1,000 learners and tell the story; BUS=kafka: with a process for each service
	@$(BIN)/microcred demo --bus $(BUS) $(ARGS)

serve: $(VENV)/.run ## Keep the same world up, with its data, addresses and API pages
	@$(BIN)/microcred serve --bus $(BUS) $(ARGS)

kafka: $(VENV)/.run ## Start a real single-node Apache Kafka, from Docker or with Java 17 and Maven
	@$(BIN)/python deploy/kafka/broker.py start $(ARGS)

kafka-stop: $(VENV)/.run ## Stop it
	@$(BIN)/python deploy/kafka/broker.py stop $(ARGS)

test: $(VENV)/.dev ## Run the tests, by three processes; WORKERS=0: in one
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev ## Lint, types, import contracts, generated files, file and function limits
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m services.generate --check
	$(BIN)/python tests/contract/limits.py

bench: $(VENV)/.dev ## Measure credentials per second and CPU by stage; write docs/PERFORMANCE.md
	@$(BIN)/python -m tests.bench $(ARGS)

fuzz: $(VENV)/.dev ## Try every small change of signed credentials, millions; ARGS="eddsa-jcs-2022" takes one suite
	@$(BIN)/pytest tests/mutation/test_doors.py --timeout=0 --hypothesis-profile=fuzz
	@$(BIN)/python -m tests.mutation $(ARGS)

generate: $(VENV)/.dev ## Write docs/EVENTS.md, docs/SETTINGS.md, the JSON Schemas and OpenAPI files anew
	@$(BIN)/python -m services.generate

clean: ## Remove the environment, caches and build output; data in var/ and .state/ stays
	rm -rf $(VENV) tests/interop/node_modules dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find services shared tests requirements -type d -name __pycache__ -prune -exec rm -rf {} +

# --- the environment -------------------------------------------------------------------------------------
# A stamp is written last, so what was interrupted is done again. Where packages come from is pip's own
# configuration; that they are the right ones is what the hashes are for. pip compiles what it installs, and what
# is installed as it stands is compiled like it: a process may be told to write no bytecode.

$(VENV)/.made: requirements/build.txt
	@chosen=; bare=; \
	for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    if $$python -c 'import venv, ensurepip' 2>/dev/null; then chosen=$$python; break; fi; \
	    bare=$${bare:-$$python}; \
	  fi; \
	done; \
	if [ -z "$$chosen$$bare" ]; then \
	  echo "microcred needs Python 3.11 or newer, and none of these is: $(PYTHONS)." >&2; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; \
	fi; \
	if [ -z "$$chosen" ]; then \
	  version=$$($$bare -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "Python $$version is here, but not its module for virtual environments." >&2; \
	  echo "Install it: on Debian and Ubuntu it is the package python$$version-venv." >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$chosen --version)"; \
	$$chosen -m venv --clear $(VENV)
	@$(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.txt requirements/hatch_dependencies.py pyproject.toml
	@echo "Installing what microcred runs on (requirements/run.txt), once"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q services shared
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "Installing what its checks and tests need (requirements/dev.txt), once"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# uv reads no pip configuration: what pip was told is passed on, and no address is written into the files.
lock: $(VENV)/.made ## Resolve requirements/*.in anew into *.txt with hashes, for every platform
	@$(BIN)/python -m venv $(VENV)/lock
	@$(VENV)/lock/bin/python -m pip --quiet --disable-pip-version-check install uv
	@index=$$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true); \
	if [ -n "$$index" ]; then UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}"; export UV_DEFAULT_INDEX; fi; \
	for name in build run dev; do \
	  echo "Locking requirements/$$name.txt"; \
	  $(VENV)/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-header \
	    requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done
