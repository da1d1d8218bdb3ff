"""From the shipped model back to one that can be trained: `freeze` undone."""

from __future__ import annotations

import torch
from torch import Tensor

from archivae.models.photo.integer import PARAMETER_UNIT, IntegerWeights, _IntegerLayer, quantise_layer
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.photo.weights import PhotoWeights

_SHRINK = 0.49
"""Below the half at which a weight would round to another integer."""


def thaw(weights: PhotoWeights) -> dict[str, Tensor]:
    """The ``state_dict`` of a `TrainableCodec` that freezes to ``weights``.

    `freeze` gives the integers back as they were wherever a channel's shift was as large as weights of at most 127 and
    sums below 2^24 allow, as in every file it wrote. Where a larger shift is possible it is taken, with weights and
    bias that many powers of two larger: other integers, the same function.
    """
    state = {name: tensor.float() for name, tensor in weights.floats.items()}
    state["index_offset"] = weights.index_offset.float() / PARAMETER_UNIT
    state["hyper_index"] = weights.hyper_index.float() / PARAMETER_UNIT
    for name, module in TrainableCodec(weights.arch).named_modules():
        if isinstance(module, _IntegerLayer):
            real = thaw_layer(weights.layers[name], module.unit_in, module.unit_out)
            state[f"{name}.weight"], state[f"{name}.bias"] = real
    return state


def thaw_layer(layer: IntegerWeights, unit_in: int, unit_out: int) -> tuple[Tensor, Tensor]:
    """Real weight and bias, float32, that `quantise_layer` turns into ``layer``."""
    scale = torch.exp2(-layer.shift.double())
    bias = ((layer.bias.double() * scale - 0.5) / unit_out).float()

    def real(whole: Tensor) -> Tensor:
        return (whole * scale.view(-1, *[1] * (whole.dim() - 1)) * (unit_in / unit_out)).float()

    weight = real(layer.weight.double())
    # Rounding may have brought a sum just past what the shift was chosen for. Real weights a little nearer zero are
    # rounded to the same integers, and their sum is within it again.
    short = quantise_layer(weight, bias, unit_in, unit_out).shift < layer.shift
    shrunk = real(layer.weight.double() - _SHRINK * layer.weight.double().sign())
    return torch.where(short.view(-1, *[1] * (weight.dim() - 1)), shrunk, weight), bias
