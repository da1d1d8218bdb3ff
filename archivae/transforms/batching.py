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
from archivae.transforms.ahead import Ahead
from archivae.transforms.buckets import PIXEL_BUDGET, Buckets
from archivae.transforms.item import Item
from archivae.transforms.metrics import StepMetrics

Prepared = TypeVar("Prepared")

_BATCHES_AT_ONCE = 2


PIXELS_AHEAD = 64_000_000
"""Pixels that may be prepared while a batch is worked on; a larger picture is prepared alone."""


@dataclass(frozen=True)
class _Waiting(Generic[Prepared]):
    item: Item
    key: Hashable
    prepared: Prepared | None  # None: it could not be prepared, and the item has failed
    pixels: int
    seconds: float  # that preparing took
    parts: dict[str, float]  # of these seconds, as `archivae.stopwatch` has them
    stamp: Any  # what Beam must have back with a late element: its timestamp and window


@dataclass(frozen=True)
class _Finished(Generic[Prepared]):
    batch: Sequence[_Waiting[Prepared]]
    results: Sequence[Item | Exception]
    seconds: float  # for each
    parts: dict[str, float]


class BatchingFn(beam.DoFn, Generic[Prepared]):
    """Items wait in buckets of their bundle, by key, until ``batch_limit`` of them can be worked on together.

    Whatever `prepare` or `work` raises for an item makes it a failed item, and takes no neighbour with it. So many items
    as ``prepared_ahead`` are prepared in threads meanwhile, so `prepare` must not change what others see where that is
    not 0. Where batches have several members, two are worked on at once: one codes while the other has the device.
    """

    step: str
    batch_limit = 1
    prepared_ahead = 0

    def prepare(self, item: Item) -> tuple[Hashable, Prepared, int]:
        """The bucket's key, what `work` needs, and the pixels it holds while it waits."""
        raise NotImplementedError

    def weigh(self, item: Item) -> int:
        """The pixels that preparing ``item`` will take, or more than `PIXELS_AHEAD` if nobody knows."""
        return 0

    def work(self, batch: Sequence[Prepared]) -> Sequence[Item]:
        """The finished items, in order."""
        raise NotImplementedError

    def setup(self) -> None:
        self._metrics = StepMetrics(self.step)
        self._preparing = Ahead(self._prepared, self.prepared_ahead, PIXELS_AHEAD)
        self._workings: dict[bool, Ahead[Sequence[_Waiting[Prepared]], _Finished[Prepared]]] = {
            many: Ahead(self._worked_on, _BATCHES_AT_ONCE if many else 0, 2 * PIXEL_BUDGET) for many in (False, True)
        }

    def teardown(self) -> None:
        self._preparing.close()
        for working in self._workings.values():
            working.close()

    def start_bundle(self) -> None:
        self._buckets: Buckets[_Waiting[Prepared]] = Buckets(lambda: self.batch_limit)

    def process(
        self, item: Item, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[WindowedValue]:
        stamp = (timestamp, window)
        if item.status != "going":
            yield _stamped(item, stamp)
            return
        for waiting in self._preparing.add((item, stamp), self.weigh(item) if self.prepared_ahead else 0):
            yield from self._gather(waiting)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for waiting in self._preparing.drain():
            yield from self._gather(waiting)
        for batch in self._buckets.drain():
            yield from self._begin(batch)
        for working in self._workings.values():
            for finished in working.drain():
                yield from self._give_out(finished)

    def _prepared(self, arrived: tuple[Item, Any]) -> _Waiting[Prepared]:
        item, stamp = arrived
        began = time.perf_counter()
        key: Hashable = None
        prepared, pixels = None, 0
        try:
            key, prepared, pixels = self.prepare(item)
        except Exception as error:
            item = item.failed(self.step, error)
        return _Waiting(item, key, prepared, pixels, time.perf_counter() - began, take_seconds(), stamp)

    def _gather(self, waiting: _Waiting[Prepared]) -> Iterator[WindowedValue]:
        self._metrics.add_seconds(waiting.parts)
        if waiting.prepared is None:
            yield _stamped(waiting.item, waiting.stamp)
            return
        for batch in self._buckets.add(waiting.key, waiting, waiting.pixels):
            yield from self._begin(batch)

    def _begin(self, batch: Sequence[_Waiting[Prepared]]) -> Iterator[WindowedValue]:
        working = self._workings[self.batch_limit > 1]
        for finished in working.add(batch, sum(waiting.pixels for waiting in batch)):
            yield from self._give_out(finished)

    def _worked_on(self, batch: Sequence[_Waiting[Prepared]]) -> _Finished[Prepared]:
        began = time.perf_counter()
        ready = [waiting.prepared for waiting in batch if waiting.prepared is not None]
        results = run_isolated(self.work, ready)
        return _Finished(batch, results, (time.perf_counter() - began) / len(batch), take_seconds())

    def _give_out(self, finished: _Finished[Prepared]) -> Iterator[WindowedValue]:
        self._count(finished)
        for waiting, result in zip(finished.batch, finished.results, strict=True):
            item = waiting.item.failed(self.step, result) if isinstance(result, Exception) else result
            yield _stamped(item.with_more_seconds(waiting.seconds + finished.seconds), waiting.stamp)

    def _count(self, finished: _Finished[Prepared]) -> None:
        batch = finished.batch
        self._metrics.batch_size.update(len(batch))
        self._metrics.pictures.inc(len(batch))
        self._metrics.pixels.inc(sum(waiting.pixels for waiting in batch))
        self._metrics.bytes_in.inc(sum(len(waiting.item.data) for waiting in batch))
        self._metrics.bytes_out.inc(sum(len(item.data) for item in finished.results if isinstance(item, Item)))
        self._metrics.add_seconds(finished.parts)


def _stamped(item: Item, stamp: Any) -> WindowedValue:
    timestamp, window = stamp
    return WindowedValue(item, timestamp, (window,))
