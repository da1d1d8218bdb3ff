"""What an autoencoder is: pictures to latents, latents to pictures, and perhaps latents out of nothing.

Whatever does this can be run over a bucket. A model of your own:

    class Mine(nn.Module):
        form = Form(channels=1, height=28, width=28)

        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Linear(784, 32), nn.Linear(32, 784)

        def encode(self, pictures: Tensor) -> Tensor:
            return self.down(pictures.flatten(1))

        def decode(self, latents: Tensor) -> Tensor:
            return self.up(latents).sigmoid().view(-1, 1, 28, 28)

    archivae embed digits vectors.parquet --model mine.models:Mine --weights gs://bucket/mine.safetensors

Pictures are float32 (N, channels, height, width) in [0, 1]; latents are float32 with N first and any shape behind it.
A model is called in batches, without gradients, on the device that holds its parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True)
class Form:
    """The pictures that a model takes and makes.

    ``channels`` are 1 (grey) or 3 (RGB). ``height`` and ``width`` are 0 where any multiple of ``grain`` will do.
    ``labels`` name the classes that can be asked for in `Sampler.sample`; a model without classes has none.
    """

    channels: int
    height: int = 0
    width: int = 0
    grain: int = 1
    labels: tuple[str, ...] = ()

    def fits(self, height: int, width: int) -> bool:
        """Whether pictures of that size are taken."""
        return (
            (height, width) == (self.height, self.width)
            if self.height
            else not (height % self.grain or width % self.grain)
        )

    def __str__(self) -> str:
        size = f"{self.height}x{self.width}" if self.height else f"of any size in multiples of {self.grain}"
        return f"{'grey' if self.channels == 1 else 'RGB'} pictures {size}"


@runtime_checkable
class Decoder(Protocol):
    """The least that a model can do: latents to pictures."""

    form: Form

    def decode(self, latents: Tensor) -> Tensor:
        """The pictures of latents such as `Autoencoder.encode` or `Sampler.sample` give."""


@runtime_checkable
class Autoencoder(Decoder, Protocol):
    """Pictures to latents and back."""

    def encode(self, pictures: Tensor) -> Tensor:
        """The latents of each picture: no chance, the same ones whenever it is asked."""


@runtime_checkable
class Sampler(Decoder, Protocol):
    """Latents out of nothing, which decode to pictures that nobody took."""

    def sample(self, labels: Sequence[int | None], generator: torch.Generator) -> Tensor:
        """Latents of ``len(labels)`` new pictures, each of its class, or of any class where that is None.

        All chance is drawn from ``generator``, a CPU's: equal states give equal latents on every device.
        """


@runtime_checkable
class Describer(Protocol):
    """A model that knows better than its latents what two pictures have in common."""

    form: Form

    def describe(self, pictures: Tensor) -> Tensor:
        """A vector a picture, float32 (N, D): what a search or a classifier is given."""
