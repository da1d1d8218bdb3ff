"""Pixels to latents and back: the part of the codec that may run in any float type."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archivae.models.photo.architecture import PATCH, Architecture
from archivae.models.photo.layers import Pointwise, ResidualBlock, ResidualBlocks


class Analysis(nn.Module):
    """Pixels ``(N, 3, H, W)`` in [-1, 1] to latents ``(N, latents, H/16, W/16)``; H and W multiples of 16."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.patch = Pointwise(3 * PATCH**2, arch.fine, takes=PATCH)
        self.fine = ResidualBlocks(arch.fine, arch.fine_blocks)
        self.down = Pointwise(4 * arch.fine, arch.coarse, takes=2)
        self.coarse = ResidualBlocks(arch.coarse, arch.coarse_blocks)
        self.head = Pointwise(arch.coarse, arch.latents)

    def forward(self, pixels: Tensor, mix: Tensor) -> Tensor:
        x = self.patch(pixels, mix)
        x = self.down(self.fine(x, mix), mix)
        return self.head(self.coarse(x, mix), mix)


class Synthesis(nn.Module):
    """Latents ``(N, latents, h, w)`` to pixels ``(N, 3, 16h, 16w)``, about [-1, 1], not clamped."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.head = Pointwise(arch.latents, arch.coarse)
        self.coarse = ResidualBlocks(arch.coarse, arch.coarse_blocks)
        self.up = Pointwise(arch.coarse, 4 * arch.fine, gives=2)
        self.fine = ResidualBlocks(arch.fine, arch.fine_blocks)
        self.patch = Pointwise(arch.fine, 3 * PATCH**2, gives=PATCH)

    def forward(self, latents: Tensor, mix: Tensor) -> Tensor:
        x = self.up(self.coarse(self.head(latents, mix), mix), mix)
        return self.patch(self.fine(x, mix), mix)


class HyperAnalysis(nn.Module):
    """Latents ``(N, latents, h, w)`` to hyper-latents ``(N, hyper, h/4, w/4)``, not yet rounded."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        width = arch.hyper
        self.head = Pointwise(arch.latents, width)
        self.middle = ResidualBlock(width)
        self.down = Pointwise(4 * width, width, takes=2)
        self.quarter = ResidualBlock(width)
        self.out = Pointwise(4 * width, width, takes=2)

    def forward(self, latents: Tensor, mix: Tensor) -> Tensor:
        # Latents span four decades; the logarithm lets one network see small and large ones.
        x = self.middle(self.head(symmetric_log(latents), mix), mix)
        return self.out(self.quarter(self.down(x, mix), mix), mix)


def symmetric_log(x: Tensor) -> Tensor:
    """The inverse hyperbolic sine, of operations that are vectorised: `torch.asinh` takes ten times as long on a CPU."""
    magnitude = x.abs()
    return torch.log(magnitude + torch.sqrt(magnitude * magnitude + 1)).copysign(x)
