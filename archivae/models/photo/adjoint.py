"""The synthesis' derivative, transposed: from a gradient by pixels to one by latents.

A pointwise layer's transpose is a pointwise layer, a filter's is the mirrored filter, and shuffling turns into
unshuffling. So it is built of the layers that run forward, needs no autograd, is as fast as the synthesis itself and, like
that, gives the same sums with any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from archivae.models.photo.layers import LEAK, Depthwise, Pointwise, ResidualBlock, ResidualBlocks
from archivae.models.photo.transforms import Synthesis


class BlockTrace(NamedTuple):
    """What the two leaky ReLUs of a residual block gave: (N, channels, h, w) each."""

    entered: Tensor
    widened: Tensor


class Trace(NamedTuple):
    """What the derivative of a synthesis needs of one run."""

    coarse: list[BlockTrace]
    fine: list[BlockTrace]


def traced(synthesis: Synthesis, latents: Tensor, mix: Tensor) -> tuple[Tensor, Trace]:
    """What ``synthesis`` makes of ``latents`` (N, latents, h, w), and the trace of that."""
    x, coarse = _traced_blocks(synthesis.coarse, synthesis.head(latents, mix), mix)
    x, fine = _traced_blocks(synthesis.fine, synthesis.up(x, mix), mix)
    return synthesis.patch(x, mix), Trace(coarse, fine)


def _traced_blocks(blocks: ResidualBlocks, x: Tensor, mix: Tensor) -> tuple[Tensor, list[BlockTrace]]:
    traces = []
    for block in blocks:
        branch, trace = _traced_branches(block, x.to(blocks.branch_dtype or x.dtype), mix)  # type: ignore[arg-type]
        x = x + branch
        traces.append(trace)
    return x, traces


def _traced_branches(block: ResidualBlock, x: Tensor, mix: Tensor) -> tuple[Tensor, BlockTrace]:
    entered = block.enter.activated(x, mix)
    total = block.leave(block.look(entered), mix)
    widened = block.widen.activated(x + total, mix)
    return block.narrow.added(widened, mix, onto=total), BlockTrace(entered, widened)


class Adjoint(nn.Module):
    """The transpose of the derivative of ``synthesis``, whose layers are `Pointwise`, not packed yet."""

    def __init__(self, synthesis: Synthesis) -> None:
        super().__init__()
        self.head = _transposed(synthesis.head)
        self.coarse = _BlocksAdjoint(synthesis.coarse)
        self.up = _transposed(synthesis.up)
        self.fine = _BlocksAdjoint(synthesis.fine)
        self.patch = _transposed(synthesis.patch)

    def forward(self, gradient: Tensor, trace: Trace, mix: Tensor) -> Tensor:
        """``gradient`` by pixels (N, 3, H, W) to that by latents; ``mix`` is without effect, as are all biases.

        Both in the dtype of the weights.
        """
        x = self.fine(self.patch(gradient, mix), trace.fine, mix)
        return self.head(self.coarse(self.up(x, mix), trace.coarse, mix), mix)


class _BlocksAdjoint(nn.ModuleList):
    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        super().__init__(_BlockAdjoint(block) for block in blocks)  # type: ignore[arg-type]

    def forward(self, gradient: Tensor, traces: list[BlockTrace], mix: Tensor) -> Tensor:
        for block, trace in zip(reversed(self), reversed(traces), strict=True):
            gradient = block(gradient, trace, mix)
        return gradient


class _BlockAdjoint(nn.Module):
    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        self.enter = _transposed(block.enter)
        self.look = _mirrored(block.look)
        self.leave = _transposed(block.leave)
        self.widen = _transposed(block.widen)
        self.narrow = _transposed(block.narrow)

    def forward(self, gradient: Tensor, trace: BlockTrace, mix: Tensor) -> Tensor:
        branch = _before(self.narrow(gradient, mix), trace.widened)
        gradient = self.widen.added(branch, mix, onto=gradient)
        branch = _before(self.look(self.leave(gradient, mix)), trace.entered)
        return self.enter.added(branch, mix, onto=gradient)


def _before(gradient: Tensor, activated: Tensor) -> Tensor:
    """The gradient before the leaky ReLU that gave ``activated``."""
    return torch.ops.aten.leaky_relu_backward(gradient, activated, LEAK, True)


def _transposed(layer: Pointwise) -> Pointwise:
    outputs, inputs = layer.weight.shape
    other = Pointwise(outputs, inputs, takes=layer.gives, gives=layer.takes)
    other.weight = nn.Parameter(layer.weight.detach().T.contiguous())
    return other


def _mirrored(layer: Depthwise) -> Depthwise:
    other = Depthwise(len(layer.weight))
    other.weight = nn.Parameter(layer.weight.detach().flip(2, 3).contiguous())
    return other
