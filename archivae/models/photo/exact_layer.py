"""Frozen integer layers on a device. Why they are exact: `archivae.models.photo.integer`.

Activations are bytes, uint8 (N, C, h, w) with the channels last in memory: unsigned numbers as they are, signed ones
plus 128. A layer multiplies bytes where the CPU has that, and else float32, which holds every partial sum.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from archivae.models.photo.integer import IntegerWeights, check_exact
from archivae.models.photo.packed import TYPICAL_SIZE

ZERO = 128
"""The byte that stands for the signed number 0."""
_WIDEST_SHIFT = 14


def to_bytes(x: Tensor) -> Tensor:
    """Signed numbers, int8, as bytes."""
    return x.view(torch.uint8).bitwise_xor(ZERO)


class ExactLayer:
    """Bytes to bytes: ``clamp((weight @ x + bias) >> shift)`` at every position, or of a 3x3 filter a channel.

    ``signed`` says how many of the inputs, the first ones, are signed; None: all. The output is clamped to [0, 255], or
    to [-128, 127] where it is ``signed_out``.
    """

    def __init__(
        self, layer: IntegerWeights, device: torch.device, signed: int | None = 0, signed_out: bool = False
    ) -> None:
        check_exact(layer)
        weight, bias = _for_bytes(layer, signed)
        # Below the shift, so that a clamp to bytes is all that follows it.
        bias = bias + (ZERO * torch.exp2(layer.shift.double()) if signed_out else 0)
        self._product: _FusedProduct | _FloatProduct
        if device.type == "cpu" and has_exact_byte_products() and _rounds_exactly(bias, layer.shift):
            self._product = _FusedProduct(weight, bias, layer.shift)
        else:
            self._product = _FloatProduct(weight, bias, layer.shift, device)

    def __call__(self, x: Tensor) -> Tensor:
        return self._product(x)

    def added(self, x: Tensor, onto: Tensor) -> Tensor:
        """The output before its clamp plus ``onto``, clamped; ``onto`` may be written over."""
        return self._product.added(x, onto)


class ExactHead:
    """Unsigned bytes (N, C, h, w) to int32 (N, out, h * w): ``(weight @ x + bias) >> shift``, not clamped."""

    def __init__(self, layer: IntegerWeights, device: torch.device) -> None:
        check_exact(layer)
        self._by_bytes = device.type == "cpu" and has_exact_byte_products()
        # Unsigned bytes are moved by 128 to become signed ones; the bias makes up for it.
        offset = ZERO * layer.weight.double().sum(1) if self._by_bytes else 0
        self._bias = (layer.bias.double() + offset).to(torch.int32).view(-1, 1).to(device)
        self._shift = layer.shift.to(torch.int32).view(-1, 1).to(device)
        self._weight = layer.weight.to(torch.int8 if self._by_bytes else torch.float32).contiguous().to(device)

    def __call__(self, x: Tensor) -> Tensor:
        if self._by_bytes:
            acc = torch._int_mm(self._weight, _rows(x).t()).view(-1, len(x), x[0, 0].numel()).transpose(0, 1)
        else:
            acc = F.conv2d(x.float(), self._weight[:, :, None, None]).to(torch.int32).flatten(2)
        return acc.add_(self._bias).bitwise_right_shift_(self._shift)


class _FusedProduct:
    """By oneDNN, which rounds to the nearest and clamps within the product.

    ``floor(a / 2^s)`` is what ``(2a - 2^s + 1) / 2^(s + 1)`` rounds to, and is never half way. Where the result is a
    byte, all of its terms are multiples of 2^-(s + 1) below 2^9: float32 holds them as long as s is at most 14.
    """

    def __init__(self, weight: Tensor, bias: Tensor, shift: Tensor) -> None:
        padding = weight.shape[-1] // 2
        groups = len(weight) if padding else 1
        self._where = [1, 1], [padding, padding], [1, 1], groups
        self._scale = torch.exp2(-shift).float()
        self._zero = torch.zeros(len(weight), dtype=torch.int32)
        self._bias = _rounding_bias(bias, shift).float()
        size = [1, groups * weight.shape[1], *TYPICAL_SIZE]
        self._weight = torch.ops.onednn.qconv_prepack(weight.to(torch.int8), self._scale, 1.0, 0, *self._where, size)

    def __call__(self, x: Tensor) -> Tensor:
        quantised = x, 1.0, 0, self._weight, self._scale, self._zero
        out: Tensor = torch.ops.onednn.qconv_pointwise(
            *quantised, self._bias, *self._where, 1.0, 0, torch.uint8, "none", [], ""
        )
        return out

    def added(self, x: Tensor, onto: Tensor) -> Tensor:
        quantised = x, 1.0, 0, self._weight, self._scale, self._zero
        out: Tensor = torch.ops.onednn.qconv2d_pointwise.binary(
            *quantised, onto, self._bias, *self._where, 1.0, 0, torch.uint8, 1.0, 0, "sum", 1.0, "none", [], ""
        )
        return out


class _FloatProduct:
    """On any device."""

    def __init__(self, weight: Tensor, bias: Tensor, shift: Tensor, device: torch.device) -> None:
        self._is_filter = weight.shape[-1] > 1
        self._weight = weight.float().to(device)
        self._taps = weight[:, 0].to(torch.int32).permute(1, 2, 0).contiguous().to(device)
        self._bias = bias.to(torch.int32).view(1, -1, 1, 1).to(device)
        self._shift = shift.to(torch.int32).view(1, -1, 1, 1).to(device)

    def __call__(self, x: Tensor) -> Tensor:
        return self._shifted(x).clamp_(0, 255).to(torch.uint8)

    def added(self, x: Tensor, onto: Tensor) -> Tensor:
        return self._shifted(x).add_(onto).clamp_(0, 255).to(torch.uint8)

    def _shifted(self, x: Tensor) -> Tensor:
        acc = self._filtered(x) if self._is_filter else F.conv2d(x.float(), self._weight).to(torch.int32)
        return acc.add_(self._bias).bitwise_right_shift_(self._shift)

    def _filtered(self, x: Tensor) -> Tensor:
        """All rows of the padded picture are laid end to end, so that each of the nine products is of two unbroken
        stretches of memory. What comes out at the padding's own places is dropped.
        """
        count, channels, height, width = x.shape
        rows = F.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).reshape(-1, channels).to(torch.int32)
        acc = torch.zeros_like(rows)
        reach = len(rows) - 2 * (width + 2) - 2
        for i in range(3):
            for j in range(3):
                start = i * (width + 2) + j
                acc[:reach].addcmul_(rows[start : start + reach], self._taps[i, j])
        padded = acc.view(count, height + 2, width + 2, channels)
        return padded.permute(0, 3, 1, 2)[:, :, :height, :width]


def _rows(x: Tensor) -> Tensor:
    """Unsigned bytes (N, C, h, w) less 128: int8 (N * h * w, C)."""
    return x.permute(0, 2, 3, 1).bitwise_xor(ZERO).view(torch.int8).flatten(0, 2)


def _for_bytes(layer: IntegerWeights, signed: int | None) -> tuple[Tensor, Tensor]:
    """Weight (out, in, 1, 1) or (C, 1, 3, 3), and float64 bias that takes the 128 of signed inputs away."""
    if layer.weight.dim() == 3:
        return layer.weight[:, None], layer.bias.double()
    weight = layer.weight.double()
    return layer.weight[:, :, None, None], layer.bias.double() - ZERO * weight[:, :signed].sum(1)


def _rounding_bias(bias: Tensor, shift: Tensor) -> Tensor:
    """What rounds, added to ``acc * 2^-shift``, to ``(acc + bias) >> shift``: float64."""
    return (2 * bias + 1) * torch.exp2(-shift.double() - 1) - 0.5


def _rounds_exactly(bias: Tensor, shift: Tensor) -> bool:
    """Whether float32 holds every number on the way to a byte."""
    wide = _rounding_bias(bias, shift)
    return bool(shift.max() <= _WIDEST_SHIFT) and torch.equal(wide.float().double(), wide)


def has_exact_byte_products() -> bool:
    """Whether this CPU multiplies bytes fast, and with sums of 32 bits; with 16, as older ones do, they clip.

    They are internal functions of torch that multiply, by oneDNN where that is on; so they are tried before they are
    trusted.
    """
    return bool(torch.backends.mkldnn.enabled) and torch.cpu._is_vnni_supported() and _extreme_products_are_exact()


@cache
@torch.inference_mode()
def _extreme_products_are_exact() -> bool:
    """Every product of bytes against its float32 twin, where sums of 16 bits would clip and with every shift."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (1, 192, 8, 8), generator=generator, dtype=torch.uint8)
    x[..., 0, :], x[..., 1, :], x[:, ::2, 2] = 0, 255, 255
    x = x.contiguous(memory_format=torch.channels_last)
    weight = torch.randint(-127, 128, (192, 192), generator=generator).float()
    weight[0], weight[1], weight[2, ::2] = 127, -127, 127
    shift = torch.arange(192.0) % (_WIDEST_SHIFT + 1)
    bias = torch.randint(-(2**12), 2**12, (192,), generator=generator).double()
    try:
        pairs = [(torch._int_mm(weight.to(torch.int8), _rows(x).t()), weight.long() @ _rows(x).long().t())]
        for kernel in (weight[:, :, None, None], weight[:, :9].reshape(-1, 1, 3, 3)):
            fused = _FusedProduct(kernel, bias, shift)
            plain = _FloatProduct(kernel, bias, shift, x.device)
            pairs += [(fused(x), plain(x)), (fused.added(x, x.clone()), plain.added(x, x))]
    except (AttributeError, RuntimeError):
        return False
    return all(torch.equal(found.long(), expected.long()) for found, expected in pairs)
