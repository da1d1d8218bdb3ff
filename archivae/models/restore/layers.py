"""The blocks of a restorer, after NAFNet (Chen et al. 2022, arXiv:2204.04676).

Nothing looks at the whole picture, as NAFNet's channel attention does: so a picture restored in tiles has no seams.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BRANCH_GAIN = 0.1
"""The first size of what a branch adds: a stack of blocks starts near the identity."""


class Pointwise(nn.Module):
    """A 1x1 convolution, ``(N, in, H, W) -> (N, out, H, W)``, its weight a matrix ``(out, in)``, as Muon wants it."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (gain / inputs**0.5))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


class Depthwise(nn.Module):
    """A 3x3 filter a channel with zero padding: ``(N, C, H, W) -> (N, C, H, W)``.

    Unlike the photo codec's it leaves the dtype to autocast, which would otherwise undo the cast at once.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, 1, 3, 3) / 3)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, padding=1, groups=self.weight.shape[0])


class Block(nn.Module):
    """Two residual branches over ``(N, C, H, W)``: one looks around, one only mixes channels; each multiplies halves."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = Pointwise(channels, 2 * channels)
        self.look = Depthwise(2 * channels)
        self.leave = Pointwise(channels, channels, gain=BRANCH_GAIN)
        self.widen = Pointwise(channels, 2 * channels)
        self.narrow = Pointwise(channels, channels, gain=BRANCH_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.leave(gate(self.look(self.enter(normalise(x)))))
        return x + self.narrow(gate(self.widen(normalise(x))))


def blocks(channels: int, count: int) -> nn.Sequential:
    """``count`` blocks one after the other."""
    return nn.Sequential(*(Block(channels) for _ in range(count)))


def gate(x: Tensor) -> Tensor:
    """The product of both halves of the channels: ``(N, 2C, H, W) -> (N, C, H, W)``.

    On a CPU the halves are views: measured, this costs a tenth of `torch.nn.functional.glu`, whose gradient is slow.
    """
    one, other = x.chunk(2, 1)
    return one * other


def normalise(x: Tensor) -> Tensor:
    """Each position's channels at mean 0 and variance 1: ``(N, C, H, W)``, sums in float32 whatever the dtype.

    Products of products would grow without it. It has no weights of its own: the pointwise layer after it can hold them.
    """
    return F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],)).permute(0, 3, 1, 2)
