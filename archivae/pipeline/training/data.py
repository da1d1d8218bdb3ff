"""The pictures of a folder, a glob or a bucket, decoded into memory."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from archivae.errors import ArchivaeError, UsageError
from archivae.images import open_picture, picture_ending
from archivae.models.training.ahead import map_ahead
from archivae.pipeline.showing import Console
from archivae.storage import StoredObject, list_source, read_object

Decoded: TypeAlias = npt.NDArray[np.uint8] | ArchivaeError

GIB = 2**30
REASONS_SHOWN = 3
THREADS = 8
WINDOW = 16


@dataclass
class TrainingPictures:
    """``pixels``: (H, W, 3) uint8, in an order that the seed decides. The rest counts what there was besides."""

    pixels: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    bytes: int = 0
    unreadable: list[str] = field(default_factory=list)
    too_small: int = 0
    left_out: int = 0

    @property
    def megapixels(self) -> float:
        return sum(math.prod(p.shape[:2]) for p in self.pixels) / 1e6

    @property
    def fingerprint(self) -> str:
        """Differs when other pictures, or pictures of other sizes, were loaded."""
        shapes = [f"{name} {p.shape}" for name, p in zip(self.names, self.pixels, strict=True)]
        return hashlib.sha256("\n".join(shapes).encode()).hexdigest()[:16]


def load_pictures(sources: Sequence[str], *, exclude: str, side: int, seed: int, memory: int) -> TrainingPictures:
    """Decode what lies under ``sources`` and has ``side`` pixels both ways, until ``memory`` bytes are full.

    The order is random by ``seed``, so that what fits is a fair sample. Files whose name ends like no picture's are
    passed over. StorageError if there is nothing under one of ``sources``.
    """
    listed = [entry for source in sources for entry in list_source(source, exclude=exclude)]
    entries = [entry for entry in listed if _may_be_picture(entry.name)]
    random.Random(seed).shuffle(entries)
    loaded = TrainingPictures()
    with closing(_decoded(entries)) as decoded:
        for seen, (entry, pixels) in enumerate(decoded):
            if isinstance(pixels, ArchivaeError):
                loaded.unreadable.append(f"{entry.uri}: {pixels}")
            elif min(pixels.shape[:2]) < side:
                loaded.too_small += 1
            elif loaded.bytes + pixels.nbytes > memory:
                loaded.left_out = len(entries) - seen
                break
            else:
                _keep(loaded, entry, pixels)
    return loaded


def check_enough(pictures: TrainingPictures, *, sources: Sequence[str], side: int, batch: int) -> None:
    """UsageError for fewer pixels than one batch takes."""
    needed = batch * side**2 / 1e6
    if pictures.megapixels < needed:
        raise UsageError(
            f"expected at least the {needed:.2f} megapixels of one batch in pictures of {side} pixels or more, "
            f"found {pictures.megapixels:.2f} in {len(pictures.pixels)} pictures under {', '.join(map(repr, sources))} "
            f"({len(pictures.unreadable)} unreadable, {pictures.too_small} too small, {pictures.left_out} beyond "
            "--memory); add pictures, or take a smaller --crop or --batch"
        )


def describe_pictures(pictures: TrainingPictures, *, side: int, console: Console) -> None:
    """Say what was loaded and what was not."""
    size = f"{pictures.megapixels:,.1f} megapixels, {pictures.bytes / GIB:.2f} GiB in memory"
    console.print(f"{len(pictures.pixels):,} pictures, {size}")
    if pictures.too_small:
        console.print(f"{pictures.too_small:,} smaller than {side} pixels: not used")
    if pictures.left_out:
        console.print(f"{pictures.left_out:,} more not used, since the memory allowed is full: raise --memory for them")
    if pictures.unreadable:
        console.print(f"{len(pictures.unreadable):,} unreadable: not used; the first:")
        for reason in pictures.unreadable[:REASONS_SHOWN]:
            console.print(f"  {reason}", markup=False)


def _may_be_picture(name: str) -> bool:
    """A picture's ending, or none at all, as objects named by a hash have."""
    return picture_ending(name) or "." not in name.rpartition("/")[2]


def _decoded(entries: list[StoredObject]) -> Generator[tuple[StoredObject, Decoded], None, None]:
    def decode(entry: StoredObject) -> Decoded:
        try:
            return open_picture(read_object(entry.uri)).pixels
        except ArchivaeError as error:
            return error

    with closing(map_ahead(decode, entries, threads=THREADS, window=WINDOW)) as decoded:
        yield from zip(entries, decoded, strict=True)


def _keep(loaded: TrainingPictures, entry: StoredObject, pixels: npt.NDArray[np.uint8]) -> None:
    loaded.bytes += pixels.nbytes
    loaded.names.append(entry.name)
    # Grey is seen three times, not stored three times.
    loaded.pixels.append(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
