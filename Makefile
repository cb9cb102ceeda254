# make run [STUDIES=/path] [DEVICE=auto|cpu|cuda]   the main job
# make test                                         the default tests
SHELL := /bin/bash
DEVICE ?= auto
STUDIES ?=
PYTHON ?= python3
PY := .venv/bin/python
export PYTHON

.PHONY: run test slow check bench soak screenshots clean setup-run setup-test

run: setup-run
	@packaging/run.sh "$(STUDIES)"

setup-run:
	@packaging/setup.sh run "$(DEVICE)"

setup-test:
	@packaging/setup.sh test "$(DEVICE)"

# Rendering and GUI tests run in processes of their own: one mistake in native code must not take the suite along.
test: setup-test
	$(PY) -m pytest -q --ignore=tests/gui --ignore=tests/rendering
	$(PY) -X faulthandler -m pytest -q tests/rendering
	QT_QPA_PLATFORM=offscreen $(PY) -X faulthandler -m pytest -q tests/gui

slow: setup-test
	timeout 2400 $(PY) -m pytest -q -m slow

check: setup-test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: setup-test
	$(PY) -m pytest -q -s -m benchmark tests/benchmarks

soak: setup-test
	$(PY) -m pytest -q -s -m soak --timeout=0

screenshots: setup-test
	QT_QPA_PLATFORM=offscreen $(PY) packaging/screenshots.py

clean:
	rm -rf .venv .carez output build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
