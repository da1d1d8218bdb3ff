"""The variational autoencoder (Kingma and Welling 2014, arXiv:1312.6114).

The encoder gives a Gaussian for each picture instead of a point; training draws from it, and keeps it near the standard
normal distribution. So what is drawn from that distribution decodes to a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from archivae.models.families.convolutional import ConvSizes, flat_head
from archivae.models.families.family import Family
from archivae.models.families.layers import Down, Up, pooled
from archivae.models.protocol import Form


class Posterior(NamedTuple):
    """A Gaussian a picture: ``mean`` and ``log_variance``, both (N, latents) float32."""

    mean: Tensor
    log_variance: Tensor

    def draw(self) -> Tensor:
        """Reparameterised: gradients flow into both."""
        return self.mean + (0.5 * self.log_variance).exp() * torch.randn_like(self.mean)

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from the standard normal, (N, latents), in nats."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance)


class Vae(Family):
    """``encode`` gives the mean of the posterior; ``sample`` the prior."""

    name = "vae"
    sizes_type = ConvSizes

    def __init__(self, form: Form, sizes: ConvSizes) -> None:
        super().__init__(form, sizes)
        self.down = Down(form, sizes.width, sizes.depth, bool(sizes.attention))
        self.up = Up(form, sizes.width, sizes.depth, bool(sizes.attention))
        self.enter, _ = flat_head(form, sizes.depth, self.down.channels, 2 * sizes.latents)
        _, self.leave = flat_head(form, sizes.depth, self.down.channels, sizes.latents)

    def posterior(self, pictures: Tensor) -> Posterior:
        return Posterior(*self.enter(self.down(pictures)).float().chunk(2, 1))

    def encode(self, pictures: Tensor) -> Tensor:
        return self.posterior(pictures).mean

    def decode(self, latents: Tensor) -> Tensor:
        return self.logits(latents).sigmoid()

    def logits(self, latents: Tensor) -> Tensor:
        """Pictures before the sigmoid, float32."""
        return self.up(self.leave(latents)).float()

    def sample(self, labels: Sequence[int | None], generator: torch.Generator) -> Tensor:
        return torch.randn(len(labels), self.sizes.latents, generator=generator)

    def describe(self, pictures: Tensor) -> Tensor:
        return pooled(self.down(pictures))


class VaeGan(Vae):
    """A VAE whose decoder was also taught by a discriminator (Larsen et al. 2016, arXiv:1512.09300)."""

    name = "vae-gan"
