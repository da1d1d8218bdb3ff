"""``python -m archivae.pipeline --operation encode --input ... --output ...``: a plain Beam program."""

from __future__ import annotations

import sys

from archivae.pipeline.cli import run_and_report

if __name__ == "__main__":
    sys.exit(run_and_report(sys.argv[1:]))
