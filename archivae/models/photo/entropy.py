"""The trainable entropy model: hyper decoder and context networks, all in simulated integer arithmetic."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.photo.architecture import Architecture
from archivae.models.photo.integer import PARAMETER_UNIT, IntegerBlock, IntegerPointwise, unsigned8

Z_GAIN = 4
"""Hyper-latents in [-32, 31] enter the integer networks times 4, as signed activations."""
K_GAIN = 4
"""Residuals enter the context networks times 4, clamped to [-128, 127]."""
PHASE_LEVEL = 32
QUALITY_LEVELS = 127


class HyperDecoder(nn.Module):
    """Integers z ``(N, hyper, h, w)`` and a quality plane to features ``(N, features, 4h, 4w)`` in [0, 255]."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        width = arch.hyper
        self.enter = IntegerPointwise(width + 1, 4 * width, gain=1.4)
        self.middle = IntegerBlock(width, 1)
        self.up = IntegerPointwise(width, 4 * arch.features, gain=1.4)
        self.full = IntegerBlock(arch.features, 2)

    def forward(self, z: Tensor, quality_plane: Tensor) -> Tensor:
        x = torch.cat([(z * Z_GAIN).clamp(-128, 127), quality_plane], 1)
        x = self.middle(F.pixel_shuffle(unsigned8(self.enter(x)), 2))
        return self.full(F.pixel_shuffle(unsigned8(self.up(x)), 2))


class ContextNetwork(nn.Module):
    """Residuals already decoded, hyper features and phase to a refinement of means and table indices."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        width = arch.context
        self.enter = IntegerPointwise(arch.latents + arch.features + 4, width, gain=1.4)
        self.near = IntegerBlock(width, 1)
        self.far = IntegerBlock(width, 1)
        self.head = IntegerPointwise(width, 2 * arch.latents, gain=0.02, unit_out=PARAMETER_UNIT)

    def body(self, known: Tensor, features: Tensor, phases: Tensor) -> Tensor:
        """``known``: residuals (N, latents, h, w), zero where not decoded yet."""
        k = (known * K_GAIN).clamp(-128, 127)
        x = torch.cat([k, features, phases * PHASE_LEVEL], 1)
        return self.far(self.near(unsigned8(self.enter(x))))


class ParameterHead(IntegerPointwise):
    """Hyper features to means and table indices (N, 2 * latents, h, w) in steps of 1/16."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__(arch.features, 2 * arch.latents, gain=0.1, unit_out=PARAMETER_UNIT)
