"""Samples of any depth to the 8 bits that the codec takes, with the error in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

_STRIP = 256  # rows worked on at once, so that intermediate arrays stay small


def to_eight_bits(samples: np.ndarray, largest: int, linear: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 of the same shape, and what is to be said of it.

    Unsigned samples of 0 to ``largest`` become 0 to 255, rounded to the nearest. Signed and float samples have no full
    scale: within 0 to 1 floats are taken as 0 to 255; else what there is, from least to most, is stretched to it.
    ``linear`` light is clipped to 0 to 1 and given sRGB's curve (IEC 61966-2-1).
    """
    if samples.dtype == np.uint8 and largest == 255:
        return samples, ()
    if linear:
        return _from_light(samples, largest)
    if np.issubdtype(samples.dtype, np.unsignedinteger):
        return _from_unsigned(samples, largest)
    return _from_values(samples)


def _from_unsigned(samples: np.ndarray, largest: int) -> tuple[np.ndarray, tuple[str, ...]]:
    reduced, errors = np.empty(samples.shape, np.uint8), 0.0
    for rows in _strips(samples):
        wide = samples[rows].astype(np.uint32)
        eight = np.minimum((wide * 255 + largest // 2) // largest, 255)
        reduced[rows] = eight
        errors += float(np.square(eight / 255 - wide / largest).sum())
    if largest < 255:
        return reduced, (f"samples of 0 to {largest} scaled to 0 to 255",)
    return reduced, (f"samples of 0 to {largest} reduced to 8 bits ({_level(errors, samples.size)})",)


def _from_values(samples: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    finite, notes = _finite(samples)
    low, high = float(finite.min()), float(finite.max())
    if np.issubdtype(samples.dtype, np.floating) and low >= 0 and high <= 1:
        low, high, said = 0.0, 1.0, "float samples of 0 to 1 reduced to 8 bits"
    else:
        said = f"samples of {low:g} to {high:g} stretched to 0 to 255"
    scale = high - low or 1.0
    reduced, errors = np.empty(samples.shape, np.uint8), 0.0
    for rows in _strips(finite):
        unit = (finite[rows].astype(np.float64) - low) / scale
        reduced[rows] = np.rint(unit * 255)
        errors += float(np.square(reduced[rows] / 255 - unit).sum())
    return reduced, (*notes, f"{said} ({_level(errors, samples.size)})")


def _from_light(samples: np.ndarray, largest: int) -> tuple[np.ndarray, tuple[str, ...]]:
    full = largest if samples.dtype.kind == "u" else 1
    finite, notes = _finite(samples)
    clipped = int(((finite < 0) | (finite > full)).sum())
    reduced = np.empty(samples.shape, np.uint8)
    for rows in _strips(finite):
        light = np.clip(finite[rows] / np.float32(full), 0, 1)
        reduced[rows] = np.rint(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))
    share = f", {clipped / samples.size:.2%} of the samples clipped" if clipped else ""
    return reduced, (*notes, f"linear light reduced to 8 bits of sRGB{share}")


def _finite(samples: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The samples with 0 for what is no number."""
    bad = ~np.isfinite(samples)
    count = int(bad.sum())
    if not count:
        return samples, ()
    return np.where(bad, np.float32(0), samples), (f"{count} samples are no numbers, taken as 0",)


def _level(squared_errors: float, count: int) -> str:
    """The error of the reduction as a PSNR; below what float64 resolves, none."""
    mean = squared_errors / count
    return "without loss" if mean < 1e-20 else f"{-10 * math.log10(mean):.1f} dB"


def _strips(samples: np.ndarray) -> Iterator[slice]:
    for top in range(0, len(samples), _STRIP):
        yield slice(top, top + _STRIP)
