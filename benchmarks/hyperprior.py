"""A network of the shape of bmshj2018-hyperprior, with random weights: how long do its forward passes take?

Ballé et al. 2018, Variational image compression with a scale hyperprior, arXiv:1802.01436, with the 128 and 192 channels
of CompressAI's model for low rates. Its entropy coder is left out, which is in its favour.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.timing import seconds_of

CHANNELS, LATENTS = 128, 192
STRIDE = 64
"""Pictures must be multiples of it."""


class Gdn(nn.Module):
    """Generalised divisive normalisation, or its inverse (Ballé et al. 2016, arXiv:1511.06281)."""

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter(0.1 * torch.eye(channels)[:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        norm = F.conv2d(x * x, self.gamma, self.beta)
        return x * (norm.sqrt() if self.inverse else norm.rsqrt())


def down(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 5, stride=2, padding=2)


def up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1)


class Hyperprior(nn.Module):
    """What an encoder computes and what a decoder computes, between pixels and the entropy coder."""

    def __init__(self, n: int = CHANNELS, m: int = LATENTS) -> None:
        super().__init__()
        self.analysis = nn.Sequential(down(3, n), Gdn(n), down(n, n), Gdn(n), down(n, n), Gdn(n), down(n, m))
        self.synthesis = nn.Sequential(
            up(m, n), Gdn(n, inverse=True), up(n, n), Gdn(n, inverse=True), up(n, n), Gdn(n, inverse=True), up(n, 3)
        )
        self.hyper_analysis = nn.Sequential(nn.Conv2d(m, n, 3, padding=1), nn.ReLU(), down(n, n), nn.ReLU(), down(n, n))
        self.hyper_synthesis = nn.Sequential(
            up(n, n), nn.ReLU(), up(n, n), nn.ReLU(), nn.Conv2d(n, m, 3, padding=1), nn.ReLU()
        )

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, hyper-latents, and the scales that an entropy coder needs."""
        latents = self.analysis(pixels)
        z = self.hyper_analysis(latents.abs()).round()
        return latents.round(), z, self.hyper_synthesis(z)

    def decode(self, latents: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels and scales."""
        return self.synthesis(latents), self.hyper_synthesis(z)


class FastestHyperprior:
    """The network in whichever data type and memory layout is the fastest here, chosen for each direction.

    Sizes are (height, width), multiples of 64; the threads are those set when it is made.
    """

    def __init__(self, height: int, width: int) -> None:
        ways = [Way(height, width, *way) for way in product((torch.float32, torch.bfloat16), LAYOUTS)]
        self.encoder = min(ways, key=lambda way: _second_call(way.encode))
        self.decoder = min(ways, key=lambda way: _second_call(way.decode))


class Way:
    """The network in one data type and memory layout, with random input of one size."""

    def __init__(self, height: int, width: int, dtype: torch.dtype, layout: str) -> None:
        self.name = f"{str(dtype).removeprefix('torch.')} {layout}"
        form = LAYOUTS[layout]
        torch.manual_seed(0)
        self._network = Hyperprior().eval().requires_grad_(False).to(dtype)
        self._network = self._network.to(memory_format=form)  # type: ignore[call-overload]
        self._pixels = torch.rand(1, 3, height, width).to(dtype).to(memory_format=form)
        self._latents, self._z, _ = self.encode()

    @torch.inference_mode()
    def encode(self) -> tuple[Tensor, Tensor, Tensor]:
        return self._network.encode(self._pixels)

    @torch.inference_mode()
    def decode(self) -> tuple[Tensor, Tensor]:
        return self._network.decode(self._latents, self._z)


LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


def _second_call(action: Callable[[], object]) -> float:
    """Its seconds: the first call prepares kernels."""
    action()
    return seconds_of(action)
