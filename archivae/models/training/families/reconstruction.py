"""Give back what was taken in: the objectives of dense, conv and denoising."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from archivae.models.families import Conv, Dense
from archivae.models.training.families.objective import Objective, reconstruction
from archivae.models.training.families.settings import ConvSettings

LEAST_PROBABILITY = 1e-6


class DenseObjective(Objective):
    """Squared error or cross-entropy of the reconstruction."""

    model: Dense | Conv

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        return (reconstruction(self.model.logits(self.model.encode(pictures)), pictures, self.settings.loss),)


class ConvObjective(DenseObjective):
    """The same and, where bits have a price, the length of the rounded latents.

    Rounding is taught as uniform noise, and its length as that of Laplacian latents (Ballé et al. 2017,
    arXiv:1611.01704).
    """

    measures = ("bits a pixel",)
    model: Conv

    def __init__(self, model: Conv, settings: ConvSettings) -> None:
        super().__init__(model, settings)
        shape = (model.sizes.latents, 1, 1) if model.sizes.spatial else (model.sizes.latents,)
        self.center = nn.Parameter(torch.zeros(shape))
        self.log_scale = nn.Parameter(torch.ones(shape))

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        latents = self.model.encode(pictures)
        if not self.settings.bits:
            return reconstruction(self.model.logits(latents), pictures, self.settings.loss), latents.new_zeros(())
        noisy = latents + torch.rand_like(latents) - 0.5
        bits = self._bits(noisy).sum() / (len(pictures) * self.model.form.height * self.model.form.width)
        error = reconstruction(self.model.logits(noisy), pictures, self.settings.loss)
        return error + self.settings.bits * bits, bits

    def _bits(self, latents: Tensor) -> Tensor:
        """Of each latent, -log2 of the probability of the unit interval about it."""
        distance, scale = latents - self.center, self.log_scale.exp()
        probability = _below(distance + 0.5, scale) - _below(distance - 0.5, scale)
        return -probability.clamp_min(LEAST_PROBABILITY).log() / math.log(2)


class DenoisingObjective(Objective):
    """Clean pictures for pictures under Gaussian noise, from none to the strongest; samples stay in [0, 1]."""

    model: Conv

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        sigma = self.settings.sigma * torch.rand(len(pictures), 1, 1, 1, device=pictures.device)
        noisy = (pictures + sigma * torch.randn_like(pictures)).clamp(0, 1)
        return (reconstruction(self.model.logits(self.model.encode(noisy)), pictures, self.settings.loss),)


def _below(distance: Tensor, scale: Tensor) -> Tensor:
    """The cumulative Laplace distribution."""
    tail = 0.5 * (-distance.abs() / scale).exp()
    return torch.where(distance < 0, tail, 1 - tail)
