"""One frozen integer layer on a device. Why it is exact: `archivae.models.photo.integer`."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from archivae.models.photo.integer import IntegerWeights, check_exact


class ExactPointwise:
    """``(weight @ x + bias) >> shift`` at every position, int32 (N, C, h, w) in and out.

    The product is one of bytes where the CPU has that, else of float32, which holds every partial sum. ``signed`` says
    how many of the inputs, the first ones, lie in [-128, 127]; the others lie in [0, 255]. None: all are signed.
    """

    def __init__(self, layer: IntegerWeights, signed: int | None, device: torch.device) -> None:
        check_exact(layer)
        self._by_bytes = device.type == "cpu" and has_exact_byte_products()
        # What is not signed is moved by 128 to fit a byte; the bias makes up for it.
        offset = torch.full((layer.weight.shape[1],), 128.0 if self._by_bytes else 0.0)
        offset[:signed] = 0
        self._offset = offset.to(torch.int32).view(1, -1, 1, 1).to(device)
        bias = layer.bias.double() + (layer.weight.double() * offset).sum(1)
        self._bias = bias.to(torch.int32).view(1, -1, 1, 1).to(device)
        self._shift = layer.shift.to(torch.int32).view(1, -1, 1, 1).to(device)
        self._weight = layer.weight.to(torch.int8 if self._by_bytes else torch.float32).contiguous().to(device)

    def __call__(self, x: Tensor) -> Tensor:
        return self.product(self.ready(x))

    def ready(self, x: Tensor) -> Tensor:
        """The input as `product` wants it; layers that are equal in inputs and signs can share it."""
        return (x - self._offset).to(torch.int8) if self._by_bytes else x.float()

    def product(self, ready: Tensor) -> Tensor:
        """The layer's output, for what `ready` gave, or some positions of it."""
        if self._by_bytes:
            count, channels, height, width = ready.shape
            flat = ready.permute(0, 2, 3, 1).reshape(-1, channels)
            rows = torch._int_mm(flat, self._weight.t())
            acc = rows.view(count, height, width, -1).permute(0, 3, 1, 2)
        else:
            acc = F.conv2d(ready, self._weight[:, :, None, None]).to(torch.int32)
        return acc.add_(self._bias).bitwise_right_shift_(self._shift)


class ExactDepthwise:
    """A 3x3 filter a channel, with zeros around, and the same shift: int32 (N, C, h, w) in and out."""

    def __init__(self, layer: IntegerWeights, device: torch.device) -> None:
        check_exact(layer)
        self._taps = layer.weight.to(torch.int32).permute(1, 2, 0).contiguous().to(device)
        self._bias = layer.bias.to(torch.int32).to(device)
        self._shift = layer.shift.to(torch.int32).to(device)

    def __call__(self, x: Tensor) -> Tensor:
        """All rows of the padded picture are laid end to end, so that each of the nine products is of two unbroken
        stretches of memory. What comes out at the padding's own places is dropped.
        """
        count, channels, height, width = x.shape
        rows = F.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).reshape(-1, channels)
        acc = self._bias.expand_as(rows).clone()
        reach = len(rows) - 2 * (width + 2) - 2
        for i in range(3):
            for j in range(3):
                start = i * (width + 2) + j
                acc[:reach].addcmul_(rows[start : start + reach], self._taps[i, j])
        padded = acc.bitwise_right_shift_(self._shift).view(count, height + 2, width + 2, channels)
        return padded.permute(0, 3, 1, 2)[:, :, :height, :width]


def has_exact_byte_products() -> bool:
    """Whether this CPU multiplies matrices of bytes fast, and with sums of 32 bits; with 16, as older ones do, they clip.

    It is an internal function of torch that multiplies, by oneDNN where that is on; so it is tried before it is trusted.
    """
    return bool(torch.backends.mkldnn.enabled) and torch.cpu._is_vnni_supported() and _extreme_products_are_exact()


@cache
def _extreme_products_are_exact() -> bool:
    """Products of bytes where they would clip first."""
    low, high = torch.full((64,), -128), torch.full((64,), 127)
    inputs = torch.stack([low, high, torch.cat([low, high])[::2], torch.arange(64) * 4 - 128]).repeat(8, 3)
    weights = torch.stack([-high, high, torch.cat([-high, high])[::2], torch.arange(64) * 3 - 95]).repeat(8, 3)
    found = torch._int_mm(inputs.to(torch.int8), weights.to(torch.int8).t())
    return torch.equal(found.long(), inputs @ weights.T)
