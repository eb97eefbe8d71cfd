# Every door of the project; `make help` lists them. Each installs what it needs and may be run twice.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export UV_LINK_MODE ?= copy
# Without compiled modules every start of `allot` compiles a thousand of them: two thirds of its time.
export UV_COMPILE_BYTECODE ?= 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk 'BEGIN {FS = ":.*## "} {printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.ready ## Install build packages and the virtual environment

$(VENV)/.ready: requirements.lock pyproject.toml etc/setup/install-packages
	@etc/setup/install-packages build
	@[ -x $(BIN)/python ] || { echo "making the virtual environment"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/uv --version 2>/dev/null | grep -q ' $(UV_VERSION)' || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "installing locked Python packages"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -m compileall -q controller drivers inventory metering quotas
	@touch $@

.venv-ansible/.ready: requirements-ansible.lock | $(VENV)/.ready
	@echo "making Ansible's own virtual environment"
	@$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-ansible
	@$(BIN)/uv pip sync --quiet --python .venv-ansible/bin/python --require-hashes requirements-ansible.lock
	@touch $@

.PHONY: demo
demo: $(VENV)/.ready .venv-ansible/.ready ## Run the main job: a department's ticket becomes running, metered machines
	@etc/setup/install-packages demo
	@etc/demo/run-demo

.PHONY: demo-clean
demo-clean: ## Remove everything the demo made, after an aborted one too
	@etc/demo/clean-demo

.PHONY: check
check: $(VENV)/.ready ## Lint, types, import contracts (no tests)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: test-setup
test-setup: $(VENV)/.ready .venv-ansible/.ready
	@etc/setup/install-packages host demo test

# One more than there are cores: the stories with guests and services wait much of their time.
WORKERS ?= $(shell expr $$(nproc) + 1)

.PHONY: test
test: test-setup check ## Checks, then all layers of tests (installs PostgreSQL, libvirt and the rest); what takes long has doors of its own, below
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 5 -m "not soak and not openstack and not focus and not demo" $(ARGS)

.PHONY: test-demo
test-demo: test-setup ## The demo in a private view of this machine: aborted, run twice, cleaned, nothing left (some minutes)
	@$(BIN)/pytest -q -m demo tests/e2e/libvirt $(ARGS)

# All of them, or a few files: make test-openstack REGION_TESTS=tests/openstack/test_openstack_story.py
REGION_TESTS ?= tests/openstack
# What pytest ends with where none of the files named has a test of one of the two kinds.
NONE_SUCH := 5

.PHONY: test-openstack
test-openstack: $(VENV)/.ready ## The OpenStack driver on real services: starts a small region, tests, and stops it
	@etc/setup/install-packages openstack
	@trap '$(BIN)/python -m tests.openstack.region down' EXIT; $(BIN)/python -m tests.openstack.region up \
		&& { $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 20 --durations-min 10 -m "openstack and not alone" $(REGION_TESTS) $(ARGS) \
			|| test $$? -eq $(NONE_SUCH); } \
		&& { $(BIN)/pytest --durations 20 --durations-min 10 -m "openstack and alone" $(REGION_TESTS) $(ARGS) || test $$? -eq $(NONE_SUCH); }

.PHONY: test-fast
test-fast: $(VENV)/.ready ## Unit, property and meta tests only
	@$(BIN)/pytest -q tests/unit tests/property tests/meta $(ARGS)

.PHONY: test-soak
test-soak: test-setup ## The long runs: 10,000 simulated histories and more
	@ALLOT_SEEDS=10000 $(BIN)/pytest -n 2 --timeout 7200 --hypothesis-profile soak -m "(soak or seeds) and not openstack" $(ARGS)
	@$(BIN)/pytest -n 2 --hypothesis-profile soak -m "not soak and not seeds" tests/property $(ARGS)

.venv-focus/.ready: tests/focus/requirements.txt tests/focus/prepare.py | $(VENV)/.ready
	@echo "making the FOCUS validator's own virtual environment"
	@for python in $(FOCUS_PYTHON) python3.12 $(PYTHON); do $$python -c '' 2>/dev/null && break; done; $$python -m venv --clear .venv-focus
	@.venv-focus/bin/python -m pip install --quiet --disable-pip-version-check --ignore-requires-python -r tests/focus/requirements.txt
	@.venv-focus/bin/python tests/focus/prepare.py
	@touch $@

.PHONY: test-focus
test-focus: .venv-focus/.ready ## FOCUS 1.2 by the official validator, in its own virtual environment (0.6 GB)
	@$(BIN)/pytest -q -m focus tests/focus $(ARGS)

.PHONY: bench-openstack
bench-openstack: $(VENV)/.ready ## Our calls and time to make machines in a region against a bare script; writes docs/benchmarks-openstack.md
	@etc/setup/install-packages openstack
	@trap '$(BIN)/python -m tests.openstack.region down' EXIT; $(BIN)/python -m tests.openstack.bench $(ARGS)

.PHONY: bench
bench: test-setup ## Measure the published figures, each with its baseline, and write docs/benchmarks.md
	@etc/setup/install-packages bench
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: format
format: $(VENV)/.ready ## Format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: lock
lock: $(VENV)/.ready ## Resolve the locks again (after a change in pyproject.toml)
	@$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --group dev --universal --generate-hashes --no-header --no-annotate -o requirements.lock
	@$(BIN)/uv pip compile --quiet requirements-ansible.in --universal --generate-hashes --no-header --no-annotate -o requirements-ansible.lock

.PHONY: docs
docs: $(VENV)/.ready ## Write the generated pages (schema, OpenAPI, error codes) again
	@$(BIN)/python -m tests.support.generate_docs

.PHONY: clean
clean: demo-clean ## Remove virtual environments and caches too
	@rm -rf $(VENV) .venv-ansible .venv-focus .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache
