"""Pixel (un)shuffling in the order (row, column, channel): unbroken stretches of channels_last memory are moved.

`torch.nn.functional.pixel_shuffle` orders a patch as (channel, row, column), so the rows of a layer's weight that stand
for patches must be put into the other order first; that is done once.
"""

from __future__ import annotations

from torch import Tensor


def patch_order(rows: Tensor, side: int) -> Tensor:
    """Rows (of a weight, a bias) that stand for (channel, row, column) of a patch, as (row, column, channel)."""
    return rows.unflatten(0, (-1, side, side)).movedim(0, 2).flatten(0, 2)


def folded(x: Tensor, side: int) -> Tensor:
    """(N, C, side * h, side * w) to (N, side * side * C, h, w)."""
    if side == 1:
        return x
    count, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(count, height // side, side, width // side, side * channels)
    return rows.transpose(2, 3).flatten(3).permute(0, 3, 1, 2)


def unfolded(x: Tensor, side: int) -> Tensor:
    """(N, side * side * C, h, w) to (N, C, side * h, side * w)."""
    if side == 1:
        return x
    count, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(count, height, width, side, channels // side)
    return rows.transpose(2, 3).reshape(count, side * height, side * width, -1).permute(0, 3, 1, 2)
