"""A job run again and again, for what has come since."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from archivae.errors import NothingFoundError

_DEAD_LETTERS = 1
"""The exit code of a round that may be followed by others."""


def keep_watching(run: Callable[[bool], int], every: float) -> int:
    """Call ``run`` every so many seconds, until the process is asked to end; the worst exit code of all rounds.

    Its argument says whether to work again on what failed: so in the first round alone. Asked to end by SIGINT or SIGTERM,
    a round under way is finished first; asked twice it is broken off. A source that holds nothing yet is waited for; any
    other error ends it, and so does a round in which too much failed.
    """
    worst, first = 0, True
    with _asked_to_end() as asked:
        while not asked.is_set():
            try:
                worst = max(worst, run(first))
                first = False
                if worst > _DEAD_LETTERS:
                    break
            except NothingFoundError:
                pass
            asked.wait(every)
    return worst


@contextmanager
def _asked_to_end() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one does what it did before."""
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        asked.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
