# Each target alone makes the virtual environment, installs and runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The tools that lock, list and audit packages stay out of the product's environment.
TOOLS_VENV ?= .venv-tools
TOOLS := $(TOOLS_VENV)/bin
TOOLS_INSTALLED := $(TOOLS_VENV)/.installed
LOCKS := requirements.lock requirements-cuda.lock requirements-ray.lock

.PHONY: quickstart test test-all fuzz nightly lint install lock sbom audit
.DEFAULT_GOAL := install

install: $(INSTALLED)

# The constraints pin torch: an open range brings several GB of CUDA packages.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(INSTALLED)

$(TOOLS_INSTALLED): tools/requirements.lock
	$(PYTHON) -m venv $(TOOLS_VENV)
	$(TOOLS)/pip install --quiet --disable-pip-version-check --require-hashes -r tools/requirements.lock
	touch $(TOOLS_INSTALLED)

quickstart: $(INSTALLED)
	$(BIN)/cclearn quickstart --overwrite

test: $(INSTALLED)
	$(BIN)/pytest -n auto --dist worksteal -m "not slow and not real_model and not browser"

# Tests with any marker. Those whose data, device, model or browser is missing are skipped.
test-all: $(INSTALLED)
	$(BIN)/pytest

# More than an hour on two idle cores: mutated inputs for every command and every file format.
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz --inputs 10000 --out fuzz.json

# Tests with any marker (slow, real_model, browser), the fuzz tests and the vulnerability scan.
nightly: test-all fuzz audit

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Pins that still fit stay; `make lock LOCK=--upgrade` renews all of them.
lock: $(TOOLS_INSTALLED)
	$(TOOLS)/python tools/lock.py $(LOCK)

sbom: $(TOOLS_INSTALLED)
	PYTHONWARNINGS=ignore $(TOOLS)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file sbom.cdx.json requirements.lock

# --strict: a package that the advisory database does not answer for fails the audit.
audit: $(TOOLS_INSTALLED)
	@$(TOOLS)/pip-audit --strict --disable-pip --require-hashes $(addprefix -r ,$(LOCKS)) || { \
		echo "audit: failed. A package is vulnerable, or PyPI could not be asked about one;" \
			"the lines above name it." >&2; exit 1; }
