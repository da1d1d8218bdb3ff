"""``python -m archivae``: the command, where the installed one is out of reach (torchrun, cron)."""

import sys

from archivae.pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
