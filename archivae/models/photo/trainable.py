"""The photo codec as it is trained: differentiable, with rounding simulated.

A mean-scale hyperprior (Minnen et al. 2018, arXiv:1809.02736) whose networks are integer-exact, a four-pass context
(Li et al. 2023, arXiv:2302.14402), and one gain a channel and quality for variable rate (Cui et al. 2021,
arXiv:2003.02012). `archivae.models.photo.export` turns it into the model that is shipped.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from archivae.models.photo.architecture import LAMBDAS, PASSES, TABLES, Z_LIMIT, Architecture, pass_masks, phase_planes
from archivae.models.photo.entropy import QUALITY_LEVELS, ContextNetwork, HyperDecoder, ParameterHead
from archivae.models.photo.integer import PARAMETER_UNIT, floor_ste, straight_through
from archivae.models.photo.transforms import Analysis, HyperAnalysis, Synthesis

ANCHORS = len(LAMBDAS)
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


def interpolate(table: Tensor, position: Tensor) -> Tensor:
    """Rows of ``table`` (ANCHORS, C) at real ``position`` (N,) in [0, ANCHORS - 1], as (N, C, 1, 1)."""
    low = position.floor().long().clamp(max=ANCHORS - 2)
    part = (position - low)[:, None]
    return (table[low] * (1 - part) + table[low + 1] * part)[:, :, None, None]


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
        self.contexts = nn.ModuleList(ContextNetwork(arch) for _ in range(PASSES - 1))
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
        latents = self.analysis(pixels) * interpolate(self.encoder_gain, position).exp()
        z = _Clamp.apply(self.hyper_analysis(latents), -Z_LIMIT - 1, Z_LIMIT)
        hyper_index = _Clamp.apply(interpolate(self.hyper_index, position), 0, TABLES - 1)
        hyper_bits = gaussian_bits(self._noisy(z), hyper_index).sum((1, 2, 3))

        restored, residual_bits = self._code_latents(latents, round_ste(z), position)
        pixels_out = self.synthesis(restored * interpolate(self.decoder_gain, position).exp())
        return TrainingOutput(pixels_out, residual_bits, hyper_bits)

    def _noisy(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x) - 0.5 if self.training else x.round()

    def _code_latents(self, latents: Tensor, z: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        height, width = latents.shape[2:]
        masks = pass_masks(self.arch.latents, height, width).to(latents.device)
        phases = phase_planes(height, width).to(latents.device)
        level = torch.round(position * (QUALITY_LEVELS / (ANCHORS - 1)))
        features = self.hyper_decoder(z, level[:, None, None, None].expand(-1, 1, *z.shape[2:]))
        with torch.autocast(latents.device.type, enabled=False):
            base = floor_ste(self.parameter_head(features.float()))
        offset = interpolate(self.index_offset, position)
        known = torch.zeros_like(latents)
        mean = index = known
        for i in range(PASSES):
            parameters = base if i == 0 else base + self._refine(i, known, features, phases)
            mean_i, index_i = (parameters / PARAMETER_UNIT).chunk(2, 1)
            mean = torch.where(masks[i], mean_i, mean)
            index = torch.where(masks[i], index_i, index)
            if i < PASSES - 1:
                known = torch.where(masks[i], round_ste(latents - mean_i), known)
        index = _Clamp.apply(index + offset, 0, TABLES - 1)
        residual = latents.float() - mean
        bits = gaussian_bits(self._noisy(residual), index).sum((1, 2, 3))
        return round_ste(residual) + mean, bits

    def _refine(self, i: int, known: Tensor, features: Tensor, phases: Tensor) -> Tensor:
        network = cast(ContextNetwork, self.contexts[i - 1])
        body = network.body(known, features, phases.expand(len(known), -1, -1, -1))
        with torch.autocast(known.device.type, enabled=False):
            return floor_ste(network.head(body.float()))
