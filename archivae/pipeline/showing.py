"""The one way to a terminal or a log: nothing from outside is taken for a command there, and no secret gets that far.

Everything that prints does so by what is here (a test sees to it), which passes texts through `archivae.untrusted.shown`.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Any

from rich import console, table
from rich.markup import escape

from archivae.errors import ArchivaeError
from archivae.untrusted import shown, shown_lines


def say(*cells: object) -> None:
    """Print a text, whose lines are ours, on standard output; or several, with tabs between."""
    print("\t".join(map(shown_lines, cells)))


def complain(problem: object) -> int:
    """Print one line about what is wrong on standard error; 1, to be counted."""
    print(f"archivae: {shown(problem)}", file=sys.stderr)
    return 1


class Console(console.Console):
    """`rich.console.Console` for texts from outside: they are shown harmlessly, and hold no markup."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As of its parent."""
        harmless = [shown_lines(found) if isinstance(found, str) else found for found in objects]
        super().print(*harmless, **{"markup": False, **options})


class Table(table.Table):
    """`rich.table.Table` for texts from outside, in cells and in the title."""

    def __init__(self, *headers: str, title: str | None = None, **options: Any) -> None:
        super().__init__(*headers, title=title and escape(shown(title)), **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        """As of its parent."""
        super().add_row(*(escape(shown(cell)) if isinstance(cell, str) else cell for cell in cells), **options)


def start_logging(level: int = logging.ERROR) -> None:
    """Log to standard error, unless somebody else has set that up; whatever root logger there is shows texts harmlessly.

    So do exceptions that nobody catches.
    """
    logging.basicConfig(level=level)
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, _HarmlessFormatter):
            handler.setFormatter(_HarmlessFormatter(handler.formatter))
    sys.excepthook = _show_uncaught


class _HarmlessFormatter(logging.Formatter):
    """Another formatter's records, shown harmlessly; lines after the first are moved in: none passes for a record.

    An error of ours says all there is to know: a trace of where Beam met it would bury that.
    """

    def __init__(self, other: logging.Formatter | None) -> None:
        super().__init__()
        self._other = other or logging.Formatter(logging.BASIC_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info and isinstance(record.exc_info[1], ArchivaeError):
            record = logging.makeLogRecord({**vars(record), "exc_info": None, "exc_text": None})
        return shown_lines(self._other.format(record)).replace("\n", "\n  ")


def _show_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print(shown_lines("".join(traceback.format_exception(kind, error, trace)).rstrip("\n")), file=sys.stderr)
