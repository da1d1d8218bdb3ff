"""Integer-exact layers: the same integers on every device, dtype, thread count and batch size.

Activations are integers, in [0, 255] after a ReLU and in [-128, 127] where signed; weights are integers in [-127, 127].
Every partial sum stays below 2^24, which float32 holds exactly, so no order of summation can change a result. A layer
computes ``floor(acc * 2^-shift)`` with a power of two per output channel: exact too. Only pointwise convolutions and
depthwise filters are used. In float32 a filter is nine shifted multiply-adds, so that no Winograd or FFT kernel can creep
in; products of bytes are summed in 32 bits, and are tried before they are trusted (`archivae.models.photo.exact_layer`).

The trainable layers here hold real weights and *simulate* that arithmetic with straight-through gradients (Jacob et al.
2018, arXiv:1712.05877); `freeze` turns them into the shipped integers, which `archivae.models.photo.exact` runs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATION_UNIT = 32
"""An activation integer a stands for the real number a / 32: unsigned ones cover [0, 8), signed ones [-4, 4)."""
PARAMETER_UNIT = 16
"""Means and table indices leave the networks in steps of 1/16."""
WEIGHT_MAX = 127
ACC_LIMIT = 2**24
MAX_SHIFT = 20


class IntegerWeights(NamedTuple):
    """A frozen layer: ``weight`` (out, in) or (C, 3, 3) and ``bias`` (out,) hold integers, ``shift`` (out,) too."""

    weight: Tensor
    bias: Tensor
    shift: Tensor


def quantise_layer(weight: Tensor, bias: Tensor, unit_in: int, unit_out: int) -> IntegerWeights:
    """Integers for a real layer whose input and output integers stand for 1/unit_in and 1/unit_out.

    The largest shift is chosen, per output channel, that keeps weights within 127 and ``255 * sum|w| + |b|`` below
    2^24; the bias holds the half that turns floor into rounding.
    """
    dims = tuple(range(1, weight.dim()))
    scaled = weight.detach().double() * (unit_out / unit_in)
    offset = bias.detach().double() * unit_out + 0.5
    peak = scaled.abs().amax(dims).clamp_min(2.0**-30)
    shift = torch.floor(torch.log2(WEIGHT_MAX / peak)).clamp(0, MAX_SHIFT)
    room = (ACC_LIMIT - 2**17) / (255 * scaled.abs().sum(dims) + offset.abs())
    shift = torch.minimum(shift, torch.floor(torch.log2(room))).clamp_min(0)
    scale = torch.exp2(shift)
    whole = torch.round(scaled * scale.view(-1, *[1] * len(dims))).clamp(-WEIGHT_MAX, WEIGHT_MAX)
    return IntegerWeights(whole.float(), torch.round(offset * scale).float(), shift.float())


def check_exact(layer: IntegerWeights) -> None:
    """Raise ValueError unless every partial sum of ``layer`` is an integer that float32 holds.

    >>> check_exact(IntegerWeights(torch.full((1, 600), 127.0), torch.zeros(1), torch.zeros(1)))
    Traceback (most recent call last):
    ValueError: accumulator bound 19431000 reaches 2^24: the layer is not exact in float32
    """
    for name, values in zip(layer._fields, layer, strict=True):
        if not torch.equal(values, values.round()):
            raise ValueError(f"{name} holds numbers that are not whole")
    if layer.weight.abs().max() > WEIGHT_MAX:
        raise ValueError(f"a weight is beyond {WEIGHT_MAX}")
    if layer.shift.min() < 0 or layer.shift.max() > MAX_SHIFT:
        raise ValueError(f"shifts lie within 0 to {MAX_SHIFT}, found {layer.shift.min()} to {layer.shift.max()}")
    bound = 255 * layer.weight.double().flatten(1).abs().sum(1) + layer.bias.double().abs()
    if bound.max() >= ACC_LIMIT:
        raise ValueError(f"accumulator bound {int(bound.max())} reaches 2^24: the layer is not exact in float32")


def straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """``rounded`` forward, to the last bit, and the gradient of ``x`` backward."""
    return rounded.detach() + (x - x.detach())


def floor_ste(x: Tensor) -> Tensor:
    return straight_through(x, torch.floor(x))


def unsigned8(x: Tensor) -> Tensor:
    """Whole numbers in [0, 255]: a ReLU with a ceiling."""
    return floor_ste(x).clamp(0, 255)


def signed8(x: Tensor) -> Tensor:
    """Whole numbers in [-128, 127]."""
    return floor_ste(x).clamp(-128, 127)


class _IntegerLayer(nn.Module):
    unit_in = ACTIVATION_UNIT
    unit_out = ACTIVATION_UNIT
    weight: nn.Parameter
    bias: nn.Parameter

    def freeze(self) -> IntegerWeights:
        """The integers to ship, checked."""
        layer = quantise_layer(self.weight, self.bias, self.unit_in, self.unit_out)
        check_exact(layer)
        return layer

    def _simulated(self) -> tuple[Tensor, Tensor]:
        whole = quantise_layer(self.weight, self.bias, self.unit_in, self.unit_out)
        scale = torch.exp2(-whole.shift)
        weight = self.weight * (self.unit_out / self.unit_in)
        bias = self.bias * self.unit_out + 0.5
        return (
            straight_through(weight, whole.weight * scale.view(-1, *[1] * (weight.dim() - 1))),
            straight_through(bias, whole.bias * scale),
        )


class IntegerPointwise(_IntegerLayer):
    """A trainable integer 1x1 convolution; its output is not yet floored nor clamped."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0, unit_out: int = ACTIVATION_UNIT) -> None:
        super().__init__()
        self.unit_out = unit_out
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (gain / inputs**0.5))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self._simulated()
        return F.conv2d(x, weight[:, :, None, None], bias)


class IntegerDepthwise(_IntegerLayer):
    """A trainable integer 3x3 depthwise filter with zero padding."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        weight = torch.randn(channels, 3, 3) * 0.1
        weight[:, 1, 1] += 1
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self._simulated()
        return F.conv2d(x, weight[:, None], bias, padding=1, groups=len(weight))


class IntegerBlock(nn.Module):
    """Look around, widen, narrow, add: unsigned integers in and out."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.look = IntegerDepthwise(channels)
        self.widen = IntegerPointwise(channels, channels * expansion, gain=1.4)
        self.narrow = IntegerPointwise(channels * expansion, channels, gain=0.3)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.narrow(unsigned8(self.widen(signed8(self.look(x)))))
        return (x + floor_ste(branch)).clamp(0, 255)
