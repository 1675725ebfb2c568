# make setup | run | test | lint | bench; run and test call setup themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run test test-browser test-rest lint lint-js bench format recordings

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Dissolve needs Python 3.11 to 3.13, and $(PYTHON) is " + sys.version.split()[0] + "; run make PYTHON=python3.12, say.") if not (3, 11) <= sys.version_info < (3, 14) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt --group dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

setup: .venv/ready

run: setup
	$(BIN)/python -m streamlit run dashboard/app.py

# The browser mostly waits, so its tests run beside the others: two processes, on two cores.
test: setup
	@$(MAKE) --no-print-directory --keep-going --jobs 2 test-browser test-rest

test-browser: setup
	$(BIN)/python -m pytest tests/browser

test-rest: setup
	$(BIN)/python -m pytest tests --ignore tests/browser

lint: setup lint-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The dashboard runs without Node; only whoever changes its JavaScript needs it.
lint-js:
	@if command -v npm >/dev/null; then \
		npm --prefix dashboard install --silent --no-audit --no-fund && npm --prefix dashboard run --silent lint; \
	else echo "There is no npm here, so the JavaScript was not linted."; fi

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m tests.benchmarks

# What the pages Fleet, Watch and Data room open on, made anew in assets/recorded: a quarter of an hour on a quiet core.
recordings: setup
	$(BIN)/python -m core.fleet.recording
	$(BIN)/python -m core.watch.recording
	$(BIN)/python -m core.dataroom.recording
