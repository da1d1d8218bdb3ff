"""The fully connected autoencoder (Hinton and Salakhutdinov 2006, Reducing the dimensionality of data with neural networks).

Layers shrink by the same factor from the picture to its latents, and grow back likewise.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from torch import Tensor, nn

from archivae.models.families.family import Family, Sizes
from archivae.models.protocol import Form


@dataclass(frozen=True)
class DenseSizes(Sizes):
    """``hidden`` units in the first layer, ``depth`` layers down to ``latents`` numbers."""

    hidden: int = 512
    depth: int = 3
    latents: int = 32


class Dense(Family):
    """Pictures to ``latents`` numbers and back through ``depth`` layers each way; ReLU inside, a sigmoid at the end."""

    name = "dense"
    sizes_type = DenseSizes

    def __init__(self, form: Form, sizes: DenseSizes) -> None:
        super().__init__(form, sizes)
        down = layer_widths(form.channels * form.height * form.width, sizes)
        self.down = _layers(down)
        self.up = _layers(down[::-1])

    def encode(self, pictures: Tensor) -> Tensor:
        return self.down(pictures.flatten(1)).float()

    def decode(self, latents: Tensor) -> Tensor:
        return self.logits(latents).sigmoid()

    def logits(self, latents: Tensor) -> Tensor:
        """Pictures before the sigmoid, float32: what cross-entropy is numerically safe with."""
        return self.up(latents).float().view(-1, self.form.channels, self.form.height, self.form.width)


def layer_widths(inputs: int, sizes: DenseSizes) -> list[int]:
    """Units of each layer from the picture to its latents.

    >>> layer_widths(784, DenseSizes(hidden=128, depth=3, latents=32))
    [784, 128, 64, 32]
    """
    steps = max(1, sizes.depth - 1)
    ratio = (sizes.latents / sizes.hidden) ** (1 / steps)
    return [inputs, *(round(sizes.hidden * ratio**n) for n in range(sizes.depth - 1)), sizes.latents]


def _layers(units: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(units):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
