"""A picture in tiles that overlap by as much as the network looks around, so that none of them has an edge to show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]
"""Top, left, bottom, right, in pixels of the padded picture."""


class Cell(NamedTuple):
    """What of a picture a tile is for, and what it has to see."""

    inner: Box
    outer: Box


def round_up(length: int, grain: int) -> int:
    """The next multiple of ``grain``.

    >>> round_up(66, 8)
    72
    """
    return -(-length // grain) * grain


def cells(height: int, width: int, *, side: int, halo: int, grain: int) -> Iterator[Cell]:
    """The tiles of a picture padded to multiples of ``grain``, row by row: even ones, of about ``side`` at most.

    >>> [cell.inner for cell in cells(100, 1500, side=1024, halo=72, grain=8)]
    [(0, 0, 104, 752), (0, 752, 104, 1504)]
    """
    tall, wide = round_up(height, grain), round_up(width, grain)
    halo = round_up(halo, grain)
    for top, bottom in _parts(tall, side, grain):
        for left, right in _parts(wide, side, grain):
            outer = max(top - halo, 0), max(left - halo, 0), min(bottom + halo, tall), min(right + halo, wide)
            yield Cell((top, left, bottom, right), outer)


def cut(array: npt.NDArray[np.generic], box: Box) -> npt.NDArray[np.generic]:
    """A part of (H, W, C) that may reach past the right and bottom edges, whose pixels are repeated there."""
    top, left, bottom, right = box
    part = array[top:bottom, left:right]
    return np.pad(part, ((0, bottom - top - part.shape[0]), (0, right - left - part.shape[1]), (0, 0)), mode="edge")


def within(cell: Cell) -> tuple[slice, slice]:
    """Where the inner part lies in an array of the outer."""
    top, left = (inner - outer for inner, outer in zip(cell.inner[:2], cell.outer[:2], strict=True))
    height, width = cell.inner[2] - cell.inner[0], cell.inner[3] - cell.inner[1]
    return slice(top, top + height), slice(left, left + width)


def _parts(length: int, side: int, grain: int) -> list[tuple[int, int]]:
    step = round_up(-(-length // -(-length // side)), grain)
    return [(start, min(start + step, length)) for start in range(0, length, step)]
