# Living Lab. `make help` lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(shell find protos -name '*.proto')
T ?= tests

.PHONY: help setup proto
help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.installed gen/.built  ## venv with the locked dependencies, generated code, the livinglab command

$(VENV)/.locked: requirements.lock
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

gen/.built: $(PROTOS) $(VENV)/.locked
	@rm -rf gen.new && mkdir gen.new
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=gen.new --mypy_out=quiet:gen.new \
		--grpc_python_out=gen.new --mypy_grpc_out=quiet:gen.new $(PROTOS)
	@rm -rf gen && mv gen.new gen && touch gen/.built

$(VENV)/.installed: pyproject.toml $(VENV)/.locked gen/.built
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

proto: $(VENV)/.locked gen/.built  ## generated code from protos/
