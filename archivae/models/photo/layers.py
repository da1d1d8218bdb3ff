"""Float layers of the analysis and synthesis transforms.

Every convolution that mixes channels is pointwise, so its weight is a plain matrix ``(out, in)``: that is what matrix
optimisers such as Muon (Jordan et al. 2024) want, and it keeps the arithmetic in large matrix products. Space is mixed
by depthwise 3x3 filters and by pixel (un)shuffling, as in MobileNet (Howard et al. 2017, arXiv:1704.04861).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.01
"""Slope of the leaky ReLU below zero."""


class Pointwise(nn.Module):
    """A 1x1 convolution: ``(N, in, H, W) -> (N, out, H, W)``, its weight stored as a matrix ``(out, in)``.

    A faster ``compute_dtype`` than the parameters' own may be asked for by `to_compute_dtype`; the input is cast to it.
    """

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (gain / inputs**0.5))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x.to(self.weight.dtype), self.weight[:, :, None, None], self.bias)


class Depthwise(nn.Module):
    """A 3x3 filter a channel with zero padding: ``(N, C, H, W) -> (N, C, H, W)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, 1, 3, 3) / 3)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x.to(self.weight.dtype), self.weight, self.bias, padding=1, groups=self.weight.shape[0])


class ResidualBlock(nn.Module):
    """Two residual branches, one that looks around (depthwise) and one that widens (inverted bottleneck).

    The branches start near zero, so that a stack of blocks starts as the identity. The residual stream keeps the dtype
    of the input: a branch may run in bfloat16 while the sum stays in float32.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        self.enter = Pointwise(channels, channels)
        self.look = Depthwise(channels)
        self.leave = Pointwise(channels, channels, gain=0.02)
        self.widen = Pointwise(channels, channels * expansion)
        self.narrow = Pointwise(channels * expansion, channels, gain=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.leave(self.look(F.leaky_relu(self.enter(x), LEAK)))
        return x + self.narrow(F.leaky_relu(self.widen(x), LEAK))


def run_branches_in(module: nn.Module, dtype: torch.dtype) -> None:
    """Put the branches of every `ResidualBlock` in ``module`` into ``dtype``; the residual stream is left as it is."""
    for block in module.modules():
        if isinstance(block, ResidualBlock):
            block.to(dtype)
