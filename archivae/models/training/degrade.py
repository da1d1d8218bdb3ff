"""Damage made on the fly, a function of the random numbers handed in: what restorers are trained to undo.

Each function takes a generator and a crop (H, W, 3) uint8, and draws how bad it will be.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from archivae.models.training.camera import camera_noise, to_linear, to_srgb
from archivae.models.training.data import Pixels
from archivae.models.training.masks import random_mask

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

GREY_SHARE = 0.08
CLEAN_SHARE = 0.05
"""Crops without damage: of them the estimator learns to say so."""

LARGEST_SIGMA = 55.0
CAMERA_SHARE = 0.3
WORST_CAMERA = 64.0

WORST_QUALITY, BEST_QUALITY = 10, 95
QUALITY_SKEW = 1.5
"""Above 1, coarse qualities are drawn more often than fine ones: there is more to learn from them."""
SHIFTED_SHARE = 0.25
"""JPEGs whose blocks begin elsewhere than the picture: crops of old JPEGs. Most do not, and the latents see whole blocks."""
SUBSAMPLINGS = ("4:4:4", "4:2:0", "4:2:0", "4:2:2")


class Degraded(NamedTuple):
    """A crop and its damage.

    Attributes:
        pixels: (H, W, 3) float32, about [0, 1].
        clean: (H, W, 3) uint8, what it was.
        strength: in the unit of the task.
        mask: (H, W) bool, true in holes.
    """

    pixels: Floats
    clean: Pixels
    strength: float
    mask: Mask


Degradation = Callable[[np.random.Generator, Pixels], Degraded]


def add_noise(rng: np.random.Generator, clean: Pixels) -> Degraded:
    """Gaussian noise of sigma 0 to 55 as papers make it, or a camera's; half of it rounded to 8 bits as files are."""
    clean = _sometimes_grey(rng, clean)
    pixels = _unit(clean)
    if rng.random() < CLEAN_SHARE:
        return _whole(pixels, clean, 0.0)
    if rng.random() < CAMERA_SHARE:
        noisy = _like_camera(rng, clean)
        strength = 255 * float(np.sqrt(np.mean(np.square(noisy - pixels))))
    else:
        strength = float(rng.uniform(0, LARGEST_SIGMA))
        noisy = pixels + _noise_like(rng, clean) * np.float32(strength / 255)
    if rng.random() < 0.5:
        noisy = np.asarray((noisy * 255).round().clip(0, 255) / np.float32(255), np.float32)
    return _whole(noisy, clean, min(strength, WORST_CAMERA))


def compress_jpeg(rng: np.random.Generator, clean: Pixels) -> Degraded:
    """A real JPEG, chroma subsampled or not, its blocks aligned with the picture or not."""
    clean = _sometimes_grey(rng, clean)
    if rng.random() < CLEAN_SHARE:
        return _whole(_unit(clean), clean, 100.0)
    quality = round(WORST_QUALITY + (BEST_QUALITY - WORST_QUALITY) * rng.random() ** QUALITY_SKEW)
    down, right = rng.integers(0, 8, 2) if rng.random() < SHIFTED_SHARE else (0, 0)
    subsampling = SUBSAMPLINGS[rng.integers(len(SUBSAMPLINGS))]
    shifted = np.pad(clean, ((down, 0), (right, 0), (0, 0)), mode="symmetric")
    return _whole(_unit(through_jpeg(shifted, quality, subsampling)[down:, right:]), clean, float(quality))


def through_jpeg(pixels: Pixels, quality: int, subsampling: str) -> Pixels:
    """(H, W, 3) uint8 saved and read again; three equal channels are saved as grey."""
    file = io.BytesIO()
    if _is_grey(pixels):
        Image.fromarray(np.ascontiguousarray(pixels[:, :, 0])).save(file, "JPEG", quality=quality)
    else:
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file).convert("RGB"))


def punch_holes(rng: np.random.Generator, clean: Pixels) -> Degraded:
    """Pixels lost at random, writing, scratches, rectangles."""
    clean = _sometimes_grey(rng, clean)
    mask = random_mask(rng, *clean.shape[:2])
    return Degraded(_unit(clean) * ~mask[:, :, None], clean, 0.0, mask)


def _like_camera(rng: np.random.Generator, clean: Pixels) -> Floats:
    light = to_linear(clean)
    if _is_grey(clean):
        light = light[:, :, :1]
    noisy = to_srgb(light + camera_noise(rng, light))
    return np.broadcast_to(noisy, clean.shape)


def _noise_like(rng: np.random.Generator, clean: Pixels) -> Floats:
    """Of variance 1, for each channel another; for grey the same."""
    channels = 1 if _is_grey(clean) else 3
    return rng.standard_normal((*clean.shape[:2], channels), np.float32)


def _sometimes_grey(rng: np.random.Generator, clean: Pixels) -> Pixels:
    if rng.random() >= GREY_SHARE:
        return clean
    grey = (clean @ np.array([0.299, 0.587, 0.114], np.float32)).round().astype(np.uint8)
    return np.broadcast_to(grey[:, :, None], clean.shape)


def _is_grey(pixels: Pixels) -> bool:
    return bool((pixels[:, :, :1] == pixels[:, :, 1:]).all())


def _whole(pixels: Floats, clean: Pixels, strength: float) -> Degraded:
    return Degraded(pixels, clean, strength, np.zeros(clean.shape[:2], np.bool_))


def _unit(pixels: Pixels) -> Floats:
    return pixels * np.float32(1 / 255)
