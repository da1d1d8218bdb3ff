"""How a camera's noise looks: made in linear light, where it depends on the light, and developed with it.

After Brooks et al. 2019, "Unprocessing images for learned raw denoising" (arXiv:1811.11127).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SHOT = (1e-4, 1.2e-2)
"""Variance a unit of light, from a good camera in daylight to a poor one at night."""
CORRELATED_SHARE = 0.3
"""Noise that a camera's own processing has smeared over neighbours."""

_LEVELS = np.arange(256, dtype=np.float64) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_linear(pixels: npt.NDArray[np.uint8]) -> Floats:
    """The light of sRGB levels: float32 in [0, 1], by the curve of IEC 61966-2-1."""
    return np.asarray(_LINEAR[pixels])


def to_srgb(light: Floats) -> Floats:
    """`to_linear` undone, to float32 in [0, 1]; what is below or above is clipped, as a sensor clips."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** np.float32(1 / 2.4) - 0.055).astype(np.float32)


def camera_noise(rng: np.random.Generator, light: Floats, shots: tuple[float, float] = SHOT) -> Floats:
    """Shot and read noise for ``light`` (H, W, C) in [0, 1], of the same shape; ``shots`` bounds how much."""
    shot = float(np.exp(rng.uniform(*np.log(shots))))
    read = float(np.exp(2.18 * np.log(shot) + 1.2 + 0.26 * rng.standard_normal()))  # the paper's fit
    noise = rng.standard_normal(light.shape, np.float32)
    if rng.random() < CORRELATED_SHARE:
        noise = _smeared(noise, float(rng.uniform(0.2, 0.8)))
    return noise * np.sqrt(light.clip(0, 1) * np.float32(shot) + np.float32(read))


def _smeared(noise: Floats, amount: float) -> Floats:
    """Each value mixed with its neighbours above and to the left; the variance stays 1."""
    for axis in (0, 1):
        noise = noise + np.float32(amount) * np.roll(noise, 1, axis)
    return noise * np.float32(1 / (1 + amount**2))
