"""A picture and what is known of its damage to what should be added: a convolutional autoencoder with skips.

    1/2   head > blocks ---------------------------- + > blocks > tail
    1/4           down > blocks ----------- + > blocks > up
    1/8                     down > latent blocks > up

Each step down halves the sides (pixel-unshuffle) and doubles the channels; skips are added.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.restore.architecture import COLOURS, PLANES, RestorerArchitecture
from archivae.models.restore.estimator import Estimator
from archivae.models.restore.layers import Pointwise, blocks
from archivae.models.restore.tasks import Task

TAIL_GAIN = 0.02
"""An untrained restorer adds next to nothing."""


class Network(nn.Module):
    """``(N, PLANES, H, W)``, H and W multiples of 8, to ``(N, 3, H, W)`` in the dtype of its weights."""

    def __init__(self, arch: RestorerArchitecture) -> None:
        super().__init__()
        half, quarter, eighth = arch.width, 2 * arch.width, 4 * arch.width
        self.head = Pointwise(4 * PLANES, half)
        self.encode_half = blocks(half, arch.encode_half)
        self.down_quarter = Pointwise(4 * half, quarter)
        self.encode_quarter = blocks(quarter, arch.encode_quarter)
        self.down_eighth = Pointwise(4 * quarter, eighth)
        self.latent = blocks(eighth, arch.latent)
        self.up_quarter = Pointwise(eighth, 4 * quarter)
        self.decode_quarter = blocks(quarter, arch.decode_quarter)
        self.up_half = Pointwise(quarter, 4 * half)
        self.decode_half = blocks(half, arch.decode_half)
        self.tail = Pointwise(half, 4 * COLOURS, gain=TAIL_GAIN)

    def forward(self, planes: Tensor) -> Tensor:
        fine = self.encode_half(self.head(F.pixel_unshuffle(planes, 2)))
        middle = self.encode_quarter(self.down_quarter(F.pixel_unshuffle(fine, 2)))
        latents = self.latent(self.down_eighth(F.pixel_unshuffle(middle, 2)))
        middle = self.decode_quarter(middle + F.pixel_shuffle(self.up_quarter(latents), 2))
        fine = self.decode_half(fine + F.pixel_shuffle(self.up_half(middle), 2))
        return F.pixel_shuffle(self.tail(fine), 2)


class RestorationOutput(NamedTuple):
    """``pixels`` and ``base`` (N, 3, H, W) float32, not clamped; ``level`` (N,) as estimated, None without estimator."""

    pixels: Tensor
    base: Tensor
    level: Tensor | None


class RestorationModel(nn.Module):
    """All that is trained for a task: the network and, where the damage can be judged blind, its estimator."""

    def __init__(self, task: Task, arch: RestorerArchitecture) -> None:
        super().__init__()
        self.task = task
        self.arch = arch
        self.network = Network(arch)
        self.estimator = Estimator(arch.features) if task.blind else None

    def forward(self, pixels: Tensor, level: Tensor, mask: Tensor) -> RestorationOutput:
        """Restore at the given level, and estimate it.

        Args:
            pixels: (N, 3, H, W) float32, about [0, 1], sides multiples of 32; what lies in holes is not looked at.
            level: (N,) float32 in [0, 1].
            mask: (N, 1, H, W) float32, 1 in holes.
        """
        with torch.no_grad():
            base = self.task.base(pixels, level, mask)
        estimated = self.estimator(pixels) if self.estimator is not None else None
        return RestorationOutput(self.add(base, level, mask), base, estimated)

    def add(self, base: Tensor, level: Tensor, mask: Tensor) -> Tensor:
        """``base`` (N, 3, H, W) float32 and what the network adds to it, as much as the level allows; float32."""
        planes = stack_planes(base, level, mask).to(self.network.head.weight.dtype)
        return base + self.task.amplitude(level, mask, base) * self.network(planes).float()


def stack_planes(base: Tensor, level: Tensor, mask: Tensor) -> Tensor:
    """What the network sees, ``(N, PLANES, H, W)``: colours in [-1, 1]; the level as a map (FFDNet, arXiv:1710.04026)."""
    planes = torch.cat([base * 2 - 1, level.view(-1, 1, 1, 1).expand_as(mask), mask], 1)
    return planes.contiguous(memory_format=torch.channels_last)
