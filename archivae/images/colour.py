"""Colours to sRGB and back by ICC profiles, through littleCMS.

The codec is made for sRGB. A picture of another profile is converted for it, by relative colorimetric intent with black
point compensation; the profile is kept, so that decode can convert back. Grey stays grey: a curve of 256 entries.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from archivae.images.picture import Colours

SAME_WITHIN = 1
"""Levels by which a conversion may move colours and still count as none: profiles named sRGB differ by so much."""
NEUTRAL_WITHIN = 3
"""Levels by which red, green and blue of a converted grey may differ."""

_STRIP = 256  # rows converted at once
_FLAGS = int(ImageCms.Flags.BLACKPOINTCOMPENSATION)
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_MODES: dict[Colours, str] = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK"}
_SPACES: dict[Colours, str] = {"grey": "GRAY", "rgb": "RGB", "cmyk": "CMYK"}

Convert = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Profile:
    """An ICC profile that littleCMS can read: its name, and what its colours become."""

    name: str
    to_srgb: Convert | None
    """uint8 (H, W, C) of the profile's colours to sRGB, or grey; None where they are that already."""


@lru_cache(maxsize=16)
def read_profile(icc: bytes, colours: Colours) -> Profile | None:
    """What ``icc`` says of pixels of such ``colours``; None if it is damaged, or of other colours."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        if space != _SPACES[colours] and (colours, space) != ("grey", "RGB"):  # cameras give grey an RGB profile
            return None
        mode = next(_MODES[c] for c, name in _SPACES.items() if name == space)
        transform = _transform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
        to_srgb = _grey_curve(transform) if colours == "grey" else _by_strips(transform, mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if to_srgb is None:
        return None
    return Profile(_name(profile), None if _changes_nothing(to_srgb, colours) else to_srgb)


@lru_cache(maxsize=16)
def from_srgb(icc: bytes, colours: Colours) -> Convert | None:
    """The way back: uint8 sRGB, or grey, to the profile's colours; None where the profile has no such direction."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if colours == "grey":
            forward = read_profile(icc, colours)
            return None if forward is None or forward.to_srgb is None else _inverse_curve(forward.to_srgb)
        return _by_strips(_transform(ImageCms.createProfile("sRGB"), profile, "RGB", _MODES[colours]), "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def inks_to_rgb(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 4) CMYK to (H, W, 3) where no profile says what the inks look like: each takes its share of the light."""
    light = 255 - pixels[:, :, 3:].astype(np.uint16)
    return (((255 - pixels[:, :, :3]) * light + 127) // 255).astype(np.uint8)


def _transform(source: Any, target: Any, from_mode: str, to_mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(source, target, from_mode, to_mode, _INTENT, _FLAGS)  # type: ignore[arg-type]


def _by_strips(transform: ImageCms.ImageCmsTransform, mode: str) -> Convert:
    def convert(pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        converted = np.empty((height, width, len(Image.new(transform.output_mode, (1, 1)).getbands())), np.uint8)
        for top in range(0, height, _STRIP):
            strip = np.ascontiguousarray(pixels[top : top + _STRIP])
            image = Image.frombuffer(mode, (width, len(strip)), strip, "raw", mode, 0, 1)
            converted[top : top + _STRIP] = np.asarray(transform.apply(image))
        return converted

    return convert


def _grey_curve(transform: ImageCms.ImageCmsTransform) -> Convert | None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None]).convert(transform.input_mode)
    colours = np.asarray(transform.apply(ramp))[0].astype(int)
    if int(np.ptp(colours, axis=1).max()) > NEUTRAL_WITHIN:
        return None  # a tinted grey: one channel can't hold it
    return _by_curve(np.rint(colours.mean(axis=1)).astype(np.uint8))


def _inverse_curve(forward: Convert) -> Convert:
    curve = forward(np.arange(256, dtype=np.uint8)[None, :, None])[0, :, 0].astype(int)
    nearest = np.abs(curve[None] - np.arange(256)[:, None]).argmin(axis=1)
    return _by_curve(nearest.astype(np.uint8))


def _by_curve(curve: np.ndarray) -> Convert:
    return lambda pixels: np.take(curve, pixels)


def _changes_nothing(to_srgb: Convert, colours: Colours) -> bool:
    if colours == "cmyk":
        return False
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    axes = [steps] * (1 if colours == "grey" else 3)
    probe = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(len(steps), -1, len(axes))
    return int(np.abs(to_srgb(probe).astype(int) - probe).max()) <= SAME_WITHIN


def _name(profile: ImageCms.ImageCmsProfile) -> str:
    name = profile.profile.profile_description or profile.profile.model or "a profile without a name"
    return " ".join(str(name).split())
