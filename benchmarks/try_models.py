"""The models of `benchmarks.tries`: each begins as the same function as the state dict it is given, or nearly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.utils.parametrize as parametrize
from torch import Tensor, nn

from archivae.models.photo.architecture import PATCH, Architecture
from archivae.models.photo.entropy import KNOWN_GAIN
from archivae.models.photo.integer import IntegerPointwise, straight_through
from archivae.models.photo.layers import Pointwise
from archivae.models.photo.trainable import TrainableCodec, _Field
from archivae.models.training.start import architecture_of, grow

State = Mapping[str, Tensor]

LOG_STEPS = 12
"""Integers an octave of the logarithm of what is restored."""


def reference(start: State) -> TrainableCodec:
    """The model as it is."""
    return _loaded(TrainableCodec(architecture_of(start)), start)


class LatentContextCodec(TrainableCodec):
    """Contexts see, besides residuals, the restored latents through `integer_log`."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__(arch)
        for network in self.contexts:
            inputs = 2 * arch.latents + arch.features + 4
            network.enter = IntegerPointwise(inputs, arch.context, gain=1.4)

    def _code(self, field: _Field, base: Tensor) -> tuple[Tensor, Tensor]:
        return super()._code(field if field.shows_restored else _LogField(*field), base)


class _LogField(_Field):
    def shown(self, residual: Tensor, restored: Tensor) -> Tensor:
        return torch.cat([residual, integer_log(restored) / KNOWN_GAIN], 1)


def integer_log(restored: Tensor) -> Tensor:
    """``sign(x) * 12 log2(1 + |x|)``, floored, by integers alone, of float32 multiples of 1/16; its slope backward.

    The bits of a float are its logarithm: exponent, then a mantissa that is linear between powers of two.

    >>> integer_log(torch.tensor([0.0, 0.5, -1.0, 7.0, 1000.0])).tolist()
    [0.0, 6.0, -12.0, 36.0, 119.0]
    """
    magnitude = restored.abs()
    bits = (magnitude.detach() * 16 + 16).view(torch.int32)
    sixteenths = (bits >> 19) - (131 << 4)
    whole = (sixteenths * LOG_STEPS) >> 4
    slope = LOG_STEPS / math.log(2) / (1 + magnitude.detach())
    return straight_through(restored * slope, whole * restored.sign())


def context_latents(start: State) -> TrainableCodec:
    """`LatentContextCodec`; the weights of its new inputs are zero at first."""
    arch = architecture_of(start)
    grown = dict(start)
    for name in filter(_enters_context, start):
        known, others = start[name].split([arch.latents, start[name].shape[1] - arch.latents], 1)
        grown[name] = torch.cat([known, torch.zeros_like(known), others], 1)
    return _loaded(LatentContextCodec(arch), grown)


class ScaledMatrix(nn.Module):
    """A weight (out, in) as ``left * matrix * right`` with a learned scale a row and a column, seen through a basis.

    ``rows`` and ``columns`` are orthonormal bases of the outputs and inputs, or None for their own.
    """

    rows: Tensor | None
    columns: Tensor | None

    def __init__(self, outputs: int, inputs: int, rows: Tensor | None, columns: Tensor | None) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.zeros(outputs))
        self.right = nn.Parameter(torch.zeros(inputs))
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, matrix: Tensor) -> Tensor:
        with torch.autocast(matrix.device.type, enabled=False):
            weight = self.left.exp()[:, None] * matrix * self.right.exp()
            weight = weight if self.rows is None else self.rows.T @ weight
            return weight if self.columns is None else weight @ self.columns

    def right_inverse(self, weight: Tensor) -> Tensor:
        weight = weight if self.rows is None else self.rows @ weight
        return weight if self.columns is None else weight @ self.columns.T


def haar(side: int, channels: int) -> Tensor:
    """The orthonormal Haar transform of patches: (channels * side * side) a side, in the order of `pixel_unshuffle`.

    Of each channel the mean comes first, then what distinguishes halves along rows, columns and both, octave by octave.
    """
    basis = torch.eye(1)
    while basis.shape[0] < side**2:
        small = int(basis.shape[0] ** 0.5)
        doubled = basis.view(-1, small, small).repeat_interleave(2, 1).repeat_interleave(2, 2)
        average, difference = torch.tensor([1.0, 1.0]), torch.tensor([1.0, -1.0])
        quads = [torch.outer(a, b) / 2 for a in (average, difference) for b in (average, difference)][1:]
        details = [torch.kron(_unit(place, small), quad) for quad in quads for place in range(small**2)]
        basis = torch.cat([(doubled / 2).flatten(1), torch.stack(details).flatten(1)])
    return torch.kron(torch.eye(channels), basis)


def _unit(place: int, side: int) -> Tensor:
    return torch.eye(side**2)[place].view(side, side)


def scales_haar(start: State) -> TrainableCodec:
    """Pointwise layers of the transforms with learned scales, patches seen through a Haar transform."""
    model = reference(start)
    patches = haar(PATCH, 3)
    for transform in (model.analysis, model.synthesis, model.hyper_analysis):
        for layer in [m for m in transform.modules() if isinstance(m, Pointwise)]:
            rows = patches if layer.gives == PATCH else None
            columns = patches if layer.takes == PATCH else None
            scaled = ScaledMatrix(*layer.weight.shape, rows, columns)
            parametrize.register_parametrization(layer, "weight", scaled)
    return model


def coarse_third(start: State) -> TrainableCodec:
    """Two blocks more at 1/16 in place of the last at 1/8, whose loss harms less than that of others."""
    arch = architecture_of(start)
    dropped = tuple(f"{transform}.fine.{arch.fine_blocks - 1}." for transform in ("analysis", "synthesis"))
    kept = {name: tensor for name, tensor in start.items() if not name.startswith(dropped)}
    return reference(grow(kept, {"coarse_blocks": arch.coarse_blocks + 2}, seed=11)[0])


def folded_state(model: TrainableCodec) -> dict[str, Tensor]:
    """The state dict without scales and bases: what the same model holds as it is shipped."""
    return {
        name.replace("parametrizations.", "").replace(".weight.original", ".weight"): tensor
        for name, tensor in _with_folded_weights(model).items()
    }


def _with_folded_weights(model: TrainableCodec) -> dict[str, Tensor]:
    state = model.state_dict()
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            prefix = f"{name}.parametrizations.weight."
            for part in [n for n in state if n.startswith(prefix) and not n.endswith("original")]:
                del state[part]
            state[f"{prefix}original"] = module.weight.detach()
    return state


def plain_model(state: State) -> TrainableCodec:
    """The model of a `folded_state`."""
    latents = state["analysis.head.weight"].shape[0]
    narrow = state["parameter_head.weight"].shape[1] + 4 + latents
    if state["contexts.0.enter.weight"].shape[1] == narrow:
        return reference(state)
    usual = {
        n: torch.cat([t[:, :latents], t[:, 2 * latents :]], 1) if _enters_context(n) else t for n, t in state.items()
    }
    return _loaded(LatentContextCodec(architecture_of(usual)), state)


def _enters_context(name: str) -> bool:
    return name.startswith("contexts.") and name.endswith("enter.weight")


def _loaded(model: TrainableCodec, state: State) -> TrainableCodec:
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return model


TRIES: dict[str, Callable[[State], TrainableCodec]] = {
    "reference": reference,
    "context-latents": context_latents,
    "scales-haar": scales_haar,
    "coarse-third": coarse_third,
}
