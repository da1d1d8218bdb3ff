"""Elements of a bundle gathered by a key until a batch is full, within a budget of memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Member = TypeVar("Member")

PIXEL_BUDGET = 64_000_000
"""Pixels that may wait for their batch to fill; beyond, the fullest bucket goes."""


class Buckets(Generic[Member]):
    """Members waiting by key. `add` and `drain` give the batches that are ready.

    ``limit`` is asked at each `add`: the codec that sets it may be found only then.

    >>> buckets = Buckets(limit=lambda: 2)
    >>> [list(buckets.add(size, name, 1)) for size, name in (("s", "a"), ("l", "b"), ("s", "c"))]
    [[], [], [['a', 'c']]]
    >>> list(buckets.drain())
    [['b']]
    """

    def __init__(self, limit: Callable[[], int], pixel_budget: int = PIXEL_BUDGET) -> None:
        self._limit = limit
        self._budget = pixel_budget
        self._waiting: dict[Hashable, list[Member]] = {}
        self._pixels: dict[Hashable, int] = {}

    def add(self, key: Hashable, member: Member, pixels: int) -> Iterator[list[Member]]:
        """Put ``member``, of so many ``pixels``, into its bucket; batches that this fills or crowds out."""
        self._waiting.setdefault(key, []).append(member)
        self._pixels[key] = self._pixels.get(key, 0) + pixels
        if len(self._waiting[key]) >= self._limit():
            yield self._take(key)
        while sum(self._pixels.values()) > self._budget:
            yield self._take(max(self._pixels, key=self._pixels.__getitem__))

    def drain(self) -> Iterator[list[Member]]:
        """All that is left, oldest bucket first."""
        for key in list(self._waiting):
            yield self._take(key)

    def _take(self, key: Hashable) -> list[Member]:
        del self._pixels[key]
        return self._waiting.pop(key)
