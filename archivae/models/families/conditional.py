"""The conditional variational autoencoder: the model M2 of Kingma et al. 2014, arXiv:1406.5298.

A digit's latents are its manner of writing, Gaussian as in a VAE, followed by a number for each class. To sample a class
is to set its number to 1; to encode is to read both off the picture. So nothing but `sample` needs to know of labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archivae.errors import UsageError
from archivae.models.families.convolutional import ConvSizes, flat_head
from archivae.models.families.family import Family
from archivae.models.families.layers import Down, Up, pooled
from archivae.models.families.variational import Posterior
from archivae.models.protocol import Form

HIDDEN = 128
"""Units between the maps and what is told of them."""


class Cvae(Family):
    """Latents ``(N, latents)``, of which the last ones are the probabilities of ``form.labels``."""

    name = "cvae"
    conditional = True
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
        self.look, _ = flat_head(form, sizes.depth, self.down.channels, HIDDEN)
        self.tell_class = nn.Linear(HIDDEN, self.classes)
        self.tell_manner = nn.Sequential(
            nn.Linear(HIDDEN + self.classes, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * self.manner)
        )
        _, self.leave = flat_head(form, sizes.depth, self.down.channels, sizes.latents)

    def read(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """What is seen of pictures, (N, HIDDEN), and class scores (N, classes) before the softmax."""
        seen = F.relu(self.look(self.down(pictures)))
        return seen, self.tell_class(seen).float()

    def posterior(self, seen: Tensor, classes: Tensor) -> Posterior:
        """The Gaussian of the manner, given what `read` saw and the probability of each class.

        It is told the class so that it need not tell of it: manners of all classes can then have one distribution.
        """
        return Posterior(*self.tell_manner(torch.cat([seen, classes], 1)).float().chunk(2, 1))

    def encode(self, pictures: Tensor) -> Tensor:
        seen, scores = self.read(pictures)
        classes = scores.softmax(1)
        return torch.cat([self.posterior(seen, classes).mean, classes], 1)

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
