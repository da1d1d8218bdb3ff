"""The shape of a photo codec: the numbers that, with the weights, make a model."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

PATCH = 8
"""The first layer takes 8x8 patches."""
LATENT_STRIDE = 16
"""Pixels a side of one latent position."""
HYPER_STRIDE = 64
"""Pixels a side of one hyper-latent position: pictures are padded to a multiple of it."""
PASSES = 4
"""Latents are decoded in four parallel steps."""

TABLES = 64
"""Frequency tables, from narrow to wide; table 0 codes nothing."""
Z_LIMIT = 31
"""Hyper-latents lie in [-32, 31]."""

PASS_ORDER = (0, 3, 1, 2)
"""Pass i decodes, at phase p of the 2x2 grid of positions, the channels c with ``c % 4 == p ^ PASS_ORDER[i]``."""

LAMBDAS = tuple(0.0006 * 2**i for i in range(10))
"""Rate-distortion trade-off at the ten anchors of the quality scale: bits per pixel + lambda * MSE (of 0..255)."""
ANCHORS = len(LAMBDAS)


@dataclass(frozen=True)
class Architecture:
    """Channel counts and depths. Defaults are the shipped ``photo`` model's."""

    fine: int = 192  # channels at 1/8
    coarse: int = 384  # channels at 1/16
    latents: int = 384
    hyper: int = 128
    features: int = 192  # what the hyper decoder hands to the context networks
    context: int = 224
    hyper_context: int = 128  # the same for the hyper-latents
    fine_blocks: int = 2
    coarse_blocks: int = 2

    def asdict(self) -> dict[str, int]:
        return asdict(self)

    @property
    def reach(self) -> int:
        """How far a pixel reaches through either transform, in pixels: a block's 3x3 filter reaches one position."""
        return PATCH * self.fine_blocks + LATENT_STRIDE * self.coarse_blocks

    @property
    def halo(self) -> int:
        """`reach` in whole latent positions, in pixels: tiles are cut with this much around them."""
        return -(-self.reach // LATENT_STRIDE) * LATENT_STRIDE


def anchor_mix(position: Tensor) -> Tensor:
    """How much of each anchor makes a quality: (N,) in [0, ANCHORS - 1] to (N, ANCHORS), two neighbours of one sum.

    >>> anchor_mix(torch.tensor([2.25]))[0, 1:5]
    tensor([0.0000, 0.7500, 0.2500, 0.0000])
    """
    return (1 - (position[:, None] - torch.arange(ANCHORS, device=position.device)).abs()).clamp_min(0)


def pass_masks(channels: int, height: int, width: int) -> Tensor:
    """Which latents each pass decodes: bool ``(PASSES, channels, height, width)``, disjoint, together everything.

    Channels fall into four interleaved groups and positions into the four phases of a 2x2 grid; pass i decodes group g
    at phase ``g ^ order[i]``. So each pass sees, at every place, other channels of the same position and the same
    channels of its neighbours (the quadtree partition of Li et al. 2023, arXiv:2302.14402).
    """
    order = torch.tensor(PASS_ORDER)
    group = (torch.arange(channels) % 4).view(1, -1, 1, 1)
    phase = (torch.arange(height) % 2).view(-1, 1) * 2 + (torch.arange(width) % 2).view(1, -1)
    return (group ^ order.view(-1, 1, 1, 1)) == phase


def phase_planes(height: int, width: int) -> Tensor:
    """One-hot phase of every position, ``(1, 4, height, width)`` float32: tells a context network where it stands."""
    phase = (torch.arange(height) % 2).view(-1, 1) * 2 + (torch.arange(width) % 2).view(1, -1)
    return torch.stack([(phase == p) for p in range(4)])[None].float()
