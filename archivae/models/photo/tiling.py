"""Pictures in tiles: where they lie, and what they need of their neighbours."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archivae.bitstream import tile_grid
from archivae.models.photo.architecture import HYPER_STRIDE, Architecture

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""(top, left, bottom, right) in pixels of the padded picture."""


class Cell(NamedTuple):
    """One tile, and the same with its halo."""

    inner: Box
    outer: Box


def padded_size(height: int, width: int) -> tuple[int, int]:
    """The size rounded up to whole hyper-latents."""
    return -(-height // HYPER_STRIDE) * HYPER_STRIDE, -(-width // HYPER_STRIDE) * HYPER_STRIDE


def cells(height: int, width: int, side: int, halo: int = Architecture().halo) -> Iterator[Cell]:
    """The tiles of a picture, row by row; ``halo`` is that of the architecture.

    >>> [cell.inner for cell in cells(100, 1500, 1024)]
    [(0, 0, 128, 1024), (0, 1024, 128, 1536)]
    """
    tall, wide = padded_size(height, width)
    rows, columns = tile_grid(height, width, side)
    for row in range(rows):
        for column in range(columns):
            top, left = row * side, column * side
            bottom, right = min(top + side, tall), min(left + side, wide)
            outer = max(top - halo, 0), max(left - halo, 0), min(bottom + halo, tall), min(right + halo, wide)
            yield Cell((top, left, bottom, right), outer)


def with_neighbours(rows: Iterable[Tensor], reach: int) -> Iterator[Tensor]:
    """Each of ``rows`` (N, C, h, w) with ``reach`` lines of those above and of those below, as far as there are any.

    No more rows are held than that takes: three, if a row has ``reach`` lines.
    """
    coming = iter(rows)
    held = deque(islice(coming, 1))
    above: list[Tensor] = []
    while held:
        while sum(row.shape[2] for row in islice(held, 1, None)) < reach and (ahead := next(coming, None)) is not None:
            held.append(ahead)
        row = held.popleft()
        below = [torch.cat([*held], 2)[:, :, :reach]] if held else []
        yield torch.cat([*above, row, *below], 2)
        seen = torch.cat([*above, row], 2)
        above = [seen[:, :, max(seen.shape[2] - reach, 0) :].clone()]
        held.extend(islice(coming, 0 if held else 1))


def cut(x: Tensor, cell: Cell, stride: int) -> Tensor:
    """The inner part of a tensor that covers the outer part of ``cell`` at ``stride`` pixels a position."""
    top, left = ((i - o) // stride for i, o in zip(cell.inner[:2], cell.outer[:2], strict=True))
    height, width = ((cell.inner[i + 2] - cell.inner[i]) // stride for i in range(2))
    return x[:, :, top : top + height, left : left + width]


def crop_padded(picture: Pixels, box: Box) -> Pixels:
    """A crop that may reach past the right and bottom edges, whose pixels are repeated there."""
    top, left, bottom, right = box
    crop = picture[top:bottom, left:right]
    missing = ((0, bottom - top - crop.shape[0]), (0, right - left - crop.shape[1]), (0, 0))
    return np.pad(crop, missing, mode="edge")
