"""Float layers of the analysis and synthesis transforms.

Every convolution that mixes channels is pointwise, so its weight is a plain matrix ``(out, in)``: that is what matrix
optimisers such as Muon (Jordan et al. 2024) want, and it keeps the arithmetic in large matrix products. Space is mixed
by depthwise 3x3 filters and by pixel (un)shuffling, as in MobileNet (Howard et al. 2017, arXiv:1704.04861).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.photo.architecture import ANCHORS

LEAK = 0.01
"""Slope of the leaky ReLU below zero."""


def blend(mix: Tensor, rows: Tensor) -> Tensor:
    """Rows (anchors, C) mixed in the parts ``mix`` (N, anchors): float32 (N, C)."""
    return (mix[:, :, None] * rows).sum(1)  # not a matrix product: autocast would round it


class Pointwise(nn.Module):
    """A 1x1 convolution: ``(N, in, H, W) -> (N, out, H, W)``, its weight stored as a matrix ``(out, in)``.

    One that ``takes`` patches of some side pixel-unshuffles its input first; one that ``gives`` them pixel-shuffles its
    output: ``in`` and ``out`` count the numbers of a whole patch.

    There is a bias for each anchor of the quality scale, ``(anchors, out)``; ``mix`` (N or 1, anchors) says how much of
    each: so one network behaves a little differently at every quality (after Choi et al. 2019, arXiv:1909.04802), at
    no cost. The input is cast to the weight's dtype.
    """

    def __init__(self, inputs: int, outputs: int, *, takes: int = 1, gives: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.takes, self.gives = takes, gives
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (gain / inputs**0.5))
        self.bias = nn.Parameter(torch.zeros(ANCHORS, outputs))

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)
        x = self._biased_product(F.pixel_unshuffle(x, self.takes) if self.takes > 1 else x, mix)
        return F.pixel_shuffle(x, self.gives) if self.gives > 1 else x

    def _biased_product(self, x: Tensor, mix: Tensor) -> Tensor:
        weight = self.weight[:, :, None, None]
        bias = blend(mix, self.bias)
        if len(bias) == 1:
            return F.conv2d(x, weight, bias[0].to(x.dtype))
        out = F.conv2d(x, weight)
        return out + bias[:, :, None, None].to(out.dtype)

    def activated(self, x: Tensor, mix: Tensor) -> Tensor:
        """The output after a leaky ReLU."""
        return F.leaky_relu(self(x, mix), LEAK)

    def added(self, x: Tensor, mix: Tensor, onto: Tensor) -> Tensor:
        """The sum of the output and ``onto``, in the dtype of the latter."""
        return onto + self(x, mix)


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

    The branches start near zero, so that a stack of blocks starts as the identity.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        self.enter = Pointwise(channels, channels)
        self.look = Depthwise(channels)
        self.leave = Pointwise(channels, channels, gain=0.02)
        self.widen = Pointwise(channels, channels * expansion)
        self.narrow = Pointwise(channels * expansion, channels, gain=0.02)

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        x = self.leave.added(self.look(self.enter.activated(x, mix)), mix, onto=x)
        return self.narrow.added(self.widen.activated(x, mix), mix, onto=x)

    def branches(self, x: Tensor, mix: Tensor) -> Tensor:
        """What a block adds to the stream ``x``."""
        total = self.leave(self.look(self.enter.activated(x, mix)), mix)
        return self.narrow.added(self.widen.activated(x + total, mix), mix, onto=total)


class ResidualBlocks(nn.ModuleList):
    """Residual blocks one after the other.

    Branches may run in bfloat16 while the stream that they are added to, once a block, stays in float32.
    """

    def __init__(self, channels: int, count: int) -> None:
        super().__init__(ResidualBlock(channels) for _ in range(count))
        self.branch_dtype: torch.dtype | None = None
        """In what the branches run; None: in the stream's."""

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        block: ResidualBlock
        for block in self:  # type: ignore[assignment]
            apart = self.branch_dtype not in (None, x.dtype)
            x = x + block.branches(x.to(self.branch_dtype), mix) if apart else block(x, mix)
        return x

    def run_branches_in(self, dtype: torch.dtype) -> None:
        """The branches in ``dtype``, the stream in that of the input."""
        self.branch_dtype = dtype
        self.to(dtype)
