"""How reading, pixel decoding, a device and the entropy coder overlap in the steps of the pipeline.

    python -m benchmarks.timeline [--batches 24] [--out benchmarks/results/timeline.json]

The steps are the pipeline's own; their work waits for so long as it is said to take, so that the figure shows how well they
overlap on any machine, not how fast they are. The device takes the longest: it should hardly ever be idle.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from archivae.storage import StoredObject
from archivae.transforms import Item
from archivae.transforms import read as reading
from archivae.transforms.batching import BatchingFn
from benchmarks.machine import RESULTS, write_json

MILLISECONDS = {"read": 20.0, "pixels": 15.0, "device": 60.0, "entropy coder": 40.0}
"""Of one object; of one batch of `BATCH` for the device and the entropy coder."""
BATCH = 8

Span = tuple[str, float, float]


class Clock:
    """When each part of the work began and ended, in seconds since the first."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._began = time.perf_counter()
        self._device = threading.Lock()

    @contextmanager
    def _noted(self, part: str) -> Iterator[None]:
        began = time.perf_counter() - self._began
        yield
        self.spans.append((part, began, time.perf_counter() - self._began))

    def spend(self, part: str) -> None:
        """Let the time of a part go by; of the device there is one."""
        if part == "device":
            with self._device, self._noted(part):
                time.sleep(MILLISECONDS[part] / 1000)
        else:
            with self._noted(part):
                time.sleep(MILLISECONDS[part] / 1000)


class _Waiting(BatchingFn[Item]):
    step = "timeline"
    batch_limit = BATCH

    def __init__(self, clock: Clock, prepared_ahead: int) -> None:
        self._clock = clock
        self.prepared_ahead = prepared_ahead

    def prepare(self, item: Item) -> tuple[int, Item, int]:
        self._clock.spend("pixels")
        return 0, item, 1

    def work(self, batch: Sequence[Item]) -> list[Item]:
        self._clock.spend("device")
        self._clock.spend("entropy coder")
        return list(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--out", type=Path, default=RESULTS / "timeline.json")
    arguments = parser.parse_args()
    spans = run(arguments.batches)
    idle = idle_share(spans)
    one_by_one = MILLISECONDS["device"] / (
        BATCH * (MILLISECONDS["read"] + MILLISECONDS["pixels"]) + MILLISECONDS["device"] + MILLISECONDS["entropy coder"]
    )
    result = {"milliseconds": MILLISECONDS, "batch": BATCH, "batches": arguments.batches, "device_idle": idle}
    write_json(arguments.out, {**result, "device_idle_one_by_one": 1 - one_by_one})
    draw(spans, arguments.out.with_suffix(".svg"))
    print(
        f"the device is idle {100 * idle:.1f} % of the time; one step after the other: {100 * (1 - one_by_one):.0f} %"
    )


def run(batches: int) -> list[Span]:
    """A bundle of so many batches through reading and a step that works in batches."""
    clock = Clock()

    def read(item: Item, **_: object) -> Item:
        clock.spend("read")
        return item

    reading.read_item = read
    first, second = reading._ReadFn({"pictures_only": True}), _Waiting(clock, prepared_ahead=3)
    for step in (first, second):
        step.setup()
    second.start_bundle()
    done = 0
    items = [Item(StoredObject(f"/{n}", f"{n}", 1, "local:1:1"), f"{n}") for n in range(batches * BATCH)]
    for item in items:
        for value in first.process(item, 0, None):
            done += len(list(second.process(value.value, 0, None)))
    for value in first.finish_bundle():
        done += len(list(second.process(value.value, 0, None)))
    done += len(list(second.finish_bundle()))
    assert done == len(items)
    for step in (first, second):
        step.teardown()
    return clock.spans


def idle_share(spans: Sequence[Span]) -> float:
    """The share of the time between the device's first and last work in which it did nothing."""
    busy = sorted((began, ended) for part, began, ended in spans if part == "device")
    return 1 - sum(ended - began for began, ended in busy) / (busy[-1][1] - busy[0][0])


def draw(spans: Sequence[Span], path: Path) -> None:
    """A line a part, from the first second on."""
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    axes = figure.add_subplot()
    for row, part in enumerate(MILLISECONDS):
        places = [(began, ended - began) for name, began, ended in spans if name == part]
        axes.broken_barh(places, (row - 0.4, 0.8), alpha=0.6, linewidth=0.3, edgecolor="white")
    axes.set_yticks(range(len(MILLISECONDS)), list(MILLISECONDS))
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
