# The commands of a working day. Nothing but Python 3.11, git and make has to be there first: what else a target needs
# it installs, as root or with sudo, and says so.

BOT := .venv/bin/speckit-bot
PY := .venv/bin/python
ARGS ?=
SOURCES := bot jobs db cli localhub tests bench
UNIT_TESTS := tests --ignore=tests/scenarios -m "not engine and not postgres and not tinyproxy"

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit lint format types imports engine image bench docs lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.setup-done ## .venv with the pinned packages; again is instant

.venv/.setup-done: requirements.lock pyproject.toml
	@.ci/setup

demo: setup ## the whole way on this machine; KEEP=1 leaves it up, ARGS="--json" and the like are passed on
	@$(BOT) demo $(if $(filter-out 0,$(KEEP)),--keep) $(ARGS)

test: setup ## everything: Docker engine, Redis, Postgres, tinyproxy; what is missing is installed. ARGS for pytest
	@$(PY) -m cli.debian postgres tinyproxy
	$(BOT) engine run --image job --image all -- .venv/bin/pytest -n auto --dist worksteal --inline-snapshot=disable $(ARGS)

unit: setup ## the fast tests: no container, no Postgres, seconds
	.venv/bin/pytest $(UNIT_TESTS) $(ARGS)

lint: setup ## ruff: rules and layout
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

format: setup ## let ruff lay the code out
	.venv/bin/ruff format .

types: setup ## mypy, strict
	.venv/bin/mypy

imports: setup ## the import contracts of pyproject.toml
	.venv/bin/lint-imports

engine: setup ## say where the Docker engine is; start one that stays where none runs
	@$(BOT) engine up

image: setup ## build the image of the job container; again is instant while nothing changed
	@$(BOT) engine run -- images/build $(or $(IMAGE),job)

bench: setup ## figures, as ratios
	@$(PY) -m bench.webhook
	@$(PY) -m bench.gateway
	@$(BOT) engine run --image job -- $(PY) -m bench.overhead $(ARGS)

docs: setup ## write the generated pages in docs/ anew: commands, the repository's configuration and its schema
	@$(PY) -m cli.pages

lock: setup ## write requirements.lock anew after a change of a pin in pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check uv
	.venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --extra dev pyproject.toml -o requirements.lock

clean: ## remove what the targets above made here; your data in var/ stays, and so do the engine's images
	rm -rf .venv var/demo-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
