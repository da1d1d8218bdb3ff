"""What image libraries say beside their results: warnings, log lines, and lines that C libraries put on standard error.

It belongs to the picture that is being read, not on the terminal.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOGGERS = ("tifffile", "imagecodecs", "PIL")
_MODULES = ("PIL", "pillow_heif", "tifffile", "imagecodecs")
_STANDARD_ERROR = 2
_LONGEST_LINE, _MOST_LINES = 200, 20
_standard_error = threading.Lock()


class _Listening(threading.local):
    """The lines of the picture that this thread reads; None where it reads none."""

    lines: list[str] | None = None


_listening = _Listening()


@contextmanager
def library_lines() -> Iterator[list[str]]:
    """Collect what Python libraries warn of or log in this thread, each line once, into the list."""
    _listen()
    before, _listening.lines = _listening.lines, []
    try:
        yield _listening.lines
    finally:
        _listening.lines = before


@contextmanager
def standard_error_lines() -> Iterator[list[str]]:
    """Collect what C libraries write to standard error into the list, which is filled when the block ends.

    The process has one standard error: one thread at a time collects, and what others write meanwhile is collected, too.
    """
    lines: list[str] = []
    with _standard_error, tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        kept = os.dup(_STANDARD_ERROR)
        os.dup2(file.fileno(), _STANDARD_ERROR)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(kept, _STANDARD_ERROR)
            os.close(kept)
            file.seek(0)
            text = file.read(_LONGEST_LINE * _MOST_LINES).decode("utf-8", "replace")
            _add(lines, *text.splitlines())


def _add(lines: list[str], *texts: str) -> None:
    for text in texts:
        line = " ".join(text.split())[:_LONGEST_LINE]
        if line and line not in lines and len(lines) < _MOST_LINES:
            lines.append(line)


class _Heard(logging.Filter):
    """Takes a library's records out of the log while this thread reads a picture."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _listening.lines is None:
            return True
        if record.levelno >= logging.WARNING:
            _add(_listening.lines, record.getMessage())
        return False


_heard = _Heard()


def _listen() -> None:
    """Stand before the log and `warnings.showwarning`, whoever has set that meanwhile."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_heard)  # does nothing where it is already
    shown = warnings.showwarning
    if getattr(shown, "of_archivae", False):
        return
    for module in _MODULES:
        warnings.filterwarnings("always", module=module)  # or each would be heard of the first picture alone

    def show(message: Any, *arguments: Any, **options: Any) -> None:
        if _listening.lines is None:
            shown(message, *arguments, **options)
        else:
            _add(_listening.lines, str(message))

    show.of_archivae = True  # type: ignore[attr-defined]
    warnings.showwarning = show
