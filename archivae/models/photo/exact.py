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
from archivae.models.photo.exact_layer import ExactDepthwise, ExactPointwise
from archivae.models.photo.integer import ACC_LIMIT, PARAMETER_UNIT, IntegerWeights

PHASES = 4
QUALITY_SCALE = 100 * 256
"""Quality 100 in steps of 1/256."""

PARAMETER_SHIFT = PARAMETER_UNIT.bit_length() - 1
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
    return ((sixteenths + PARAMETER_UNIT // 2) >> PARAMETER_SHIFT).clamp_(0, TABLES - 1).to(torch.uint8)


def phases_of(shape: tuple[int, ...]) -> list[int]:
    """The phases that a field (N, C, h, w) has: one that is a single position high or wide lacks some."""
    return [phase for phase in range(PHASES) if phase // 2 < shape[2] and phase % 2 < shape[3]]


def phase_of(x: Tensor, phase: int) -> Tensor:
    """The view of ``x`` (N, C, h, w) at one phase of the 2x2 grid: (N, C, h/2, w/2)."""
    return x[:, :, phase // 2 :: 2, phase % 2 :: 2]


def slots(x: Tensor, step: int) -> list[Tensor]:
    """The views of ``x`` (N, C, h, w) that pass ``step`` decodes, phase by phase: what is coded, in its order."""
    return [phase_of(x[:, (phase ^ PASS_ORDER[step]) :: PASSES], phase) for phase in phases_of(tuple(x.shape))]


class Field(NamedTuple):
    """What is coded in four passes: the hyper-latents, or the latents, of a batch.

    ``conditions`` (N, M, h, w) go into every context network; ``features`` (N, F, h, w) give means and table indices to
    begin with, which are 0 without them; ``offset`` (channels,) is added to indices. All are int32.
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
        self._heads: dict[str, list[ExactPointwise]] = {}
        self._pointwise: dict[str, ExactPointwise] = {}
        self._depthwise: dict[str, ExactDepthwise] = {}
        for name, layer in layers.items():
            if layer.weight.dim() == 3:
                self._depthwise[name] = ExactDepthwise(layer, device)
            elif name.endswith("head"):
                self._heads[name] = _head_by_group(layer, device)
            else:
                self._pointwise[name] = ExactPointwise(layer, _signed_inputs(name, arch), device)
        for name, rows in (("index_offset", index_offset), ("hyper_index", hyper_index)):
            if rows.long().abs().max() >= ACC_LIMIT:
                raise ValueError(f"{name} holds numbers of 2^24 or more: sums with them may not fit into 32 bits")
        self._index_offset = index_offset
        self._hyper_index = hyper_index

    def hyper_field(self, count: int, height: int, width: int, quality: int) -> Field:
        """The hyper-latents of ``count`` tiles: (count, hyper, height, width)."""
        level = torch.full((count, 1, height, width), quality_level(quality), dtype=torch.int32, device=self.device)
        offset = self._interpolated(self._hyper_index, quality)
        return Field("hyper_contexts", (count, self.arch.hyper, height, width), level, None, offset, True)

    def latent_field(self, z: Tensor, quality: int) -> Field:
        """The latents of the tiles whose restored hyper-latents are ``z`` (N, hyper, h, w), int32 in steps of 1/16."""
        features = self.features(z, quality)
        shape = (len(z), self.arch.latents, *features.shape[2:])
        offset = self._interpolated(self._index_offset, quality)
        return Field("contexts", shape, features, features, offset, False)

    def features(self, z: Tensor, quality: int) -> Tensor:
        """Restored hyper-latents (N, hyper, h, w) to features (N, features, 4h, 4w), int32 in [0, 255]."""
        with _exact_arithmetic(self.device):
            plane = torch.full_like(z[:, :1], quality_level(quality))
            x = torch.cat([(z // RESTORED_PER_SHOWN).clamp(-128, 127), plane], 1)
            x = self._unsigned("hyper_decoder.enter", x)
            x = self._block("hyper_decoder.middle", F.pixel_shuffle(x, 2))
            x = self._unsigned("hyper_decoder.up", x)
            return self._block("hyper_decoder.full", F.pixel_shuffle(x, 2))

    def context(self, field: Field, step: int, known: Tensor) -> Tensor:
        """What pass ``step`` (1 to 3) makes of ``known``: as `Field.shown` says, and 0 where nothing is decoded yet."""
        with _exact_arithmetic(self.device):
            phases = phase_planes(*known.shape[2:]).to(self.device, torch.int32).expand(len(known), -1, -1, -1)
            x = torch.cat([known, field.conditions, phases * PHASE_LEVEL], 1)
            name = f"{field.name}.{step - 1}"
            x = self._block(f"{name}.near", self._unsigned(f"{name}.enter", x))
            return self._block(f"{name}.far", x)

    def parameters(self, field: Field, step: int, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Means (int32, steps of 1/16) and table numbers (uint8) of what pass ``step`` decodes: (N, count), in order."""
        inputs = [] if field.features is None else [("parameter_head", field.features)]
        if context is not None:
            inputs.append((f"{field.name}.{step - 1}.head", context))
        with _exact_arithmetic(self.device):
            ready = [(self._heads[name], self._heads[name][0].ready(x)) for name, x in inputs]
            means, indices = [], []
            for phase in phases_of(field.shape):
                group = phase ^ PASS_ORDER[step]
                mean, index = self._start(field, group, phase)
                for heads, x in ready:
                    more = heads[group].product(phase_of(x, phase))
                    mean, index = (a + b for a, b in zip((mean, index), more.chunk(2, 1), strict=True))
                means.append(mean.flatten(1))
                indices.append(index.flatten(1))
        return torch.cat(means, 1), table_index(torch.cat(indices, 1))

    def _start(self, field: Field, group: int, phase: int) -> tuple[Tensor, Tensor]:
        """Means of zero, and the indices' offsets, of one phase of a pass."""
        count, channels, height, width = field.shape
        offset = field.offset[group::PASSES].view(1, -1, 1, 1)
        offset = phase_of(offset.expand(count, channels // PASSES, height, width), phase)
        return torch.zeros_like(offset), offset

    def _interpolated(self, rows: Tensor, quality: int) -> Tensor:
        return interpolate_rows(rows, quality).to(self.device, torch.int32)

    def _unsigned(self, name: str, x: Tensor) -> Tensor:
        return self._pointwise[name](x).clamp_(0, 255)

    def _block(self, name: str, x: Tensor) -> Tensor:
        branch = self._depthwise[f"{name}.look"](x).clamp_(-128, 127)
        branch = self._pointwise[f"{name}.narrow"](self._unsigned(f"{name}.widen", branch))
        return branch.add_(x).clamp_(0, 255)


def _head_by_group(layer: IntegerWeights, device: torch.device) -> list[ExactPointwise]:
    """The rows of a head, means and indices, that belong to each of the four groups of channels."""
    groups = [IntegerWeights(*(part[group::PASSES] for part in layer)) for group in range(PASSES)]
    return [ExactPointwise(group, 0, device) for group in groups]


def _signed_inputs(name: str, arch: Architecture) -> int | None:
    """How many inputs of a layer, the first ones, may be negative: what is decoded, what depthwise filters give; None: all."""
    group, _, part = name.rpartition(".")
    if part == "widen" or name == "hyper_decoder.enter":
        return None
    if part == "enter":
        return arch.hyper if group.startswith("hyper_contexts") else arch.latents
    return 0


@contextmanager
def _exact_arithmetic(device: torch.device) -> Iterator[None]:
    """No autocast and no TF32 inside: both would round."""
    with torch.autocast(device.type, enabled=False), ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False))
        yield
