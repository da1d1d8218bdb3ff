"""The shipped entropy model: integers in, integers out, the same on every device.

`archivae.models.photo.numpy_reference` is the same model in NumPy int64, and its definition; docs/format.md tells it in
words. The arithmetic, and why it is exact in float32, is in `archivae.models.photo.integer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from archivae.models.photo.architecture import LAMBDAS, PASS_ORDER, PASSES, TABLES, Architecture, phase_planes
from archivae.models.photo.entropy import KNOWN_GAIN, PHASE_LEVEL, QUALITY_LEVELS
from archivae.models.photo.exact_layer import ExactHead, ExactLayer, to_bytes
from archivae.models.photo.integer import ACC_LIMIT, PARAMETER_UNIT, IntegerWeights
from archivae.models.photo.patches import patch_order, unfolded

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

    ``conditions`` (N, M, h, w) and ``phases`` (N, 4, h, w), bytes, go into every context network; ``start`` holds, for
    every phase, the means and table indices to begin with: int32 (N, groups, 2, channels / groups, positions).
    """

    name: str
    shape: tuple[int, int, int, int]
    conditions: Tensor
    phases: Tensor
    start: list[Tensor]
    shows_restored: bool
    """Whether context networks see restored values, or residuals alone."""

    def shown(self, residual: Tensor, restored: Tensor) -> Tensor:
        """What context networks see, int8, of residuals and of the same restored, in steps of 1/16."""
        seen = restored // RESTORED_PER_SHOWN if self.shows_restored else residual * KNOWN_GAIN
        return seen.clamp_(-128, 127).to(torch.int8)


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
        self._layers: dict[str, ExactLayer] = {}
        self._heads: dict[str, list[ExactHead]] = {}
        for name, layer in layers.items():
            if name == "parameter_head":
                self._parameter_head = ExactHead(_grouped(layer), device)
            elif name.endswith("head"):
                groups = zip(*(part.chunk(PASSES) for part in _grouped(layer)), strict=True)
                self._heads[name] = [ExactHead(IntegerWeights(*group), device) for group in groups]
            else:
                self._layers[name] = _body_layer(name, layer, arch, device)
        for name, rows in (("index_offset", index_offset), ("hyper_index", hyper_index)):
            if rows.long().abs().max() >= ACC_LIMIT:
                raise ValueError(f"{name} holds numbers of 2^24 or more: sums with them may not fit into 32 bits")
        self._index_offset = index_offset
        self._hyper_index = hyper_index

    def hyper_field(self, count: int, height: int, width: int, quality: int) -> Field:
        """The hyper-latents of ``count`` tiles: (count, hyper, height, width)."""
        shape = (count, self.arch.hyper, height, width)
        level = torch.full((count, 1, height, width), quality_level(quality), dtype=torch.uint8, device=self.device)
        start = self._start(level, interpolate_rows(self._hyper_index, quality), None)
        return Field("hyper_contexts", shape, level, self._phases(level), start, True)

    def latent_field(self, z: Tensor, quality: int) -> Field:
        """The latents of the tiles whose restored hyper-latents are ``z`` (N, hyper, h, w), int32 in steps of 1/16."""
        features = self.features(z, quality)
        shape = (len(z), self.arch.latents, *features.shape[2:])
        with _exact_arithmetic(self.device):
            offset = interpolate_rows(self._index_offset, quality)
            start = self._start(features, offset, self._parameter_head)
        return Field("contexts", shape, features, self._phases(features), start, False)

    def features(self, z: Tensor, quality: int) -> Tensor:
        """Restored hyper-latents (N, hyper, h, w) to features (N, features, 4h, 4w), bytes."""
        with _exact_arithmetic(self.device):
            plane = torch.full_like(z[:, :1], quality_level(quality))
            x = torch.cat([(z // RESTORED_PER_SHOWN).clamp_(-128, 127), plane], 1)
            x = to_bytes(x.to(torch.int8, memory_format=torch.channels_last))
            x = unfolded(self._layers["hyper_decoder.enter"](x), 2)
            x = self._block("hyper_decoder.middle", x)
            x = unfolded(self._layers["hyper_decoder.up"](x), 2)
            return self._block("hyper_decoder.full", x)

    def context(self, field: Field, step: int, known: Tensor) -> Tensor:
        """What pass ``step`` (1 to 3) makes of ``known``: as `Field.shown` says, and 0 where nothing is decoded yet."""
        with _exact_arithmetic(self.device):
            x = torch.cat([to_bytes(known), field.conditions, field.phases], 1)
            name = f"{field.name}.{step - 1}"
            x = self._block(f"{name}.near", self._layers[f"{name}.enter"](x))
            return self._block(f"{name}.far", x)

    def parameters(self, field: Field, step: int, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Means (int32, steps of 1/16) and table numbers (uint8) of what pass ``step`` decodes: (N, count), in order."""
        means, indices = [], []
        with _exact_arithmetic(self.device):
            for phase, start in zip(phases_of(field.shape), field.start, strict=True):
                group = phase ^ PASS_ORDER[step]
                both = start[:, group]
                if context is not None:
                    head = self._heads[f"{field.name}.{step - 1}.head"][group]
                    both = head(phase_of(context, phase)).unflatten(1, (2, -1)).add_(both)
                means.append(both[:, 0].flatten(1))
                indices.append(both[:, 1].flatten(1))
        return torch.cat(means, 1), table_index(torch.cat(indices, 1))

    def _phases(self, like: Tensor) -> Tensor:
        planes = (phase_planes(*like.shape[2:]) * PHASE_LEVEL).to(self.device, torch.uint8)
        return planes.repeat(len(like), 1, 1, 1).contiguous(memory_format=torch.channels_last)

    def _start(self, conditions: Tensor, index: Tensor, head: ExactHead | None) -> list[Tensor]:
        """`Field.start`: what ``head`` makes of ``conditions``, and ``index`` (channels,) added to the table indices."""
        by_group = index.to(self.device, torch.int32).view(-1, PASSES).T
        offset = torch.stack([torch.zeros_like(by_group), by_group], 1)[..., None]
        parts = []
        for phase in phases_of(tuple(conditions.shape)):
            x = phase_of(conditions, phase)
            if head is None:
                parts.append(offset.expand(len(x), -1, -1, -1, x[0, 0].numel()))
            else:
                parts.append(head(x).unflatten(1, (PASSES, 2, -1)).add_(offset))
        return parts

    def _block(self, name: str, x: Tensor) -> Tensor:
        branch = self._layers[f"{name}.widen"](self._layers[f"{name}.look"](x))
        return self._layers[f"{name}.narrow"].added(branch, onto=x)


def _body_layer(name: str, layer: IntegerWeights, arch: Architecture, device: torch.device) -> ExactLayer:
    """Any layer but a head; where its output is shuffled, in the order that `unfolded` wants."""
    if name in ("hyper_decoder.enter", "hyper_decoder.up"):
        layer = IntegerWeights(*(patch_order(part, 2) for part in layer))
    return ExactLayer(layer, device, _signed_inputs(name, arch), signed_out=name.endswith("look"))


def _grouped(layer: IntegerWeights) -> IntegerWeights:
    """A head with the rows, means and indices, of each of the four groups of channels together."""
    return IntegerWeights(*(part.unflatten(0, (2, -1, PASSES)).movedim(2, 0).flatten(0, 2) for part in layer))


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
