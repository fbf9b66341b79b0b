# Everything a clone needs. Each target does all of its own set-up; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Idle OpenMP threads that spin make small batches many times slower on few cores.
export OMP_WAIT_POLICY ?= PASSIVE
export OMP_NUM_THREADS ?= 1
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup data demo test test-full check format bench wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## virtual environment with locked dependencies

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

data: setup ## MNIST and Fashion-MNIST into the cache, checked
	@sh scripts/data.sh $(BIN)/python

demo: setup ## evolve nonsense that a bundled network is certain about, and verify it
	$(BIN)/trompe demo --out demo --resume
	$(BIN)/trompe verify demo

test: setup data ## the tests a change must pass (minutes)
	$(BIN)/python -m pytest -m 'not slow' -n $(WORKERS)

test-full: setup data ## the tests that take longer
	$(BIN)/python -m pytest tests -m slow -n $(WORKERS)

check: setup ## format, lint, types, room contract: cheap first
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: setup ## apply the formatter and the safe lint mends
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure demo, reach, overhead, resume, engines and a cluster, and write docs/performance.md
	$(BIN)/python benchmarks/demo.py
	$(BIN)/python benchmarks/reach.py
	$(BIN)/python benchmarks/climb.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/resume.py
	$(BIN)/python benchmarks/render.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/overhead.py --engine openvino-bf16
	$(BIN)/python benchmarks/bookkeeping.py
	$(BIN)/python benchmarks/fewer.py
	$(BIN)/python benchmarks/peers.py
	$(BIN)/python benchmarks/imagenet.py
	$(BIN)/python benchmarks/imagenet_gradient.py
	$(BIN)/python benchmarks/gpu.py
	$(BIN)/python benchmarks/ray_scaling.py
	$(BIN)/python scripts/performance.py

wheel: setup ## build the wheel into dist/
	$(BIN)/python -m build --wheel

clean: ## remove the virtual environment, caches and the demo
	rm -rf $(VENV) build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
