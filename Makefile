# Each target alone makes the virtual environment, installs and runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: quickstart test test-all fuzz lint install
.DEFAULT_GOAL := install

install: $(INSTALLED)

# The constraints pin torch: an open range brings several GB of CUDA packages.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(INSTALLED)

quickstart: $(INSTALLED)
	$(BIN)/cclearn quickstart --overwrite

test: $(INSTALLED)
	$(BIN)/pytest -m "not slow"

# Nightly: everything, the slow tests too.
test-all: $(INSTALLED)
	$(BIN)/pytest

# Nightly too, more than an hour on two idle cores: mutated inputs for every command and format.
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz --inputs 10000 --out fuzz.json

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
