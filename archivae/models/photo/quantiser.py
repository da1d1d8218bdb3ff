"""Which integer stands for a real residual: the nearest, or one nearer to zero where that pays.

Rate-distortion optimised quantisation in its simplest form, as video encoders do it (Karczewicz et al. 2008, VCEG-AH21):
each residual alone, with the bits that its own table charges. Only encoders use it; a decoder need not know.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from archivae.bitstream import Tables
from archivae.bitstream.rans import LENGTH_BITS, PRECISION, VALUE_LIMIT

ERROR_PRICE = 32.0
"""Bits that a squared error of one quantisation step is worth where nothing is known of the picture; found on training
pictures, the same for all channels and qualities (docs/experiments.md)."""
BIT_UNIT = 2**16
"""Bits are counted in whole units of 1/65536, so that no order of summation matters."""
WIDEST_COUNTED = 511
"""Larger magnitudes count as this one: they cost a few bits more."""


class Quantiser:
    """Rounds residuals with the prices of ``tables``."""

    def __init__(self, tables: Tables, device: torch.device) -> None:
        self._savings = torch.from_numpy(_savings(tables)).to(device)

    def __call__(self, residual: Tensor, index: Tensor, price: Tensor | None = None) -> Tensor:
        """Whole numbers, int32, for real ``residual``; ``index`` (uint8) names the table of each. Table 0: always 0.

        ``price``, of the residuals' shape: bits that a squared error of each is worth, in place of `ERROR_PRICE`.
        """
        chosen = round_nearest(residual, index)
        # Most are 0 and stay so: only the others are looked at.
        places = chosen.flatten().nonzero().squeeze(1)
        nearest = chosen.flatten()[places]
        magnitude = nearest.abs()
        # One step towards zero turns an error e into e + 1, and its square into e^2 + 2e + 1.
        extra_error = 2 * (residual.flatten()[places].abs() - magnitude) + 1
        capped = magnitude.clamp(max=self._savings.shape[1] - 1).long()
        saved = self._savings[index.flatten()[places].long(), capped]
        worth = ERROR_PRICE if price is None else price.flatten()[places]
        chosen.view(-1)[places] -= nearest.sign() * (saved > worth * extra_error)
        return chosen


def round_nearest(residual: Tensor, index: Tensor) -> Tensor:
    """The nearest whole numbers, int32; where ``index`` is 0, 0."""
    nearest = residual.round().clamp_(-VALUE_LIMIT, VALUE_LIMIT)
    return nearest.masked_fill_(index == 0, 0).to(torch.int32)


class BitCount:
    """What values cost by ``tables``."""

    def __init__(self, tables: Tables, device: torch.device) -> None:
        self._costs = torch.from_numpy(_costs(tables)).to(device)

    def __call__(self, values: Tensor, index: Tensor) -> int:
        """The bits of all ``values`` by the tables ``index`` together, in units of 1/65536."""
        column = values.clamp(-WIDEST_COUNTED, WIDEST_COUNTED).add_(WIDEST_COUNTED)
        place = index.to(torch.int32).mul_(2 * WIDEST_COUNTED + 1).add_(column)
        return int(self._costs[place].sum(dtype=torch.int64))


def _costs(tables: Tables) -> np.ndarray:
    """Each value's bits in each table in units of 1/65536: int32 (tables * (2 * WIDEST_COUNTED + 1),)."""
    values = np.arange(-WIDEST_COUNTED, WIDEST_COUNTED + 1)
    costs = np.zeros((len(tables.radius), len(values)))
    for t in range(1, len(tables.radius)):
        radius = int(tables.radius[t])
        bits = PRECISION - np.log2(np.diff(tables.cumulative[t, : 2 * radius + 3].astype(np.int64)))
        excess = np.abs(values) - radius
        inside = excess <= 0
        costs[t, inside] = bits[values[inside] + radius]
        # An escape is followed by its sign, the length of the excess, and all bits of that but the first.
        costs[t, ~inside] = bits[-1] + 1 + LENGTH_BITS + np.floor(np.log2(excess[~inside]))
    return np.round(costs * BIT_UNIT).astype(np.int32).ravel()


def _savings(tables: Tables) -> np.ndarray:
    """Bits that magnitude m - 1 saves against m: (tables, widest radius + 2) float32; 0 where m or m - 1 is an escape."""
    radii = tables.radius.astype(int)
    savings = np.zeros((len(radii), radii.max() + 2), np.float32)
    for t in range(1, len(radii)):
        used = tables.cumulative[t, : 2 * radii[t] + 2].astype(np.int64)
        bits = PRECISION - np.log2(np.diff(used))[radii[t] :]  # of the magnitudes 0, 1, ...
        savings[t, 1 : radii[t] + 1] = np.diff(bits)
    return savings
