"""A map that works ahead of whoever draws from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def map_ahead(
    function: Callable[[Item], Answer], items: Iterable[Item], *, threads: int, window: int
) -> Generator[Answer, None, None]:
    """``map(function, items)`` on ``threads``, in order, with at most ``window`` answers that nobody has drawn yet.

    >>> list(map_ahead(abs, [-1, 2, -3], threads=2, window=1))
    [1, 2, 3]
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Answer]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
