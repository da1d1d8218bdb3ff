"""``python -m archivae.pipeline --operation encode --input ... --output ...``: a plain Beam program.

It is also what the Flex Template launches (deploy/main.py).
"""

from __future__ import annotations

import sys

from archivae.pipeline.cli import run_and_report
from archivae.pipeline.dataflow.template import plain_flags

if __name__ == "__main__":
    sys.exit(run_and_report(plain_flags(sys.argv[1:])))
