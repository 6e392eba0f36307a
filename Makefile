# make demo    environment, then a real fit: table, equation, picture, model file, predictions from it
# make test    environment, then every check
# make bench   environment, then the speed figures
#
# Each works on a fresh clone and again afterwards. Variables: PYTHON (3.11 or later), VENV (where the environment is),
# DEMO (where the demo writes), JOBS (test processes).

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
DEMO ?= demo-output
JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SOURCES := pyproject.toml constraints.txt
FORMULA := progression ~ bmi + bp + C(sex) + poly(s5, 2)

.PHONY: help demo test lint bench clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# One stamp for each set of packages; a change of pyproject.toml or constraints.txt makes them anew.
$(VENV)/.stamp-python:
	@test -n '$(PYTHON)' || { echo 'Thalweg needs Python 3.11 or later; name one with PYTHON=...' >&2; exit 1; }
	@echo '+ creating $(VENV) with $(PYTHON)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-run: $(VENV)/.stamp-python $(SOURCES)
	@echo '+ installing thalweg'
	@$(PIP) -e .
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-run $(SOURCES)
	@echo '+ installing thalweg[test]'
	@$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.stamp-bench: $(VENV)/.stamp-run $(SOURCES)
	@echo '+ installing thalweg[bench]'
	@$(PIP) -e '.[bench]'
	@touch $@

# make echoes each command as a user would type it. The data are written first, so that a file is what is fitted.
demo: export PATH := $(abspath $(BIN)):$(PATH)
demo: $(VENV)/.stamp-run
	@mkdir -p $(DEMO)
	cd $(DEMO) && thalweg datasets diabetes --out diabetes.csv
	cd $(DEMO) && thalweg fit diabetes.csv "$(FORMULA)" --out m.safetensors --plot fit.png --equation text
	cd $(DEMO) && thalweg show m.safetensors --equation sql --quiet
	cd $(DEMO) && thalweg predict m.safetensors diabetes.csv --interval 0.95 > predictions.csv
	@head -n 4 $(DEMO)/predictions.csv
	@printf 'In %s: ' '$(DEMO)' && ls -m $(DEMO)

lint: $(VENV)/.stamp-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# One thread for each test process: several processes with several threads each would wait for one another.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS)

bench: $(VENV)/.stamp-bench
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis
