# make demo: the whole job on the embedded data set.  make test: the tests.  Both set up what they need.
# make bench: speed beside other evaluations, see tests/benchmarks/conftest.py; options in BENCH=.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint bench clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vipbench needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[baselines,dev]'
	touch $@

demo: $(VENV)/installed
	PATH="$(abspath $(BIN)):$$PATH" sh demo.sh results

test: $(VENV)/installed lint
	$(BIN)/python -m pytest

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --upgrade --target build/types .
	MYPYPATH=build/types $(BIN)/mypy -p vipbench

bench: $(VENV)/installed
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-columns=median,min,max,rounds $(BENCH)

clean:
	rm -rf $(VENV) build results *.egg-info .pytest_cache .mypy_cache .ruff_cache
