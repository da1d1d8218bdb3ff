"""Many small requests at once, answers in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_THREADS = 8
WINDOW = 512  # requests in hand at once, so that ten million of them need no ten million futures


def map_in_order(function: Callable[[Item], Answer], items: Iterable[Item], window: int = WINDOW) -> Iterator[Answer]:
    """``map(function, items)`` on a few threads; the first error ends it. ``window``: the most answers kept waiting."""
    remaining = iter(items)
    with ThreadPoolExecutor(_THREADS) as pool:
        while batch := list(islice(remaining, window)):
            yield from pool.map(function, batch)
