"""What the Flex Template's launcher runs: `python -m archivae.pipeline` with the template's parameters."""

from runpy import run_module

run_module("archivae.pipeline", run_name="__main__", alter_sys=True)
