"""The vector-quantised autoencoder (van den Oord et al. 2017, arXiv:1711.00937), its vectors quantised in stages.

Each position's vector becomes the nearest word of a codebook; what is left becomes the nearest word of the next, and so
on (residual quantisation, as in SoundStream, Zeghidour et al. 2021, arXiv:2107.03312). The words' numbers are what an
``.avae`` file holds; with fewer stages it holds less.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archivae.errors import UsageError
from archivae.models.families.family import Family, Sizes
from archivae.models.families.layers import Down, Up, grid, pooled
from archivae.models.protocol import Form

MOST_WORDS = 253
"""The widest table of the entropy coder tells so many apart."""


@dataclass(frozen=True)
class VqSizes(Sizes):
    """``width`` channels at first, ``depth`` halvings, ``latents`` channels of the vectors, ``stages`` of ``words``."""

    width: int = 32
    depth: int = 2
    latents: int = 16
    stages: int = 2
    words: int = 128
    attention: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.words > MOST_WORDS:
            raise UsageError(f"expected at most {MOST_WORDS} words a codebook, found {self.words}")


class Vq(Family):
    """``encode`` gives the vectors before quantisation, (N, latents, h, w); ``decode`` quantises them first."""

    name = "vq"
    sizes_type = VqSizes

    def __init__(self, form: Form, sizes: VqSizes) -> None:
        super().__init__(form, sizes)
        self.grid = grid(form, sizes.depth)
        self.down = Down(form, sizes.width, sizes.depth, bool(sizes.attention))
        self.up = Up(form, sizes.width, sizes.depth, bool(sizes.attention))
        self.enter = nn.Conv2d(self.down.channels, sizes.latents, 1)
        self.leave = nn.Conv2d(sizes.latents, self.up.channels, 3, padding=1)
        self.codebooks = nn.Parameter(torch.randn(sizes.stages, sizes.words, sizes.latents))

    def encode(self, pictures: Tensor) -> Tensor:
        return self.enter(self.down(pictures)).float()

    def decode(self, latents: Tensor) -> Tensor:
        return self.decode_words(self.words(latents))

    def words(self, latents: Tensor) -> Tensor:
        """The words' numbers, int64 (N, stages, h, w)."""
        rest = latents.permute(0, 2, 3, 1).flatten(0, 2)
        numbers = []
        for codebook in self.codebooks:
            numbers.append(nearest(rest, codebook))
            rest = rest - codebook[numbers[-1]]
        return torch.stack(numbers, 1).view(len(latents), *latents.shape[2:], -1).permute(0, 3, 1, 2)

    def vectors(self, words: Tensor) -> Tensor:
        """What the first ``stages`` of words, int64 (N, stages, h, w), add up to: (N, latents, h, w)."""
        total = sum(codebook[words[:, stage]] for stage, codebook in enumerate(self.codebooks[: words.shape[1]]))
        assert isinstance(total, Tensor)
        return total.permute(0, 3, 1, 2)

    def decode_words(self, words: Tensor) -> Tensor:
        """Pictures of words, of all stages or of the first few."""
        return self.logits(self.vectors(words)).sigmoid()

    def logits(self, vectors: Tensor) -> Tensor:
        """Pictures before the sigmoid, float32, of quantised vectors (N, latents, h, w)."""
        return self.up(self.leave(vectors)).float()

    def describe(self, pictures: Tensor) -> Tensor:
        return pooled(self.down(pictures))


def nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """For each of ``vectors`` (M, D) the number of the nearest word of ``codebook`` (words, D): int64 (M,)."""
    return (codebook.square().sum(1) - 2 * vectors @ codebook.T).argmin(1)
