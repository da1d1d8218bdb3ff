# One virtual environment for everything, pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

TFIO_VENV := .venv-tfio
TFIO_READY := $(TFIO_VENV)/.ready

AIRFLOW := apache-airflow==3.3.2 apache-airflow-providers-google==22.8.0 apache-airflow-providers-apache-beam==6.3.1 pytest==9.2.0
AIRFLOW_VENV := .venv-airflow
AIRFLOW_READY := $(AIRFLOW_VENV)/.ready

.PHONY: demo test test-tfio test-airflow lint clean

demo: $(READY)  ## encode and decode the sample photographs, with a table and a before/after sheet
	$(VENV)/bin/python examples/demo.py

test: $(READY)  ## the whole suite, storage emulator included, on up to four cores
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(VENV)/bin/python -m pytest -q -n auto --maxprocesses 4

test-tfio: $(TFIO_READY)  ## the readers that need tensorflow-io, in an environment of their own
	OMP_NUM_THREADS=2 $(TFIO_VENV)/bin/python -m pytest -q tests/tfio tests/images

test-airflow: $(AIRFLOW_READY)  ## the DAG, in Airflow
	AIRFLOW_HOME=$(abspath $(AIRFLOW_VENV))/home $(AIRFLOW_VENV)/bin/python -m pytest -q --noconftest tests/airflow

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

$(AIRFLOW_READY): Makefile
	@echo 'Setting up $(AIRFLOW_VENV): a minute or two.'
	$(PYTHON) -m venv $(AIRFLOW_VENV)
	$(AIRFLOW_VENV)/bin/pip install --quiet --disable-pip-version-check $(AIRFLOW)
	touch $@

clean:
	rm -rf $(VENV) $(TFIO_VENV) $(AIRFLOW_VENV) demo
