"""A fresh codec starts as a good linear one: a two-level principal component analysis of picture patches.

With residual branches near zero, analysis and synthesis are at first two orthonormal maps and their transposes: 8x8
patches to ``fine`` components, 2x2 of those to ``coarse``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.photo.architecture import ANCHORS, PATCH, TABLES
from archivae.models.photo.layers import Pointwise, ResidualBlock
from archivae.models.photo.trainable import SCALE_FLOOR, SCALE_STEP, TrainableCodec

BRANCH_PART = 0.1
"""What is left of the residual branches: at their full first size, their noise alone holds PSNR below 37 dB."""


@torch.no_grad()
def initialise(model: TrainableCodec, crops: Tensor) -> None:
    """Set the linear layers of both transforms, and the widths the entropy model starts from.

    ``crops`` (N, 3, H, W) float in [0, 1], sides multiples of 16; about a hundred times as many 16x16 patches as there
    are coarse channels make it stable, fewer do no harm.
    """
    patches = F.pixel_unshuffle(crops * 2 - 1, PATCH)
    fine, _ = principal_components(patches, model.arch.fine)
    _set_pair(model.analysis.patch, model.synthesis.patch, fine)
    quads = F.pixel_unshuffle(_apply(fine, patches), 2)
    coarse, deviations = principal_components(quads, model.arch.coarse)
    _set_pair(model.analysis.down, model.synthesis.up, coarse)
    _set_pair(model.analysis.head, model.synthesis.head, torch.eye(model.arch.latents, model.arch.coarse))
    for transform in (model.analysis, model.synthesis):
        _damp_branches(transform)
    _set_widths(model, deviations)


def principal_components(x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` strongest components of the channels of ``x`` (N, C, H, W) about zero, and their deviations.

    Components are orthonormal rows (count, C), deviations (count,), the largest first. Beyond C, both are zero.
    """
    vectors = x.permute(0, 2, 3, 1).flatten(0, 2).double()
    variances, components = torch.linalg.eigh(vectors.T @ vectors / len(vectors))
    kept = min(count, x.shape[1])
    rows = torch.zeros(count, x.shape[1])
    deviations = torch.zeros(count)
    rows[:kept] = components.T.flip(0)[:kept].float()
    deviations[:kept] = variances.flip(0)[:kept].clamp_min(0).sqrt().float()
    return rows, deviations


def _apply(matrix: Tensor, x: Tensor) -> Tensor:
    return F.conv2d(x, matrix[:, :, None, None])


def _set_pair(forward: Pointwise, backward: Pointwise, matrix: Tensor) -> None:
    """``forward`` becomes ``matrix`` and ``backward`` its transpose, without biases."""
    for layer, weight in ((forward, matrix), (backward, matrix.T)):
        layer.weight.copy_(weight)
        layer.bias.zero_()


def _damp_branches(transform: nn.Module) -> None:
    for block in transform.modules():
        if isinstance(block, ResidualBlock):
            block.leave.weight.mul_(BRANCH_PART)
            block.narrow.weight.mul_(BRANCH_PART)


def _set_widths(model: TrainableCodec, deviations: Tensor) -> None:
    """Bias the table indices to latents of such deviations at the middle quality, from which the other ones shift."""
    kept = min(len(deviations), model.arch.latents)
    scales = deviations[:kept] * model.encoder_gain[ANCHORS // 2, :kept].exp()
    index = (scales.clamp_min(SCALE_FLOOR) / SCALE_FLOOR).log() / SCALE_STEP
    model.parameter_head.bias[model.arch.latents : model.arch.latents + kept] = index.clamp(0, TABLES - 1)
