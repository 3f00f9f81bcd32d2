# The targets a person and CI call. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install attack calibration compare test slow test-torch test-arm test-gpu check format bench bench-gpu bench-peers bench-trials fuzz clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "grubench needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.developing: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed ## Make .venv and install grubench into it

compare: $(VENV)/.installed ## GRU against LSTM on generated data (the embedded default)
	$(BIN)/grubench compare

test: $(VENV)/.developing ## Run the fast tests
	$(BIN)/python -m pytest -m "not slow"

slow: $(VENV)/.developing ## Run the slow tests
	$(BIN)/python -m pytest -m slow

# TORCH is what pip is asked for; the index of CPU builds saves gigabytes where there is no GPU:
# make test-torch TORCH='torch --index-url https://download.pytorch.org/whl/cpu'
TORCH ?= torch

test-torch: $(VENV)/.torch ## Run the tests of Keras's other backends, with PyTorch installed
	$(BIN)/python -m pytest tests/backends/test_other_backends.py

$(VENV)/.torch: $(VENV)/.developing
	$(BIN)/python -m pip install --quiet $(TORCH)
	@touch $@

test-arm: ## Run the kernels' NumPy tests on an emulated ARM processor (Debian, qemu-user-static)
	tests/kernels/emulate_arm.sh build/arm

HERE := PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}"
# GPU names a Python that has the backends to be tested or measured, where it is not that of .venv.
test-gpu: $(if $(GPU),,$(VENV)/.developing) ## Run the tests that need a GPU, on every backend that is installed
	$(HERE) $(or $(GPU),$(BIN)/python) -m pytest tests/backends/test_gpu.py

bench-gpu: $(if $(GPU),,$(VENV)/.installed) ## Measure the workloads with cuDNN and without, on every backend that is installed
	$(HERE) $(or $(GPU),$(BIN)/python) experiments/benchmarks/gpu.py $(ARGS)

check: $(VENV)/.developing ## Lint, types, layers, dead code, duplicates
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture
	$(BIN)/pylint --score=n grubench

format: $(VENV)/.developing ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed ## Measure start-up, reading and training overhead
	$(BIN)/python experiments/benchmarks/overhead.py

bench-trials: $(VENV)/.installed ## Measure what 10,000 trials cost besides their training
	$(BIN)/python experiments/benchmarks/bookkeeping.py $(ARGS)

calibration: $(VENV)/.developing ## Count what the verdict claims of arms that are equal
	$(BIN)/python tests/comparison/calibration.py $(ARGS)

fuzz: $(VENV)/.developing ## Try 10,000 broken and hostile inputs a reader
	GRUBENCH_FUZZ=10000 $(BIN)/python -m pytest tests/test_fuzz.py

attack: $(VENV)/.developing ## Try hostile files and faults on the command line, and print how each ended
	$(BIN)/python experiments/attacks.py $(ARGS)

# PEERS names a Python that has grubench and the other frameworks; without it one is made (gigabytes where torch
# comes with CUDA).
bench-peers: $(if $(PEERS),,.venv-peers/.installed) ## Race the fused kernels against PyTorch, Keras, XLA and JAX
	PYTHONPATH=. $(or $(PEERS),.venv-peers/bin/python) experiments/benchmarks/peers.py $(ARGS)

.venv-peers/.installed: pyproject.toml experiments/benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --editable . --requirement experiments/benchmarks/requirements.txt
	@touch $@

clean: ## Remove the environment and caches
	rm -rf $(VENV) .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
