"""A first guess of what stands in a hole: the colours around it, from coarser and coarser pictures.

Pull-push interpolation (Gortler et al. 1996, "The Lumigraph"). Five halvings stay within squares of 32 pixels, so
that tiles cut at multiples of 32 give the same as the whole; beyond that a 1/32 picture of the whole is filled.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

HALVINGS = 5
GRAIN = 2**HALVINGS
UNKNOWN = 0.5
"""What stands where nothing is known at all."""


class Coarse(NamedTuple):
    """``colours`` (N, 3, h, w) where known, and ``known`` (N, 1, h, w) in [0, 1]: how sure they are."""

    colours: Tensor
    known: Tensor


def coarsen(pixels: Tensor, mask: Tensor) -> Coarse:
    """``pixels`` (N, 3, H, W) outside of ``mask`` (N, 1, H, W, 1 in holes) at 1/32; sides are multiples of 32."""
    return _pyramid(pixels, mask)[-1]


def complete(coarse: Coarse) -> Tensor:
    """The coarse picture of a whole picture, of any size, with its holes filled smoothly: (N, 3, h, w)."""
    colours, known = coarse
    if max(known.shape[2:]) == 1:
        return torch.where(known > 0, colours, torch.full_like(colours, UNKNOWN))
    smaller = complete(_halve(coarse))
    guess = F.interpolate(smaller, size=known.shape[2:], mode="bilinear", align_corners=False)
    return torch.lerp(guess, colours, known)


def fill(pixels: Tensor, mask: Tensor, coarse: Tensor) -> Tensor:
    """``pixels`` with what is in holes replaced; ``coarse`` (N, 3, H/32, W/32) is that part of the `complete` one."""
    guess = coarse
    for level in reversed(_pyramid(pixels, mask)[:-1]):
        guess = torch.lerp(F.interpolate(guess, scale_factor=2, mode="nearest"), level.colours, level.known)
    return guess


def fill_alone(pixels: Tensor, mask: Tensor) -> Tensor:
    """`fill` of a whole picture."""
    return fill(pixels, mask, complete(coarsen(pixels, mask)))


def _pyramid(pixels: Tensor, mask: Tensor) -> list[Coarse]:
    known = 1 - mask
    # Not a product: what stands in a hole may be anything, even no number.
    levels = [Coarse(torch.where(mask > 0, torch.zeros_like(pixels), pixels), known)]
    for _ in range(HALVINGS):
        levels.append(_halve(levels[-1]))
    return levels


def _halve(level: Coarse) -> Coarse:
    """Means of what is known in squares of 2x2; one known pixel is enough to be sure."""
    known = F.avg_pool2d(level.known, 2, ceil_mode=True)
    colours = F.avg_pool2d(level.colours * level.known, 2, ceil_mode=True) / known.clamp_min(1e-6)
    return Coarse(colours, (4 * known).clamp_max(1))
