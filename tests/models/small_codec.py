"""A photo codec small enough for tests, with random weights that use every table, pass and escape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from archivae.models.photo.architecture import LAMBDAS, Architecture
from archivae.models.photo.export import COUNTED, fit_tables, freeze
from archivae.models.photo.layers import Pointwise
from archivae.models.photo.trainable import TABLES, TrainableCodec
from archivae.models.photo.transforms import Analysis, Synthesis
from archivae.models.photo.weights import PhotoWeights

SMALL = Architecture(
    fine=16, coarse=24, latents=24, hyper=8, features=12, context=16, hyper_context=8, fine_blocks=1, coarse_blocks=1
)


def small_trainable(seed: int = 1, arch: Architecture = SMALL) -> TrainableCodec:
    """Random, but an autoencoder: the linear layers of the synthesis undo those of the analysis as far as they can."""
    torch.manual_seed(seed)
    model = TrainableCodec(arch).requires_grad_(False)
    _invert(model.analysis, model.synthesis)
    _spread(model)
    _vary_with_quality(model)
    return model.eval()


def small_weights(seed: int = 1, arch: Architecture = SMALL) -> PhotoWeights:
    """`small_trainable`, frozen, with the tables of plain Gaussians."""
    return freeze(small_trainable(seed, arch), "small", fit_tables(np.zeros((TABLES, 2 * COUNTED + 1))))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with noise and a hard edge: (height, width, 3) uint8. Exact integer arithmetic on any machine."""
    rows, columns = np.indices((height, width))
    waves = np.stack([rows * 2 + columns, columns * 3 + 50 * (columns > width // 2), (rows * columns) // 32], -1)
    noise = (rows[..., None] * 7919 + columns[..., None] * 104729 + np.arange(3) * 1299709 + seed * 15485863) % 61
    return ((waves + noise + seed * 40) % 256).astype(np.uint8)


def _invert(analysis: Analysis, synthesis: Synthesis) -> None:
    forward: Sequence[Pointwise] = [analysis.patch, analysis.down, analysis.head]
    backward: Sequence[Pointwise] = [synthesis.patch, synthesis.up, synthesis.head]
    for there, back in zip(forward, backward, strict=True):
        nn.init.orthogonal_(there.weight)
        back.weight.copy_(there.weight.T)


def _spread(model: TrainableCodec) -> None:
    """Widen what chooses the tables, so that nothing stays in a corner: some channels skip z, some z escape."""
    latents, hyper = model.arch.latents, model.arch.hyper
    model.parameter_head.weight.mul_(3)
    model.parameter_head.bias.copy_(torch.cat([torch.randn(latents) * 2, torch.randn(latents) * 12 + 22]))
    for network in (*model.contexts, *model.hyper_contexts):
        network.head.weight.mul_(20)
    model.hyper_analysis.out.weight.mul_(6)
    model.hyper_index.copy_(torch.linspace(-4, 36, hyper).repeat(len(LAMBDAS), 1) + torch.randn(len(LAMBDAS), hyper))


def _vary_with_quality(model: TrainableCodec) -> None:
    """Biases that differ from anchor to anchor, a little."""
    for module in model.modules():
        if isinstance(module, Pointwise):
            module.bias.add_(torch.randn(module.bias.shape) * 0.0005)
