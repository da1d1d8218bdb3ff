"""The shipped entropy model in NumPy int64: the definition that `archivae.models.photo.exact` must equal bit for bit.

Written to be read, not to be fast. Nothing here can round or overflow: it is what "the same integers everywhere" means.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from archivae.models.photo.architecture import LAMBDAS, PASS_ORDER, PASSES, Architecture
from archivae.models.photo.entropy import KNOWN_GAIN, PHASE_LEVEL, QUALITY_LEVELS
from archivae.models.photo.exact import QUALITY_SCALE, RESTORED_PER_SHOWN, TABLES, Layers
from archivae.models.photo.integer import PARAMETER_UNIT, IntegerWeights

Integers = npt.NDArray[np.int64]


class NumpyField(NamedTuple):
    """The same as `archivae.models.photo.exact.Field`, of int64 arrays."""

    name: str
    shape: tuple[int, int, int, int]
    conditions: Integers
    features: Integers | None
    offset: Integers
    shows_restored: bool

    def shown(self, residual: Integers, restored: Integers) -> Integers:
        """What context networks see: residuals times 4, or restored values (steps of 1/16) in steps of 1/4."""
        return np.clip(restored // RESTORED_PER_SHOWN if self.shows_restored else residual * KNOWN_GAIN, -128, 127)


class NumpyEntropyNetworks:
    """The same methods as `EntropyNetworks`, on int64 arrays; the arguments are the same but for the device."""

    def __init__(self, arch: Architecture, layers: Layers, index_offset: Tensor, hyper_index: Tensor) -> None:
        self.arch = arch
        self._layers = {name: _Layer.of(layer) for name, layer in layers.items()}
        self._index_offset = index_offset.numpy().astype(np.int64)
        self._hyper_index = hyper_index.numpy().astype(np.int64)

    def hyper_field(self, count: int, height: int, width: int, quality: int) -> NumpyField:
        """The hyper-latents of ``count`` tiles: (count, hyper, height, width)."""
        level = np.full((count, 1, height, width), quality_level(quality))
        shape = (count, self.arch.hyper, height, width)
        return NumpyField("hyper_contexts", shape, level, None, interpolate_rows(self._hyper_index, quality), True)

    def latent_field(self, z: Integers, quality: int) -> NumpyField:
        """The latents of the tiles whose restored hyper-latents are ``z`` (N, hyper, h, w), in steps of 1/16."""
        features = self.features(z, quality)
        shape = (len(z), self.arch.latents, *features.shape[2:])
        return NumpyField("contexts", shape, features, features, interpolate_rows(self._index_offset, quality), False)

    def features(self, z: Integers, quality: int) -> Integers:
        """Restored hyper-latents (N, hyper, h, w) to features (N, features, 4h, 4w) in [0, 255]."""
        plane = np.full_like(z[:, :1], quality_level(quality))
        x = np.concatenate([np.clip(z // RESTORED_PER_SHOWN, -128, 127), plane], 1)
        x = pixel_shuffle(self._unsigned("hyper_decoder.enter", x))
        x = self._block("hyper_decoder.middle", x)
        x = pixel_shuffle(self._unsigned("hyper_decoder.up", x))
        return self._block("hyper_decoder.full", x)

    def context(self, field: NumpyField, step: int, known: Integers) -> Integers:
        """What pass ``step`` (1 to 3) makes of ``known`` (N, C, h, w): (N, width, h, w), [0, 255]."""
        phases = np.broadcast_to(phase_planes(*known.shape[2:]) * PHASE_LEVEL, (len(known), 4, *known.shape[2:]))
        x = np.concatenate([known, field.conditions, phases], 1)
        name = f"{field.name}.{step - 1}"
        x = self._block(f"{name}.near", self._unsigned(f"{name}.enter", x))
        return self._block(f"{name}.far", x)

    def parameters(self, field: NumpyField, step: int, context: Integers | None) -> tuple[Integers, Integers]:
        """Means (steps of 1/16) and table numbers of what pass ``step`` decodes: both (N, count), in order of coding."""
        count, channels, height, width = field.shape
        both = np.zeros((count, 2 * channels, height, width), np.int64)
        if field.features is not None:
            both = both + self._layers["parameter_head"].pointwise(field.features)
        if context is not None:
            both = both + self._layers[f"{field.name}.{step - 1}.head"].pointwise(context)
        mean, index = both[:, :channels], both[:, channels:] + field.offset[:, None, None]
        return in_order(mean, step), table_index(in_order(index, step))

    def _unsigned(self, name: str, x: Integers) -> Integers:
        return np.clip(self._layers[name].pointwise(x), 0, 255)

    def _block(self, name: str, x: Integers) -> Integers:
        looked = np.clip(self._layers[f"{name}.look"].depthwise(x), -128, 127)
        branch = self._layers[f"{name}.narrow"].pointwise(self._unsigned(f"{name}.widen", looked))
        return np.clip(x + branch, 0, 255)


class _Layer(NamedTuple):
    weight: Integers
    bias: Integers
    shift: Integers

    @classmethod
    def of(cls, layer: IntegerWeights) -> _Layer:
        return cls(*(field.numpy().astype(np.int64) for field in layer))

    def pointwise(self, x: Integers) -> Integers:
        """``(sum over inputs of weight * x + bias) >> shift``; the shift rounds down, below zero too."""
        return self._shifted(np.einsum("oi,nihw->nohw", self.weight, x))

    def depthwise(self, x: Integers) -> Integers:
        """The same with a 3x3 filter a channel, and zeros around the picture."""
        height, width = x.shape[2:]
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        acc = np.zeros_like(x)
        for i in range(3):
            for j in range(3):
                acc += padded[:, :, i : i + height, j : j + width] * self.weight[:, i, j, None, None]
        return self._shifted(acc)

    def _shifted(self, acc: Integers) -> Integers:
        return (acc + self.bias[:, None, None]) >> self.shift[:, None, None]


def quality_level(quality: int) -> int:
    """``quality`` (0 to 25600) on a scale of 0 to 127, rounded half up."""
    return (2 * QUALITY_LEVELS * quality + QUALITY_SCALE) // (2 * QUALITY_SCALE)


def interpolate_rows(rows: Integers, quality: int) -> Integers:
    """Rows (anchors, C) interpolated at ``quality``, rounded down: (C,)."""
    position = quality * (len(LAMBDAS) - 1)
    low = min(position // QUALITY_SCALE, len(LAMBDAS) - 2)
    part = position - low * QUALITY_SCALE
    return (rows[low] * (QUALITY_SCALE - part) + rows[low + 1] * part) // QUALITY_SCALE


def table_index(sixteenths: Integers) -> Integers:
    """Table numbers from steps of 1/16: rounded half up, clamped to [0, 63]."""
    return np.clip((sixteenths + PARAMETER_UNIT // 2) // PARAMETER_UNIT, 0, TABLES - 1)


def pixel_shuffle(x: Integers) -> Integers:
    """(N, 4C, h, w) to (N, C, 2h, 2w): channel 4c + 2i + j goes to channel c, rows 2y + i, columns 2x + j."""
    n, channels, height, width = x.shape
    parts = x.reshape(n, channels // 4, 2, 2, height, width)
    return parts.transpose(0, 1, 4, 2, 5, 3).reshape(n, channels // 4, 2 * height, 2 * width)


def phase_planes(height: int, width: int) -> Integers:
    """(4, height, width): plane p is 1 where ``2 * (row % 2) + column % 2 == p``, else 0."""
    rows, columns = np.indices((height, width))
    return np.stack([(2 * (rows % 2) + columns % 2 == p).astype(np.int64) for p in range(4)])


def slots(x: Integers, step: int) -> list[Integers]:
    """The views of ``x`` (N, C, h, w) that pass ``step`` decodes, phase by phase."""
    return [x[:, (phase ^ PASS_ORDER[step]) :: PASSES, phase // 2 :: 2, phase % 2 :: 2] for phase in range(4)]


def in_order(x: Integers, step: int) -> Integers:
    """What pass ``step`` decodes of (N, C, h, w), in order of coding: (N, count)."""
    return np.concatenate([slot.reshape(len(x), -1) for slot in slots(x, step)], 1)
