# `make demo`, `make quick`, `make test` and `make models` do all the set-up. Each needs Python 3.11 to 3.13 with pip and nothing else.

PYTHON ?= python3
JOBS ?= 2
OUT := .demo

.PHONY: demo quick test test-slow models docs samples clean

# Virtual environments: for users of docproc, for `make quick`, for all tests, to train, and for the site.
.venv/demo/ready: wanted = .
.venv/quick/ready: wanted = --editable ".[test]"
.venv/test/ready: wanted = --editable ".[test-all]"
.venv/train/ready: wanted = --editable ".[train]"
.venv/docs/ready: wanted = --editable ".[docs]"

.venv/%/ready: pyproject.toml
	$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv --clear .venv/$*
	.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check $(wanted)
	@touch $@

demo: .venv/demo/ready
	@mkdir -p $(OUT)
	.venv/demo/bin/docproc run samples -o $(OUT)/results.csv --overwrite
	.venv/demo/bin/docproc explain samples/checks/check_03.jpg --field amount -o $(OUT)/explain.png --overwrite
	@echo
	@.venv/demo/bin/docproc status $(OUT)/results.csv
	@echo
	@echo "the table:                 $(OUT)/results.csv"
	@echo "one field, step by step:   $(OUT)/explain.png"
	@echo "docproc itself:            .venv/demo/bin/docproc   (source .venv/demo/bin/activate, then: docproc)"

# An answer in about a minute: the checks of the code, and the tests that need neither TensorFlow nor many processes.
quick: .venv/quick/ready
	.venv/quick/bin/ruff check .
	.venv/quick/bin/ruff format --check .
	.venv/quick/bin/lint-imports
	.venv/quick/bin/mypy
	.venv/quick/bin/python -m pytest -m "not thorough and not slow" -n $(JOBS) --dist loadfile

test: .venv/test/ready
	.venv/test/bin/ruff check .
	.venv/test/bin/ruff format --check .
	.venv/test/bin/lint-imports
	.venv/test/bin/mypy
	.venv/test/bin/python -m pytest -n $(JOBS) --dist loadfile

# What takes minutes: whole trainings, hundreds of kills, thousands of files and mutants. -rP prints what they measured.
test-slow: .venv/test/ready
	.venv/test/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test-all,corpus]"
	.venv/test/bin/python -m pytest -m slow -rP -n $(JOBS) --dist loadfile

# All shipped networks, from scratch, into $(MODELS): hours. It goes on where it was interrupted. DATA says what to learn from,
# as in `make models DATA="--data MNIST --pen PENS --fonts FONTS"`; without it, from what Keras downloads and docproc draws.
# Keeping freed memory, in huge pages, can halve the time of a training step on Linux.
MODELS ?= models
models: export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184
models: .venv/train/ready
	.venv/train/bin/docproc model train $(DATA) -o $(MODELS) --overwrite
	.venv/train/bin/docproc model train --network micr -o $(MODELS) --overwrite

# The site of docs/. It fails for anything that is not right, such as a link that leads nowhere.
docs: .venv/docs/ready
	.venv/docs/bin/python scripts/build_docs.py

samples: .venv/test/ready
	.venv/test/bin/python scripts/build_samples.py

clean:
	rm -rf .venv $(OUT) .site build dist
