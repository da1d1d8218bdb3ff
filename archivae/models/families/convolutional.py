"""The convolutional autoencoder (Masci et al. 2011, Stacked convolutional auto-encoders), and the denoising one.

Latents are either so many numbers a picture or, with ``spatial``, so many a position of the lowest maps.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from archivae.models.families.family import Family, Sizes
from archivae.models.families.layers import Down, Up, grid, pooled
from archivae.models.protocol import Form


@dataclass(frozen=True)
class ConvSizes(Sizes):
    """``width`` channels at first, ``depth`` halvings, ``latents`` numbers; ``spatial`` and ``attention`` are 0 or 1."""

    width: int = 32
    depth: int = 2
    latents: int = 32
    spatial: int = 0
    attention: int = 0


class Conv(Family):
    """Convolution and pooling down, transposed convolution up."""

    name = "conv"
    sizes_type = ConvSizes

    def __init__(self, form: Form, sizes: ConvSizes) -> None:
        super().__init__(form, sizes)
        self.down = Down(form, sizes.width, sizes.depth, bool(sizes.attention))
        self.up = Up(form, sizes.width, sizes.depth, bool(sizes.attention))
        enter, leave = (_pointwise if sizes.spatial else _flat)(form, sizes, self.down.channels)
        self.enter, self.leave = enter, leave

    def encode(self, pictures: Tensor) -> Tensor:
        return self.enter(self.down(pictures)).float()

    def decode(self, latents: Tensor) -> Tensor:
        return self.logits(latents).sigmoid()

    def logits(self, latents: Tensor) -> Tensor:
        """Pictures before the sigmoid, float32."""
        return self.up(self.leave(latents)).float()

    def describe(self, pictures: Tensor) -> Tensor:
        return pooled(self.down(pictures))


class Denoising(Conv):
    """The same network, taught to give clean pictures for noisy ones.

    Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders.
    """

    name = "denoising"


def flat_head(form: Form, depth: int, channels: int, latents: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Maps of a picture to ``latents`` numbers, and such numbers to maps."""
    height, width = grid(form, depth)
    count = channels * height * width
    enter = nn.Sequential(nn.Flatten(), nn.Linear(count, latents))
    leave = nn.Sequential(nn.Linear(latents, count), nn.ReLU(), nn.Unflatten(1, (channels, height, width)))
    return enter, leave


def _flat(form: Form, sizes: ConvSizes, channels: int) -> tuple[nn.Module, nn.Module]:
    return flat_head(form, sizes.depth, channels, sizes.latents)


def _pointwise(form: Form, sizes: ConvSizes, channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, sizes.latents, 1), nn.Conv2d(sizes.latents, channels, 1)
