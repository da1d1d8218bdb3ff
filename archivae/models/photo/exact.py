"""The shipped entropy model: integers in, integers out, the same on every device.

`archivae.models.photo.numpy_reference` is the same model in NumPy int64, and its definition; docs/format.md tells it in
words. The arithmetic, and why it is exact in float32, is in `archivae.models.photo.integer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from archivae.models.photo.architecture import LAMBDAS, PASS_ORDER, PASSES, TABLES, Architecture, phase_planes
from archivae.models.photo.entropy import KNOWN_GAIN, PHASE_LEVEL, QUALITY_LEVELS
from archivae.models.photo.integer import ACC_LIMIT, PARAMETER_UNIT, IntegerWeights, check_exact

QUALITY_SCALE = 100 * 256
"""Quality 100 in steps of 1/256."""

RESTORED_PER_SHOWN = PARAMETER_UNIT // KNOWN_GAIN
"""Restored values come in steps of 1/16; networks see them in steps of 1/4, rounded down."""

Layers = Mapping[str, IntegerWeights]


def quality_level(quality: int) -> int:
    """The constant that fills the hyper decoder's quality plane: 0 to 127."""
    return (2 * QUALITY_LEVELS * quality + QUALITY_SCALE) // (2 * QUALITY_SCALE)


