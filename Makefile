# The two commands a newcomer needs:
#   make demo   all set-up, then wattbook on a simulated house
#   make test   all set-up, then every check and test
# Each set-up step leaves a stamp and runs again only when what it is made from has changed.

SHELL    := /bin/bash
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
PYTHON   ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
              $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN      := .venv/bin
PAGE     := src/wattbook/api/page
RUN      := .venv/.run-ready
DEV      := .venv/.dev-ready
COMPILED := .venv/.compiled
SUDO     := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PIP      := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-warn-script-location
JOBS     ?= $(shell echo $$(( $$(nproc) + 1 )))  # tests at once: many wait for a line or a server
DEBIAN_FOR_TESTS := mosquitto mosquitto-clients mbpoll chromium-headless-shell openssl \
  influxdb mariadb-server nats-server nginx postgresql prometheus victoria-metrics  # started on ports of their own

.PHONY: demo setup web test check unit bench torture lock docs screenshots clean

demo:
	@started=$$(date +%s%N) && $(MAKE) -j2 $(COMPILED) $(PAGE)/index.html && \
	echo "Set-up took $$(( ($$(date +%s%N) - started) / 1000000 )) ms." && exec $(BIN)/wattbook demo $(DEMO)

setup: $(DEV) $(COMPILED) $(PAGE)/index.html

web: $(PAGE)/index.html

test:
	$(MAKE) -j3 .venv/.debian-ready .cache/.npm-ready setup
	$(MAKE) check
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --durations=40 --durations-min=3

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/generate.py --check
	$(BIN)/python web/build.py check

torture: setup .venv/.debian-ready
	WATTBOOK_TORTURE=1 $(BIN)/python -m pytest -m torture -p no:randomly -s

bench: setup .venv/.debian-ready
	$(BIN)/python -m bench

docs: setup
	$(BIN)/python docs/generate.py

screenshots: setup .venv/.debian-ready
	$(BIN)/python docs/screenshots.py

lock: setup
	$(BIN)/python requirements/lock.py

clean:
	rm -rf .venv .cache $(PAGE) web/node_modules

# The virtual environment. Debian keeps `venv` in a package of its own.
.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "wattbook needs Python 3.11 or newer, and found none"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y python3-venv; }
	$(PYTHON) -m venv .venv

$(RUN): requirements/run.txt pyproject.toml | .venv/bin/python
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(DEV): requirements/dev.txt $(RUN)
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

# Where Python is told to write no bytecode, as in many containers, each start would compile the program, for 0.4 s.
$(COMPILED): $(RUN) $(shell find src -name '*.py' 2>/dev/null)
	@$(BIN)/python -m compileall -q src
	@touch $@

# Debian starts the servers that it installs; those that were not here before are switched off as services again.
.venv/.debian-ready: Makefile | .venv/bin/python
	@missing=$$(dpkg-query -W -f '$${db:Status-Status} $${Package}\n' $(DEBIAN_FOR_TESTS) 2>/dev/null | awk '$$1 == "installed" { print $$2 }' | \
	  sort | comm -13 - <(printf '%s\n' $(DEBIAN_FOR_TESTS) | sort)); \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -qq -y --no-install-recommends $$missing && \
	  if [ -d /run/systemd/system ]; then for unit in $$(echo $$missing | sed 's/mariadb-server/mariadb/'); do \
	    ! systemctl cat $$unit.service >/dev/null 2>&1 || $(SUDO) systemctl disable --now $$unit; done; fi; fi
	@touch $@

# Node-RED as examples/ shows it, and Grafana's own schema: half a minute and 420 MB, outside the tree.
.cache/.npm-ready: examples/node-red/package-lock.json tests/partners/grafana_schema/package-lock.json | .venv/bin/python
	$(BIN)/python web/partners.py
	@touch $@

# The page. Node.js of the system where it is new enough, else the one that comes as a wheel.
$(PAGE)/index.html: $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null) | .venv/bin/python
	$(BIN)/python web/build.py
