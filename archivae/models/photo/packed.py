"""Float layers as a CPU runs them fastest: weights laid out once for oneDNN, activations and sums within the product.

The operators are those that torch's own compiler emits for a CPU. They are internal to torch, so they are tried before
they are used; without them, the layers stay as they are.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from archivae.models.photo.layers import LEAK, Pointwise, blend
from archivae.models.photo.patches import folded, patch_order, unfolded

_POINTWISE: tuple[Any, ...] = [0, 0], [1, 1], [1, 1], 1
"""Padding, strides, dilation and groups of a 1x1 convolution. Its sums do not depend on the number of threads."""
TYPICAL_SIZE = 32, 48
"""Positions that weights are laid out for; not told any, oneDNN picks what few kernels like: a hundredth of the speed."""


class PackedPointwise(nn.Module):
    """A `Pointwise` for inference at one quality at a time: ``mix`` is (1, anchors)."""

    def __init__(self, layer: Pointwise) -> None:
        super().__init__()
        self._takes, self._gives, self._dtype = layer.takes, layer.gives, layer.weight.dtype
        weight = patch_order(patch_order(layer.weight, self._gives).T, self._takes).T[:, :, None, None]
        size = [1, weight.shape[1], *TYPICAL_SIZE]
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight.contiguous(), *_POINTWISE, size)
        self._bias = patch_order(layer.bias.T, self._gives).T.contiguous()

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        return self._product(x, mix, "none", [])

    def activated(self, x: Tensor, mix: Tensor) -> Tensor:
        """The output after a leaky ReLU."""
        return self._product(x, mix, "leaky_relu", [LEAK])

    def added(self, x: Tensor, mix: Tensor, onto: Tensor) -> Tensor:
        """The sum of the output and ``onto``, written over the latter. Of layers without patches."""
        arguments = x.to(self._dtype), self._weight, self._mixed_bias(mix), *_POINTWISE
        total: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(onto, *arguments, "add", 1.0, None, [], None)
        return total

    def _product(self, x: Tensor, mix: Tensor, activation: str, scalars: list[float]) -> Tensor:
        x = folded(x.to(self._dtype), self._takes)
        arguments = x, self._weight, self._mixed_bias(mix), *_POINTWISE
        return unfolded(torch.ops.mkldnn._convolution_pointwise(*arguments, activation, scalars, ""), self._gives)

    def _mixed_bias(self, mix: Tensor) -> Tensor:
        return blend(mix, self._bias)[0].to(self._dtype)


def pack(module: nn.Module) -> None:
    """Replace every `Pointwise` in ``module`` by its packed form, where this machine has that for its dtype."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, Pointwise) and has_packed_products(child.weight.dtype):
                setattr(parent, name, PackedPointwise(child))


def has_packed_products(dtype: torch.dtype) -> bool:
    """Whether oneDNN is on and torch's operators for it do what is expected of them."""
    return bool(torch.backends.mkldnn.enabled) and _packed_is_plain(dtype)


@cache
@torch.no_grad()
def _packed_is_plain(dtype: torch.dtype) -> bool:
    """Every way to call a packed layer against the layer itself, with outputs of about 1."""
    with torch.random.fork_rng(devices=[]):
        layers = [Pointwise(32, 32), Pointwise(48, 32, takes=4), Pointwise(32, 48, gives=4)]
        x, onto, pixels = (torch.randn(1, *size, dtype=dtype) for size in ((32, 4, 6), (32, 4, 6), (3, 16, 24)))
    mix = torch.full((1, len(layers[0].bias)), 0.1)
    try:
        plain, takes, gives = (PackedPointwise(layer.to(dtype)) for layer in layers)
        pairs = [
            (plain.activated(x, mix), layers[0].activated(x, mix)),
            (plain.added(x, mix, onto.clone()), layers[0].added(x, mix, onto)),
            (takes(pixels, mix), layers[1](pixels, mix)),
            (gives(x, mix), layers[2](x, mix)),
        ]
    except (AttributeError, RuntimeError):
        return False
    return all(torch.allclose(a, b, atol=1e-4 if dtype == torch.float32 else 0.1) for a, b in pairs)
