"""The trainable entropy model: hyper decoder and context networks, all in simulated integer arithmetic."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.photo.architecture import Architecture
from archivae.models.photo.integer import PARAMETER_UNIT, IntegerBlock, IntegerPointwise, signed8, unsigned8

KNOWN_GAIN = 4
"""What is decoded enters the networks times 4, clamped to [-128, 127]: residuals of latents, restored hyper-latents."""
PHASE_LEVEL = 32
QUALITY_LEVELS = 127


class HyperDecoder(nn.Module):
    """z ``(N, hyper, h, w)``, restored, and a quality plane to features ``(N, features, 4h, 4w)`` in [0, 255]."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        width = arch.hyper
        self.enter = IntegerPointwise(width + 1, 4 * width, gain=1.4)
        self.middle = IntegerBlock(width, 1)
        self.up = IntegerPointwise(width, 4 * arch.features, gain=1.4)
        self.full = IntegerBlock(arch.features, 2)

    def forward(self, z: Tensor, quality_plane: Tensor) -> Tensor:
        x = torch.cat([signed8(z * KNOWN_GAIN), quality_plane], 1)
        x = self.middle(F.pixel_shuffle(unsigned8(self.enter(x)), 2))
        return self.full(F.pixel_shuffle(unsigned8(self.up(x)), 2))


class ContextNetwork(nn.Module):
    """What is already decoded, conditions and phase to a refinement of means and table indices."""

    def __init__(self, channels: int, conditions: int, width: int) -> None:
        super().__init__()
        self.enter = IntegerPointwise(channels + conditions + 4, width, gain=1.4)
        self.near = IntegerBlock(width, 1)
        self.far = IntegerBlock(width, 1)
        self.head = IntegerPointwise(width, 2 * channels, gain=0.02, unit_out=PARAMETER_UNIT)

    def body(self, known: Tensor, conditions: Tensor, phases: Tensor) -> Tensor:
        """``known`` (N, channels, h, w): zero where not decoded yet; ``conditions`` (N, conditions, h, w)."""
        x = torch.cat([signed8(known * KNOWN_GAIN), conditions, phases * PHASE_LEVEL], 1)
        return self.far(self.near(unsigned8(self.enter(x))))


class ParameterHead(IntegerPointwise):
    """Hyper features to means and table indices (N, 2 * latents, h, w) in steps of 1/16."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__(arch.features, 2 * arch.latents, gain=0.1, unit_out=PARAMETER_UNIT)
