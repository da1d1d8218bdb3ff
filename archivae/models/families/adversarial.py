"""The generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661), built of convolutions as in DCGAN
(Radford et al. 2016, arXiv:1511.06434).

Only the generator is shipped. It takes nothing in: pictures come out of latents alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from archivae.models.families.convolutional import ConvSizes, flat_head
from archivae.models.families.family import Family
from archivae.models.families.layers import Up, widths
from archivae.models.protocol import Form

LEAK = 0.2


class Gan(Family):
    """The generator: latents ``(N, latents)``, standard normal, to pictures."""

    name = "gan"
    sizes_type = ConvSizes

    def __init__(self, form: Form, sizes: ConvSizes) -> None:
        super().__init__(form, sizes)
        self.up = Up(form, sizes.width, sizes.depth, bool(sizes.attention), normalised=True)
        _, self.leave = flat_head(form, sizes.depth, self.up.channels, sizes.latents)

    def decode(self, latents: Tensor) -> Tensor:
        return self.up(self.leave(latents)).float().sigmoid()

    def sample(self, labels: Sequence[int | None], generator: torch.Generator) -> Tensor:
        return torch.randn(len(labels), self.sizes.latents, generator=generator)


class Discriminator(nn.Module):
    """Pictures ``(N, C, H, W)`` to scores ``(N,)``, high for real ones; kept smooth by spectral normalisation.

    Miyato et al. 2018, arXiv:1802.05957. ``features`` are its last maps, (N, channels, h, w).
    """

    def __init__(self, form: Form, width: int, depth: int) -> None:
        super().__init__()
        steps = [4 * form.channels, *widths(width, depth)]
        self.steps = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 3 if n == 0 else 4, stride=min(n + 1, 2), padding=1))
            for n, (a, b) in enumerate(itertools.pairwise(steps))
        )
        self.last = spectral_norm(nn.Conv2d(steps[-1], steps[-1], 3, padding=1))
        positions = (form.height >> depth) * (form.width >> depth)
        self.score = spectral_norm(nn.Linear(steps[-1] * positions, 1))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and the features that they are made of."""
        x = F.pixel_unshuffle(pictures * 2 - 1, 2)
        for step in self.steps:
            x = F.leaky_relu(step(x), LEAK)
        features = F.leaky_relu(self.last(x), LEAK)
        return self.score(features.flatten(1)).float().squeeze(1), features
