"""The programs of the system that schedule, called without a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from archivae.errors import UsageError

_TIMEOUT = 60  # seconds


def call(words: Sequence[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program with ``text`` on its standard input. UsageError if it is not installed."""
    try:
        return subprocess.run(words, input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"{words[0]} is not to be had here: use the other of --with cron and --with systemd"
        ) from error
