"""The photo codec as it is trained: differentiable, with rounding simulated.

A mean-scale hyperprior (Minnen et al. 2018, arXiv:1809.02736) whose networks are integer-exact, a four-pass context
(Li et al. 2023, arXiv:2302.14402), and one gain a channel and quality for variable rate (Cui et al. 2021,
arXiv:2003.02012). `archivae.models.photo.export` turns it into the model that is shipped.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from archivae.models.photo.architecture import (
    ANCHORS,
    LAMBDAS,
    PASSES,
    TABLES,
    Z_LIMIT,
    Architecture,
    anchor_mix,
    pass_masks,
    phase_planes,
)
from archivae.models.photo.entropy import QUALITY_LEVELS, ContextNetwork, HyperDecoder, ParameterHead
from archivae.models.photo.integer import PARAMETER_UNIT, floor_ste, straight_through
from archivae.models.photo.layers import blend
from archivae.models.photo.transforms import Analysis, HyperAnalysis, Synthesis

SCALE_FLOOR = 0.11
"""Standard deviation of the narrowest table; there, a residual is always 0."""
SCALE_STEP = 0.1
"""Natural logarithm of the ratio between one table's standard deviation and the next."""


class TrainingOutput(NamedTuple):
    """``pixels`` (N, 3, H, W); ``residual_bits`` and ``hyper_bits`` (N,), bits of each picture."""

    pixels: Tensor
    residual_bits: Tensor
    hyper_bits: Tensor


def round_ste(x: Tensor) -> Tensor:
    return straight_through(x, torch.round(x))


def gaussian_bits(values: Tensor, index: Tensor) -> Tensor:
    """Bits to code ``values`` with unit bins under zero-mean Gaussians of table ``index`` (real-valued)."""
    scale = SCALE_FLOOR * torch.exp(SCALE_STEP * index.float())
    distance = values.float().abs()
    upper = torch.special.ndtr((0.5 - distance) / scale)
    lower = torch.special.ndtr((-0.5 - distance) / scale)
    return -torch.log2((upper - lower).clamp_min(1e-9))


