# Living Lab. `make help` lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(shell find protos -name '*.proto')
SOURCES := chassis services cli stack directory instruments programs schemas tests bench deploy
# Which tests: make test T=tests/unit
T ?= tests
# Which seeds: make chaos SEEDS=200, or FIRST=17 SEEDS=1 for one again
SEEDS ?= 20
FIRST ?= 1
# What is no Python package and taken out of Debian's.
TOOLS := .livinglab/tools
# The contract as it was released last: what stands in it is kept.
RELEASED := tests/contract/released.binpb

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup browser foreign proto demo up down check test unit integration e2e chaos bench rivals histories pictures k8s-check k8s-test image monitoring promtool release schemas released lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## venv with the locked dependencies, generated code, the livinglab command

# Each step is marked as done only when it is: an interrupted one is done again.
$(VENV)/.locked: requirements.lock
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

gen/.built: $(PROTOS) $(VENV)/.locked
	@rm -rf gen.new && mkdir gen.new
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=gen.new --mypy_out=quiet:gen.new \
		--grpc_python_out=gen.new --mypy_grpc_out=quiet:gen.new $(PROTOS)
	@rm -rf gen && mv gen.new gen && touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.locked gen/.built
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

proto: gen/.built ## generated code from protos/

demo: setup ## rehearse the program of 2022 with 62 regions on real servers, from start to end; STAY=1 leaves it running
	@$(BIN)/python -m stack.rehearsal $(if $(STAY),--stay)

up: setup ## start the platform and leave it running
	@$(BIN)/livinglab up

down: setup ## stop it
	@$(BIN)/livinglab down

check: setup k8s-check ## format, lint, types, import rules, protos, manifests
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --no-cache
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/buf breaking --against $(RELEASED)

# The pages are looked at in a real Chromium. Where it can be installed it is; without it those tests are left out.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } \
		|| echo "no chromium: the tests of pages in a browser are left out; 'apt-get install chromium' brings it" >&2

# What tries the rules for alerts: taken out of Debian's package of Prometheus, nothing of which is installed.
promtool:
	@command -v promtool >/dev/null || [ -x $(TOOLS)/promtool ] || { command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null \
		&& mkdir -p $(TOOLS)/prometheus && cd $(TOOLS)/prometheus && { [ "$$(id -u)" != 0 ] || apt-get update -qq; } \
		&& apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && mv usr/bin/promtool .. && cd .. && rm -rf prometheus; } >/dev/null 2>&1 \
		|| echo "no promtool: the test of the rules is left out; Debian's package prometheus has it" >&2

# What outsiders would use, to try our contract with. Where there is no node, those tests are left out and say so.
foreign: schemas/node/node_modules/.installed

schemas/node/node_modules/.installed: schemas/node/package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix schemas/node && touch $@; \
		else echo "no npm: the official AsyncAPI parser is left out" >&2; fi

test: setup browser foreign promtool ## every test; T=path picks some, T="--lf" those that failed last
ifeq ($(T),tests)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/contract --cov --cov-report=
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/e2e tests/chaos tests/workflow tests/integration tests/replay
else
	$(BIN)/python -m pytest $(T)
endif

unit: setup ## what needs no server
	$(BIN)/python -m pytest tests/unit tests/contract

integration: setup ## one service at a time on real servers
	$(BIN)/python -m pytest tests/integration

e2e: setup ## every process and server, and what happens when one is killed
	$(BIN)/python -m pytest tests/e2e tests/chaos

chaos: setup ## cohorts under drawn faults: SEEDS=200 many of them, FIRST=17 SEEDS=1 that one again
	$(BIN)/python -m tests.chaos.seeds --seeds $(SEEDS) --first $(FIRST)

bench: setup ## ours beside the bare limit, in one run; writes bench/latest.json
	@$(BIN)/python -m bench

# What other people would pick, to be measured beside: an environment of its own, and Debian's PostgreSQL.
RIVALS := .livinglab/rivals
rivals: setup ## brings DBOS and PostgreSQL, for `python -m bench rivals`
	@[ -x $(RIVALS)/bin/python ] || $(PYTHON) -m venv $(RIVALS)
	@$(RIVALS)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/rivals/requirements.txt
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; } \
		|| echo "no PostgreSQL: 'apt-get install postgresql' brings it" >&2

pictures: setup browser ## what the docs show of the console, taken of a rehearsal while it runs
	@$(BIN)/python -m tests.harness.pictures

histories: setup ## records the workflow histories that tests/replay replays
	@$(BIN)/python -m tests.replay.record

k8s-check: setup ## builds and validates every manifest, lints the Dockerfile
	@bash deploy/k8s/check.sh

image: setup ## the image of what is committed, two builds one digest: dist/image; BASE=own without a registry
	@BASE="$(BASE)" deploy/image/build.sh && $(BIN)/python -m deploy.image.contents dist/image/livinglab.cdx.json

release: setup ## renders what is installed, by digest: make release IMAGE=registry/livinglab@sha256:...
	@$(BIN)/python -m deploy.release --image "$(IMAGE)"

monitoring: setup ## writes dashboards and the operator's rules from deploy/monitoring and the rules
	@$(BIN)/python -m deploy.monitoring

k8s-test: setup ## a cluster here, a rehearsal on it, everything rolled, killed and drained meanwhile; as root, 20 minutes the first time
	@$(BIN)/python -m deploy.cluster

schemas: setup foreign ## what others build on: docs/events.md, the AsyncAPI document and packages of the protos in dist/schemas
	@$(BIN)/python -m schemas

released: setup ## takes the protos as they are for the released contract
	$(BIN)/buf breaking --against $(RELEASED)
	$(BIN)/buf build --exclude-source-info -o $(RELEASED)

lock: setup ## resolves the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --all-extras pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header -c requirements.lock pyproject.toml -o requirements.runtime.lock

clean: ## removes everything that was built or stored here
	rm -rf $(VENV) gen gen.new .livinglab bench/latest.json
