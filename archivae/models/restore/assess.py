"""What is wrong with a picture, if anything: three measured numbers, without any model, and what they call for.

The thresholds are such that good pictures are left alone: better to miss a faint noise than to smear a fine texture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archivae.models.restore.pixels import Picture, check_picture, to_float

Floats = npt.NDArray[Any]

WINDOW, WINDOWS = 256, 4
"""Of a large picture so many windows a side are looked at, of so many pixels."""
BLOCK = 8

QUIETEST = 0.1
"""Noise is read where the picture is calmest: in this share of its blocks."""
QUIETEST_READS = 0.8
"""What the calmest of blocks with nothing but noise in them read of its sigma."""
CLIPPED = 8 / 255
"""Blocks as near as this to black or white don't tell: noise is clipped there."""

NOISY = 6.0
"""Of nine good photographs eight read below 1.3 and one, all texture, 5.7; with noise of sigma 10 added, 9.6 to 12.6."""
BLOCKY = 0.3
"""The same nine read 0.02 to 0.18; at JPEG quality 90 to 0.22, at 60 mostly above 0.4, at 40 mostly above 0.75."""
DARK_MEAN, DARK_LIGHTS = 0.18, 0.45


@dataclass(frozen=True)
class Assessment:
    """Measurements of a picture.

    Attributes:
        noise: sigma in levels of 0 to 255, of each channel, where the picture is calmest.
        blocking: how much steeper pixels change across the lines of an 8x8 grid than elsewhere: 0 not at all, 1 twice.
            About 0.3 for a JPEG of quality 80, 1 at 40, 2 at 20.
        mean: of the luma, in [0, 1].
        lights: the luma that 5 % of pixels exceed, in [0, 1].
    """

    noise: float
    blocking: float
    mean: float
    lights: float

    @property
    def dark(self) -> bool:
        """Whether it lacks light; a night with bright lamps doesn't."""
        return self.mean < DARK_MEAN and self.lights < DARK_LIGHTS

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it needs, in the order to be done; empty for a good picture.

        JPEG's blocks first, while they lie where they were made; in the dark, noise is left to lowlight.
        """
        needs = {
            "dejpeg": self.blocking > BLOCKY,
            "lowlight": self.dark,
            "denoise": self.noise > NOISY and not self.dark,
        }
        return tuple(task for task, needed in needs.items() if needed)


def assess(picture: Picture) -> Assessment:
    """Measure a picture, (H, W, 1 or 3) uint8, uint16 or float32 about [0, 1], of any size. UsageError for others."""
    check_picture(picture)
    windows = [to_float(window)[:, :, : picture.shape[2]] for window in _windows(picture)]
    luma = np.concatenate([_luma(window).ravel() for window in windows])
    return Assessment(
        noise=255 * _noise(windows),
        blocking=_blocking([_luma(window) for window in windows]),
        mean=float(luma.mean()),
        lights=float(np.quantile(luma, 0.95)),
    )


def _windows(picture: Picture) -> Iterator[Picture]:
    """The whole, or windows spread over it that begin at multiples of 8, so that blocks lie in them as in the whole."""
    for rows in _spread(picture.shape[0]):
        for columns in _spread(picture.shape[1]):
            yield picture[rows, columns]


def _spread(length: int) -> list[slice]:
    if length <= WINDOW * WINDOWS:
        return [slice(0, length)]
    starts = [(length - WINDOW) * n // (WINDOWS - 1) // BLOCK * BLOCK for n in range(WINDOWS)]
    return [slice(start, start + WINDOW) for start in starts]


def _luma(window: Floats) -> Floats:
    return window[:, :, 0] if window.shape[2] == 1 else window @ np.array([0.299, 0.587, 0.114], np.float32)


def _noise(windows: list[Floats]) -> float:
    """Sigma by Immerkaer's filter (1996), which is blind to planes and edges along the grid, in the calmest blocks."""
    found = []
    for window in windows:
        for channel in np.moveaxis(window, 2, 0):
            response = _blocks(np.diff(np.diff(channel, 2, 0), 2, 1) / 6)
            level = _blocks(channel[1:-1, 1:-1]).mean((1, 3))
            found.append(np.sqrt(np.square(response).mean((1, 3)))[(level > CLIPPED) & (level < 1 - CLIPPED)])
    blocks = np.concatenate(found) if found else np.empty(0)
    return float(np.quantile(blocks, QUIETEST)) / QUIETEST_READS if blocks.size else 0.0


def _blocks(channel: Floats) -> Floats:
    """(H, W) as (rows, 8, columns, 8) without what is left over."""
    height, width = (max(side, 0) // BLOCK for side in channel.shape)
    return channel[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK)


def _blocking(lumas: list[Floats]) -> float:
    """How far the difference of slopes across lines (Minami and Zakhor 1995) stands out at one phase of an 8x8 grid.

    The largest mean of the eight phases against their median, less 1; of both directions the smaller, so that a fence
    or a window is no JPEG.
    """
    ratios = []
    for axis in (0, 1):
        sums, counts = np.zeros(BLOCK), np.zeros(BLOCK)
        for luma in (luma for luma in lumas if luma.shape[axis] > 3):
            bends = np.abs(np.diff(luma, 3, axis)).mean(1 - axis, dtype=np.float64)
            phases = np.arange(len(bends)) % BLOCK
            sums += np.bincount(phases, bends, BLOCK)
            counts += np.bincount(phases, minlength=BLOCK)
        means = sums / np.maximum(counts, 1)
        ratios.append(means.max() / max(float(np.median(means)), 1e-9) - 1 if counts.min() >= 2 else 0.0)
    return float(min(ratios))
