"""The DoFn that encode, decode and restore share: prepare an item, gather a batch of its like, work on the batch."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import apache_beam as beam
from apache_beam.utils.windowed_value import WindowedValue

from archivae.operations.batches import run_isolated
from archivae.stopwatch import take_seconds
from archivae.transforms.buckets import Buckets
from archivae.transforms.item import Item
from archivae.transforms.metrics import StepMetrics

Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class _Waiting(Generic[Prepared]):
    item: Item
    prepared: Prepared
    pixels: int
    seconds: float  # that preparing took
    stamp: Any  # what Beam must have back with a late element: its timestamp and window


class BatchingFn(beam.DoFn, Generic[Prepared]):
    """Items wait in buckets of their bundle, by key, until ``batch_limit`` of them can be worked on together.

    Whatever `prepare` or `work` raises for an item makes it a failed item, and takes no neighbour with it.
    """

    step: str
    batch_limit = 1

    def prepare(self, item: Item) -> tuple[Hashable, Prepared, int]:
        """The bucket's key, what `work` needs, and the pixels it holds while it waits."""
        raise NotImplementedError

    def work(self, batch: Sequence[Prepared]) -> Sequence[Item]:
        """The finished items, in order."""
        raise NotImplementedError

    def setup(self) -> None:
        self._metrics = StepMetrics(self.step)

    def start_bundle(self) -> None:
        self._buckets: Buckets[_Waiting[Prepared]] = Buckets(lambda: self.batch_limit)

    def process(
        self, item: Item, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[WindowedValue]:
        stamp = (timestamp, window)
        if item.status != "going":
            yield _stamped(item, stamp)
            return
        began = time.perf_counter()
        try:
            key, prepared, pixels = self.prepare(item)
        except Exception as error:
            yield _stamped(item.failed(self.step, error), stamp)
            return
        waiting = _Waiting(item, prepared, pixels, time.perf_counter() - began, stamp)
        for batch in self._buckets.add(key, waiting, pixels):
            yield from self._finish(batch)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for batch in self._buckets.drain():
            yield from self._finish(batch)

    def _finish(self, batch: Sequence[_Waiting[Prepared]]) -> Iterator[WindowedValue]:
        began = time.perf_counter()
        finished = run_isolated(self.work, [waiting.prepared for waiting in batch])
        share = (time.perf_counter() - began) / len(batch)
        self._count(batch, finished)
        for waiting, result in zip(batch, finished, strict=True):
            item = waiting.item.failed(self.step, result) if isinstance(result, Exception) else result
            yield _stamped(item.with_more_seconds(waiting.seconds + share), waiting.stamp)

    def _count(self, batch: Sequence[_Waiting[Prepared]], finished: Sequence[Item | Exception]) -> None:
        self._metrics.batch_size.update(len(batch))
        self._metrics.pictures.inc(len(batch))
        self._metrics.pixels.inc(sum(waiting.pixels for waiting in batch))
        self._metrics.bytes_in.inc(sum(len(waiting.item.data) for waiting in batch))
        self._metrics.bytes_out.inc(sum(len(item.data) for item in finished if isinstance(item, Item)))
        self._metrics.add_seconds(take_seconds())


def _stamped(item: Item, stamp: Any) -> WindowedValue:
    timestamp, window = stamp
    return WindowedValue(item, timestamp, (window,))