def interpolate_rows(rows: Tensor, quality: int) -> Tensor:
    """Integer rows (anchors, C), in steps of 1/16, interpolated at ``quality``: int64 (C,), floor."""
    position = quality * (len(LAMBDAS) - 1)
    low = min(position // QUALITY_SCALE, len(LAMBDAS) - 2)
    part = position - low * QUALITY_SCALE
    rows = rows.to(torch.int64)
    return (rows[low] * (QUALITY_SCALE - part) + rows[low + 1] * part) // QUALITY_SCALE


def table_index(sixteenths: Tensor) -> Tensor:
    """Table numbers from indices in steps of 1/16: rounded and clamped to uint8 in [0, 63]."""
    return ((sixteenths + PARAMETER_UNIT // 2) // PARAMETER_UNIT).clamp(0, TABLES - 1).to(torch.uint8)


def phase_of(x: Tensor, phase: int) -> Tensor:
    """The view of ``x`` (N, C, h, w) at one phase of the 2x2 grid: (N, C, h/2, w/2)."""
    return x[:, :, phase // 2 :: 2, phase % 2 :: 2]


class _Layer:
    """One frozen layer on a device; ``float32`` tensors of whole numbers in and out."""

    def __init__(self, layer: IntegerWeights, device: torch.device) -> None:
        check_exact(layer)
        self.weight = layer.weight.float().to(device)
        self.bias = layer.bias.float().to(device)
        self.scale = torch.exp2(-layer.shift.float()).to(device).view(1, -1, 1, 1)

    def pointwise(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        acc = F.conv2d(x, self.weight[rows, :, None, None], self.bias[rows])
        return torch.floor(acc.mul_(self.scale[:, rows]))

    def depthwise(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padded = F.pad(x, (1, 1, 1, 1))
        acc = self.bias.view(1, -1, 1, 1).expand_as(x).clone()
        for i in range(3):
            for j in range(3):
                acc.addcmul_(padded[:, :, i : i + height, j : j + width], self.weight[:, i, j].view(1, -1, 1, 1))
        return torch.floor(acc.mul_(self.scale))


class Field(NamedTuple):
    """What is coded in four passes: the hyper-latents, or the latents, of a batch.

    ``conditions`` (N, M, h, w), float32 of whole numbers, go into every context network; ``features`` (N, F, h, w) give
    means and table indices to begin with, which are 0 without them; ``offset`` int32 (channels,) is added to indices.
    """

    name: str
    shape: tuple[int, int, int, int]
    conditions: Tensor
    features: Tensor | None
    offset: Tensor
    shows_restored: bool
    """Whether context networks see restored values, or residuals alone."""

    def shown(self, residual: Tensor, restored: Tensor) -> Tensor:
        """What context networks see, [-128, 127], of residuals and of the same restored, in steps of 1/16."""
        seen = restored // RESTORED_PER_SHOWN if self.shows_restored else residual * KNOWN_GAIN
        return seen.clamp(-128, 127)


class EntropyNetworks:
    """The frozen hyper decoder and context networks.

    ``layers`` maps names such as ``contexts.0.near.look`` to integer weights; ``index_offset`` (anchors, latents) and
    ``hyper_index`` (anchors, hyper) are integers in steps of 1/16.
    """

    def __init__(
        self, arch: Architecture, layers: Layers, index_offset: Tensor, hyper_index: Tensor, device: torch.device
    ) -> None:
        self.arch = arch
        self.device = device
        self._layers = {name: _Layer(layer, device) for name, layer in layers.items()}
        for name, rows in (("index_offset", index_offset), ("hyper_index", hyper_index)):
            if rows.long().abs().max() >= ACC_LIMIT:
                raise ValueError(f"{name} holds numbers of 2^24 or more: sums with them may not fit into 32 bits")
        self._index_offset = index_offset
        self._hyper_index = hyper_index

    def hyper_field(self, count: int, height: int, width: int, quality: int) -> Field:
        """The hyper-latents of ``count`` tiles: (count, hyper, height, width)."""
        level = torch.full((count, 1, height, width), float(quality_level(quality)), device=self.device)
        offset = self._interpolated(self._hyper_index, quality)
        return Field("hyper_contexts", (count, self.arch.hyper, height, width), level, None, offset, True)

    def latent_field(self, z: Tensor, quality: int) -> Field:
        """The latents of the tiles whose restored hyper-latents are ``z`` (N, hyper, h, w), int32 in steps of 1/16."""
        features = self.features(z, quality)
        shape = (len(z), self.arch.latents, *features.shape[2:])
        offset = self._interpolated(self._index_offset, quality)
        return Field("contexts", shape, features, features, offset, False)

    def features(self, z: Tensor, quality: int) -> Tensor:
        """Restored hyper-latents (N, hyper, h, w) to features (N, features, 4h, 4w), whole numbers in [0, 255]."""
        with _exact_arithmetic(self.device):
            plane = torch.full_like(z[:, :1], quality_level(quality))
            x = torch.cat([(z // RESTORED_PER_SHOWN).clamp(-128, 127), plane], 1).float()
            x = self._unsigned("hyper_decoder.enter", x)
            x = self._block("hyper_decoder.middle", F.pixel_shuffle(x, 2))
            x = self._unsigned("hyper_decoder.up", x)
            return self._block("hyper_decoder.full", F.pixel_shuffle(x, 2))

    def context(self, field: Field, step: int, known: Tensor) -> Tensor:
        """What pass ``step`` (1 to 3) makes of ``known``, float32: as `Field.shown`, and 0 where not decoded yet."""
        with _exact_arithmetic(self.device):
            phases = phase_planes(*known.shape[2:]).to(self.device).expand(len(known), -1, -1, -1) * PHASE_LEVEL
            x = torch.cat([known, field.conditions, phases], 1)
            name = f"{field.name}.{step - 1}"
            x = self._block(f"{name}.near", self._unsigned(f"{name}.enter", x))
            return self._block(f"{name}.far", x)

    def parameters(self, field: Field, step: int, phase: int, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Means (int32, steps of 1/16) and table numbers (uint8) of what pass ``step`` decodes at ``phase``.

        Both (N, C/4, h/2, w/2): the channels of group ``phase ^ PASS_ORDER[step]``.
        """
        group = phase ^ PASS_ORDER[step]
        offset = field.offset[group::PASSES].view(1, -1, 1, 1)
        count, channels, height, width = field.shape
        zeros = torch.zeros(1, dtype=torch.int32, device=self.device).expand(count, channels // 2, height, width)
        both = phase_of(zeros, phase)
        with _exact_arithmetic(self.device):
            if field.features is not None:
                both = both + self._head("parameter_head", phase_of(field.features, phase), group)
            if context is not None:
                both = both + self._head(f"{field.name}.{step - 1}.head", phase_of(context, phase), group)
        mean, index = both.chunk(2, 1)
        return mean, table_index(index + offset)

    def _interpolated(self, rows: Tensor, quality: int) -> Tensor:
        return interpolate_rows(rows, quality).to(self.device, torch.int32)

    def _head(self, name: str, x: Tensor, group: int) -> Tensor:
        """Means and indices (int32) of one group of channels: every fourth row of the head's matrix."""
        return self._layers[name].pointwise(x.contiguous(), slice(group, None, PASSES)).to(torch.int32)

    def _unsigned(self, name: str, x: Tensor) -> Tensor:
        return self._layers[name].pointwise(x).clamp_(0, 255)

    def _block(self, name: str, x: Tensor) -> Tensor:
        branch = self._layers[f"{name}.look"].depthwise(x).clamp_(-128, 127)
        branch = self._layers[f"{name}.narrow"].pointwise(self._unsigned(f"{name}.widen", branch))
        return branch.add_(x).clamp_(0, 255)


@contextmanager
def _exact_arithmetic(device: torch.device) -> Iterator[None]:
    """No autocast and no TF32 inside: both would round."""
    with torch.autocast(device.type, enabled=False), ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False))
        yield
