# One virtual environment for everything, pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

.PHONY: demo test lint clean

demo: $(READY)  ## encode and decode the sample photographs, with a table and a before/after sheet
	$(VENV)/bin/python examples/demo.py

test: $(READY)  ## the whole suite, storage emulator included
	$(VENV)/bin/python -m pytest -q

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(READY): setup.py constraints.txt
	@echo 'Setting up $(VENV): a minute or two, mostly for torch.'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) demo
