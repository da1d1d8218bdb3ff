"""The conditional variational autoencoder: the model M2 of Kingma et al. 2014, arXiv:1406.5298.

A digit's latents are its manner of writing, Gaussian as in a VAE, followed by a number for each class. To sample a class
is to set its number to 1; to encode is to read both off the picture. So nothing but `sample` needs to know of labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from archivae.errors import UsageError
from archivae.models.families.convolutional import ConvSizes, flat_head
from archivae.models.families.family import Family
from archivae.models.families.layers import Down, Up, pooled
from archivae.models.families.variational import Posterior
from archivae.models.protocol import Form


class Cvae(Family):
    """Latents ``(N, latents)``, of which the last ones are the probabilities of ``form.labels``."""

    name = "cvae"
    sizes_type = ConvSizes

    def __init__(self, form: Form, sizes: ConvSizes) -> None:
        super().__init__(form, sizes)
        self.classes = len(form.labels)
        self.manner = sizes.latents - self.classes
        if self.classes < 2 or self.manner < 1:
            raise UsageError(
                f"expected two labels or more and latents beyond them, found {self.classes} and {sizes.latents}: "
                "train cvae on labelled pictures"
            )
        self.down = Down(form, sizes.width, sizes.depth, bool(sizes.attention))
        self.up = Up(form, sizes.width, sizes.depth, bool(sizes.attention))
        self.enter, _ = flat_head(form, sizes.depth, self.down.channels, 2 * self.manner + self.classes)
        _, self.leave = flat_head(form, sizes.depth, self.down.channels, sizes.latents)

    def posterior(self, pictures: Tensor) -> tuple[Posterior, Tensor]:
        """The Gaussian of the manner, and class scores (N, classes) before the softmax."""
        both = self.enter(self.down(pictures)).float()
        mean, log_variance, scores = both.split([self.manner, self.manner, self.classes], 1)
        return Posterior(mean, log_variance), scores

    def encode(self, pictures: Tensor) -> Tensor:
        manner, scores = self.posterior(pictures)
        return torch.cat([manner.mean, scores.softmax(1)], 1)

    def decode(self, latents: Tensor) -> Tensor:
        return self.logits(latents).sigmoid()

    def logits(self, latents: Tensor) -> Tensor:
        """Pictures before the sigmoid, float32."""
        return self.up(self.leave(latents)).float()

    def sample(self, labels: Sequence[int | None], generator: torch.Generator) -> Tensor:
        manner = torch.randn(len(labels), self.manner, generator=generator)
        drawn = torch.randint(self.classes, (len(labels),), generator=generator)
        wanted = torch.tensor([n if label is None else label for label, n in zip(labels, drawn.tolist(), strict=True)])
        return torch.cat([manner, F.one_hot(wanted, self.classes).float()], 1)

    def describe(self, pictures: Tensor) -> Tensor:
        return pooled(self.down(pictures))
