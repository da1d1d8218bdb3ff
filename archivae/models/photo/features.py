"""The photo codec as a describer of pictures of any size: its latents, pooled over the picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.models.photo.architecture import ANCHORS, LATENT_STRIDE, anchor_mix
from archivae.models.photo.transforms import Analysis, symmetric_log
from archivae.models.photo.weights import PhotoWeights
from archivae.models.protocol import Form

QUALITY_ANCHOR = ANCHORS // 2
"""Latents are those of the middle of the quality scale."""


class PhotoFeatures(nn.Module):
    """Pictures ``(N, 3, H, W)`` to vectors ``(N, 2 * latents)``.

    Of each latent channel the mean over the picture and the mean magnitude, both of logarithms: what colours and what
    patterns there are, wherever they are.
    """

    form = Form(channels=3)

    def __init__(self, weights: PhotoWeights) -> None:
        super().__init__()
        self.analysis = Analysis(weights.arch)
        prefix = "analysis."
        floats = {n.removeprefix(prefix): t.float() for n, t in weights.floats.items() if n.startswith(prefix)}
        self.analysis.load_state_dict(floats)
        self.register_buffer("mix", anchor_mix(torch.tensor([float(QUALITY_ANCHOR)])))
        self.eval().requires_grad_(False)

    def describe(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[2:]
        missing = (0, -width % LATENT_STRIDE, 0, -height % LATENT_STRIDE)
        latents = symmetric_log(self.analysis(F.pad(pictures, missing, mode="replicate"), self.mix).float())
        return torch.cat([latents.mean((2, 3)), latents.abs().mean((2, 3))], 1)
