"""Where a picture has holes: told by a mask, by a colour, or by its transparency."""

from __future__ import annotations

import re

import numpy as np

from archivae.errors import MaskError, UsageError
from archivae.images import MAX_PIXELS, open_picture
from archivae.models.restore.pixels import Mask

WHITE = 128
"""From this level on, in any channel, a pixel of a mask marks a hole."""

_COLOUR = re.compile(r"#?([0-9a-fA-F]{6})")


def check_pattern(pattern: str) -> str:
    """The pattern. UsageError unless it has one ``*``, something besides, and no ``..``."""
    if pattern.count("*") != 1 or pattern == "*" or ".." in pattern.split("/"):
        raise UsageError(
            f"expected masks as a pattern with one * for the picture's name, such as '*_mask.png' or 'masks/*.png', "
            f"found {pattern!r}"
        )
    return pattern


def parse_colour(text: str) -> tuple[int, int, int]:
    """Red, green and blue. UsageError for anything but six hexadecimal digits.

    >>> parse_colour("ff00FF")
    (255, 0, 255)
    """
    found = _COLOUR.fullmatch(text)
    if found is None:
        raise UsageError(f"expected a colour as RRGGBB, such as ff00ff, found {text!r}")
    red, green, blue = bytes.fromhex(found[1])
    return red, green, blue


def mask_of_file(data: bytes, max_pixels: int = MAX_PIXELS) -> Mask:
    """(H, W) bool of a picture file, true where it is white; errors as of `open_picture`."""
    return np.asarray(open_picture(data, max_pixels=max_pixels).pixels.max(axis=2) >= WHITE)


def mask_of_colour(pixels: np.ndarray, colour: str) -> Mask:
    """(H, W) bool, true where ``pixels``, uint8 (H, W, 1 or 3), have that very colour, RRGGBB.

    UsageError for deeper pixels.
    """
    if pixels.dtype != np.uint8:
        raise UsageError(f"expected 8-bit samples to find a colour in, found {pixels.dtype}: give a mask instead")
    return np.asarray((pixels == np.array(parse_colour(colour), np.uint8)).all(axis=2))


def mask_of_alpha(alpha: np.ndarray | None, opaque: float) -> Mask:
    """(H, W) bool, true where less than ``opaque``: what is half transparent has often lost its colour as well.

    MaskError where there is no transparency.
    """
    if alpha is None:
        raise MaskError(
            "expected a mask, a colour or transparency that tells the holes, found an opaque picture and nothing else: "
            "give --masks or --mask-colour"
        )
    return np.asarray(alpha < opaque)
