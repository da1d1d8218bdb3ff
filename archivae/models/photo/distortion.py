"""How far a tile decodes from its picture, among neighbours that stay as they are, and where its latents should rather be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from archivae.models.photo.adjoint import Adjoint, Trace, traced
from archivae.models.photo.architecture import LATENT_STRIDE
from archivae.models.photo.integer import PARAMETER_UNIT
from archivae.models.photo.tiling import Box
from archivae.models.photo.transforms import Synthesis


class Renderer(NamedTuple):
    """The synthesis of a codec at one quality, into levels of 0 to 255, and its adjoint."""

    synthesis: Synthesis
    adjoint: Adjoint
    mix: Tensor
    gain: Tensor
    """(1, latents, 1, 1), of latents in quantisation steps."""


class Decoded(NamedTuple):
    """What a tile's latents decode to."""

    squared_error: int
    error: Tensor
    """Of the pixels that are compared, not rounded: (1, 3, h, w)."""
    trace: Trace


class Window(NamedTuple):
    """A tile among its neighbours: boxes of rows and columns.

    ``inner`` is the tile in latent positions of the window, ``seen`` the pixels of the window that are compared.
    """

    inner: tuple[slice, slice]
    seen: tuple[slice, slice]


class TileError:
    """The squared error of a tile. The one place that says what an error is.

    ``around`` (1, latents, H, W), int32 in steps of 1/16, is what the window's latents are restored to; those of the tile
    itself do not matter. ``pixels`` (1, 3, h, w) float32 are the levels to compare with. A tile changes no pixel beyond
    ``seen``, and all of those are made of latents of the window: so the error falls as that of the whole picture does.
    """

    def __init__(self, renderer: Renderer, around: Tensor, window: Window, pixels: Tensor) -> None:
        self._renderer = renderer
        self._around = around
        self._window = window
        self._pixels = pixels

    def decode(self, restored: Tensor) -> Decoded:
        """Of the tile's restored latents, int32 (1, latents, h, w) in steps of 1/16."""
        latents = self._around.clone()
        latents[(..., *self._window.inner)] = restored
        renderer = self._renderer
        levels, trace = traced(renderer.synthesis, latents.float().mul_(renderer.gain / PARAMETER_UNIT), renderer.mix)
        seen = levels[(..., *self._window.seen)]
        # Where a sample is beyond what a pixel holds, moving it within that changes nothing.
        error = seen.clamp(0, 255).sub_(self._pixels)
        whole = seen.round().clamp_(0, 255).sub_(self._pixels).to(torch.int32)
        return Decoded(int(whole.square_().sum(dtype=torch.int64)), error, trace)

    def gradient(self, decoded: Decoded) -> Tensor:
        """The derivative of the squared error by the tile's latents in quantisation steps: float32 (1, latents, h, w)."""
        return self._back(decoded.error, decoded.trace).mul_(2)

    def spread(self, decoded: Decoded, seed: int) -> Tensor:
        """What a step of one latent adds to the squared error, a mean for each channel: float32 (1, latents, 1, 1).

        The diagonal of the synthesis' squared derivative, by one random picture of -1 and 1 (Hutchinson 1990).
        """
        signs = np.random.default_rng(seed).integers(0, 2, self._pixels.shape, np.int8)
        probe = torch.from_numpy(signs).to(self._pixels).mul_(2).sub_(1)
        answer = self._back(probe, decoded.trace).cpu().double().numpy()
        means = np.square(answer).mean((2, 3), keepdims=True)  # NumPy's: torch's sums depend on the threads
        return torch.from_numpy(means).to(self._pixels)

    def _back(self, by_pixels: Tensor, trace: Trace) -> Tensor:
        renderer = self._renderer
        height, width = (LATENT_STRIDE * side for side in self._around.shape[2:])
        everywhere = by_pixels.new_zeros(1, 3, height, width)
        everywhere[(..., *self._window.seen)] = by_pixels
        by_latents = renderer.adjoint(everywhere, trace, renderer.mix)
        return by_latents[(..., *self._window.inner)].float().mul_(renderer.gain)


def window_of(outer: Box, inner: Box, seen: Box) -> Window:
    """Of boxes in pixels of the picture: the window, the tile, and what is compared."""
    return Window(_slices(inner, outer, LATENT_STRIDE), _slices(seen, outer, 1))


def _slices(box: Box, within: Box, grain: int) -> tuple[slice, slice]:
    top, left = within[:2]
    rows, columns = (box[0] - top, box[2] - top), (box[1] - left, box[3] - left)
    return slice(*(v // grain for v in rows)), slice(*(v // grain for v in columns))
