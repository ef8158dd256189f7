# Two commands do all the set-up: `make demo` and `make test`. Each needs Python 3.11 to 3.13 with pip and nothing else.

PYTHON ?= python3
OUT := .demo

.PHONY: demo test test-slow samples clean

# A virtual environment for users of docproc, and one that also holds what the tests need.
.venv/demo/ready: pyproject.toml
	$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv --clear .venv/demo
	.venv/demo/bin/python -m pip install --quiet --disable-pip-version-check .
	@touch $@

.venv/test/ready: pyproject.toml
	$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv --clear .venv/test
	.venv/test/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	@touch $@

demo: .venv/demo/ready
	@mkdir -p $(OUT)
	.venv/demo/bin/docproc run samples -o $(OUT)/results.csv --overwrite
	.venv/demo/bin/docproc explain samples/checks/check_03.jpg --field amount -o $(OUT)/explain.png --overwrite
	@echo
	@head -n 12 $(OUT)/results.csv
	@echo "..."
	@echo "the table:   $(OUT)/results.csv"
	@echo "one field, step by step:   $(OUT)/explain.png"

test: .venv/test/ready
	.venv/test/bin/ruff check .
	.venv/test/bin/ruff format --check .
	.venv/test/bin/mypy
	.venv/test/bin/python -m pytest

# What takes minutes: hundreds of kills, thousands of files and mutants.
test-slow: .venv/test/ready
	.venv/test/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test,corpus]"
	.venv/test/bin/python -m pytest -m "slow or not slow" -s tests/runs

samples: .venv/test/ready
	.venv/test/bin/python scripts/build_samples.py

clean:
	rm -rf .venv $(OUT) build dist
