"""From a collection's figures and the prices to what an archive saves and costs. Plain arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archivae.pipeline.estimate.prices import Prices, StorageClass, Worker

GIB = 1 << 30
DAYS_A_MONTH = 30.0


@dataclass(frozen=True)
class Collection:
    """``pictures`` of ``size`` bytes in all; ``ages``: (days, bytes) pairs that add up to it.

    ``ratio``: bytes out for each byte in. ``pixels``: megapixels in all. ``cpu_seconds``: of one core for each megapixel.
    All but the first three come from a sample.
    """

    pictures: int
    size: int
    ages: Sequence[tuple[float, int]]
    ratio: float
    pixels: float
    cpu_seconds: float

    @property
    def size_out(self) -> int:
        return round(self.size * self.ratio)


@dataclass(frozen=True)
class Storing:
    """One way to keep the archive, in dollars. ``saving`` a month once the originals are gone; ``once`` to get there."""

    way: str
    objects: int
    saving: float
    writes: float
    reads: float
    early_deletion: float

    @property
    def once(self) -> float:
        return self.writes + self.reads + self.early_deletion


@dataclass(frozen=True)
class Working:
    """The job on one kind of worker: hours from its start to its end, dollars."""

    accelerator: str
    hours: float
    cost: float


def storings(collection: Collection, source: StorageClass, archive: StorageClass, shard_size: int) -> list[Storing]:
    """Single objects and shards side by side: what differs is what their writes cost."""
    kept = collection.size * source.month / GIB
    saving = kept - collection.size_out * archive.month / GIB
    # Every original is read to encode it and again to verify it; every archive object is read back once.
    from_source = 2 * (collection.pictures * source.reads / 1000 + collection.size * source.retrieval / GIB)
    left = sum(
        max(source.minimum_days - days, 0) / DAYS_A_MONTH * size * source.month / GIB for days, size in collection.ages
    )
    shards = max(1, math.ceil(collection.size_out / shard_size)) if collection.pictures else 0
    ways = {
        "single objects": collection.pictures,
        f"shards of {shard_size >> 20} MiB": min(shards, collection.pictures),
    }
    return [
        Storing(
            way, objects, saving, objects * archive.writes / 1000, from_source + _read_back(collection, archive), left
        )
        for way, objects in ways.items()
    ]


def working(collection: Collection, name: str, worker: Worker, prices: Prices, workers: int) -> Working:
    """The job on so many ``workers``; NaN where the speed is not known."""
    speed = worker.megapixels_per_second
    if not speed and name == "cpu" and collection.cpu_seconds:
        speed = worker.cores / collection.cpu_seconds
    hours = collection.pixels / speed / 3600 / workers if speed else math.nan
    hours += prices.start_minutes / 60
    return Working(name, hours, hours * workers * worker.hour)


def payback_months(storing: Storing, work: Working) -> float:
    """Months until the saving has paid for the job and its requests; infinite if it never does."""
    if storing.saving <= 0:
        return math.inf
    return (storing.once + work.cost) / storing.saving


def _read_back(collection: Collection, archive: StorageClass) -> float:
    return collection.pictures * archive.reads / 1000 + collection.size_out * archive.retrieval / GIB