class _Clamp(torch.autograd.Function):
    """Clamp whose gradient still passes where it would lead back into the range."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        ctx.range = (low, high)
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        low, high = ctx.range
        keep = ((x >= low) | (grad < 0)) & ((x <= high) | (grad > 0))
        return grad * keep, None, None


class TrainableCodec(nn.Module):
    """Analysis, synthesis and entropy model with their gains, as trained."""

    def __init__(self, arch: Architecture = Architecture()) -> None:  # noqa: B008 (frozen)
        super().__init__()
        self.arch = arch
        self.analysis = Analysis(arch)
        self.synthesis = Synthesis(arch)
        self.hyper_analysis = HyperAnalysis(arch)
        self.hyper_decoder = HyperDecoder(arch)
        self.parameter_head = ParameterHead(arch)
        self.contexts = nn.ModuleList(
            ContextNetwork(arch.latents, arch.features, arch.context) for _ in range(PASSES - 1)
        )
        self.hyper_contexts = nn.ModuleList(
            ContextNetwork(arch.hyper, 1, arch.hyper_context) for _ in range(PASSES - 1)
        )
        # A step that grows with 1/sqrt(lambda) is right for uniform quantisation at high rate.
        steps = (6 / torch.tensor(LAMBDAS)).sqrt() / 127.5
        self.encoder_gain = nn.Parameter(-steps.log()[:, None].repeat(1, arch.latents))
        self.decoder_gain = nn.Parameter(steps.log()[:, None].repeat(1, arch.latents))
        middle = steps.log()[ANCHORS // 2]
        shift = (middle - steps.log()) / SCALE_STEP
        self.index_offset = nn.Parameter(shift[:, None].repeat(1, arch.latents))
        self.hyper_index = nn.Parameter(torch.full((ANCHORS, arch.hyper), 20.0))

    def forward(self, pixels: Tensor, position: Tensor) -> TrainingOutput:
        """``pixels`` (N, 3, H, W) in [0, 1], sides multiples of 64; ``position`` (N,) in [0, ANCHORS - 1]."""
        mix = anchor_mix(position)
        latents = self.analysis(pixels * 2 - 1, mix) * _plane(blend(mix, self.encoder_gain).exp())
        level = torch.round(position * (QUALITY_LEVELS / (ANCHORS - 1)))
        z, hyper_bits, level_plane = self._code_hyper(latents, mix, level)
        restored, residual_bits = self._code_latents(latents, self.hyper_decoder(z, level_plane), mix)
        pixels_out = self.synthesis(restored * _plane(blend(mix, self.decoder_gain).exp()), mix)
        return TrainingOutput(pixels_out * 0.5 + 0.5, residual_bits, hyper_bits)

    def _code_hyper(self, latents: Tensor, mix: Tensor, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Restored hyper-latents, their bits, and the plane that tells networks the quality."""
        z = _Clamp.apply(self.hyper_analysis(latents, mix), -Z_LIMIT - 1, Z_LIMIT).float()
        level_plane = _plane(level[:, None]).expand(-1, 1, *z.shape[2:])
        field = _Field(z, _plane(blend(mix, self.hyper_index)), level_plane, self.hyper_contexts, shows_restored=True)
        restored, bits = self._code(field, torch.zeros(1, 2 * self.arch.hyper, 1, 1, device=z.device))
        return restored, bits, level_plane

    def _code_latents(self, latents: Tensor, features: Tensor, mix: Tensor) -> tuple[Tensor, Tensor]:
        """Restored latents and their bits."""
        with torch.autocast(latents.device.type, enabled=False):
            base = floor_ste(self.parameter_head(features.float()))
        offset = _plane(blend(mix, self.index_offset))
        return self._code(_Field(latents.float(), offset, features, self.contexts, shows_restored=False), base)

    def _code(self, field: _Field, base: Tensor) -> tuple[Tensor, Tensor]:
        """Four passes over a field; ``base`` holds means and table indices, (N, 2C, h, w), that contexts refine."""
        channels, height, width = field.values.shape[1:]
        masks = pass_masks(channels, height, width).to(base.device)
        phases = phase_planes(height, width).to(base.device)
        mean = index = torch.zeros_like(field.values)
        known = field.shown(mean, mean)
        for i in range(PASSES):
            parameters = base if i == 0 else base + _refine(field, i, known, phases)
            mean_i, index_i = (parameters / PARAMETER_UNIT).chunk(2, 1)
            mean = torch.where(masks[i], mean_i, mean)
            index = torch.where(masks[i], index_i, index)
            if i < PASSES - 1:
                residual = round_ste(field.values - mean_i)
                shown = field.shown(residual, residual + mean_i)
                known = torch.where(masks[i].repeat(shown.shape[1] // channels, 1, 1), shown, known)
        residual = field.values - mean
        bits = gaussian_bits(self._noisy(residual), _Clamp.apply(index + field.offset, 0, TABLES - 1))
        return round_ste(residual) + mean, bits.sum((1, 2, 3))

    def _noisy(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x) - 0.5 if self.training else x.round()


class _Field(NamedTuple):
    """What is coded in four passes: values (N, C, h, w), and what their tables depend on."""

    values: Tensor
    offset: Tensor  # (N, C, 1, 1), added to table indices
    conditions: Tensor
    contexts: nn.ModuleList
    shows_restored: bool
    """Whether contexts see what is restored, or its residual alone."""

    def shown(self, residual: Tensor, restored: Tensor) -> Tensor:
        """What contexts see of (N, C, h, w): that many channels, or a multiple of them."""
        return restored if self.shows_restored else residual


def _refine(field: _Field, i: int, known: Tensor, phases: Tensor) -> Tensor:
    network = cast(ContextNetwork, field.contexts[i - 1])
    body = network.body(known, field.conditions, phases.expand(len(known), -1, -1, -1))
    with torch.autocast(known.device.type, enabled=False):
        return floor_ste(network.head(body.float()))


def _plane(x: Tensor) -> Tensor:
    """(N, C) to (N, C, 1, 1)."""
    return x[:, :, None, None]
