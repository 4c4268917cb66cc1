# The two commands: `make demo` shows wattbook on a simulated house, `make test` sets up and runs every test.
.PHONY: setup
setup:
	python3 -m venv .venv
	.venv/bin/pip install -e .
