# What a person types. Everything is installed into .venv, from a lock file with hashes.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test qualify check format bench compose-test lock train clean

help:  ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: $(INSTALLED)  ## Install everything into .venv, and fetch the broker's jars

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %s; try make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/roadwatch broker --fetch
	@touch $@

demo: install  ## A real Kafka, four cameras, three days in a minute, and a mail
	$(BIN)/roadwatch demo

test: install  ## All tests, on a real Kafka
	$(BIN)/pytest --numprocesses 3 --dist loadfile

qualify: install  ## Test the shipped model as an application: six parts, a page, a verdict
	$(BIN)/roadwatch models qualify bundled

check: install  ## Style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## Put the code in shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: install  ## Benchmarks, as ratios measured side by side
	$(BIN)/python -m benchmarks

compose-test:  ## The compose stack for real, until an alert mail arrives; needs a Docker engine
	$(PYTHON) deploy/compose_test.py

train: install  ## Train the model anew; DATA=folder with road-vehicles' train.zip and test.zip
	$(BIN)/roadwatch models train $(DATA)

lock:  ## Lock the dependencies anew, with hashes; needs uv
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --extra channels --constraints requirements.lock pyproject.toml -o requirements-runtime.lock

clean:  ## Remove what was built or run here
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache roadwatch-data
