# Each target sets up what it needs (virtual environment, dependencies, base model) and is safe
# to repeat.  `make demo` and `make test` are the two commands of the README.
PY := .venv/bin/python
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
# Waiting threads sleep: on a busy machine spinning ones cost ten times the work.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: help demo test check lint setup default-model clean
help:
	@echo "make demo           train, certify and use a small guard on this machine (minutes, CPU)"
	@echo "make test           every check and the whole test suite"
	@echo "make check          the checks without the tests: ruff, mypy, import-linter"
	@echo "make default-model  make the full-size model (SHARED=DIR adds real carriers; one GPU)"
	@echo "make clean          remove .venv and outputs"

setup:
	@scripts/setup.sh

demo: setup
	@$(PY) -m causalguard.cli demo

check: setup
	@scripts/check.sh

test: setup
	@scripts/setup.sh --system
	@scripts/check.sh
	@$(PY) -m pytest -n 2 --dist worksteal

default-model: setup
	@$(PY) scripts/default_model.py $(if $(SHARED),--shared $(SHARED)) $(if $(KEY),--key $(KEY))

clean:
	rm -rf .venv demo-output runs
