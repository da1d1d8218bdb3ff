"""Where the time of a picture goes: seconds by part, added up for each thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_threads = threading.local()


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Add the seconds spent inside to ``part`` of this thread, less those that parts timed within took."""
    before, began = sum(_seconds().values()), time.perf_counter()
    try:
        yield
    finally:
        seconds = _seconds()
        within = sum(seconds.values()) - before
        seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - began - within


def take_seconds() -> dict[str, float]:
    """The seconds of this thread since the last call, by part; the count starts anew."""
    seconds = _seconds()
    _threads.seconds = {}
    return seconds


def _seconds() -> dict[str, float]:
    if not hasattr(_threads, "seconds"):
        _threads.seconds = {}
    seconds: dict[str, float] = _threads.seconds
    return seconds
