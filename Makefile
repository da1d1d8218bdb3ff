# One virtual environment for everything, pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

TFIO_VENV := .venv-tfio
TFIO_READY := $(TFIO_VENV)/.ready

.PHONY: demo test test-tfio lint clean

demo: $(READY)  ## encode and decode the sample photographs, with a table and a before/after sheet
	$(VENV)/bin/python examples/demo.py

test: $(READY)  ## the whole suite, storage emulator included
	$(VENV)/bin/python -m pytest -q

test-tfio: $(TFIO_READY)  ## the readers that need tensorflow-io, in an environment of their own
	OMP_NUM_THREADS=2 $(TFIO_VENV)/bin/python -m pytest -q tests/tfio tests/images

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(READY): setup.py constraints.txt
	@echo 'Setting up $(VENV): a minute or two, mostly for torch.'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

$(TFIO_READY): setup.py constraints-tfio.txt
	@echo 'Setting up $(TFIO_VENV): some minutes, for torch and tensorflow.'
	$(PYTHON) -m venv $(TFIO_VENV)
	$(TFIO_VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints-tfio.txt -e '.[test,tfio]' pydicom
	touch $@

clean:
	rm -rf $(VENV) $(TFIO_VENV) demo
