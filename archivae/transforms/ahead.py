"""Work begun ahead: it goes on in threads while what was begun before is passed on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Ahead(Generic[In, Out]):
    """``work`` on up to ``depth`` members at once; `add` and `drain` give what is done, in the order of members.

    ``weight_limit``: what the members under way, and those done but not given out, may weigh together; a heavier one goes
    alone. What ``work`` raises comes in place of its answer, and ends it all. A depth of 0 works at once, in the caller's
    thread.

    >>> ahead = Ahead(str, depth=2, weight_limit=100)
    >>> [list(ahead.add(number, weight=1)) for number in range(3)], list(ahead.drain())
    ([[], [], ['0']], ['1', '2'])
    """

    def __init__(self, work: Callable[[In], Out], depth: int, weight_limit: int) -> None:
        self._work = work
        self._depth = depth
        self._limit = weight_limit
        self._pool = ThreadPoolExecutor(depth) if depth else None
        self._waiting: deque[tuple[Future[Out], int]] = deque()
        self._weight = 0

    def add(self, member: In, weight: int) -> Iterator[Out]:
        """Begin with ``member``; what had to be finished before that."""
        if self._pool is None:
            yield self._work(member)
            return
        while self._waiting and (len(self._waiting) >= self._depth or self._weight + weight > self._limit):
            yield self._first()
        self._waiting.append((self._pool.submit(self._work, member), weight))
        self._weight += weight

    def drain(self) -> Iterator[Out]:
        """All that is left."""
        while self._waiting:
            yield self._first()

    def close(self) -> None:
        """Let go of the threads; what is under way is waited for."""
        if self._pool is not None:
            self._pool.shutdown()

    def _first(self) -> Out:
        future, weight = self._waiting.popleft()
        self._weight -= weight
        return future.result()
