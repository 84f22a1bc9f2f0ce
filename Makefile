# make demo: install, then run the main job; make test, test-all, lint, ui, bench: the rest. `make help` lists them.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3.11
STAMP := $(VENV)/.installed
export DAGSTER_HOME := $(CURDIR)/.dagster
export DVC_NO_ANALYTICS := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all lint ui bench fuzz chaos audit-dependencies sbom clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

install: $(STAMP)  ## make .venv with pinned dependencies

# torch comes in the same command as all that wants it, or another version arrives first; tinysoundfont without its
# pyaudio, which is for live playing and wants a compiler and PortAudio
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed; name yours: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(VENV): about 2.5 GB and a few minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt tinysoundfont
	$(BIN)/python -m pipelines.precompile
	@touch $@

PROFILE ?=
demo: install  ## run the main job; ends with the report's path (PROFILE=class: a small one in two minutes, beside your results)
	@$(BIN)/conservatory run $(if $(PROFILE),--profile $(PROFILE))

ui: install  ## open the lineage graph in Dagster, http://127.0.0.1:3000
	@$(BIN)/conservatory ui

# As many at once as there are cores, at most four: most of a test is one thread that waits for another process. A file's tests stay together,
# since they share what takes long to make; tests/conftest.py puts the longest files first, or one process would end up alone with them. A worker that crashes ends the run, which would wait for
# its replacement for ever (pytest-xdist issue 784).
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
TESTS ?= tests

test: install  ## run the tests a change needs (about 10 minutes on two cores): all modules, without servers, browsers and faults (TESTS=tests/audio: those alone)
	@$(PYTEST) -m "unit or stage" $(TESTS) || { status=$$?; test $$status != 5 || \
	  echo "No test of $(TESTS) is in make test: they are system or fault, and in make test-all."; exit $$status; }

$(VENV)/.all: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[deploy,encoders,ray]'
	@touch $@

test-all: $(VENV)/.all  ## run all tests (about 35 minutes), as .ci/run does: also remotes, browsers, a deployment, Ray, faults; skips what needs a program that is not here (TESTS=tests/deploy: those alone)
	@$(PYTEST) $(TESTS)

lint: install  ## check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

bench: install  ## measure speed against peers in the same run (about an hour on two cores; each figure as it comes)
	@for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

FUZZ ?= 20000
fuzz: install  ## feed every reader FUZZ spoilt files a target (20000: hours); what fails is kept in .hypothesis/ and tried first
	@CONSERVATORY_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz

CHAOS ?= 100
chaos: install  ## try every fault, CHAOS kills in all (100: hours); goes on where it was interrupted (FAULT="name", SEED=n: that alone)
	@PYTHONPATH=tests:. $(BIN)/python -m chaos.run --count $(CHAOS) $(if $(FAULT),--fault "$(FAULT)") $(if $(SEED),--seed $(SEED))

$(VENV)/.audit: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[audit]'
	@touch $@

# --strict: what the service does not know is an error; without it, a service that answers nothing would look like a clean lock
audit-dependencies: $(VENV)/.audit  ## look up known vulnerabilities of every pinned package (needs a network: pypi.org)
	@$(BIN)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip --progress-spinner off || { \
	  echo "NOT CLEAN, OR NOT AUDITED: either advisories are listed above, or the service (https://pypi.org/pypi/<name>/json)" \
	  "could not be reached or does not know a package, and then nothing is known. SECURITY.md says what to do." >&2; exit 1; }

sbom: $(VENV)/.audit  ## write sbom.json (CycloneDX) of what constraints.txt pins
	@$(BIN)/cyclonedx-py requirements --spec-version 1.6 --output-reproducible --short-PURLs --pyproject pyproject.toml \
	  --output-file sbom.json constraints.txt
	@echo "sbom.json: $$(grep -c '"bom-ref"' sbom.json) components"

clean:  ## remove the environment and the cache of clips (not your data, .dvc/cache, downloads, nor what a training or retraining goes on from)
	rm -rf $(VENV) .cache/clips *.egg-info
