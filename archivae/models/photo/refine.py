"""Encoding harder: which integers of a tile cost least in bits and error together, looked for in a closed loop.

Rate-distortion optimised quantisation that sees the whole codec. Each step decodes what it has, asks the synthesis' derivative
where every latent should rather be, moves the latents' targets there, and rounds them anew with the prices of this
picture: what a squared error of each channel adds to the error of the picture, by one backward pass of random signs
(Hutchinson 1990). Contexts are followed exactly, by the integer networks themselves. The best of all steps is
kept, the first being what an encoder without effort writes. A decoder never needs to know.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from archivae.models.photo.architecture import LAMBDAS, PASSES
from archivae.models.photo.coder import Chosen, choose_latents, in_order
from archivae.models.photo.distortion import Decoded, TileError
from archivae.models.photo.exact import QUALITY_SCALE, EntropyNetworks, Field
from archivae.models.photo.quantiser import BIT_UNIT, BitCount, Quantiser


class Effort(NamedTuple):
    """``steps`` to take, and how carefully.

    A rounding counts as ``caution`` times its price: neighbours are rounded at once, and what they add up to costs more.
    With little of it a search begins worse and ends better.
    """

    steps: int
    caution: float


EFFORTS = (Effort(0, 0.0), Effort(4, 4.0), Effort(16, 2.0), Effort(64, 2.0))
"""All numbers here were found on training pictures (docs/experiments.md)."""
MOST_EFFORT = len(EFFORTS) - 1
STRIDE = 0.1
"""How much of the way to where the derivative would have each channel alone a target moves at a step, at first. Channels
are not independent: all the way would be much too far. A step that does not help is taken back, and halves it."""
LEAST_STRIDE = STRIDE / 256
"""No integer would follow a shorter one: the search is over."""
MOMENTUM = 0.7
LEAST_PRICE = 1e-3
"""Of the mean: channels that hardly show are not divided by what is next to nothing."""


class Candidate(NamedTuple):
    chosen: Chosen
    restored: Tensor
    decoded: Decoded
    cost: float
    """Bits + lambda / 3 * squared error."""


def error_worth(quality: int) -> float:
    """Bits that a squared error of one sample by one level is worth at ``quality``: lambda / 3.

    Lambda weighs the mean over three samples a pixel against the bits of a pixel.
    """
    growth = LAMBDAS[-1] / LAMBDAS[0]
    lam: float = LAMBDAS[0] * growth ** (quality / QUALITY_SCALE)
    return lam / 3


class Refiner:
    """Looks for better integers with the entropy networks and prices of one model."""

    def __init__(self, networks: EntropyNetworks, quantise: Quantiser, count: BitCount) -> None:
        self._networks = networks
        self._quantise = quantise
        self._count = count

    def refine(
        self, field: Field, latents: Tensor, error: TileError, worth: float, effort: Effort, seed: int
    ) -> tuple[Chosen, Tensor]:
        """The best integers for ``latents`` (1, latents, h, w) float32 with ``effort``, and what they restore.

        ``worth``: bits that a squared error of 1 is worth, see `error_worth`.
        """
        plain = self._candidate(field, latents, None, error, worth)
        price = self._price(error.spread(plain.decoded, seed), worth)
        prices = [in_order(price.expand(latents.shape) * effort.caution, step) for step in range(PASSES)]
        # The first step may cost more than no effort: it goes on from there all the same, with other prices.
        reached, reached_target, least = plain, latents, math.inf
        push, stride = torch.zeros_like(latents), STRIDE
        best = plain
        for _ in range(effort.steps):
            wanted = error.gradient(reached.decoded).mul_(worth).div_(2 * price)
            push.mul_(MOMENTUM).add_(wanted, alpha=1 - MOMENTUM)
            target = reached_target.sub(push, alpha=stride)
            tried = self._candidate(field, target, prices, error, worth)
            if tried.cost < least:
                reached, reached_target, least = tried, target, tried.cost
                best = min(best, tried, key=lambda candidate: candidate.cost)
            else:
                push.zero_()
                stride /= 2
                if stride < LEAST_STRIDE:
                    break
        return best.chosen, best.restored

    def _candidate(
        self, field: Field, target: Tensor, prices: list[Tensor] | None, error: TileError, worth: float
    ) -> Candidate:
        def rounding(step: int, residual: Tensor, index: Tensor) -> Tensor:
            return self._quantise(residual, index, None if prices is None else prices[step])

        chosen, restored = choose_latents(self._networks, field, target, rounding)
        decoded = error.decode(restored)
        cost = self._count(*chosen) / BIT_UNIT + worth * decoded.squared_error
        return Candidate(chosen, restored, decoded, cost)

    def _price(self, spread: Tensor, worth: float) -> Tensor:
        """Bits that a squared error of a step is worth in each channel."""
        return (spread * worth).clamp_min(float(spread.mean()) * worth * LEAST_PRICE)


def seed_of(pixels: np.ndarray) -> int:
    """A seed for what is random about a picture's encoding: its SHA-256, so that the same picture gives the same bytes."""
    return int.from_bytes(hashlib.sha256(pixels.tobytes()).digest()[:8], "little")
