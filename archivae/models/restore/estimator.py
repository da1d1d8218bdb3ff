"""How damaged is a picture? One number, of all its positions together."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.restore.architecture import COLOURS
from archivae.models.restore.layers import Depthwise, Pointwise

LARGEST_WEIGHT = 8.0
"""The logarithm of how much more one position may count than another, at most."""
ESTIMATOR_REACH = 8
"""Pixels that a position looks beyond itself, rounded up to whole positions of 8 pixels."""


class Votes(NamedTuple):
    """Sums over positions, each (N, features) float32: ``values`` times weights, and ``weights``. Tiles just add up."""

    values: Tensor
    weights: Tensor


class Estimator(nn.Module):
    """Pixels ``(N, 3, H, W)``, even sides, to a level ``(N,)`` float32, about [0, 1].

    A small network looks at each place and answers with values, and with how much it knows of each (a smooth sky tells
    the noise, a meadow doesn't); the weighted means go through a perceptron. About 1 kMAC a pixel.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.enter = Pointwise(4 * COLOURS, features)
        self.look = Depthwise(features)
        self.middle = Pointwise(features, features)
        self.look_again = Depthwise(features)
        self.leave = Pointwise(features, 2 * features)
        self.hidden = nn.Linear(features, 2 * features)
        self.answer = nn.Linear(2 * features, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.level(self.sums(self.votes(pixels)))

    def votes(self, pixels: Tensor) -> Tensor:
        """What each place says, ``(N, 2 * features, H/2, W/2)``: values, then logarithms of weights."""
        x = F.pixel_unshuffle(pixels * 2 - 1, 2)
        x = self.middle(F.relu(self.look(self.enter(x))))
        return self.leave(F.relu(self.look_again(x)))

    def sums(self, votes: Tensor) -> Votes:
        """The votes of a picture or of a part of it."""
        values, logarithms = votes.float().chunk(2, 1)
        weights = logarithms.clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT).exp()
        return Votes((values * weights).sum((2, 3)), weights.sum((2, 3)))

    def level(self, votes: Votes) -> Tensor:
        """The answer, (N,), of the votes of whole pictures."""
        with torch.autocast(votes.values.device.type, enabled=False):
            means = votes.values / votes.weights
            return self.answer(F.relu(self.hidden(means)))[:, 0]
