# chaoscheck: `make` prints this help.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help venv docker images demo test unit fuzz lint check bench calibrate example repeat clean

help: ## Print this help
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## Make the virtual environment in .venv

$(STAMP): pyproject.toml targets/shop/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "chaoscheck needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "no venv module here (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -r targets/shop/requirements.txt
	@touch $@

docker: ## Bring up a container engine where none answers and it may, and make the base image
	@scripts/docker-up.sh

demo: $(STAMP) ## See a shop with in-memory sessions fail, and the same shop with shared sessions pass
	@$(BIN)/python scripts/demo.py

test: $(STAMP) ## Run every test (container tests need an engine)
	$(BIN)/python -m pytest -q -n 2 --dist loadscope

unit: $(STAMP) ## Run the fast tests only
	$(BIN)/python -m pytest -q -n 2 tests/unit tests/house tests/simulate tests/cli

TIMES ?= 10
fuzz: $(STAMP) ## Look for new counterexamples to each property, a minute a time ([TIMES=n], 10 if not said)
	@for time in $$(seq $(TIMES)); do $(BIN)/python -m pytest -q -n 2 -m hypothesis --hypothesis-profile=default || exit 1; done

lint: $(STAMP) ## Types, style and layers
	$(BIN)/ruff check chaoscheck targets tests scripts benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## What CI runs

bench: $(STAMP) ## Measure speed, memory and the times of a kill, as ratios within one run
	$(BIN)/python -m benchmarks

SEEDS ?= 1
WRITE ?=
calibrate: $(STAMP) ## Catch every defect of the catalogue, accuse nothing else ([SEEDS=n] [WRITE=1]: table into README.md)
	@$(BIN)/python -m scripts.calibrate --seeds $(SEEDS) $(if $(WRITE),--write)

example: $(STAMP) ## Make the committed example anew: reports/example, a small real run
	@$(BIN)/python -m scripts.example

repeat: $(STAMP) ## Same image, same plan, ten runs: the same verdict
	@$(BIN)/python -m scripts.repeat targets/shop/plans/redis.yaml targets/shop/plans/memory-round-robin.yaml

clean: ## Remove the virtual environment and caches (runs in reports/ stay)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
