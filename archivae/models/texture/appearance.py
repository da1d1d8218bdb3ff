"""Latents of a texture's positions: what each looks like with all that lies around it, in a few numbers.

The encoder is one convolution whose filters are fitted to the sample at hand: its patches' principal components, which
are the best linear autoencoder of them. Lefebvre and Hoppe 2006, Appearance-space texture synthesis.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

REACH = 3
"""A patch reaches so many pixels to each side."""
LATENTS = 8


def fit_latents(picture: Floats) -> Floats:
    """``(H, W, C)`` to ``(H, W, LATENTS)``: the strongest components of the patch about each position.

    At the edges patches are mirrored.
    """
    patches = _patches(picture)
    centred = patches - patches.mean(0)
    _, components = np.linalg.eigh(centred.T @ centred)
    latents = centred @ components[:, ::-1][:, :LATENTS]
    height, width, _ = picture.shape
    return np.ascontiguousarray(latents.reshape(height, width, -1), np.float32)


def pyramid(picture: Floats, levels: int) -> list[Floats]:
    """``picture`` and ``levels`` halvings of it, the smallest first; odd rows and columns at the end are dropped."""
    steps = [picture]
    for _ in range(levels):
        fine = steps[-1]
        height, width = fine.shape[0] // 2 * 2, fine.shape[1] // 2 * 2
        blocks = fine[:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
        steps.append(blocks.mean((1, 3), dtype=np.float32))
    return steps[::-1]


def _patches(picture: Floats) -> Floats:
    """The patch about each position, weighted towards its middle: (H * W, patch)."""
    padded = np.pad(picture, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="reflect")
    side = 2 * REACH + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
    distance = np.hypot(*np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1])
    weights = np.exp(-0.5 * (distance / (REACH / 1.5)) ** 2).astype(np.float32)
    return (windows * weights).reshape(len(picture) * picture.shape[1], -1)
