"""Dark pictures and what they should have been: real pairs of a short and a long exposure, and darkened photographs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from archivae.models.restore.brighten import gain, stops_between
from archivae.models.training.camera import camera_noise, to_linear, to_srgb
from archivae.models.training.data import Pixels
from archivae.models.training.degrade import Degraded

BRIGHT_SHARE = 0.15
"""Photographs left as bright as they are: of them the estimator learns to leave them alone."""
STOPS = (1.0, 6.0)
"""How much less light a darkened photograph had."""
SHOT = (1e-5, 2e-3)
"""Noise of a short exposure that nobody amplified, as in LOL: what brightening it makes visible."""
CAST = 0.12
"""Spread of the logarithm of a colour cast."""
LIT_SHARE = 0.3
"""Darkened photographs in which some parts are lit: there the restorer learns to leave the brightened as it is."""
LAMPS = (2, 5)
"""So many cells wide and high is the map of what is lit."""


def split_pair(pair: Pixels) -> Degraded:
    """A real pair, (H, W, 6) uint8: the dark picture's channels, then the light one's."""
    return _brightened_to(pair[:, :, 3:], pair[:, :, :3])


def darken(rng: np.random.Generator, clean: Pixels) -> Degraded:
    """A photograph, (H, W, 3) uint8, as a camera would have taken it with less light."""
    if rng.random() < BRIGHT_SHARE:
        return _brightened_to(clean, clean)
    stops = rng.uniform(*STOPS)
    cast = np.exp(rng.normal(0, CAST, 3)).astype(np.float32)
    light = to_linear(clean) * np.float32(2**-stops)
    lit = rng.random() < LIT_SHARE
    if lit:
        light = np.minimum(light * np.exp2(stops * _lamps(rng, clean.shape[:2])), 1)
    dark = to_srgb(light * cast + camera_noise(rng, light * cast, SHOT))
    damaged = _brightened_to(clean, (dark * 255).round().astype(np.uint8))
    return damaged._replace(clean=_brightened(to_srgb(light), damaged.strength)) if lit else damaged


def _lamps(rng: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A smooth map, (H, W, 1) in [0, 1]: about a third of it lit."""
    cells = rng.normal(-0.4, 1.0, rng.integers(*LAMPS, 2, endpoint=True)).astype(np.float32)
    smooth = np.asarray(Image.fromarray(cells).resize(size[::-1], Image.Resampling.BICUBIC))
    return smooth[:, :, None].clip(0, 1)


def _brightened(dark: npt.NDArray[np.float32], stops: float) -> Pixels:
    """``dark`` (H, W, 3) in [0, 1] as `archivae.models.restore.brighten` has it, uint8."""
    light = dark * gain(dark.max(axis=2, keepdims=True), np.float32(2**stops))
    return np.asarray((light * 255).round().clip(0, 255), np.uint8)


def _brightened_to(clean: Pixels, dark: Pixels) -> Degraded:
    pixels = dark * np.float32(1 / 255)
    stops = stops_between(pixels, clean * np.float32(1 / 255))
    return Degraded(pixels, clean, stops, np.zeros(clean.shape[:2], np.bool_))
